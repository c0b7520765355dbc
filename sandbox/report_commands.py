"""The sub-commands of ``sandbox report``. What they need is imported when they run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Pages that show what happened.")


@app.callback()
def _group() -> None:
    """Pages that show what happened."""


@app.command("merge")
def merge(
    reports: Annotated[list[Path], typer.Argument(help="Folders that --report, or pytest's --sandbox-report, wrote.")],
    into: Annotated[Path, typer.Option(metavar="FOLDER", help="Write the page of all of them there: index.html.")],
) -> None:
    """Make one page of the reports of several shards; the reports stay as they are."""
    from sandbox.errors import SandboxError
    from sandbox.report.page.folder import ReportFolder, check_report

    for report in reports:
        check_report(report)
    if any(report.resolve() == into.resolve() for report in reports):
        raise SandboxError(f"--into {into} is one of the reports", hint="name another folder: it is emptied first")
    page = ReportFolder(into)
    page.begin()
    count = sum(page.take(report) for report in reports)
    merged = f"{count} {'result' if count == 1 else 'results'} of {len(reports)} reports"
    print(f"{page.write(merged)}: {merged}")
