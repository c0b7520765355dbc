"""Time for models and controllers: real, scaled and virtual, behind one small interface.

A model never asks for the time; it is told (``now``) and says when it wants to be called again. A controller uses
`Clock.call_later`, whose delays are in AWS's own seconds: a `RealClock` with ``speed=10`` waits a tenth of them, a
`VirtualClock` jumps to the next timer when it is told to advance.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from sandbox.errors import log_failure

log = logging.getLogger(__name__)


@dataclass(order=True)
class Timer:
    """A callback due at ``due``. `cancel` is safe at any moment, also from the callback itself."""

    due: float
    order: int
    callback: Callable[[], None] = field(compare=False)
    cancelled: bool = field(default=False, compare=False)

    def cancel(self) -> None:
        """Make sure that the callback does not start any more."""
        self.cancelled = True


class Clock(Protocol):
    """What every part of the sandbox knows of time."""

    def now(self) -> float:
        """Seconds since the epoch."""

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        """Call ``callback`` after ``delay`` AWS seconds."""

    def real_seconds(self, delay: float) -> float:
        """How many seconds of the wall clock ``delay`` AWS seconds take."""


def aws_seconds(clock: Clock, elapsed: float) -> float:
    """How many AWS seconds go by in ``elapsed`` seconds of ``clock.now()``."""
    return elapsed / (clock.real_seconds(1.0) or 1.0)  # a virtual clock's seconds are AWS's, and take no real time


class RealClock:
    """The wall clock; AWS's timers are divided by ``speed``.

    Callbacks run one after another on one daemon thread, so they must be short: hand long work to a pool.
    """

    def __init__(self, speed: float = 1.0) -> None:
        if speed <= 0:
            raise ValueError(f"speed must be positive, not {speed}")
        self.speed = speed
        self._timers: list[Timer] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def now(self) -> float:
        return time.time()

    def real_seconds(self, delay: float) -> float:
        return delay / self.speed

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        timer = Timer(time.monotonic() + self.real_seconds(delay), next(self._order), callback)
        with self._changed:
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="clock", daemon=True)
                self._thread.start()
            heapq.heappush(self._timers, timer)
            self._changed.notify()
        return timer

    def close(self) -> None:
        """Drop all timers and end the thread."""
        with self._changed:
            self._closed = True
            self._timers.clear()
            self._changed.notify()

    def _run(self) -> None:
        while (timer := self._next_due()) is not None:
            if timer.cancelled:
                continue
            try:
                timer.callback()
            except Exception as error:
                log_failure(log, error, "a timer's callback failed")

    def _next_due(self) -> Timer | None:
        with self._changed:
            while not self._closed:
                if not self._timers:
                    self._changed.wait()
                    continue
                wait = self._timers[0].due - time.monotonic()
                if wait <= 0:
                    return heapq.heappop(self._timers)
                self._changed.wait(wait)
        return None


class VirtualClock:
    """Time that stands still until `advance` moves it from timer to timer. Not for use from several threads."""

    def __init__(self, start: float = 0.0) -> None:
        self._now = start
        self._timers: list[Timer] = []
        self._order = itertools.count()

    def now(self) -> float:
        return self._now

    def real_seconds(self, delay: float) -> float:
        return 0.0

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        timer = Timer(self._now + max(delay, 0.0), next(self._order), callback)
        heapq.heappush(self._timers, timer)
        return timer

    def next_due(self) -> float | None:
        """When the next timer falls due; None where nobody waits."""
        while self._timers and self._timers[0].cancelled:
            heapq.heappop(self._timers)
        return self._timers[0].due if self._timers else None

    def advance(self, seconds: float) -> None:
        """Run every timer that falls due within ``seconds``, in order, and end exactly that much later."""
        if seconds < 0:
            raise ValueError(f"time does not go back: {seconds}")
        end = self._now + seconds
        while self._timers and self._timers[0].due <= end:
            timer = heapq.heappop(self._timers)
            self._now = timer.due
            if not timer.cancelled:
                timer.callback()
        self._now = end
