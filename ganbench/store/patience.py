"""Waiting for a server that is away for a while: restarted, or behind a network that is."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError

OUTAGE_SECONDS = 60.0
"""How long a sweep waits for its store's server."""
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0  # seconds

Result = TypeVar("Result")


def patiently(act: Callable[[], Result], note: Callable[[str], None]) -> Result:
    """What `act` gives, tried again with growing pauses while the server is away; after OUTAGE_SECONDS, its error.

    `act` must be a transaction that may be done twice: a server may die between its commit and its answer.
    """
    deadline = time.monotonic() + OUTAGE_SECONDS
    pause = FIRST_PAUSE
    while True:
        try:
            return act()
        except DBAPIError as error:
            if not _passes(error) or time.monotonic() + pause > deadline:
                raise
        if pause == FIRST_PAUSE:
            note(f"the store does not answer: trying again for {OUTAGE_SECONDS:g} s")
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


def _passes(error: DBAPIError) -> bool:
    """Whether to try again can help: the connection failed, or another wrote the same row first."""
    return error.connection_invalidated or isinstance(error, OperationalError | InterfaceError | IntegrityError)
