"""What a person sees of `sandbox check assets`: the files or the page loads, and the findings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from rich.markup import escape
from rich.table import Table

from sandbox.model.assets.loads import PageLoad, summarize
from sandbox.report.terminal import out

if TYPE_CHECKING:  # the layer above
    from sandbox.checks.assets import Outcome
    from sandbox.model.assets.findings import Command, Finding
    from sandbox.model.assets.loads import Answer

ROWS = 60
URLS = 4
_COLOURS = {"error": "red", "warning": "yellow", "info": "cyan"}


def show(outcome: Outcome) -> None:
    """The whole result."""
    host = urlsplit(outcome.url).netloc
    if outcome.command is None:
        out.print(_files(outcome.files, host))
        if len(outcome.files) > ROWS:
            out.print(f"  and {len(outcome.files) - ROWS} more: --json FILE has them all", style="dim")
    else:
        out.print(_loads(outcome, outcome.command))
    for finding in outcome.findings:
        _finding(finding, host)
    if not outcome.findings:
        out.print("[green]✓[/green] nothing is wrong with it")


def _files(files: Sequence[Answer], host: str) -> Table:
    table = Table()
    for name in ("file", "kind", "answer", "Cache-Control"):
        table.add_column(name, overflow="fold")
    for one in files[:ROWS]:
        said = str(one.status or one.error)
        said = f"[red]{escape(said)}, {escape(one.cause)}[/red]" if one.cause else f"[green]{escape(said)}[/green]"
        table.add_row(escape(_short(one.url, host)), one.kind, said, escape(one.cache_control))
    return table


def _loads(outcome: Outcome, command: Command) -> Table:
    table = Table(title=escape(outcome.url), title_justify="left")
    table.add_column("page loads")
    table.add_column("", justify="right")
    table.add_column("broken", justify="right")
    table.add_column("causes", overflow="fold")
    loads = outcome.loads
    seconds = f"{command.ended - command.began:.0f} s"
    _row(table, "before the command", (one for one in loads if one.at < command.began))
    _row(table, f"while it ran ({seconds})", (one for one in loads if command.began <= one.at < command.ended))
    _row(table, "after it", (one for one in loads if one.at >= command.ended))
    if outcome.tabs:
        _row(table, "tabs left open, returned to", outcome.tabs)
    return table


def _row(table: Table, name: str, loads: Iterable[PageLoad]) -> None:
    summary = summarize(loads)
    colour = "red" if summary.broken else "green"
    causes = ", ".join(f"{cause} {count}" for cause, count in summary.causes.items())
    broken = f"[{colour}]{summary.broken} ({summary.share:.1%})[/{colour}]"
    table.add_row(name, str(summary.loads), broken, escape(causes))


def _finding(finding: Finding, host: str) -> None:
    colour = _COLOURS[finding.severity]
    out.print(f"[{colour}]{finding.severity}[/{colour}] {finding.rule}: {escape(finding.text)}", soft_wrap=True)
    if finding.urls:
        shown = ", ".join(_short(url, host) for url in finding.urls[:URLS])
        more = f" and {len(finding.urls) - URLS} more" if len(finding.urls) > URLS else ""
        out.print(f"    at   {escape(shown + more)}", soft_wrap=True)
    out.print(f"    fix  {escape(finding.fix)}", soft_wrap=True)


def _short(url: str, host: str) -> str:
    parts = urlsplit(url)
    if parts.netloc != host:
        return url
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
