"""What a person sees of `sandbox check websocket`: what each client gets, the findings, their lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from sandbox.model.websocket import observed
from sandbox.model.websocket.findings import told
from sandbox.report.terminal import out

if TYPE_CHECKING:  # the layer above
    from sandbox.checks.websocket import Outcome
    from sandbox.model.websocket.finding import Finding
    from sandbox.model.websocket.observed import Seen

_COLOURS = {"error": "red", "warning": "yellow", "info": "cyan"}
_ROWS = (
    observed.POLLING,
    observed.NO_COOKIES,
    observed.UPGRADING,
    observed.ONLY,
    observed.AGAIN,
    observed.IDLE,
)


def show(outcome: Outcome) -> None:
    """The whole result."""
    for file in outcome.files:
        out.print(f"read {escape(file)}", soft_wrap=True)
    if outcome.seen:
        out.print(_table(outcome.seen))
    for one in outcome.findings:
        _finding(one)
    if not outcome.findings:
        out.print("[green]✓[/green] nothing is wrong with it")


def _table(seen: list[Seen]) -> Table:
    table = Table()
    table.add_column("client")
    for one in seen:
        table.add_column(escape(one.url), overflow="fold")
    for client in _ROWS:
        if any(one.session(client) is not None for one in seen):
            table.add_row(client, *(_cell(one, client) for one in seen))
    if any(one.broadcast is not None for one in seen):
        table.add_row("broadcast", *(_broadcast(one) for one in seen))
    return table


def _cell(seen: Seen, client: str) -> str:
    session = seen.session(client)
    if session is None:
        return "[dim]not tried[/dim]"
    if not session.ok:
        return f"[red]{escape(told(session))}[/red]"
    if client == observed.IDLE:
        pings = f", {session.pings} ping{'s' if session.pings != 1 else ''}" if session.opened else ""
        return f"[green]lived {session.lived:.0f} s{pings}[/green]"
    return "[green]works[/green]"


def _broadcast(seen: Seen) -> str:
    one = seen.broadcast
    if one is None:
        return "[dim]not tried[/dim]"
    colour = "green" if one.received == one.listeners else "red"
    return f"[{colour}]{one.received} of {one.listeners} get it[/{colour}]"


def _finding(finding: Finding) -> None:
    colour = _COLOURS[finding.severity]
    out.print(f"[{colour}]{finding.severity}[/{colour}] {finding.rule}: {escape(finding.text)}", soft_wrap=True)
    if finding.hop:
        out.print(f"    hop  {escape(finding.hop)} ({escape(finding.known_by)})", soft_wrap=True)
    if finding.why:
        out.print(f"    why  {escape(finding.why)}", soft_wrap=True)
    if finding.where:
        out.print(f"    at   {escape(', '.join(finding.where))}", soft_wrap=True)
    out.print(f"    fix  {escape(finding.fix)}", soft_wrap=True)
