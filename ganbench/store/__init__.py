"""Where results are kept: runs and scores in a database, artifacts in a folder beside it."""

from ganbench.store.store import Store

__all__ = ["Store"]
