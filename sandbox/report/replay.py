"""What a person sees of a replay: a table of what each event did, what was broken, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from sandbox.report.terminal import out

if TYPE_CHECKING:  # it loads boto3
    from sandbox.controllers.replay.report import Report, Step

ROWS = 40  # of a table; of a longer replay the beginning and the end are shown


def show(report: Report, title: str) -> None:
    """The table of a replay, the events that were never told, and the end."""
    begin = report.recording.events[0].at
    table = Table(title=title)
    table.add_column("at", justify="right", no_wrap=True)
    table.add_column("event", overflow="fold")
    table.add_column("", overflow="fold", style="yellow")
    table.add_column("what it did", overflow="fold")
    table.add_column("held", justify="center")
    for step in _shown(report.steps):
        if step is None:
            table.add_row("...", f"{len(report.steps) - ROWS} more", "", "", "")
            continue
        did = [escape(change) for change in step.changes]
        if step.error:
            did.append(f"[red]{escape(step.error)}[/red]")
        mark = "[red]✗[/red]" if step.broken else "[green]✓[/green]"
        table.add_row(
            f"+{step.at - begin:.1f} s",
            escape(step.what),
            escape(step.note),
            "\n".join(did) or "[dim]nothing[/dim]",
            mark,
        )
    out.print(table)
    for one in report.plan:
        if one.lost:
            out.print(f"  never told: event {one.event + 1}", style="yellow")
    for text in report.lost:
        out.print(f"  given up: {escape(text)}", style="red", soft_wrap=True)


def verdict(report: Report) -> None:
    """Each invariant: whether it held in the end, and after how many events."""
    for name in report.invariants:
        wrong = report.broken.get(name, "")
        after = sum(name not in step.broken for step in report.steps)
        counts = report.check == "always" and after < len(report.steps)
        mark = "[red]✗[/red]" if wrong or counts else "[green]✓[/green]"
        end = f"broken in the end: {_line(wrong)}" if wrong else "held in the end"
        out.print(f"{mark} {name}: {escape(end)}; it held after {after} of {len(report.steps)} events", soft_wrap=True)
    step = report.first_broken
    if step is not None:
        for name, wrong in step.broken.items():
            if wrong == report.broken.get(name) and step is report.steps[-1]:
                continue
            out.print(f"    first broken after {escape(step.what)}: {name}: {escape(_line(wrong))}", soft_wrap=True)
        for line in step.log if step.error else ():
            out.print(f"      {escape(line)}", style="dim", soft_wrap=True)


def _line(text: str) -> str:
    return text.splitlines()[0]


def _shown(steps: Sequence[Step]) -> list[Step | None]:
    if len(steps) <= ROWS:
        return list(steps)
    return [*steps[: ROWS // 2], None, *steps[-ROWS // 2 :]]
