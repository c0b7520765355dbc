"""What a person at the terminal sees: progress while something takes long, a line a result, tables, errors."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from sandbox.errors import SandboxError

if TYPE_CHECKING:  # these load Docker, which most commands that print do not need
    from sandbox.doctor import Check
    from sandbox.engine.images import Row
    from sandbox.runner import Result
    from sandbox.scenario import Scenario

_MARK = {True: "[green]✓[/green]", False: "[red]✗[/red]"}
_NARROW = 60  # columns: in fewer a table leaves its last column a few characters


class _Output(Console):
    """Standard output, or standard error."""

    def on_broken_pipe(self) -> None:
        """Nobody reads it any more: that ends the command, and not what else a thread of its stack is at."""
        self.quiet = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.file.fileno())
        os.close(nowhere)
        if threading.current_thread() is threading.main_thread():
            raise SystemExit(1)


out = _Output(highlight=False, emoji=False)
err = _Output(stderr=True, highlight=False, emoji=False)


class Progress:
    """A line on standard error that says what is being waited for, and how long already.

    On a terminal it is one moving line; elsewhere (a CI log) each new step is a line with the seconds so far.
    """

    def __init__(self, title: str = "") -> None:
        self._title = title
        self._begun = time.monotonic()
        self._status = err.status("starting") if err.is_terminal else None
        self._last = ""

    def __enter__(self) -> Self:
        if self._status:
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Take the moving line away."""
        if self._status:
            self._status.stop()

    def title(self, title: str) -> None:
        """What is under way as a whole; the time starts again."""
        self._title = title
        self._begun = time.monotonic()

    def step(self, text: str) -> None:
        """What is being built, pulled or waited for now."""
        seconds = time.monotonic() - self._begun
        line = f"{self._title}: {text}" if self._title else text
        if self._status:
            self._status.update(f"{escape(line)} [dim]({seconds:.0f} s so far)[/dim]")
        elif line != self._last:
            err.print(f"  {seconds:5.1f} s  {escape(line)}", soft_wrap=True)
        self._last = line


def error(failure: SandboxError) -> None:
    """Print an error with everything it knows."""
    err.print(f"[bold red]error:[/bold red] {escape(failure.message)}", soft_wrap=True)
    if failure.state:
        err.print(f"  last state: {escape(failure.state)}", soft_wrap=True)
    if failure.log:
        err.print("  last log lines:")
        for line in failure.log:
            err.print(f"    {escape(line)}", soft_wrap=True)
    if failure.hint:
        err.print(f"  next: {escape(failure.hint)}", soft_wrap=True)


def result_line(result: Result) -> None:
    """One finished variant: its outcome and evidence."""
    out.print(
        f"{_MARK[result.as_declared]} {result.scenario} / {result.variant}: {result.outcome} ({result.seconds:.1f} s)"
    )
    for line in result.evidence:
        out.print(f"    {escape(line)}", soft_wrap=True, style="dim")
    for path in result.files:
        out.print(f"    file: {escape(path)}", soft_wrap=True, style="dim")
    for line in result.error.splitlines():
        out.print(f"    {escape(line)}", soft_wrap=True, style="red")


def summary(
    results: Sequence[Result],
    title: str = "Scenarios",
    good_ones: str = "variants did what they declare",
    names: tuple[str, str] = ("scenario", "variant"),
) -> None:
    """The table at the end of a run, and how many did as declared."""
    table = Table(title=title)
    for column in (*names, "declared", "outcome"):
        # A narrow terminal folds the longest names; what a run did stays whole.
        table.add_column(column, no_wrap=column != names[1], overflow="fold")
    table.add_column("seconds", justify="right", no_wrap=True)
    for result in results:
        colour = "green" if result.as_declared else "red"
        table.add_row(
            result.scenario,
            result.variant,
            result.expectation,
            f"[{colour}]{result.outcome}[/{colour}]",
            f"{result.seconds:.1f}",
        )
    if out.width < _NARROW:
        for result in results:
            out.print(f"{_MARK[result.as_declared]} {result.scenario} / {result.variant}: {result.outcome}")
    else:
        out.print(table)
    good = sum(result.as_declared for result in results)
    out.print(f"{good} of {len(results)} {good_ones}")


def scenarios(chosen: Sequence[Scenario], stacks: Mapping[str, str]) -> None:
    """What ``sandbox list`` prints."""
    out.print("[bold]Scenarios[/bold] (sandbox run NAME)")
    for scenario in chosen:
        out.print(f"\n[bold]{scenario.name}[/bold] on stack {scenario.stack}: {escape(scenario.symptom)}")
        _list([((variant.name, variant.expect), escape(variant.description)) for variant in scenario.variants])
    out.print("\n[bold]Stacks[/bold] (sandbox up NAME)\n")
    _list([((name,), escape(description)) for name, description in stacks.items()])


def _list(rows: Sequence[tuple[tuple[str, ...], str]]) -> None:
    """Names, and what there is to say of each: beside them, or below on a narrow terminal."""
    if out.width < _NARROW:
        for names, text in rows:
            out.print(Padding(" ".join(names), (0, 0, 0, 2)))
            out.print(Padding(text, (0, 0, 0, 4)))
        return
    table = Table(box=None, show_header=False, padding=(0, 2))
    for _ in rows[0][0] if rows else ():
        table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for names, text in rows:
        table.add_row(*names, text)
    out.print(table)


def checks(found: Sequence[Check]) -> None:
    """The table of ``sandbox doctor``, and the commands that mend what is missing."""
    if out.width < _NARROW:
        _list([((_MARK[check.ok], check.name), escape(check.detail)) for check in found])
    else:
        table = Table(title="This machine")
        table.add_column("")
        table.add_column("what", no_wrap=True)
        table.add_column("found", overflow="fold")
        for check in found:
            table.add_row(_MARK[check.ok], check.name, escape(check.detail))
        out.print(table)
    for check in found:
        if not check.ok:
            out.print(f"{check.name}: {escape(check.fix)}", soft_wrap=True)


def images(rows: Sequence[Row]) -> None:
    """The table of ``sandbox images list``; of several engines, one for each."""
    for engine in dict.fromkeys(row.engine for row in rows):
        _images_of(engine, [row for row in rows if row.engine == engine])


def _images_of(engine: str, rows: Sequence[Row]) -> None:
    table = Table(title=f"Images of {engine}" if engine else "Images")
    for column in ("component", "official", "present"):
        table.add_column(column, overflow="fold")
    table.add_column("MB", justify="right")
    table.add_column("what the local build has in common with it", overflow="fold")
    for row in rows:
        present = f"{row.origin}: {row.reference}" if row.origin else "[yellow]no[/yellow]"
        table.add_row(row.name, row.official or "-", present, str(row.megabytes or ""), row.contract)
    if out.width < _NARROW:
        out.print(table.title)
        _list([((row.name,), f"{row.official or '-'}; present: {row.origin or 'no'}") for row in rows])
    else:
        out.print(table)
