"""The page: a template, its styles and its script in one file, and nothing that it would have to fetch."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sandbox.report.files import write_whole
from sandbox.report.page.draw import draw
from sandbox.report.page.entry import Entry, observations
from sandbox.report.page.picture import Bar, Lane, Picture, Row
from sandbox.timeline import Observation

INDEX = "index.html"
ROW = 22
"""Pixels that a row is high: the arrows count on it."""
_ASSETS = Path(__file__).parent / "templates"
_COLUMNS = 120  # of a row that counts
_CUT = 300  # characters of a field in the list of observations; logs are shown whole elsewhere
_BARS, _SAID = 100, 40  # of a row that are drawn, and that are read out
_PICTURES = 600_000  # bytes of screenshots that the page takes in; the others are named
_TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)


def write(folder: Path, title: str, entries: Sequence[Entry]) -> Path:
    """Write the page into ``folder``; its file.

    Args:
        folder: Made where it is not there.
        title: What the page is of.
        entries: In the order in which they are shown.

    Raises:
        SandboxError: It cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    script = (_ASSETS / "page.js").read_text()
    left = _PICTURES
    sections = []
    for number, entry in enumerate(entries):
        section = Section(number, entry, left)
        left -= sum(len(picture.data) for picture in section.pictures)
        sections.append(section)
    page = (
        environment()
        .get_template("page.html")
        .render(
            title=title,
            made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            sections=sections,
            style=style(),
            script=Markup(script),  # ours, as is the style
            script_hash=digest(script),
        )
    )
    file = folder / INDEX
    write_whole(file, page)
    return file


def environment(*packages: str) -> Environment:
    """What pages are made by: the report's templates, and those of other packages of pages."""
    return Environment(
        loader=ChoiceLoader([PackageLoader(package) for package in (*packages, "sandbox.report.page")]),
        autoescape=True,  # whatever a log says stays text
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def style() -> Markup:
    """The styles of what is drawn."""
    return Markup(f":root {{ --row: {ROW}px; }}\n{(_ASSETS / 'page.css').read_text()}")


def digest(script: str) -> str:
    """By which a Content-Security-Policy allows a script."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"


@dataclass(frozen=True)
class Screenshot:
    """A picture; ``data`` is the file in base64, "" where the page has no room for it."""

    name: str
    data: str


@dataclass(frozen=True)
class Log:
    """Lines that something wrote."""

    title: str
    lines: tuple[str, ...]


class Section:
    """What the template needs of one entry.

    Args:
        number: Unique on the page.
        entry: The entry.
        room: Bytes that there are for screenshots.
    """

    def __init__(self, number: int, entry: Entry, room: int) -> None:
        self.id = f"v{number}"
        self.entry = entry
        self.seen = observations(entry.timeline)
        self.pictures = tuple(_screenshots(entry.files, room))

    @cached_property
    def plot(self) -> Plot | None:
        """What happened over time; None where nothing was seen."""
        picture = draw(self.seen)
        return Plot(picture) if picture.lanes else None

    @property
    def logs(self) -> tuple[Log, ...]:
        """What containers, functions and builds wrote last, in the order in which they ended."""
        return tuple(logs(self.seen))

    @property
    def packed(self) -> str:
        """All observations for the page's script: JSON, in gzip, in base64."""
        rows = [[round(one.at - self.seen[0].at, 3), one.kind, _brief(one)] for one in self.seen]
        return base64.b64encode(gzip.compress(json.dumps(rows).encode(), mtime=0)).decode()


def _brief(one: Observation) -> str:
    return "  ".join(f"{name}={_cut(value)}" for name, value in one.fields.items())


def _cut(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _CUT else text[:_CUT] + "..."


def logs(seen: Sequence[Observation]) -> Iterator[Log]:
    """What observations have of logs."""
    for one in seen:
        if not one.get("log"):
            continue
        if one.kind in {"container.exited", "container.failed"}:
            task = str(one["task"]).rsplit("/", 1)[-1][:8]
            yield Log(f"container {one['container']} of task {task}", tuple(map(str, one["log"])))
        elif one.kind == "lambda.invocation":
            yield Log(f"function {one['function']}, {one['status']}", tuple(map(str, one["log"])))
        elif one.kind == "codebuild.build":
            yield Log(f"build {one['build']}, {one['status']}", tuple(map(str, one["log"])))


def _screenshots(files: Sequence[str], room: int) -> Iterator[Screenshot]:
    for name in files:
        file = Path(name)
        data = base64.b64encode(file.read_bytes()).decode() if file.is_file() else ""
        data = data if len(data) <= room else ""
        room -= len(data)
        yield Screenshot(file.name if data else name, data)


class Plot:
    """A picture in the page's terms: shares of its width, in per cent, and pixels of its height."""

    def __init__(self, picture: Picture) -> None:
        self.picture = picture
        self.seconds = max(picture.end - picture.begin, 0.001)
        self._lines: dict[tuple[str, str], int] = {}
        line = 0
        for lane in picture.lanes:
            line += 1  # its heading
            for row in lane.rows:
                self._lines[lane.title, row.name] = line
                line += 1
            line += bool(lane.left_out)
        self.height = line * ROW

    def x(self, at: float) -> str:
        """Where a time is, in per cent."""
        return f"{100 * min(max((at - self.picture.begin) / self.seconds, 0), 1):.2f}".rstrip("0").rstrip(".")

    def width(self, begin: float, end: float) -> str:
        """How wide a time is, in per cent."""
        return f"{max(100 * (end - begin) / self.seconds, 0.15):.2f}"

    @property
    def ticks(self) -> list[tuple[str, str]]:
        """Where the axis has a tick, and what it says: five to ten of them."""
        step = next((step for step in _TICKS if self.seconds / step <= 8), self.seconds / 5)
        return [(self.x(self.picture.begin + n * step), f"{n * step:g} s") for n in range(int(self.seconds / step) + 1)]

    @property
    def arrows(self) -> list[tuple[str, int, str, int]]:
        """Of both ends, x in per cent and y in pixels."""
        return [
            (self.x(one.cause[2]), self._y(one.cause), self.x(one.effect[2]), self._y(one.effect))
            for one in self.picture.arrows
        ]

    def _y(self, end: tuple[str, str, float]) -> int:
        return self._lines[end[0], end[1]] * ROW + ROW // 2

    def said(self, lane: Lane, row: Row) -> str:
        """A row for who does not see it."""
        begin = self.picture.begin
        told = [
            *((bar.begin, f"{bar.begin - begin:.1f} to {bar.end - begin:.1f} s {bar.label}") for bar in row.bars),
            *((mark.at, f"{mark.at - begin:.1f} s {mark.label}") for mark in row.marks),
        ]
        counted = [f"{self._count(row, tone)} {said}" for tone, said in _COUNTED if self._count(row, tone)]
        more = [f"and {len(told) - _SAID} more"] if len(told) > _SAID else []
        words = "; ".join([*(text for _, text in sorted(told)[:_SAID]), *more, *counted])
        return f"{lane.title}, {row.name}: {words}"

    @staticmethod
    def bars(row: Row) -> list[Bar]:
        """Those of a row's bars that are drawn: the longest ones, where there are very many."""
        longest = sorted(row.bars, key=lambda bar: bar.begin - bar.end)[:_BARS]
        return sorted(longest, key=lambda bar: bar.begin)

    @staticmethod
    def _count(row: Row, tone: str) -> int:
        return sum(one == tone for _, one in row.counts)

    def columns(self, row: Row) -> list[tuple[str, str]]:
        """A row's counts as paths of a drawing `_COLUMNS` wide and 100 high, one a tone, those that failed below."""
        tones: list[str] = [tone for tone, _ in _COUNTED]
        bins = [[0] * len(tones) for _ in range(_COLUMNS)]
        for at, counted in row.counts:
            column = min(int((at - self.picture.begin) / self.seconds * _COLUMNS), _COLUMNS - 1)
            bins[column][tones.index(counted)] += 1
        most = max(map(sum, bins), default=0) or 1
        paths: dict[str, str] = dict.fromkeys(tones, "")
        for column, counts in enumerate(bins):
            bottom = 100
            for tone, count in zip(tones, counts, strict=True):
                if count:
                    high = max(round(100 * count / most), 8)
                    paths[tone] += f"M{column} {bottom}v-{high}h1v{high}z"
                    bottom -= high
        return [(tone, path) for tone, path in paths.items() if path]


_COUNTED: tuple[tuple[str, str], ...] = (
    ("bad", "failed"),
    ("going", "refused"),
    ("wait", "waiting"),
    ("plain", "others"),
    ("good", "good"),
)
