"""``sandbox replay``: its options. What it needs is imported when it runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from sandbox import options
from sandbox.report.files import check_writable, write_whole

app = typer.Typer()


@app.command()
def replay(
    events: Annotated[
        list[str],
        typer.Argument(
            help="Files with events (JSON, JSON lines, a timeline, a saved replay); or one sequence: start, stop, "
            "replace, rolling-update, spot-interruption; or FILE.py:NAME."
        ),
    ],
    handler: Annotated[str, typer.Option(metavar="FILE:FUNCTION", help="The Lambda function.")],
    shape: Annotated[
        str,
        typer.Option(
            help="Of the attachments in a sequence's events: documented, elb-first, field-inserted, seen-2024."
        ),
    ] = "",
    order: Annotated[str, typer.Option(help="recorded, shuffled or reversed.")] = "recorded",
    duplicate: Annotated[float, typer.Option(metavar="P", help="Tell an event twice with this probability.")] = 0.0,
    delay: Annotated[
        str, typer.Option(metavar="SECONDS", help="Tell events late: up to so much, or FROM-TO. Nothing waits.")
    ] = "0",
    drop: Annotated[float, typer.Option(metavar="P", help="Never tell an event with this probability.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Of the first order; each further one has the next.")] = 0,
    tries: Annotated[
        int | None, typer.Option(min=1, help="Orders to try (100 where chance decides them, else 1).")
    ] = None,
    against: Annotated[
        Path | None, typer.Option(metavar="STATE", help="AWS's state to start from: JSON (docs/formats.md).")
    ] = None,
    zone: Annotated[
        list[str] | None, typer.Option(metavar="NAME[=ID]", help="A hosted zone that there is; may be repeated.")
    ] = None,
    env: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="The function's environment; may be repeated.")
    ] = None,
    pattern: Annotated[
        str,
        typer.Option(metavar="PATTERN", help="The rule's event pattern: JSON, or a file. Only what matches is told."),
    ] = "",
    invariant: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME|FILE:FUNCTION",
            help="What must hold: record-points-at-running-task, no-event-lost (the default), or your own function of "
            "the state; may be repeated.",
        ),
    ] = None,
    name: Annotated[str, typer.Option(help="The record that the invariant is about (all A records).")] = "",
    check: Annotated[
        str, typer.Option(help="When it must hold: in the end, or always (after each event, too).")
    ] = "end",
    retries: Annotated[int, typer.Option(min=0, max=2, help="Of an event that failed, as Lambda's.")] = 2,
    timeout: Annotated[int, typer.Option(min=1, max=900, help="The function's, in seconds.")] = 3,
    memory: Annotated[int, typer.Option(min=128, max=10240, help="The function's, in MiB.")] = 128,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="A new process for each order: no state of the module lasts.")
    ] = False,
    limit: Annotated[float, typer.Option(min=1, help="Seconds for trying and shortening, about.")] = 120.0,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the result there (- is the output).")] = None,
    save: Annotated[
        Path | None, typer.Option(help="Write the shortest failing order there, to be replayed again.")
    ] = None,
) -> None:
    """Tell a Lambda function of ECS's events late, twice or in another order, and see what it does to AWS's state."""
    from sandbox import replaying
    from sandbox.report import terminal

    quiet = json_file is not None and str(json_file) == "-"
    for file in (None if quiet else json_file, save):
        check_writable(file)
    request = replaying.Request(
        tuple(events),
        handler,
        shape,
        replaying.perturbation(order, duplicate, delay, drop),
        seed,
        tries,
        against,
        tuple(zone or ()),
        options.named(env or [], "--env"),
        pattern,
        tuple(invariant or ()),
        name,
        check,
        retries,
        timeout,
        memory,
        fresh,
        limit,
    )
    with terminal.Progress("replay") as progress:
        outcome = replaying.carry_out(request, progress.step)
    exit_code = 0 if outcome.held else 1
    if json_file is not None:
        text = json.dumps({**outcome.as_json(), "exit_code": exit_code}, indent=2) + "\n"
        sys.stdout.write(text) if quiet else write_whole(json_file, text)
    if save is not None and not outcome.held:
        write_whole(save, outcome.saved())
    if not quiet:
        replaying.show(outcome, save)
    raise typer.Exit(exit_code)
