"""What a plot over time is made of: rows with bars, marks and counts, and arrows from causes to what they changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

Tone = Literal["good", "bad", "wait", "going", "plain"]
"""How a thing looks: as it should be, as it should not, on its way, on its way out, or none of these."""


@dataclass(frozen=True, slots=True)
class Bar:
    """What lasts: a state, an invocation.

    Attributes:
        begin, end: Seconds since the epoch.
        tone: How it looks.
        label: What is written in it where there is room, and read out.
        text: More of it, for whoever points at it.
    """

    begin: float
    end: float
    tone: Tone
    label: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """What happens at once; ``label`` is read out, as a bar's."""

    at: float
    tone: Tone
    label: str


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the plot.

    Attributes:
        name: At its left.
        bars: In order of time; where they overlap, the later one is above.
        marks: In order of time.
        counts: Times with a tone, for what happens too often to be drawn one by one: requests.
    """

    name: str
    bars: tuple[Bar, ...] = ()
    marks: tuple[Mark, ...] = ()
    counts: tuple[tuple[float, Tone], ...] = ()

    @property
    def begin(self) -> float:
        """When its first thing begins; infinite where it has none."""
        times = [
            *(bar.begin for bar in self.bars),
            *(mark.at for mark in self.marks),
            *(at for at, _ in self.counts),
        ]
        return min(times, default=float("inf"))

    def since(self, at: float) -> Row | None:
        """What of it is not over by then; None where all is."""
        bars = tuple(replace(bar, begin=max(bar.begin, at)) for bar in self.bars if bar.end > at)
        marks = tuple(mark for mark in self.marks if mark.at >= at)
        counts = tuple(counted for counted in self.counts if counted[0] >= at)
        return Row(self.name, bars, marks, counts) if bars or marks or counts else None


@dataclass(frozen=True, slots=True)
class Lane:
    """Rows of one kind under a heading. ``left_out``: rows that there were no room for."""

    title: str
    rows: tuple[Row, ...]
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Arrow:
    """From a cause to its effect; each end is a lane's title, a row's name and a time."""

    cause: tuple[str, str, float]
    effect: tuple[str, str, float]


@dataclass(frozen=True, slots=True)
class Picture:
    """A plot from ``begin`` to ``end`` (seconds since the epoch)."""

    begin: float
    end: float
    lanes: tuple[Lane, ...]
    arrows: tuple[Arrow, ...] = ()


@dataclass
class States:
    """Collects bars of a thing that is in one state after another."""

    bars: list[Bar] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    _since: float = 0.0
    _tone: Tone = "plain"
    _label: str = ""
    _text: str = ""

    def enter(self, at: float, tone: Tone, label: str, text: str = "") -> None:
        """From now on it is in this state; the same state goes on."""
        if (tone, label) == (self._tone, self._label):
            return
        self.leave(at)
        self._since, self._tone, self._label, self._text = at, tone, label, text

    def leave(self, at: float) -> None:
        """It is in no state any more."""
        if self._label:
            self.bars.append(Bar(self._since, at, self._tone, self._label, self._text))
        self._label = ""

    def row(self, name: str, end: float) -> Row:
        """The row, with the last state until ``end``."""
        self.leave(end)
        return Row(name, tuple(self.bars), tuple(self.marks))


def lane(title: str, rows: Iterable[Row], most: int, *, newest: bool = False) -> Lane:
    """A lane of the first ``most`` rows by time of their begin, or of the last ones."""
    ordered = sorted(rows, key=lambda row: row.begin)
    return Lane(title, tuple(ordered[-most:] if newest else ordered[:most]), max(0, len(ordered) - most))
