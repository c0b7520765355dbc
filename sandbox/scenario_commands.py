"""``sandbox list`` and ``sandbox run``: scenarios. What they need is imported when they run."""

from __future__ import annotations

import dataclasses
import json
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from sandbox import completion, options
from sandbox.options import (
    AnnotationsOption,
    AwsOption,
    CodeQualityOption,
    ImagesOption,
    JsonFileOption,
    JunitFileOption,
    ReportOption,
    SpeedOption,
)
from sandbox.report.files import make_folder

app = typer.Typer()


@app.command("list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="As JSON (docs/formats.md).")] = False) -> None:
    """List scenarios with their variants, and stacks."""
    from sandbox import scenario
    from sandbox.controllers import stack_file
    from sandbox.report import terminal

    scenarios = list(scenario.load_all().values())
    stacks = {name: stack_file.load(name).description for name in stack_file.names()}
    if as_json:
        content = {
            "version": 1,
            "scenarios": [item.as_json() for item in scenarios],
            "stacks": [{"name": name, "description": text} for name, text in stacks.items()],
        }
        print(json.dumps(content, indent=2))
        return
    terminal.scenarios(scenarios, stacks)


@app.command()
def run(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Scenarios (all where none is named).", autocompletion=completion.scenarios),
    ] = None,
    variant: Annotated[str, typer.Option(help="Only this variant.", autocompletion=completion.variants)] = "",
    json_file: JsonFileOption = None,
    junit_file: JunitFileOption = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep timelines, and containers of a variant that did not do as declared.")
    ] = False,
    timelines: Annotated[Path | None, typer.Option(help="Folder for the timelines: JSON lines, one a variant.")] = None,
    report: ReportOption = None,
    images: ImagesOption = "auto",
    speed: SpeedOption = 1.0,
    aws: AwsOption = "embedded",
    annotate: AnnotationsOption = "auto",
    code_quality: CodeQualityOption = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, metavar="N", help="Run N variants at a time.")] = 1,
) -> None:
    """Run scenarios, show their evidence, and say whether each variant did what it declares."""
    from sandbox import jobs as at_a_time
    from sandbox import paths, runner, scenario
    from sandbox.report import failures, results, terminal

    options.check(images, speed)
    failures.check_mode(annotate)
    scenarios = scenario.choose(scenario.load_all(), names or [])
    chosen = [
        (item, one) for item in scenarios for one in ([item.variant(variant)] if variant else list(item.variants))
    ]
    place = partial(failures.place_of_variant, paths.share() / "scenarios")
    files = results.Files(
        json_file,
        junit_file,
        code_quality,
        reviewer=lambda found: failures.write(
            failures.of(found, place, failures.repository()), annotate, code_quality, "scenarios"
        ),
    )
    files.check()
    page = _begin_report(report)
    if page is not None:
        files = dataclasses.replace(files, page=lambda found: page.write_run(found, scenarios))
    if timelines is None and (page is not None or keep):
        timelines = page.timelines if page is not None else Path("timelines")
    make_folder(timelines)
    asked = runner.Options(images, speed, keep, timelines, aws)
    finished = runner.Run()
    exit_code = runner.EXIT_NOT_RUN

    def show(result: runner.Result) -> None:
        files.update(finished)
        if not files.is_output:
            terminal.result_line(result)

    try:
        with failures.nothing_obeyed(annotate), terminal.Progress() as progress:

            def started(item: scenario.Scenario, one: scenario.Variant) -> None:
                several = f"{len(finished.results)} of {len(chosen)}"
                progress.title(several if jobs > 1 else f"{item.name} / {one.name}")

            listener = runner.Listener(started, progress.step, show)
            if jobs > 1:
                at_a_time.run(chosen, asked, listener, finished, jobs)
            else:
                runner.run(chosen, asked, listener, finished)
    finally:  # whatever ends a run, nothing is lost that it already knows
        exit_code = files.finish(finished)
        if finished.results and not files.is_output:
            terminal.summary(finished.results)
    raise typer.Exit(exit_code)


def _begin_report(folder: Path | None) -> Any:
    if folder is None:
        return None
    from sandbox.report.page.folder import ReportFolder

    report = ReportFolder(folder)
    report.begin()
    return report
