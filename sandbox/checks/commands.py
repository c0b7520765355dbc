"""The sub-commands of ``sandbox check``. What they need is imported when they run."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Protocol, TypeVar

import typer

from sandbox.errors import SandboxError
from sandbox.report.files import check_writable, write_whole

app = typer.Typer(
    no_args_is_help=True, help="What would go wrong in production with a site that runs, and what to change before."
)

SEVERITIES = ("error", "warning", "info", "never")
Severity = Annotated[
    str, typer.Option(help="Exit 1 for findings of this severity and above: error, warning, info; or never.")
]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Write the result there (- is the output).")]


class _Outcome(Protocol):
    def exit_code(self, severity: str) -> int: ...
    def as_json(self) -> dict[str, Any]: ...


T = TypeVar("T", bound=_Outcome)


@app.callback()
def _group() -> None:
    """What would go wrong in production with a site that runs, and what to change before."""


@app.command()
def cache(
    urls: Annotated[list[str], typer.Argument(help="Where to begin: URLs of the origin, or a stack that is up.")],
    policy: Annotated[
        str,
        typer.Option(metavar="NAME|ID", help="The cache policy: a managed one (CachingOptimized), or --policy-file's."),
    ] = "",
    distribution: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A DistributionConfig (aws cloudfront get-distribution-config) instead."),
    ] = None,
    policy_file: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="A policy of your own (aws cloudfront get-cache-policy); may be repeated."),
    ] = None,
    min_ttl: Annotated[
        int | None, typer.Option(min=0, help="Seconds: what if each behavior had this minimum TTL?")
    ] = None,
    header: Annotated[
        list[str] | None,
        typer.Option(metavar="'NAME: VALUE'", help="Send this to the origin (X-Forwarded-Proto); may be repeated."),
    ] = None,
    host: Annotated[
        str, typer.Option(metavar="NAME", help="The site's public name: sent as Host; links to it lead to the origin.")
    ] = "",
    count: Annotated[int, typer.Option(min=1, help="Ask for at most so many URLs.")] = 50,
    depth: Annotated[int, typer.Option(min=0, help="Follow links so far; 0: the URLs and what they need.")] = 2,
    seconds: Annotated[float, typer.Option(min=1, help="Crawl for at most so long.")] = 60.0,
    rate: Annotated[float, typer.Option(min=0.1, help="Requests a minute of the mix whose hit ratio is told.")] = 60.0,
    severity: Severity = "error",
    json_file: JsonFile = None,
) -> None:
    """Say what CloudFront would keep of a site, for how long and why, and what to change."""
    from sandbox.checks import cache as check
    from sandbox.probes.http_cache import Limits
    from sandbox.report import cache as report
    from sandbox.report import terminal

    _check(severity, json_file)
    limits = Limits(count, depth, seconds)
    request = check.Request(
        tuple(urls), policy, distribution, tuple(policy_file or ()), min_ttl, _headers(header or []), host, limits, rate
    )
    with terminal.Progress("check cache") as progress:
        outcome = check.carry_out(request, progress.step)
    _end(outcome, severity, json_file, report.show)


@app.command()
def websocket(
    url: Annotated[
        str, typer.Argument(help="http(s)://HOST/ for Socket.IO, ws(s)://HOST/PATH for a plain WebSocket; or a stack.")
    ] = "",
    behind: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL", help="The server behind the first one, asked directly; repeat from outside inwards."
        ),
    ] = None,
    nginx: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The nginx.conf of the first URL; alone: judged by its lines.")
    ] = None,
    h2o: Annotated[Path | None, typer.Option(metavar="FILE", help="The h2o.conf of the first URL.")] = None,
    protocol: Annotated[str, typer.Option(help="socket.io, engine.io or websocket, if not as the URL says.")] = "",
    path: Annotated[str, typer.Option(help="The path, if not the URL's or /socket.io/.")] = "",
    eio: Annotated[
        int | None, typer.Option(min=3, max=4, help="Engine.IO's protocol, 3 or 4 (else found out).")
    ] = None,
    origin: Annotated[str, typer.Option(metavar="ORIGIN", help="The page's origin, if not the URL's own.")] = "",
    host: Annotated[str, typer.Option(metavar="NAME", help="The public name (and port), sent as Host.")] = "",
    header: Annotated[
        list[str] | None, typer.Option(metavar="'NAME: VALUE'", help="Send this, too; may be repeated.")
    ] = None,
    idle: Annotated[
        float | None,
        typer.Option(min=0, help="Seconds for which a connection is left idle; else until a ping is due; 0: not."),
    ] = None,
    emit: Annotated[
        str, typer.Option(metavar="EVENT", help="One client emits this (a plain WebSocket: sends this text).")
    ] = "",
    expect: Annotated[
        str, typer.Option(metavar="EVENT", help="All others then get this (a plain WebSocket: a message with this).")
    ] = "",
    data: Annotated[str, typer.Option(metavar="JSON", help="The argument of the event.")] = '""',
    clients: Annotated[int, typer.Option(min=2, max=100, help="How many clients there are for --emit.")] = 4,
    timeout: Annotated[float, typer.Option(min=0.5, help="Seconds to wait for one answer.")] = 10.0,
    severity: Severity = "error",
    json_file: JsonFile = None,
) -> None:
    """Say why WebSockets or Socket.IO fail behind a proxy, which hop breaks them, and the line that mends it."""
    from sandbox.checks import websocket as check
    from sandbox.report import terminal
    from sandbox.report import websocket as report

    _check(severity, json_file)
    request = check.Request(
        url,
        tuple(behind or ()),
        protocol,
        path,
        eio,
        origin,
        host,
        _headers(header or []),
        idle,
        emit,
        data,
        expect,
        clients,
        timeout,
        nginx,
        h2o,
    )
    with terminal.Progress("check websocket") as progress:
        outcome = check.carry_out(request, progress.step)
    _end(outcome, severity, json_file, report.show)


@app.command()
def assets(
    url: Annotated[str, typer.Argument(help="The page: http(s)://HOST/PATH, or a stack that is up.")],
    during: Annotated[
        str,
        typer.Option(metavar="COMMAND", help="Run this, a deploy, while pages are loaded; tabs are left open over it."),
    ] = "",
    rate: Annotated[float | None, typer.Option(min=0.1, max=500, help="Page loads a second with --during: 10.")] = None,
    visitors: Annotated[
        int | None,
        typer.Option(min=1, max=200, help="With --during: so many at any time, instead of a rate; else 3 in all."),
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=1, help="The command may take so long, and page loads may be broken so long after it.")
    ] = 600.0,
    settle: Annotated[
        float, typer.Option(min=0, help="Go on until no page load has been broken for so many seconds.")
    ] = 10.0,
    tabs: Annotated[int, typer.Option(min=0, max=200, help="Tabs that are left open and returned to; 0: none.")] = 5,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds for one answer.")] = 10.0,
    host: Annotated[
        str, typer.Option(metavar="NAME", help="The site's public name: sent as Host; links to it lead to the URL's.")
    ] = "",
    asset_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[=URL]", help="Assets may come from this host, too (at this URL); may be repeated."),
    ] = None,
    header: Annotated[
        list[str] | None, typer.Option(metavar="'NAME: VALUE'", help="Send this with each request; may be repeated.")
    ] = None,
    severity: Severity = "error",
    json_file: JsonFile = None,
) -> None:
    """Say which page loads, and which tabs left open, a deploy breaks, why, and what to change."""
    from sandbox.checks import assets as check
    from sandbox.report import assets as report
    from sandbox.report import terminal

    _check(severity, json_file)
    request = check.Request(
        url,
        during,
        rate,
        visitors,
        seconds,
        settle,
        tabs,
        timeout,
        host,
        tuple(asset_host or ()),
        _headers(header or []),
    )
    with terminal.Progress("check assets") as progress:
        outcome = check.carry_out(request, progress.step)
    _end(outcome, severity, json_file, report.show)


def _check(severity: str, json_file: Path | None) -> None:
    """Tell what is wrong with the options before anything runs."""
    if severity not in SEVERITIES:
        raise SandboxError(f"--severity {severity}: there is no such severity", hint=", ".join(SEVERITIES))
    check_writable(None if _is_output(json_file) else json_file)


def _is_output(json_file: Path | None) -> bool:
    """Whether standard output is for the result alone."""
    return str(json_file) == "-"


def _end(outcome: T, severity: str, json_file: Path | None, show: Callable[[T], None]) -> None:
    """Write the result where it is asked for, show it, and exit."""
    exit_code = outcome.exit_code(severity)
    if json_file is not None:
        text = json.dumps({**outcome.as_json(), "exit_code": exit_code}, indent=2) + "\n"
        sys.stdout.write(text) if _is_output(json_file) else write_whole(json_file, text)
    if not _is_output(json_file):
        show(outcome)
    raise typer.Exit(exit_code)


def _headers(given: list[str]) -> dict[str, str]:
    found = {}
    for one in given:
        name, colon, value = one.partition(":")
        if not colon or not name.strip() or not all(letter.isalnum() or letter in "-_" for letter in name.strip()):
            raise SandboxError(f"--header {one}: it is 'NAME: VALUE'")
        found[name.strip()] = value.strip()
    return found
