"""EventBridge promises no order: here events come to the targets of a rule late, after those that are not held up."""

from __future__ import annotations

from sandbox.faults.base import Fault, Option, Reach, Undo
from sandbox.faults.deliveries import PERCENT, SEED, delayed, disturb
from sandbox.faults.targets import Target


def inject(reach: Reach, target: Target, *, seconds: float, percent: int, seed: int) -> Undo:
    """Deliver later."""
    return disturb(reach, target, lambda delay: delayed(delay, seconds), percent, seed)


FAULT = Fault(
    "event-delay",
    "Events come to the targets of a rule late.",
    ("rule",),
    inject,
    (Option("seconds", "How late", 30.0, "AWS seconds", 0.1, 86_400, type=float), PERCENT, SEED),
)
