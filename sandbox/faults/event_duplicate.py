"""EventBridge delivers at least once: here an event comes to the targets of a rule a second time."""

from __future__ import annotations

from sandbox.faults.base import Fault, Option, Reach, Undo
from sandbox.faults.deliveries import PERCENT, SEED, disturb, duplicated
from sandbox.faults.targets import Target


def inject(reach: Reach, target: Target, *, seconds: float, percent: int, seed: int) -> Undo:
    """Deliver again."""
    return disturb(reach, target, lambda delay: duplicated(delay, seconds), percent, seed)


FAULT = Fault(
    "event-duplicate",
    "Events come to the targets of a rule a second time.",
    ("rule",),
    inject,
    (
        Option("seconds", "How much later (0: right after)", 0.0, "AWS seconds", 0, 86_400, type=float),
        PERCENT,
        SEED,
    ),
)
