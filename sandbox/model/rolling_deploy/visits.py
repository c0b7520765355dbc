"""Page loads and open tabs during a deployment: `predict`.

What is exact, and what is not:

- Page loads begin as a Poisson process, and what becomes of one depends on the targets alone. So the numbers of whole
  and of broken loads in a second are independent Poisson numbers, whose means are computed (see `chance`) and which are
  then drawn, however many requests there are: no request is simulated by itself. The same holds for tabs, each of which
  asks after an exponentially distributed time, independently of others.
- A load is taken to be over at once: the targets do not change between the page and its last file.
- Under round robin the mean is exact for one rotation in which a new target comes in at any place; the spread of the
  counts is taken to be that of independent loads. Load balancers of AWS have nodes in several zones, each with its own
  rotation, which brings them nearer to independent choice. Least outstanding requests is taken as independent choice,
  which it is when many requests are in flight.
- A tab asks once, for one file that the other build does not have, and only if its page was whole. Under stickiness it
  comes to its target, while that gets requests; the stickiness lasts as long as the tab is open.
- Behind a CDN, the requests that reach the origin are drawn one by one (see `edges`), and the caches' contents decide.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

from sandbox.model.rolling_deploy import chance
from sandbox.model.rolling_deploy.chance import Has, Kind, Odds
from sandbox.model.rolling_deploy.draws import poisson
from sandbox.model.rolling_deploy.edges import Answers, Edge, Span, covered
from sandbox.model.rolling_deploy.fleet import Fleet
from sandbox.model.rolling_deploy.prediction import Prediction, Second
from sandbox.model.rolling_deploy.rollout import Rollout, Step, roll

_HAS: dict[str, Has] = {
    "task": chance.EACH_ITS_OWN,
    "baked": ((True, True), (False, True)),
    "s3": ((True, True), (True, True)),
}


def predict(fleet: Fleet) -> Prediction:
    """What visitors of a fleet would see while it is deployed anew. Same fleet, same prediction."""
    rollout = roll(fleet)
    visits = _Visits(fleet, rollout)
    seconds = tuple(visits.seconds())
    mixed = [(begin, end) for begin, end, step in _parts(rollout.steps, fleet.duration) if all(rollout.answering(step))]
    return Prediction(
        fleet,
        rollout,
        seconds,
        mixed[0][0] if mixed else None,
        sum(end - begin for begin, end in mixed),
        visits.mixed_broken / visits.mixed_loads if mixed else 0.0,
        round(visits.edge_requests),
        sum(edge.asked for edges in visits.edges for edge in edges),
    )


def odds(fleet: Fleet, kinds: Sequence[Kind]) -> Odds:
    """What becomes of one page load, where these targets get requests; files at edge locations are left out."""
    has = _HAS[fleet.places]
    if fleet.places == "s3":
        found = chance.at_random(kinds, 0, has)
        return Odds(found.page, found.page, found.no_page, 0.0, (0.0, 0.0))
    if fleet.stickiness and not fleet.cdn:
        return chance.at_random(kinds, 0, has)
    if fleet.algorithm != "round_robin" or not kinds:
        return chance.at_random(kinds, fleet.changed, has)
    rate = fleet.requests_per_second
    return chance.in_turns(kinds, fleet.changed, has, first=rate * fleet.pause, further=rate * fleet.gap)


def _parts(steps: Sequence[Step], duration: float) -> Iterator[tuple[float, float, Step]]:
    """From when until when which step holds."""
    for step, after in zip(steps, [*steps[1:], None], strict=True):
        end = min(after.at if after else duration, duration)
        if step.at < end:
            yield step.at, end, step


@dataclass
class _Sums:
    """What happens within one second, in the mean."""

    loads: float = 0.0
    whole: float = 0.0
    no_page: float = 0.0
    failed: float = 0.0
    tabs: float = 0.0
    broken_tabs: float = 0.0


@dataclass
class _Tabs:
    """The open tabs of one build, in the mean: those that stay with a target, by its number, and all others."""

    bound: dict[int, float] = field(default_factory=dict)
    free: float = 0.0


class _Visits:
    """Goes through the deployment, second by second."""

    def __init__(self, fleet: Fleet, rollout: Rollout) -> None:
        self.fleet = fleet
        self.rollout = rollout
        self.chance = Random(f"visits {fleet.seed}")
        self.answers = Answers.of(fleet.error_ttl, fallback=fleet.spa_fallback)
        count = fleet.edges if fleet.cdn and fleet.places != "s3" else 0
        self.edges = [[Edge.of(fleet.changed, warm=build == Kind.OLD) for _ in range(count)] for build in (0, 1)]
        self.edge_requests = self.mixed_loads = self.mixed_broken = 0.0
        self.binds = fleet.stickiness and not fleet.cdn
        self.tabs = (_Tabs(), _Tabs())

    def seconds(self) -> Iterator[Second]:
        fleet, steps = self.fleet, list(_parts(self.rollout.steps, self.fleet.duration))
        self._open_before()
        current = 0
        known: tuple[Step, Odds] | None = None
        for number in range(math.ceil(fleet.duration)):
            begin, end = float(number), min(number + 1.0, fleet.duration)
            sums, first = _Sums(), steps[current][2]
            while current < len(steps) and steps[current][0] < end:
                step_begin, step_end, step = steps[current]
                if known is None or known[0] is not step:
                    known = step, odds(fleet, self._kinds(step))
                    self._unbind(step)
                self._go_on((max(begin, step_begin), min(end, step_end)), step, known[1], sums)
                if step_end > end:
                    break
                current += 1
            yield self._second(begin, first, sums)

    def _second(self, at: float, step: Step, sums: _Sums) -> Second:
        old, new = self.rollout.answering(step)
        draw = self.chance
        whole, no_page = poisson(draw, sums.whole), poisson(draw, sums.no_page)
        broken = max(0.0, sums.loads - sums.whole)
        lost = no_page + poisson(draw, max(0.0, broken - sums.no_page))
        lost_tabs = poisson(draw, sums.broken_tabs)
        tabs = lost_tabs + poisson(draw, max(0.0, sums.tabs - sums.broken_tabs))
        return Second(at, old, new, whole + lost, lost, no_page, tabs, lost_tabs, sums.loads, broken, sums.failed)

    def _kinds(self, step: Step) -> Sequence[Kind]:
        is_new, silent = self.rollout.is_new, step.silent
        return [Kind.NOTHING if one in silent else Kind(is_new[one]) for one in step.rotation]

    def _go_on(self, span: Span, step: Step, found: Odds, sums: _Sums) -> None:
        seconds, rate = span[1] - span[0], self.fleet.loads_per_second
        whole, failed = found.whole, found.failed
        missing: Sequence[float] = found.missing
        if self.edges[0]:
            whole, failed, missing = self._at_edges(span, found)
        if all(self.rollout.answering(step)):
            self.mixed_loads += rate * seconds
            self.mixed_broken += rate * seconds * (1 - sum(whole))
        sums.loads += rate * seconds
        sums.whole += rate * seconds * sum(whole)
        sums.no_page += rate * seconds * found.no_page
        sums.failed += rate * seconds * failed
        if self.fleet.tab_open:
            for build in (Kind.OLD, Kind.NEW):
                self._age_tabs(build, seconds, rate * whole[build], step, missing[build], sums)

    # -- files at edge locations --

    def _at_edges(self, span: Span, found: Odds) -> tuple[tuple[float, float], float, tuple[float, float]]:
        """The odds of ``whole``, ``failed`` and ``missing`` that the caches' contents make."""
        whole, missing, failed = [], [], 0.0
        for build in (Kind.OLD, Kind.NEW):
            broken, absent, lost = self._at_edges_of(build, span, found)
            whole.append(found.page[build] * (1 - broken))
            missing.append(absent)
            failed += found.page[build] * lost
        return (whole[0], whole[1]), failed, (missing[0], missing[1])

    def _at_edges_of(self, build: Kind, span: Span, found: Odds) -> tuple[float, float, float]:
        """For pages of one build: the share that breaks, that of tabs, and how many files a page does not get."""
        fleet, edges = self.fleet, self.edges[build]
        length = span[1] - span[0]
        loads = fleet.loads_per_second * found.page[build] / len(edges)
        tabs = self.tabs[build].free / fleet.tab_open / len(edges) if fleet.tab_open else 0.0
        self.edge_requests += (loads * fleet.changed + tabs) * length * len(edges)
        broken = absent = lost = 0.0
        for edge in edges:
            spans, failed_before = [], sum(file.failed for file in edge.first)
            for file in edge.first:
                spans += file.go_on(span, loads, found.missing[build], self.answers, self.chance)
            asked_in_vain = sum(file.failed for file in edge.first) - failed_before
            # whoever asks is the first to get the wrong answer
            first = asked_in_vain / (loads * length) if loads else 0.0
            broken += min(1.0, covered(spans) / length + first)
            lost += sum(end - begin for begin, end in spans) / length + first
            absent += covered(edge.further.go_on(span, tabs, found.missing[build], self.answers, self.chance)) / length
        return broken / len(edges), absent / len(edges), lost / len(edges)

    # -- open tabs --

    def _open_before(self) -> None:
        """Tabs have been opened for ever: as many as close. The first targets are those before the deployment."""
        count = self.fleet.loads_per_second * self.fleet.tab_open
        old = self.tabs[Kind.OLD]
        if self.binds:
            old.bound = dict.fromkeys(range(self.fleet.tasks), count / self.fleet.tasks)
        else:
            old.free = count

    def _unbind(self, step: Step) -> None:
        """Tabs whose target gets requests no more come to any."""
        there = set(step.rotation)
        for tabs in self.tabs:
            for target in [target for target in tabs.bound if target not in there]:
                tabs.free += tabs.bound.pop(target)

    def _age_tabs(self, build: Kind, seconds: float, opened: float, step: Step, missing: float, sums: _Sums) -> None:
        """Let tabs ask, and others be opened (``opened`` a second), for some seconds."""
        tabs, mean = self.tabs[build], self.fleet.tab_open
        left = math.exp(-seconds / mean)
        asked_by_free, tabs.free = _age(tabs.free, 0.0 if self.binds else opened, seconds, mean, left)
        asked_by_bound = 0.0
        if self.binds:
            own = {one for one in step.rotation if one not in step.silent and self.rollout.is_new[one] == bool(build)}
            share = opened / len(own) if own else 0.0
            bound = dict.fromkeys(own, 0.0) | tabs.bound
            for target, count in bound.items():
                asked, bound[target] = _age(count, share if target in own else 0.0, seconds, mean, left)
                asked_by_bound += asked
            tabs.bound = bound
        sums.tabs += asked_by_free + asked_by_bound
        sums.broken_tabs += asked_by_free * missing


def _age(count: float, opened: float, seconds: float, mean: float, left: float) -> tuple[float, float]:
    """How many of ``count`` tabs and of those opened meanwhile ask within some seconds, and how many are left.

    The number n of open tabs follows n' = opened - n / mean.
    """
    after = count * left + opened * mean * (1 - left)
    return count + opened * seconds - after, after
