"""Replaying events through a Lambda function: what ``sandbox replay``, the fixture ``replay`` and Python code call.

::

    from sandbox.model.replay.compose import Composer
    from sandbox.replay import replay

    outcome = replay(Composer().start().replace(), "lambda/dns.py:handler", order="shuffled",
                     zones=["example.com=Z1"], environment={"HOSTED_ZONE_ID": "Z1"})
    outcome.assert_held()
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sandbox.controllers.replay import sources
from sandbox.controllers.replay.handler import Handler
from sandbox.controllers.replay.replayer import Replayer
from sandbox.controllers.replay.report import CHECKS, Report
from sandbox.controllers.replay.search import Budget, Shrinker
from sandbox.controllers.replay.sources import Events
from sandbox.errors import SandboxError
from sandbox.model.replay.files import Before, write_recording
from sandbox.model.replay.plan import Perturbation, Plan, draw_plan, recorded_plan
from sandbox.model.replay.state import Invariant
from sandbox.model.route53 import HostedZone

TRIES = 100
"""Orders that are tried where chance decides them."""


@dataclass(frozen=True)
class Options:
    """How events are told, and what must hold.

    Attributes:
        perturbation: What may go wrong on the way.
        seed: Of the first order; each further one has the next seed.
        tries: Orders that are tried, at most; None: `TRIES` where chance decides them, else one.
        invariants: By name; None: that no event is lost.
        check: When they count: "end" or "always".
        shrink: Whether an order that fails is shortened.
        runs: Replays that shortening may take, at most.
        limit: Seconds that trying and shortening may take, at most.
    """

    perturbation: Perturbation = field(default_factory=Perturbation)
    seed: int = 0
    tries: int | None = None
    invariants: Mapping[str, Invariant] | None = None
    check: str = "end"
    shrink: bool = True
    runs: int = 500
    limit: float = 120.0

    @property
    def orders(self) -> int:
        """How many orders are tried."""
        told = self.perturbation
        chance = told.order == "shuffled" or told.duplicate or told.drop or told.max_delay > told.min_delay
        return self.tries or (TRIES if chance else 1)


@dataclass(frozen=True, repr=False)
class Outcome:
    """What came of it.

    Attributes:
        report: The first order that failed, else the last one that held.
        seed: Its seed.
        tried: How many orders were tried.
        minimal: The shortest order found that fails; None where all held or nothing was shortened.
        repeats: Whether that order fails once more, in a new process: if not, the function decides by chance, or by
            something that is not replayed.
        as_recorded: Whether it is the recorded order, each event told once.
        fresh: Whether each order had a new process of the function: it was asked for, or found that what the function
            keeps in its module decides about the next order.
        zones: The hosted zones before the first event.
    """

    report: Report
    seed: int
    tried: int
    minimal: Report | None = None
    repeats: bool = True
    as_recorded: bool = False
    fresh: bool = False
    zones: tuple[HostedZone, ...] = ()

    @property
    def held(self) -> bool:
        """Whether every order that was tried held."""
        return self.report.held

    def assert_held(self) -> None:
        """For tests.

        Raises:
            AssertionError: An invariant was broken; the message has the shortest order.
        """
        __tracebackhide__ = True
        if not self.held:
            raise AssertionError(str(self))

    def __repr__(self) -> str:
        return f"<Outcome: {str(self).splitlines()[0]}>"

    def __str__(self) -> str:
        if self.held:
            return f"held in {self.tried} orders"
        shown = self.minimal or self.report
        lines = ["broken as recorded:" if self.as_recorded else f"broken by the order of seed {self.seed}:"]
        for step in shown.steps:
            what = "; ".join((*step.changes, step.error) if step.error else step.changes) or "changed nothing"
            lines.append(f"  {step.what}{f' ({step.note})' if step.note else ''}: {what}")
        first = shown.first_broken
        wrong = shown.broken or (first.broken if first else {})
        lines += [f"{name}: {why.splitlines()[0]}" for name, why in wrong.items()]
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """For ``sandbox replay --json`` (docs/formats.md)."""
        return {
            "version": 1,
            "held": self.held,
            "seed": self.seed,
            "tried": self.tried,
            "report": self.report.as_json(),
            "minimal": self.minimal.as_json() if self.minimal else None,
            "repeats": self.repeats,
            "as_recorded": self.as_recorded,
            "fresh": self.fresh,
        }

    def saved(self) -> str:
        """The shortest failing order (else the report's) as a file that ``sandbox replay`` takes."""
        report = self.minimal or self.report
        events = sorted({one.event for one in report.plan})
        places = {event: place for place, event in enumerate(events)}
        recording = replace(report.recording, events=tuple(report.recording.events[event] for event in events))
        plan = tuple(replace(one, event=places[one.event]) for one in report.plan)
        return json.dumps(write_recording(recording, plan, self.zones), indent=1)


def replay(
    events: Events,
    handler: str | Handler,
    *,
    order: str = "recorded",
    duplicate: float = 0.0,
    delay: float | tuple[float, float] = 0.0,
    drop: float = 0.0,
    seed: int = 0,
    tries: int | None = None,
    environment: Mapping[str, str] | None = None,
    zones: Iterable[str | HostedZone] = (),
    against: Before | str | Path | None = None,
    pattern: str = "",
    invariant: str | Invariant | Mapping[str, Invariant] | None = None,
    check: str = "end",
    retries: int = 2,
    timeout: int = 3,
    fresh: bool = False,
    limit: float = 120.0,
) -> Outcome:
    """Replay events through a function and say whether what must hold does.

    Args:
        events: A `Recording`, a `Composer`, or events as dictionaries.
        handler: ``FILE:FUNCTION``, or a `Handler`.
        order: "recorded", "shuffled" or "reversed".
        duplicate: How probable it is that an event is told twice, 0 to 1.
        delay: Seconds, at most; or from and to. Of the recording's own time: nothing waits.
        drop: How probable it is that an event is never told.
        seed: Of the first order.
        tries: Orders to try; see `Options`.
        environment: The function's environment variables.
        zones: Hosted zones: ``NAME=ID``, or as `HostedZone`.
        against: AWS's state to start from: a file (docs/formats.md), or a `Before`.
        pattern: The rule's event pattern, JSON; "": every event is told.
        invariant: A function of a `State`, or several by name, or the name of one that comes with the sandbox
            ("record-points-at-running-task"); None: that no event is lost.
        check: "end": it must hold in the end; "always": after each event, too.
        retries: As of an asynchronous invocation, 0 to 2.
        timeout: The function's, in seconds.
        fresh: A new process for each order, also where nothing shows that the function keeps something in its module.
        limit: Seconds for all, about.

    Raises:
        SandboxError: Something of it cannot be, or the function cannot be loaded.
    """
    before = against if isinstance(against, Before) else sources.state(str(against)) if against else Before()
    before = sources.with_zones(before, (one if isinstance(one, HostedZone) else sources.zone(one) for one in zones))
    source = sources.from_object(events, before)
    if pattern:
        source = sources.matching(source, pattern)
    low, high = delay if isinstance(delay, tuple) else (0.0, delay)
    function = (
        handler if isinstance(handler, Handler) else Handler.load(handler, environment=environment, timeout=timeout)
    )
    options = Options(
        perturbation(order, duplicate, low, high, drop), seed, tries, _by_name(invariant), check, limit=limit
    )
    with Replayer(source.recording, function, zones=before.zones, retries=retries, fresh=fresh) as replayer:
        return carry_out(replayer, options, zones=before.zones)


def carry_out(
    replayer: Replayer,
    options: Options,
    plan: Plan | None = None,
    zones: Sequence[HostedZone] = (),
    progress: Callable[[str], None] = lambda text: None,
) -> Outcome:
    """Try orders until one fails, and shorten that.

    Args:
        replayer: With the function and the recording.
        options: See there.
        plan: The only order to try, where it is given.
        zones: The replayer's, to be saved with an order that fails.
        progress: Told in words how far it has come.

    Raises:
        SandboxError: See `Replayer.run`.
    """
    if options.check not in CHECKS:
        raise SandboxError(f"there is no check '{options.check}'", hint=" or ".join(CHECKS))
    search = _Search(replayer, options, tuple(zones), _sparing(progress))
    if plan is not None:
        return Outcome(search.run(plan, "replaying"), options.seed, 1, zones=search.zones)
    return search.outcome()


class _Search:
    """Tries orders until one fails, and shortens that."""

    def __init__(
        self,
        replayer: Replayer,
        options: Options,
        zones: tuple[HostedZone, ...],
        progress: Callable[[str], None],
    ) -> None:
        self.zones = zones
        self._replayer = replayer
        self._options = options
        self._progress = progress
        self._budget = Budget(options.runs, options.limit)

    def outcome(self) -> Outcome:
        perturbation, seed = self._options.perturbation, self._options.seed
        recorded = recorded_plan(self._replayer.recording)
        report = self.run(recorded, "as recorded")
        outcome = Outcome(report, seed, 1, as_recorded=True, zones=self.zones)
        if report.held and perturbation == Perturbation():
            return outcome
        if not self._replayer.fresh and _did(self.run(recorded, "once more")) != _did(report):
            self._replayer.fresh = True  # what the module keeps from one order would decide about the next
        if not report.held:
            return self._shortened(replace(outcome, fresh=self._replayer.fresh))
        of = self._options.orders
        for number in range(of):
            seed = self._options.seed + number
            plan = draw_plan(self._replayer.recording, perturbation, seed)
            report = self.run(plan, f"order {number + 1} of {of}")
            if not report.held or self._budget.is_spent:
                break
        return self._shortened(Outcome(report, seed, number + 1, fresh=self._replayer.fresh, zones=self.zones))

    def run(self, plan: Plan, label: str) -> Report:
        return self._replayer.run(
            plan,
            self._options.invariants,
            check=self._options.check,
            progress=lambda done, of: self._progress(f"{label}: {done} of {of} events"),
        )

    def _shortened(self, outcome: Outcome) -> Outcome:
        options = self._options
        if outcome.held or not options.shrink:
            return outcome
        shrinker = Shrinker(
            self._replayer, options.invariants, options.check, options.perturbation, self._budget, self._progress
        )
        minimal = shrinker.shrink(outcome.report, options.seed)
        self._replayer.restart()
        repeats = not self.run(minimal.plan, "once more").held
        return replace(outcome, minimal=minimal, repeats=repeats)


def _did(report: Report) -> list[tuple[tuple[str, ...], str]]:
    return [(step.changes, step.error) for step in report.steps]


def _by_name(invariant: str | Invariant | Mapping[str, Invariant] | None) -> Mapping[str, Invariant] | None:
    if isinstance(invariant, str):
        return {invariant: sources.invariant(invariant)}
    if callable(invariant):
        return {getattr(invariant, "__name__", "invariant"): invariant}
    return invariant


def _sparing(progress: Callable[[str], None]) -> Callable[[str], None]:
    """Pass on a text a second at most: events take milliseconds."""
    last = time.monotonic()

    def say(text: str) -> None:
        nonlocal last
        if time.monotonic() - last >= 1.0:
            last = time.monotonic()
            progress(text)

    return say


def perturbation(order: str, duplicate: float, low: float, high: float, drop: float) -> Perturbation:
    """As `Perturbation`, with an error for persons."""
    try:
        return Perturbation(order, duplicate, low, high, drop)
    except ValueError as error:
        raise SandboxError(str(error)) from error
