"""Shortens an order of events that breaks an invariant to one that a person can follow.

First by halves: deliveries are left out as long as what remains still breaks. What is then left, a handful, is given to
Hypothesis, whose shrinker looks for the fewest deliveries, and among those for the ones nearest to the recorded order.

Leaving an event out must not itself be the fault: a shorter order counts only if its events, told once each and as
recorded, hold.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from random import Random

from sandbox.controllers.replay.replayer import Replayer
from sandbox.controllers.replay.report import Report
from sandbox.model.replay.plan import Delivery, Perturbation, Plan, is_within
from sandbox.model.replay.state import Invariant

_FEW = 8  # deliveries of which Hypothesis sees most orders within its examples
_EXAMPLES = 300


class Budget:
    """How much may be tried.

    Args:
        runs: Replays, at most.
        seconds: Of the wall clock, at most.
    """

    def __init__(self, runs: int, seconds: float) -> None:
        self.runs = runs
        self._end = time.monotonic() + seconds

    @property
    def is_spent(self) -> bool:
        """Whether nothing more may be tried."""
        return self.runs <= 0 or time.monotonic() >= self._end


class Shrinker:
    """Shortens a plan that fails.

    Args:
        replayer: Runs the attempts.
        invariants: As in `Replayer.run`.
        check: The same.
        perturbation: What may go wrong; a shorter plan has no fault that is not within it.
        budget: Bounds the attempts.
        progress: Told in words how far it has come.
    """

    def __init__(
        self,
        replayer: Replayer,
        invariants: Mapping[str, Invariant] | None,
        check: str,
        perturbation: Perturbation,
        budget: Budget,
        progress: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._replayer = replayer
        self._invariants = invariants
        self._check = check
        self._perturbation = perturbation
        self._budget = budget
        self._progress = progress
        self._held: dict[Plan, bool | None] = {}

    def shrink(self, failing: Report, seed: int) -> Report:
        """The report of the shortest plan found; ``failing`` itself where nothing shorter fails.

        Args:
            failing: A report that did not hold.
            seed: Of Hypothesis's attempts.
        """
        events = sorted({one.event for one in failing.plan})
        if self._holds(_as_recorded(events)):
            plan = self._nearest(self._by_halves(failing.plan), seed)
        else:
            plan = self._without_idle(failing)
        return failing if plan == failing.plan else self._run(plan)

    def _by_halves(self, plan: Plan) -> Plan:
        size = max(len(plan) // 2, 1)
        while True:
            shorter = self._first(plan[:start] + plan[start + size :] for start in range(0, len(plan), size))
            if shorter is not None:
                plan = shorter
                size = min(size, max(len(plan) // 2, 1))
            elif size == 1:
                return plan
            else:
                size //= 2

    def _first(self, plans: Iterable[Plan]) -> Plan | None:
        return next((plan for plan in plans if self._fails(plan)), None)

    def _nearest(self, plan: Plan, seed: int) -> Plan:
        if len(plan) > _FEW or self._budget.is_spent:
            return plan
        from hypothesis import HealthCheck, Phase, find, settings
        from hypothesis import strategies as st
        from hypothesis.errors import NoSuchExample

        seen: Counter[int] = Counter()
        choices: set[tuple[int, int, float, bool]] = set()  # event, which telling of it, delay, lost
        for one in plan:
            choices |= {(one.event, seen[one.event], delay, one.lost) for delay in (0.0, one.delay)}
            seen[one.event] += 1
        plans = st.lists(st.sampled_from(sorted(choices)), max_size=len(plan), unique_by=lambda choice: choice[:2]).map(
            lambda chosen: tuple(Delivery(event, delay, lost) for event, _, delay, lost in chosen)
        )
        bounds = settings(
            max_examples=_EXAMPLES,
            database=None,
            deadline=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )
        try:
            found: Plan = find(plans, self._fails, settings=bounds, random=Random(seed))
        except NoSuchExample:
            return plan
        return found if len(found) <= len(plan) else plan

    def _without_idle(self, failing: Report) -> Plan:
        """Events that fail as recorded: only those after which nothing had changed may go."""
        busy = {step.event for step in failing.steps if step.changes or step.error}
        shorter = tuple(one for one in failing.plan if one.event in busy)
        return shorter if shorter and self._holds(shorter) is False else failing.plan

    def _fails(self, plan: Plan) -> bool:
        if not is_within(plan, self._perturbation, self._replayer.recording) or self._holds(plan) is not False:
            return False
        return self._holds(_as_recorded(sorted({one.event for one in plan}))) is True

    def _holds(self, plan: Plan) -> bool | None:
        """Whether a plan holds; None where there is no time left to find out."""
        if plan not in self._held:
            if self._budget.is_spent:
                return None
            self._budget.runs -= 1
            self._held[plan] = self._run(plan).held
            self._progress(f"shortening: {len(self._held)} orders tried")
        return self._held[plan]

    def _run(self, plan: Plan) -> Report:
        return self._replayer.run(plan, self._invariants, check=self._check)


def _as_recorded(events: list[int]) -> Plan:
    return tuple(Delivery(event) for event in events)
