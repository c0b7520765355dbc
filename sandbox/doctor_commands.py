"""``sandbox doctor``. What it needs is imported when it runs."""

from __future__ import annotations

import json
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON (docs/formats.md).")] = False,
    fix: Annotated[bool, typer.Option("--fix", help="Install and start a Docker engine where none answers.")] = False,
) -> None:
    """Say what is missing on this machine, and the one command that mends it."""
    from sandbox import doctor as health
    from sandbox.report import terminal

    if fix:
        from sandbox.engine import daemon

        daemon.ensure(terminal.err.print)
    found = health.check()
    if as_json:
        print(json.dumps([check.as_json() for check in found], indent=2))
    else:
        terminal.checks(found)
    if not all(check.ok for check in found):
        raise typer.Exit(2)
