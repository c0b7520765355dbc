"""Archives of a bus's events, and in which order a replay sends them again.

"Archiving and replaying events in Amazon EventBridge"; API reference: CreateArchive, StartReplay. A replay takes the
events minute by minute, by the time in the event; within a minute AWS keeps no order. Here it is a random one that the
replay's name decides, so that a run can be repeated.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any

from sandbox.model.eventbridge import Pattern
from sandbox.model.eventbridge_entries import as_json

_DAY = 86_400.0
_MINUTE = 60


@dataclass(frozen=True, slots=True)
class ArchivedEvent:
    """An event in an archive.

    Attributes:
        event: The event.
        time: The time in it, in seconds since the epoch.
        kept_at: When it was put there.
        size: In bytes.
    """

    event: Mapping[str, Any]
    time: float
    kept_at: float
    size: int


@dataclass
class Archive:
    """An archive of one bus.

    Attributes:
        pattern: Which events it takes; None for all.
        retention: For how many days; 0 for ever.
    """

    pattern: Pattern | None = None
    retention: int = 0
    _events: deque[ArchivedEvent] = field(default_factory=deque)

    def offer(self, event: Mapping[str, Any], now: float) -> None:
        """Keep an event that came to the bus, if the archive takes it; replayed ones it never takes."""
        if "replay-name" in event or (self.pattern is not None and not self.pattern.matches(event)):
            return
        self._expire(now)
        self._events.append(ArchivedEvent(event, _time_of(event, now), now, len(as_json(event).encode())))

    def events(self, now: float) -> list[ArchivedEvent]:
        """What it has, in the order of arrival."""
        self._expire(now)
        return list(self._events)

    def _expire(self, now: float) -> None:
        while self.retention and self._events and now - self._events[0].kept_at > self.retention * _DAY:
            self._events.popleft()


def _time_of(event: Mapping[str, Any], now: float) -> float:
    """The time in an event, in seconds since the epoch; one that somebody made up may have none."""
    try:
        return datetime.fromisoformat(event["time"]).timestamp()
    except (KeyError, TypeError, ValueError):
        return now


def replay_order(events: Iterable[ArchivedEvent], start: float, end: float, name: str) -> list[list[ArchivedEvent]]:
    """The events of each minute that are replayed, minute by minute.

    Args:
        events: Of an archive.
        start: Only events from this time on.
        end: Only events before this time.
        name: Of the replay; it decides the order within a minute.
    """
    within = sorted((event for event in events if start <= event.time < end), key=lambda event: event.time)
    chance = random.Random(name)
    minutes = [list(group) for _, group in groupby(within, key=lambda event: (event.time - start) // _MINUTE)]
    for minute in minutes:
        chance.shuffle(minute)
    return minutes


def replayed(event: Mapping[str, Any], name: str) -> dict[str, Any]:
    """An event as a replay sends it."""
    return {**event, "replay-name": name}
