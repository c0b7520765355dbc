"""``sandbox init`` and ``sandbox test``: somebody's own stack. What they need is imported when they run."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from sandbox import options
from sandbox.errors import SandboxError
from sandbox.options import (
    AnnotationsOption,
    CodeQualityOption,
    ImagesOption,
    JsonFileOption,
    JunitFileOption,
    ReportOption,
    SpeedOption,
)
from sandbox.report.files import make_folder

app = typer.Typer()


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="The folder with the files of the stack.")] = Path(),
) -> None:
    """Write a commented sandbox.toml for what is in a folder; nothing is overwritten.

    That is a compose file, task definitions and services, a CloudFormation template, or a Terraform configuration.
    """
    from sandbox.controllers import own_folder
    from sandbox.report import terminal

    file, found = own_folder.begin(folder)
    if found.has_stack:
        named = ["stack.yaml"]
    elif found.terraform is not None:
        named = [f"Terraform in {found.terraform[0]}"]
    elif found.template is not None:
        named = [found.template[0]]
    elif found.compose is not None:
        named = [found.compose[0]]
    else:
        named = [*found.task_definitions, *found.services]
    terminal.out.print(f"wrote {file} for {', '.join(named)}", soft_wrap=True, markup=False)
    terminal.out.print(f"next: read it, then sandbox up {folder}", soft_wrap=True, markup=False)


@app.command("test")
def run_checks(
    folder: Annotated[Path, typer.Argument(help="The folder with the sandbox.toml.")] = Path(),
    check: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only this check; may be repeated.")] = None,
    json_file: JsonFileOption = None,
    junit_file: JunitFileOption = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep timelines, and the containers if a check does not hold.")
    ] = False,
    timelines: Annotated[Path | None, typer.Option(help="Folder for the timelines: JSON lines, one a check.")] = None,
    report: ReportOption = None,
    images: ImagesOption = "auto",
    speed: SpeedOption = 1.0,
    annotate: AnnotationsOption = "auto",
    code_quality: CodeQualityOption = None,
) -> None:
    """Bring your own stack up once, run the checks of its sandbox.toml, and say whether each holds."""
    from sandbox import runner, suite
    from sandbox.model.own import FILE
    from sandbox.report import failures, results, terminal
    from sandbox.report.page.folder import ReportFolder

    options.check(images, speed)
    failures.check_mode(annotate)
    root, file = failures.repository(), folder / FILE

    def review(found: Sequence[runner.Result]) -> None:
        failures.write(failures.of(found, suite.place(folder), root), annotate, code_quality, str(file))

    files = results.Files(json_file, junit_file, code_quality, reviewer=review)
    files.check()
    try:
        name, checks = suite.chosen(folder, check or [])
    except SandboxError as error:
        failures.write([failures.refusal(error, file, root)], annotate, code_quality, str(file))
        raise
    page = ReportFolder(report) if report is not None else None
    if page is not None:
        page.begin()

    def write_page(found: Sequence[runner.Result]) -> Path:
        assert page is not None
        for result in found:
            page.add(suite.entry(result, folder, checks))
        return page.write(f"{name}: {len(found)} checks")

    if page is not None:
        files = dataclasses.replace(files, page=write_page)
    if timelines is None and (page is not None or keep):
        timelines = page.timelines if page is not None else Path("timelines")
    make_folder(timelines)
    finished = runner.Run()
    exit_code = runner.EXIT_NOT_RUN

    def show(result: runner.Result) -> None:
        files.update(finished)
        if not files.is_output:
            terminal.result_line(result)

    try:
        with failures.nothing_obeyed(annotate), terminal.Progress(f"test {name}") as progress:
            asked = runner.Options(images, speed, keep, timelines)
            suite.run(folder, asked, name, checks, progress.step, show, finished)
    finally:  # whatever ends a run, nothing is lost that it already knows
        exit_code = files.finish(finished)
        if finished.results and not files.is_output:
            terminal.summary(finished.results, "Checks", "checks hold", ("stack", "check"))
    raise typer.Exit(exit_code)
