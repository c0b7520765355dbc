"""What the live view keeps of what came: lines by number, observations for the plot. All of it is bounded.

Pure: no I/O, no waiting.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sandbox.report.page.draw import IN_STATES
from sandbox.timeline import Observation

MOST_LINES = 2000
_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])"
)  # of terminals: colours, titles
MOST_CHARACTERS = 2000
"""Of a line."""
MOST_STATES, MOST_OTHERS = 4000, 2000
"""Observations that are kept: those of states, which last, and the others."""


@dataclass(frozen=True, slots=True)
class Line:
    """What is written below the picture.

    Attributes:
        number: From 1; of each line one more.
        at: Seconds since the epoch.
        source: Who has written it; "" for what has happened in the stack.
    """

    number: int
    at: float
    source: str
    text: str

    def as_json(self) -> dict[str, Any]:
        """For the page's script."""
        return {"number": self.number, "at": self.at, "source": self.source, "text": self.text}


class Feed:
    """The last lines. Who has read up to a number gets what came after it, as long as that is kept."""

    def __init__(self, most: int = MOST_LINES) -> None:
        self._lines: deque[Line] = deque(maxlen=most)
        self.last = 0

    def add(self, at: float, source: str, text: str) -> None:
        """Add a line, without what terminals make colours of; the oldest one may go for it."""
        self.last += 1
        plain = _ESCAPES.sub("", text[: 2 * MOST_CHARACTERS])
        cut = plain if len(plain) <= MOST_CHARACTERS else plain[:MOST_CHARACTERS] + "..."
        self._lines.append(Line(self.last, at, source, cut))

    def after(self, number: int) -> tuple[list[Line], int]:
        """The lines after a number, and how many of those are not kept any more.

        A number that no line has had is another process's: then all are new.
        """
        known = number if 0 <= number <= self.last else 0
        first = self.last - len(self._lines)  # the number before the oldest one
        skipped = max(known - first, 0)
        lines = [line for place, line in enumerate(self._lines) if place >= skipped]
        return lines, max(first - known, 0)


class Recent:
    """The last observations. What lasts is kept apart, so that many requests do not drive a task's state out."""

    def __init__(self, states: int = MOST_STATES, others: int = MOST_OTHERS) -> None:
        self._states: deque[Observation] = deque(maxlen=states)
        self._others: deque[Observation] = deque(maxlen=others)

    def see(self, one: Observation) -> None:
        """Keep it."""
        (self._states if one.kind in IN_STATES else self._others).append(one)

    def since(self, at: float) -> list[Observation]:
        """Those of states, and the others from then on, in order of time."""
        others = (one for one in self._others if one.at >= at)
        return sorted([*self._states, *others], key=lambda one: one.at)


class Sparing:
    """Lets so many lines a second through; the others are counted.

    Args:
        rate: Lines a second.
        most: Lines at once.
    """

    def __init__(self, rate: float, most: float) -> None:
        self._rate, self._most = rate, most
        self._left, self._at = most, 0.0
        self._dropped = 0

    def through(self, now: float, text: str) -> Iterator[str]:
        """The line, or nothing; before the first one after others were left out, how many those were."""
        self._left = min(self._most, self._left + max(now - self._at, 0.0) * self._rate)
        self._at = now
        if self._left < 1:
            self._dropped += 1
            return
        self._left -= 1
        if self._dropped:
            yield f"({self._dropped} lines left out: it prints more than {self._rate:g} a second)"
            self._dropped = 0
        yield text
