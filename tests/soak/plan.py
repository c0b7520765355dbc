"""What a soak does, decided beforehand: the same seed gives the same runs and the same trouble."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Trouble = Literal[
    "none",
    "kill one",
    "kill all",
    "interrupt",
    "engine restarts",
    "engine is killed",
    "engine's disk is full",
    "results' disk is full",
    "temporary disk is full",
]

WEIGHTS: dict[Trouble, int] = {
    "none": 2,
    "kill one": 6,
    "kill all": 4,
    "interrupt": 2,
    "engine restarts": 3,
    "engine is killed": 3,
    "engine's disk is full": 3,
    "results' disk is full": 2,
    "temporary disk is full": 2,
}
"""How often each comes, in proportion. Kills most often, because they may hit any line of the program."""

LATEST = 12.0
"""Seconds after the start of a round within which its trouble comes: about as long as a run of two variants takes."""

AT_RESULT = 0.3
"""The share of rounds whose trouble comes when the first result is told, for then results are being written."""


@dataclass(frozen=True)
class Quick:
    """A scenario and the variants of it that do not take long. A run has all of these."""

    scenario: str
    variants: tuple[str, ...]


@dataclass(frozen=True)
class Round:
    """Runs that begin at once, the trouble that comes upon them, and what is run after it.

    Attributes:
        number: From 0.
        runs: What runs side by side.
        trouble: What comes.
        after: Seconds after their start; None: when the first result of the victim is told.
        lasts: Seconds that a disk stays full.
        victim: Which of the runs is killed or interrupted.
        then: What is to leave nothing behind: the next run of a variant, or ``sandbox down``.
    """

    number: int
    runs: tuple[Quick, ...]
    trouble: Trouble
    after: float | None
    lasts: float
    victim: int
    then: Quick | None


def rounds(seed: int, runs: int, quick: Sequence[Quick], at_once: tuple[int, ...] = (2, 3, 4)) -> list[Round]:
    """Rounds with ``runs`` runs in all, those after the trouble included."""
    chance = random.Random(seed)
    planned: list[Round] = []
    left = runs
    while left > 0:
        side_by_side = min(chance.choice(at_once), left)
        chosen = tuple(chance.choice(quick) for _ in range(side_by_side))
        trouble = chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        at_result = chance.random() < AT_RESULT
        after = chance.uniform(0.2, LATEST)
        lasts, victim = chance.uniform(0.5, 6.0), chance.randrange(side_by_side)
        left -= side_by_side
        runs_on = chance.random() < 0.5 and left > 0
        next_run = chance.choice(quick)
        left -= runs_on
        then = Quick(next_run.scenario, next_run.variants[:1]) if runs_on else None
        planned.append(Round(len(planned), chosen, trouble, None if at_result else after, lasts, victim, then))
    return planned
