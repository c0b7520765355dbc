"""How many nodes run a command at once, and after how many errors no more are sent it.

Source: Systems Manager User Guide, "Run commands at scale": numbers or percentages of the targets. With 50 targets and
10% of errors the command stops at the sixth; it says nothing of how 10% of 25 concurrent targets is rounded: ours is
down, and one at least.
"""

from __future__ import annotations

DEFAULT_CONCURRENCY = "50"
DEFAULT_ERRORS = "0"


def concurrency(limit: str, targets: int) -> int:
    """How many of ``targets`` may run a command at the same time."""
    return max(_of(limit, targets), 1)


def errors(limit: str, targets: int) -> int:
    """How many errors there may be; one more, and the rest of ``targets`` is not sent the command any more."""
    return _of(limit, targets)


def _of(limit: str, targets: int) -> int:
    if limit.endswith("%"):
        return targets * int(limit[:-1]) // 100
    return int(limit)
