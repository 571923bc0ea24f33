"""ganbench."""
