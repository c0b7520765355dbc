"""Keeps the timers of rules that run on a schedule."""

from __future__ import annotations

import threading
from collections.abc import Callable

from sandbox.clock import Clock, Timer, aws_seconds
from sandbox.model.eventbridge_schedule import Schedule

_NEVER = 100 * 365 * 86_400.0  # seconds; what is due later has no timer


class Schedules:
    """One timer a rule, for its next time.

    With a speed, AWS's time goes faster than the clock's from the moment a rule is made: a rate of an hour comes every
    six minutes at a speed of 10, and says that an hour has gone by.

    Args:
        clock: Has the timers.
        run: Called on the clock's thread with a rule's ARN and the time that it was due, in AWS's time; must be quick.
    """

    def __init__(self, clock: Clock, run: Callable[[str, float], None]) -> None:
        self._clock = clock
        self._run = run
        self._timers: dict[str, Timer] = {}
        self._lock = threading.Lock()

    def start(self, rule_arn: str, schedule: Schedule) -> None:
        """Run a rule on a schedule from now on; one that it has had ends."""
        self.stop(rule_arn)
        now = self._clock.now()
        self._arm(rule_arn, schedule, now, now)

    def stop(self, rule_arn: str) -> None:
        """Do not run a rule any more."""
        with self._lock:
            timer = self._timers.pop(rule_arn, None)
            if timer is not None:
                timer.cancel()

    def _arm(self, rule_arn: str, schedule: Schedule, start: float, after: float) -> None:
        now = self._aws_time(start)
        # What was missed, because the machine slept or the speed is higher than it can follow, does not come later.
        due = schedule.next_after(max(after, now - 60), start)
        if due is None or due - now > _NEVER:
            return
        with self._lock:
            self._timers[rule_arn] = timer = self._clock.call_later(
                max(due - now, 0.0), lambda: self._due(rule_arn, schedule, start, due, timer)
            )

    def _due(self, rule_arn: str, schedule: Schedule, start: float, due: float, timer: Timer) -> None:
        with self._lock:
            if self._timers.get(rule_arn) is not timer:
                return
        self._run(rule_arn, due)
        if not timer.cancelled:
            self._arm(rule_arn, schedule, start, due)

    def _aws_time(self, start: float) -> float:
        """The time for AWS, of which ``start`` was the beginning."""
        return start + aws_seconds(self._clock, self._clock.now() - start)
