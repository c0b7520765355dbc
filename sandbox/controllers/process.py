"""moto's state belongs to the process, so a process has one sandbox or one replay at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable

from sandbox.errors import SandboxError

_one_at_a_time = threading.Lock()


def claim() -> Callable[[], None]:
    """Claim moto's state; the result gives it back.

    Raises:
        SandboxError: Somebody in this process has it.
    """
    if not _one_at_a_time.acquire(blocking=False):
        raise SandboxError(
            "this process already has a sandbox", hint="close it first, or use another process (pytest-xdist does)"
        )
    return _one_at_a_time.release
