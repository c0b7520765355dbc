"""One process at a time on this machine: a lock on a file in the cache, which ends with its process at the latest."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Callable, Iterator

from sandbox import paths


@contextlib.contextmanager
def turn(name: str, waiting: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Have the turn as long as the block lasts.

    Args:
        name: What the turn is for.
        waiting: Called where somebody else has it.
    """
    paths.cache().mkdir(parents=True, exist_ok=True)
    with (paths.cache() / f"{name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
