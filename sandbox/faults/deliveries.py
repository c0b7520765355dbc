"""What the faults of EventBridge make of the deliveries to a rule's targets. Pure: chance is given."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from sandbox.errors import SandboxError
from sandbox.faults.base import Option, Reach, Undo
from sandbox.faults.targets import Target, check_rule

SEED = Option("seed", "Of what chance decides", 0, "", 0, 999_999)
PERCENT = Option("percent", "How many of a hundred events", 100, "%", 1, 100)

Change = Callable[[float], list[float]]
"""When a delivery would be made, in AWS seconds from now -> when it is made, and again."""


def duplicated(delay: float, after: float) -> list[float]:
    """A second time, so much later."""
    return [delay, delay + after]


def delayed(delay: float, seconds: float) -> list[float]:
    """So much later."""
    return [delay + seconds]


def dropped(delay: float) -> list[float]:
    """Never."""
    return []


def disturbed(delays: list[float], change: Change, share: float, chance: Random) -> list[float]:
    """Every delivery changed with the probability ``share``."""
    return [made for delay in delays for made in (change(delay) if chance.random() < share else [delay])]


def disturb(reach: Reach, target: Target, change: Change, percent: int, seed: int) -> Undo:
    """Change the deliveries to the targets of a rule.

    Raises:
        SandboxError: There is no such rule, or LocalStack delivers events.
    """
    check_rule(reach, target)
    if reach.delivery is None:
        raise SandboxError("LocalStack delivers this sandbox's events", hint="bring it up with --aws embedded")
    delivery = reach.delivery
    chance = Random(seed)

    def decide(rule: str, delays: list[float]) -> list[float]:
        return disturbed(delays, change, percent / 100, chance) if rule == target.name else delays

    return delivery.disturb(decide)
