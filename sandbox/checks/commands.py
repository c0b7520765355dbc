"""The sub-commands of ``sandbox check``. What they need is imported when they run."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from sandbox.errors import SandboxError
from sandbox.report.files import check_writable

app = typer.Typer(no_args_is_help=True, help="What AWS would do with a site that runs, and what to change before.")

SEVERITIES = ("error", "warning", "info", "never")


@app.callback()
def _group() -> None:
    """What AWS would do with a site that runs, and what to change before."""


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
    severity: Annotated[
        str, typer.Option(help="Exit 1 for findings of this severity and above: error, warning, info; or never.")
    ] = "error",
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the result there (- is the output).")] = None,
) -> None:
    """Say what CloudFront would keep of a site, for how long and why, and what to change."""
    from sandbox.checks import cache as check
    from sandbox.probes.http_cache import Limits
    from sandbox.report import cache as report
    from sandbox.report import terminal

    if severity not in SEVERITIES:
        raise SandboxError(f"--severity {severity}: there is no such severity", hint=", ".join(SEVERITIES))
    quiet = json_file is not None and str(json_file) == "-"
    check_writable(None if quiet else json_file)
    limits = Limits(count, depth, seconds)
    request = check.Request(
        tuple(urls), policy, distribution, tuple(policy_file or ()), min_ttl, _headers(header or []), host, limits, rate
    )
    with terminal.Progress("check cache") as progress:
        outcome = check.carry_out(request, progress.step)
    exit_code = outcome.exit_code(severity)
    if json_file is not None:
        text = json.dumps({**outcome.as_json(), "exit_code": exit_code}, indent=2) + "\n"
        sys.stdout.write(text) if quiet else json_file.write_text(text)
    if not quiet:
        report.show(outcome)
    raise typer.Exit(exit_code)


def _headers(given: list[str]) -> dict[str, str]:
    found = {}
    for one in given:
        name, colon, value = one.partition(":")
        if not colon or not name.strip() or not all(letter.isalnum() or letter in "-_" for letter in name.strip()):
            raise SandboxError(f"--header {one}: it is 'NAME: VALUE'")
        found[name.strip()] = value.strip()
    return found
