"""Events that never come: a rule that was disabled for a while, or a permission that was missing."""

from __future__ import annotations

from sandbox.faults.base import Fault, Reach, Undo
from sandbox.faults.deliveries import PERCENT, SEED, disturb, dropped
from sandbox.faults.targets import Target


def inject(reach: Reach, target: Target, *, percent: int, seed: int) -> Undo:
    """Deliver never."""
    return disturb(reach, target, dropped, percent, seed)


FAULT = Fault("event-drop", "Events never come to the targets of a rule.", ("rule",), inject, (PERCENT, SEED))
