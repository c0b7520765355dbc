"""``sandbox replay``: from what the command line was given to an outcome, and its printing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox import replay
from sandbox.controllers.replay import sources
from sandbox.controllers.replay.handler import Handler
from sandbox.controllers.replay.replayer import Replayer
from sandbox.errors import SandboxError
from sandbox.model.replay.files import Before
from sandbox.model.replay.plan import Perturbation
from sandbox.replay import Options, Outcome
from sandbox.report import replay as report
from sandbox.report import terminal


@dataclass(frozen=True)
class Request:
    """What ``sandbox replay`` was asked for; see its options."""

    events: tuple[str, ...]
    handler: str
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
    source = sources.from_arguments(request.events, before)
    if source.plan is not None and (request.perturbation != Perturbation() or request.tries):
        raise SandboxError("a saved replay has its order; it takes no --order, --duplicate, --delay, --drop or --tries")
    if request.pattern:
        source = sources.matching(source, request.pattern)
    zones = before.zones or source.zones
    zone_name = zones[0].name if len(request.zones) == 1 and len(zones) == 1 else ""
    chosen = {text: sources.invariant(text, request.name, zone_name) for text in request.invariants}
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
        title = f"{number} events break it as recorded, told once each"
    else:
        out.print(f"broken by the order of seed {outcome.seed}, of {tried} tried")
        title = "the shortest order found that breaks it" if outcome.minimal else ""
    report.show(shown, title)
    report.verdict(shown)
    if outcome.held and outcome.tried > 1:
        out.print(f"held in each of {tried}; the last is shown")
    if outcome.fresh:
        out.print("the function keeps something in its module, so each order had a new process", style="dim")
    if not outcome.repeats:
        out.print("this order did not fail once more: the function decides by chance or by time", style="yellow")
    if saved is not None and not outcome.held:
        again = f"sandbox replay {saved} with the same --handler, --env and --invariant repeats it"
        out.print(f"saved: {again}", soft_wrap=True)
    elif outcome.minimal is not None and not outcome.as_recorded:
        out.print("to keep this order as a file: --save FILE", style="dim")
