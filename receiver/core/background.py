"""What nobody waits for: requests that a thread makes for a run, for catch-up or for what runs by itself.

They share what Dataverse allows with clicks and notifications, and stand behind them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_is_in_background: ContextVar[bool] = ContextVar("receiver_in_background", default=False)


@contextmanager
def in_background() -> Iterator[None]:
    """What this thread asks of Dataverse meanwhile, nobody waits for."""
    token = _is_in_background.set(True)
    try:
        yield
    finally:
        _is_in_background.reset(token)


def is_in_background() -> bool:
    return _is_in_background.get()
