"""Metrics under regression: what was recorded of them, held against what the code makes now."""
