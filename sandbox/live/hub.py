"""Between the stack and its viewers: takes in what happens without ever waiting, and has it ready for who asks.

Whoever records an observation only puts it into a queue. All else happens on the thread of the live view's server: the
observations are folded into the `State`, and while somebody looks the parts of the page are made of it, not more often
than a tenth of the processor's time allows. A viewer takes the newest parts, and the lines since the last one that it
has; nothing is kept for it, so that a slow one costs nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from sandbox.live.feed import Feed, Recent
from sandbox.live.logs import Follow, Logs
from sandbox.live.nodes import Answers
from sandbox.live.render import Renderer
from sandbox.live.state import State
from sandbox.report import live
from sandbox.timeline import Observation

log = logging.getLogger(__name__)

MOST_WAITING = 20_000
"""Observations and lines that may wait to be taken in; beyond them the oldest are dropped, and that is said."""
_AT_LEAST = 0.2  # seconds between two pictures
_SHARE = 10  # of the processor's time, one in so many
_TWICE = 200  # of the observations before: those that may still be on their way to `put`
_GOES_ON = 5.0  # seconds after which the plot moves on though nothing has happened


@dataclass(frozen=True)
class Part:
    """A part of the page; ``version`` is greater for each that is unlike the one before."""

    version: int
    html: str


class Hub:
    """Used on the thread of one event loop, but for `put`.

    Args:
        renderer: Makes the parts.
        answers: What DNS answers now.
        follow: The lines of containers.

    Attributes:
        feed: The lines.
        parts: By name: "topology", "faults", "targets", and "plot-N" for the last N minutes.
        news: Set, and replaced by another one, whenever there is something new.
        over: Whether the stack is being taken down.
    """

    def __init__(self, renderer: Renderer, answers: Answers, follow: Follow) -> None:
        self._renderer = renderer
        self._answers = answers
        self._logs = Logs(follow, lambda source, text: self._put((source, text)))
        self._state = State()
        self._recent = Recent()
        self._waiting: deque[Observation | tuple[str, str]] = deque(maxlen=MOST_WAITING)
        self._lock = threading.Lock()
        self._woken = False
        self._lost = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed = asyncio.Event()
        self._viewers: Counter[int] = Counter()
        self._before: dict[int, Observation] = {}
        self._failure = ""
        self.feed = Feed()
        self.parts: dict[str, Part] = {}
        self.news = asyncio.Event()
        self.over = False

    def put(self, one: Observation) -> None:
        """Take an observation in, soon. From any thread; it does not wait."""
        self._put(one)

    def _put(self, one: Observation | tuple[str, str]) -> None:
        with self._lock:
            self._lost += len(self._waiting) == MOST_WAITING
            self._waiting.append(one)
            loop, woken = self._loop, self._woken
            self._woken = self._woken or loop is not None
        if loop is not None and not woken:
            with contextlib.suppress(RuntimeError):  # it has been closed meanwhile
                loop.call_soon_threadsafe(self._take_in)

    def begin(self, before: Sequence[Observation]) -> None:
        """Take in what was observed before, and from now on all that is put, but for what was among those."""
        for one in before:
            self._see(one)
        self._before = {id(one): one for one in before[-_TWICE:]}
        with self._lock:
            self._loop, self._woken = asyncio.get_running_loop(), True
        self._changed.set()
        self._take_in()

    def _take_in(self) -> None:
        with self._lock:
            waiting, lost = list(self._waiting), self._lost
            self._waiting.clear()
            self._woken, self._lost = False, 0
        if lost:
            self.feed.add(time.time(), "live view", f"({lost} observations or lines were dropped: too many at once)")
        for one in waiting:
            if not isinstance(one, Observation):
                self.feed.add(time.time(), *one)
            elif id(one) not in self._before:
                self._see(one)
                self._changed.set()
        self._tell()

    def _see(self, one: Observation) -> None:
        self._state.see(one)
        self._recent.see(one)
        try:
            if told := live.line(one):
                self.feed.add(one.at, "", told)
            self._logs.see(one)
        except Exception:  # what is shown must never be the end of what is there
            log.exception("an observation is not shown: %s", one)

    def _tell(self) -> None:
        news, self.news = self.news, asyncio.Event()
        news.set()

    def end(self) -> None:
        """The stack is being taken down."""
        self.over = True
        self._tell()

    # -- pictures --

    @contextlib.contextmanager
    def watched(self, minutes: int) -> Iterator[None]:
        """Somebody looks at the last so many minutes: the parts are made while somebody does."""
        self._viewers[minutes] += 1
        self._changed.set()
        try:
            yield
        finally:
            self._viewers[minutes] -= 1

    async def draw(self) -> None:
        """Make the parts anew whenever something has changed. Never returns."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), _GOES_ON)
            self._changed.clear()
            if not +self._viewers:
                await self._changed.wait()
                continue
            begun = time.monotonic()
            self._picture()
            await asyncio.sleep(max(_AT_LEAST, _SHARE * (time.monotonic() - begun)))

    def _picture(self) -> None:
        now = time.time()
        made = self._make(lambda: self._renderer.stack(self._state, self._answers, now))
        for minutes in +self._viewers:
            made |= self._make(partial(self._plot, minutes, now))
        changed = False
        for name, html in made.items():
            part = self.parts.get(name)
            if part is None or part.html != html:
                self.parts[name] = Part(part.version + 1 if part else 1, html)
                changed = True
        if changed:
            self._tell()

    def _plot(self, minutes: int, now: float) -> dict[str, str]:
        seen = self._recent.since(now - 60 * minutes)
        return {f"plot-{minutes}": self._renderer.plot(seen, now, minutes)}

    def _make(self, make: Callable[[], dict[str, str]]) -> dict[str, str]:
        try:
            return make()
        except Exception as error:
            log.exception("the live view cannot draw")
            words = f"{type(error).__name__}: {error}"
            if words != self._failure:
                self._failure = words
                self.feed.add(time.time(), "live view", f"the picture cannot be drawn: {words}")
            return {}
