"""A predicted rolling deploy as a picture: SVG that needs no fonts, no scripts and no library."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from sandbox.model.rolling_deploy.prediction import Prediction

_WIDTH, _LEFT, _RIGHT = 760, 60, 20
_PANEL, _TOP, _BETWEEN, _BOTTOM = 150, 46, 44, 52
_HEIGHT = _TOP + 2 * _PANEL + _BETWEEN + _BOTTOM
_BROKEN, _TABS, _OLD, _NEW, _INK = "#c0392b", "#8e44ad", "#7f8c8d", "#2471a3", "#333"

Point = tuple[float, float]


def draw(prediction: Prediction, measured: Sequence[Point] = ()) -> str:
    """The shares that break, and below them who answers, over time.

    Args:
        prediction: What is drawn.
        measured: Shares of broken page loads of a real run, each with its time; they are dots.
    """
    fleet, seconds = prediction.fleet, prediction.seconds
    most = max(1, *(max(second.old, second.new) for second in seconds))
    shares = _Panel(_TOP, fleet.duration, 1.0)
    targets = _Panel(_TOP + _PANEL + _BETWEEN, fleet.duration, float(most))
    tabs = [(one.at, one.broken_tabs / one.tabs if one.tabs else 0.0) for one in _bins(prediction)]
    parts = [
        _text(_LEFT, 22, f"Rolling deploy of {fleet.tasks:,} tasks: page loads that break", size=15),
        *shares.frame([(0.0, "0 %"), (0.25, "25 %"), (0.5, "50 %"), (0.75, "75 %"), (1.0, "100 %")]),
        *([shares.line(tabs, _TABS, dashed=True)] if fleet.tab_open else []),
        shares.line([(second.at, second.share) for second in seconds], _BROKEN),
        *shares.dots(measured, _INK),
        *targets.frame([(0.0, "0"), (most / 2, f"{most / 2:g}"), (float(most), f"{most:,}")]),
        targets.line([(second.at, float(second.old)) for second in seconds], _OLD),
        targets.line([(second.at, float(second.new)) for second in seconds], _NEW),
        *targets.times(),
        *_legend(
            [
                (_BROKEN, "broken page loads, predicted"),
                *([(_INK, "measured")] if measured else []),
                *([(_TABS, "broken open tabs")] if fleet.tab_open else []),
                (_OLD, "old targets"),
                (_NEW, "new targets"),
            ]
        ),
    ]
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif">\n'
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>\n{body}\n</svg>\n'
    )


@dataclass(frozen=True)
class _Bin:
    at: float
    tabs: int
    broken_tabs: int


def _bins(prediction: Prediction, number: int = 60) -> Iterable[_Bin]:
    """Open tabs ask seldom: several seconds together."""
    seconds = prediction.seconds
    size = max(1, len(seconds) // number)
    for first in range(0, len(seconds), size):
        part = seconds[first : first + size]
        yield _Bin(part[0].at, sum(one.tabs for one in part), sum(one.broken_tabs for one in part))


@dataclass(frozen=True)
class _Panel:
    """One of the two diagrams: where it begins, how many seconds it shows, and its highest value."""

    top: int
    duration: float
    most: float

    def x(self, at: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * at / self.duration

    def y(self, value: float) -> float:
        return self.top + _PANEL * (1 - value / self.most)

    def frame(self, ticks: Sequence[tuple[float, str]]) -> list[str]:
        """Lines at some values, each with its name."""
        drawn = []
        for value, name in ticks:
            y = self.y(value)
            drawn.append(f'<path d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}" stroke="#ddd"/>')
            drawn.append(_text(_LEFT - 8, y + 4, name, anchor="end"))
        return drawn

    def times(self) -> list[str]:
        """Seconds below the panel."""
        places = [self.duration * part / 6 for part in range(7)]
        return [_text(self.x(at), self.top + _PANEL + 18, f"{at:.0f} s", anchor="middle") for at in places]

    def line(self, points: Sequence[Point], colour: str, *, dashed: bool = False) -> str:
        """Each value holds until the next."""
        moves = [f"M{self.x(points[0][0]):.1f} {self.y(points[0][1]):.1f}"]
        last = points[0][1]
        for at, value in points[1:]:
            if value != last:
                moves.append(f"H{self.x(at):.1f}V{self.y(value):.1f}")
                last = value
        moves.append(f"H{self.x(self.duration):.1f}")
        dash = ' stroke-dasharray="4 3"' if dashed else ""
        return f'<path d="{"".join(moves)}" fill="none" stroke="{colour}" stroke-width="1.6"{dash}/>'

    def dots(self, points: Iterable[Point], colour: str) -> list[str]:
        return [f'<circle cx="{self.x(at):.1f}" cy="{self.y(y):.1f}" r="2.6" fill="{colour}"/>' for at, y in points]


def _legend(entries: Sequence[tuple[str, str]]) -> list[str]:
    drawn, x = [], float(_LEFT)
    for colour, name in entries:
        drawn.append(f'<rect x="{x:.0f}" y="{_HEIGHT - 20}" width="10" height="10" fill="{colour}"/>')
        drawn.append(_text(x + 14, _HEIGHT - 11, name))
        x += 34 + 6.4 * len(name)
    return drawn


def _text(x: float, y: float, text: str, *, size: int = 11, anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{_INK}" text-anchor="{anchor}">{escape(text)}</text>'
    )
