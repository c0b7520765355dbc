"""``sandbox replay``: from what the command line was given to an outcome, and its printing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sandbox import replay
from sandbox.controllers.replay import sources
from sandbox.controllers.replay.handler import Handler
from sandbox.controllers.replay.replayer import Replayer
from sandbox.errors import SandboxError
from sandbox.model.replay.files import Before
from sandbox.model.replay.plan import Perturbation
from sandbox.model.replay.state import Invariant
from sandbox.replay import Options, Outcome
from sandbox.report import replay as report
from sandbox.report import terminal


@dataclass(frozen=True)
class Request:
    """What ``sandbox replay`` was asked for; see its options."""

    events: tuple[str, ...]
    handler: str
    shape: str
    perturbation: Perturbation
    seed: int
    tries: int | None
    against: Path | None
    zones: tuple[str, ...]
    environment: Mapping[str, str]
    pattern: str
    invariants: tuple[str, ...]
    name: str
    check: str
    retries: int
    timeout: int
    memory: int
    fresh: bool
    limit: float
    further: Mapping[str, Invariant] = field(default_factory=dict)
    """Invariants beside the named ones, by the names under which they are told."""


def perturbation(order: str, duplicate: float, delay: str, drop: float) -> Perturbation:
    """From the options; ``delay`` is SECONDS or FROM-TO.

    Raises:
        SandboxError: One of them is not what it should be.
    """
    low, dash, high = delay.partition("-")
    try:
        seconds = (float(low), float(high)) if dash else (0.0, float(low))
    except ValueError:
        raise SandboxError(f"--delay {delay}: it is SECONDS, or FROM-TO") from None
    return replay.perturbation(order, duplicate, *seconds, drop)


def carry_out(request: Request, progress: Callable[[str], None]) -> Outcome:
    """Read everything that is named, and replay.

    Raises:
        SandboxError: Something of it is not there or cannot be.
    """
    before = sources.state(str(request.against)) if request.against else Before()
    before = sources.with_zones(before, map(sources.zone, request.zones))
    source = sources.from_arguments(request.events, before, request.shape)
    if source.plan is not None and (request.perturbation != Perturbation() or request.tries):
        raise SandboxError("a saved replay has its order; it takes no --order, --duplicate, --delay, --drop or --tries")
    if request.name and "record-points-at-running-task" not in request.invariants:
        raise SandboxError("--name is of --invariant record-points-at-running-task, which is not asked for")
    if request.pattern:
        source = sources.matching(source, request.pattern)
    zones = before.zones or source.zones
    zone_name = zones[0].name if len(request.zones) == 1 and len(zones) == 1 else ""
    named = {text: sources.invariant(text, request.name, zone_name) for text in request.invariants}
    chosen = {**named, **request.further}
    function = Handler.load(
        request.handler, environment=request.environment, timeout=request.timeout, memory_size=request.memory
    )
    options = Options(
        request.perturbation, request.seed, request.tries, chosen or None, request.check, limit=request.limit
    )
    with Replayer(source.recording, function, zones=zones, retries=request.retries, fresh=request.fresh) as replayer:
        return replay.carry_out(replayer, options, source.plan, zones, progress)


def show(outcome: Outcome, saved: Path | None) -> None:
    """Print what came of it, the shortest order that fails before all."""
    out = terminal.out
    number = len(outcome.report.recording.events)
    tried = f"{outcome.tried} orders of {number} events" if outcome.tried > 1 else f"{number} events"
    shown = outcome.minimal or outcome.report
    if outcome.held:
        title = f"{number} events as recorded" if outcome.as_recorded else f"{tried}, seed {outcome.seed}"
    elif outcome.as_recorded:
        title = "broken as recorded, each event told once"
        if len(shown.plan) < number:
            title += f"; of {number} events, those that did nothing are left out"
    else:
        out.print(f"broken by the order of seed {outcome.seed}, of {tried} tried")
        title = "the shortest order found that breaks it" if outcome.minimal else ""
    report.show(shown, title)
    report.verdict(shown)
    if outcome.held and outcome.tried > 1:
        out.print(f"held in each of {tried}; the last is shown")
    if outcome.fresh:
        out.print("the function keeps something in its module, so each order had a new process", style="dim")
    if lone := _never_stopped(outcome):
        out.print(
            f"{lone} tasks of one service run until the end: no event tells of a stop. If that is not so, record every "
            "state of the tasks, not RUNNING alone.",
            style="yellow",
            soft_wrap=True,
        )
    if not outcome.repeats:
        out.print("this order did not fail once more: the function decides by chance or by time", style="yellow")
    if saved is not None and not outcome.held:
        again = f"sandbox replay {saved} with the same --handler, --env and --invariant repeats it"
        out.print(f"saved: {again}", soft_wrap=True)
    elif outcome.minimal is not None and not outcome.as_recorded:
        out.print("to keep this order as a file: --save FILE", style="dim")


def _never_stopped(outcome: Outcome) -> int:
    """How many tasks of one service run in the end, where the recording has no event of a stop; 0 if all is well.

    A rule that lets RUNNING through alone makes such recordings, in which a dead task's address looks right.
    """
    events = [one.event["detail"] for one in outcome.report.recording.events]
    if any(detail.get("desiredStatus") == "STOPPED" for detail in events):
        return 0
    groups = Counter(task.group for task in outcome.report.end.running_tasks() if task.group.startswith("service:"))
    most = max(groups.values(), default=0)
    return most if most > 1 else 0
