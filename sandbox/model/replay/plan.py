"""In which order events are told, how often and how late: perturbations, drawn from a seed, make a plan.

Rules: Amazon ECS developer guide "Handling Amazon ECS events" ("at least once", not necessarily in the order in which
they occurred; a duplicate has the same ``detail.version``). No event is told before it has happened: one that is told
out of its turn waits for the newer ones that are told before it.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from random import Random
from typing import Any

from sandbox.model.replay.world import Fact

ORDERS = ("recorded", "shuffled", "reversed")


@dataclass(frozen=True)
class Happened:
    """An event, envelope and all, and when it was published (seconds since the epoch)."""

    at: float
    event: Mapping[str, Any]


@dataclass(frozen=True)
class Recording:
    """Events in the order of their recording, and everything that happened to AWS's state meanwhile, by time."""

    events: tuple[Happened, ...]
    facts: tuple[Fact, ...] = ()

    @property
    def region(self) -> str:
        """That of the first event that has one."""
        regions = (str(one.event["region"]) for one in self.events if one.event.get("region"))
        return next(regions, "us-east-1")

    def matching(self, matches: Callable[[Mapping[str, Any]], bool]) -> Recording:
        """The recording with the events that a rule's pattern lets through; AWS's state goes on as it was."""
        return replace(self, events=tuple(one for one in self.events if matches(one.event)))


@dataclass(frozen=True)
class Delivery:
    """One event told once.

    Attributes:
        event: Its index in the recording.
        delay: Seconds from its publication, at least; it is longer where the event waits for its turn.
        lost: It is never told.
    """

    event: int
    delay: float = 0.0
    lost: bool = False


Plan = tuple[Delivery, ...]
"""Deliveries in the order in which they happen; where those that are lost stand does not matter."""


@dataclass(frozen=True)
class Perturbation:
    """What may go wrong on the way.

    Attributes:
        order: "recorded"; "shuffled": any order; "reversed": the newest event first.
        duplicate: How probable it is that an event is told twice, 0 to 1.
        min_delay: Seconds by which each telling is late at least; drawn evenly from here ...
        max_delay: ... to here. In the recorded order events overtake each other thereby.
        drop: How probable it is that an event is never told. AWS says "at least once": 0 is faithful.

    Raises:
        ValueError: There is no such order, or a number is out of its range.
    """

    order: str = "recorded"
    duplicate: float = 0.0
    min_delay: float = 0.0
    max_delay: float = 0.0
    drop: float = 0.0

    def __post_init__(self) -> None:
        if self.order not in ORDERS:
            raise ValueError(f"there is no order '{self.order}': {', '.join(ORDERS)}")
        for name in ("duplicate", "drop"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a probability from 0 to 1, not {getattr(self, name):g}")
        if not 0 <= self.min_delay <= self.max_delay < float("inf"):
            raise ValueError(f"delays are seconds from low to high, not {self.min_delay:g} to {self.max_delay:g}")


def recorded_plan(recording: Recording) -> Plan:
    """Every event once, in its turn, without delay."""
    return tuple(Delivery(index) for index in range(len(recording.events)))


def draw_plan(recording: Recording, perturbation: Perturbation, seed: int) -> Plan:
    """The plan that belongs to a seed; the same for the same arguments."""
    random = Random(seed)
    told: list[Delivery] = []
    again: list[Delivery] = []
    lost: list[Delivery] = []
    for index in range(len(recording.events)):
        if random.random() < perturbation.drop:
            lost.append(Delivery(index, lost=True))
            continue
        told.append(Delivery(index, _delay(perturbation, random)))
        if random.random() < perturbation.duplicate:
            again.append(Delivery(index, _delay(perturbation, random)))
    if perturbation.order == "shuffled":
        told += again
        random.shuffle(told)
        return (*told, *lost)
    if perturbation.order == "reversed":
        told.reverse()
    elif perturbation.max_delay:
        return (*sorted(told + again, key=lambda one: recording.events[one.event].at + one.delay), *lost)
    for delivery in again:
        first = next(place for place, one in enumerate(told) if one.event == delivery.event)
        told.insert(random.randint(first + 1, len(told)), delivery)
    return (*told, *lost)


def is_within(plan: Plan, perturbation: Perturbation, recording: Recording) -> bool:
    """Whether a plan could have been drawn: shortening one must not invent a fault that was not asked for.

    Counts of duplicates and delays are not looked at: leaving some out adds none.
    """
    first: dict[int, Delivery] = {}
    for one in told(plan):
        first.setdefault(one.event, one)
    if perturbation.order == "shuffled":
        return True
    if perturbation.order == "reversed":
        return all(a.event > b.event for a, b in pairwise(first.values()))
    due = [recording.events[one.event].at + one.delay for one in first.values()]
    if perturbation.max_delay:
        return all(a <= b for a, b in pairwise(due))
    return all(a.event < b.event for a, b in pairwise(first.values()))


def told(plan: Plan) -> Plan:
    """The deliveries that happen."""
    return tuple(one for one in plan if not one.lost)


def times(recording: Recording, plan: Plan) -> list[float]:
    """When each of the deliveries that happen does, in seconds since the epoch."""
    now = float("-inf")
    found = []
    for one in told(plan):
        now = max(now, recording.events[one.event].at + one.delay)
        found.append(now)
    return found


def notes(recording: Recording, plan: Plan) -> list[str]:
    """What is unlike each event's own time in each of the deliveries that happen, in words; "" for nothing."""
    found = []
    seen: set[object] = set()  # ids: a recording may itself have an event twice
    moments: list[float] = []
    for one, at in zip(told(plan), times(recording, plan), strict=True):
        happened = recording.events[one.event]
        identity = happened.event.get("id", one.event)
        late = at - happened.at
        newer = len(moments) - bisect_right(moments, happened.at)
        said = (
            "again" if identity in seen else "",
            f"after {newer} newer" if newer else "",
            f"{round(late, 1):g} s late" if late >= 0.1 else "",
        )
        if identity not in seen:
            insort(moments, happened.at)
        seen.add(identity)
        found.append(", ".join(filter(None, said)))
    return found


def _delay(perturbation: Perturbation, random: Random) -> float:
    if not perturbation.max_delay:
        return 0.0
    # Tenths of a second: a plan that a person reads, and that JSON keeps exactly.
    return round(random.uniform(perturbation.min_delay, perturbation.max_delay), 1)
