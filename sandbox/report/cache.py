"""What a person sees of `sandbox check cache`: a line an object, the findings, the hit ratio."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from rich.markup import escape
from rich.table import Table

from sandbox.report.terminal import out

if TYPE_CHECKING:  # the layer above
    from sandbox.checks.cache import Outcome
    from sandbox.model.cloudfront.findings import Finding

ROWS = 60
URLS = 4
_COLOURS = {"error": "red", "warning": "yellow", "info": "cyan"}


def show(outcome: Outcome) -> None:
    """The whole result."""
    out.print(f"by {escape(outcome.by)}", soft_wrap=True)
    table = Table()
    table.add_column("URL", overflow="fold")
    table.add_column("", justify="right")
    table.add_column("CloudFront", overflow="fold")
    table.add_column("why", overflow="fold")
    table.add_column("origin down", no_wrap=True)
    one_host = len({urlsplit(one.observed.url).netloc for one in outcome.outlooks}) == 1
    for one in outcome.outlooks[:ROWS]:
        colour = "green" if one.lifetime.ttl >= 60 else "yellow"
        table.add_row(
            escape(_short(one.observed.url) if one_host else one.observed.url),
            str(one.observed.first.status),
            f"[{colour}]{escape(one.does)}[/{colour}]",
            escape(one.lifetime.reason),
            "[green]last copy[/green]" if one.survives else "[red]error[/red]",
        )
    out.print(table)
    if len(outcome.outlooks) > ROWS:
        out.print(f"  and {len(outcome.outlooks) - ROWS} more: --json FILE has them all", style="dim")
    for finding in outcome.findings:
        _finding(finding, one_host)
    if not outcome.findings:
        out.print("[green]✓[/green] nothing is wrong with it")
    _mix(outcome)
    if outcome.left_out:
        text = ", ".join(outcome.left_out)
        out.print(f"left out, as the sandbox does not carry it out: {escape(text)}", style="yellow", soft_wrap=True)
    if outcome.seen.left:
        more = f"{outcome.seen.left} more URLs were found and not asked (--count, --seconds)"
        out.print(more, style="dim", soft_wrap=True)


def _finding(finding: Finding, one_host: bool) -> None:
    colour = _COLOURS[finding.severity]
    head = f"[{colour}]{finding.severity}[/{colour}] {finding.rule}: {escape(finding.text)}"
    out.print(head, soft_wrap=True)
    if finding.urls:
        out.print(f"    at   {escape(_some(finding.urls, one_host))}", soft_wrap=True)
    out.print(f"    fix  {escape(finding.fix)}", soft_wrap=True)


def _mix(outcome: Outcome) -> None:
    mix = outcome.mix
    if not mix.requests:
        return
    share = mix.confirmed / mix.requests
    confirmed = f"; it confirms {share:.0%} with a 304" if share >= 0.005 else ""
    out.print(
        f"hit ratio {mix.hit_ratio:.0%}: so many of {mix.requests} requests in {mix.seconds / 60:.0f} min, at one edge "
        f"location, never reach the origin{confirmed}",
        style="bold",
        soft_wrap=True,
    )


def _some(urls: Sequence[str], one_host: bool) -> str:
    shown = [_short(url) if one_host else url for url in urls[:URLS]]
    more = f" and {len(urls) - URLS} more" if len(urls) > URLS else ""
    return ", ".join(shown) + more


def _short(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
