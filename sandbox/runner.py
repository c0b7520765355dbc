"""Runs scenarios: each variant in a sandbox of its own, from an empty start to its verdict."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sandbox.errors import NotRunnable, SandboxError
from sandbox.scenario import Expectation, Play, Scenario, Variant, Verdict

if TYPE_CHECKING:
    from sandbox.controllers.localstack_server import LocalStackServer
    from sandbox.controllers.site import Site

Outcome = Literal["reproduces", "holds", "fails", "not run"]  # a scenario's variant reproduces, a check fails

EXIT_OK = 0
EXIT_UNEXPECTED = 1  # a variant did not do what it declares
EXIT_NOT_RUN = 2  # usage or environment
EXIT_INTERRUPTED = 130  # 128 and the number of SIGINT, as shells have it


@dataclass(frozen=True)
class Result:
    """What became of one variant.

    Attributes:
        outcome: What it did, or "not run".
        error: Why it could not be run, or what could not be cleaned up after it.
        evidence: The facts of the verdict.
        seconds: Wall clock, start of the sandbox and clean-up included.
        timeline: The file of all observations, where it was kept.
        files: Further evidence, such as screenshots, in the folder beside it.
        install: Where the variant was not run for want of an optional part: the command that installs it.
        called: The services of AWS that the stack, its containers and the scenario have called.
    """

    scenario: str
    variant: str
    stack: str
    expectation: Expectation
    outcome: Outcome
    evidence: tuple[str, ...]
    seconds: float
    error: str = ""
    timeline: str = ""
    files: tuple[str, ...] = ()
    install: str = ""
    called: frozenset[str] = frozenset()

    @property
    def as_declared(self) -> bool:
        """Whether the variant did what it declares."""
        return self.outcome == self.expectation

    def as_json(self) -> dict[str, Any]:
        """One entry of ``run --json`` (docs/formats.md)."""
        return {
            "scenario": self.scenario,
            "variant": self.variant,
            "stack": self.stack,
            "expectation": self.expectation,
            "outcome": self.outcome,
            "as_declared": self.as_declared,
            "evidence": list(self.evidence),
            "seconds": round(self.seconds, 2),
            "error": self.error,
            "timeline": self.timeline,
            "files": list(self.files),
            "install": self.install,
            "services": sorted(self.called),
        }


@dataclass(frozen=True)
class Options:
    """How variants are run.

    Attributes:
        images: Where images come from: "auto", "official" or "build".
        speed: Divides every AWS timer.
        keep: Keep the timeline files, and of a variant that did not do what it declares its containers too.
        timelines: The folder of the timeline files.
        aws: Who answers: "embedded", "localstack", or the URL of a LocalStack of the user's own.
    """

    images: str = "auto"
    speed: float = 1.0
    keep: bool = False
    timelines: Path | None = None
    aws: str = "embedded"


@dataclass
class Listener:
    """Told how a run goes on; the command line draws it."""

    started: Callable[[Scenario, Variant], None] = lambda scenario, variant: None
    progress: Callable[[str], None] = lambda text: None
    finished: Callable[[Result], None] = lambda result: None


@dataclass
class Run:
    """All results so far. A run that ends early keeps what it had."""

    results: list[Result] = field(default_factory=list)
    interrupted: bool = False

    @property
    def exit_code(self) -> int:
        """0: all as declared; 1: one was not; 2: the environment failed one (and none went wrong); 130: interrupted."""
        if self.interrupted:
            return EXIT_INTERRUPTED
        if any(result.outcome != "not run" and not result.as_declared for result in self.results):
            return EXIT_UNEXPECTED
        return EXIT_NOT_RUN if any(result.error for result in self.results) else EXIT_OK


def run(chosen: Sequence[tuple[Scenario, Variant]], options: Options, listener: Listener, into: Run) -> None:
    """Run the chosen variants one after another; results are added to ``into`` as they come.

    Raises:
        SandboxError: There is no such LocalStack. One that cannot be used is in the results.
    """
    try:
        from sandbox.controllers.localstack_choice import localstack_of
        from sandbox.controllers.site import Site  # loads Docker

        with (
            localstack_of(options.aws, options.images, options.speed, listener.progress) as localstack,
            Site() as site,
        ):
            for scenario, variant in chosen:
                listener.started(scenario, variant)
                result = run_variant(scenario, variant, options, listener.progress, site, localstack)
                into.results.append(result)
                listener.finished(result)
    except KeyboardInterrupt:
        into.interrupted = True
        raise


def run_variant(
    scenario: Scenario,
    variant: Variant,
    options: Options,
    progress: Callable[[str], None] = lambda text: None,
    site: Site | None = None,
    localstack: LocalStackServer | None = None,
) -> Result:
    """Run one variant in a new sandbox. What the environment refuses, or breaks, is in the result and not raised."""
    begun = time.monotonic()
    file = None
    if options.timelines is not None:
        options.timelines.mkdir(parents=True, exist_ok=True)
        file = options.timelines / f"{scenario.name}.{variant.name}.jsonl"
        file.unlink(missing_ok=True)
        for picture in _pictures(file):
            picture.unlink()
    verdicts: list[Verdict] = []
    called: frozenset[str] = frozenset()
    error = install = ""
    try:
        called = _play(scenario, variant, options, progress, file, verdicts, site, localstack)
    except NotRunnable as lack:
        error, install = str(lack), lack.command
    except SandboxError as refusal:
        error = str(refusal)
    except Exception as failure:
        error = str(SandboxError.unforeseen(f"{scenario.name} / {variant.name} failed", failure))
    # A verdict stands, whatever fails after it.
    outcome: Outcome = verdicts[0].outcome if verdicts else "not run"
    evidence = verdicts[0].evidence if verdicts else ()
    return Result(
        scenario.name,
        variant.name,
        scenario.stack,
        variant.expect,
        outcome,
        evidence,
        time.monotonic() - begun,
        error,
        str(file) if file else "",
        tuple(map(str, _pictures(file))) if file else (),
        install,
        called,
    )


def _pictures(timeline: Path) -> list[Path]:
    """The screenshots of a run (`sandbox.controllers.viewers.Viewers.evidence_folder`), oldest first."""
    return sorted(timeline.with_suffix("").glob("*.png"), key=lambda path: path.stat().st_mtime)


def _play(
    scenario: Scenario,
    variant: Variant,
    options: Options,
    progress: Callable[[str], None],
    file: Path | None,
    verdicts: list[Verdict],
    site: Site | None,
    localstack: LocalStackServer | None,
) -> frozenset[str]:
    """Add the verdict to ``verdicts`` as soon as it is known: cleaning up comes after it and may fail."""
    from sandbox.controllers.sandbox import Sandbox  # loads Docker and boto3, which listing scenarios does not need

    speed = max(options.speed, scenario.speed)
    with Sandbox(
        images=options.images, speed=speed, progress=progress, timeline_file=file, localstack=localstack, site=site
    ) as sandbox:
        bring_up = sandbox.stack if scenario.awaits_ready else sandbox.begin_stack
        try:
            stack = bring_up(scenario.stack, {**scenario.parameters, **variant.parameters})
            scenario.play(Play(sandbox, stack, variant))
        except SandboxError:
            sandbox.check()
            raise
        sandbox.check()  # an engine or a LocalStack that has ended explains whatever was seen since
        verdict = scenario.judge(sandbox.timeline.since())
        verdicts.append(verdict)
        if options.keep and verdict.outcome != variant.expect:
            sandbox.keep()
        if (failure := sandbox.timeline.unwritten) is not None:
            raise failure
        return frozenset(sandbox.called_services)
