"""Ctrl-C, and SIGTERM as the same: an interruption starts the clean-up, and never cuts it short."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
# Seconds in which another signal counts as the same interruption: pressed twice, or sent to process and group.
_ONE = 3.0

_last = -_ONE


def install() -> None:
    """Have both signals raise KeyboardInterrupt, the second of two in short order excepted."""
    for number in _SIGNALS:
        signal.signal(number, _interrupt)


def ignore() -> None:
    """Nothing is left that an interruption could begin."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _interrupt(number: int, frame: Any) -> None:
    global _last  # noqa: PLW0603 -- signals belong to the process
    now = time.monotonic()
    if now - _last < _ONE:
        return
    _last = now
    raise KeyboardInterrupt


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Hold both signals back; the first that comes meanwhile is delivered at the end.

    Only the main thread gets signals, so on any other nothing needs to be done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {number: signal.signal(number, lambda n, frame: came.append(n)) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])
