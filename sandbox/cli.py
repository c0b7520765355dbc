"""The ``sandbox`` command.

Exit codes: 0, everything did what it declares; 1, something did not; 2, usage or environment; 130, interrupted; 141,
nobody reads the output any more.
Docker, boto3 and moto are imported by the commands that need them, so that ``--help`` is there at once.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated, NoReturn

import typer

import sandbox
from sandbox import (
    doctor_commands,
    garbage,
    interrupts,
    own_commands,
    replay_commands,
    scenario_commands,
    stack_commands,
)
from sandbox.errors import NO_ROOM, SandboxError
from sandbox.manual import ManualGroup

EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
EXIT_UNREAD = 141  # 128 and the number of SIGPIPE, as shells have it


class _Commands(ManualGroup):
    later = {  # noqa: RUF012
        "images": "sandbox.image_commands",
        "check": "sandbox.checks.commands",
        "fault": "sandbox.fault_commands",
        "report": "sandbox.report_commands",
        "simulate": "sandbox.simulate.commands",
    }


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for _commands in (scenario_commands, stack_commands, replay_commands, doctor_commands, own_commands):
    app.add_typer(_commands.app)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"sandbox {sandbox.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
) -> None:
    """Run AWS container deployments on this machine, and see them fail here instead of in production."""


def main() -> None:
    """Entry point: errors become a message and an exit code, never a trace."""
    garbage.look_rarely()
    interrupts.install()
    try:
        app()  # prints usage errors itself, and exits
    except SandboxError as failure:
        _say(failure)
        sys.exit(EXIT_USAGE)
    except KeyboardInterrupt:  # before there was a command
        _end_interrupted()
    except SystemExit as ending:
        if ending.code == EXIT_INTERRUPTED:
            _end_interrupted()
        if isinstance(ending.__context__, BrokenPipeError):  # as Typer and Rich end a command
            sys.exit(EXIT_UNREAD)
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            _say(SandboxError("the disk is full", state=str(error), hint="make room, or write to another one"))
            sys.exit(EXIT_USAGE)
        _say(SandboxError.unforeseen("the command failed", error))
        sys.exit(EXIT_USAGE)


def _end_interrupted() -> NoReturn:
    interrupts.ignore()
    print("interrupted", file=sys.stderr, flush=True)
    sys.stdout.flush()
    # Python remembers a KeyboardInterrupt within exec(), where dataclasses are made, and though it was caught would end
    # by the signal instead of with a code.
    os._exit(EXIT_INTERRUPTED)


def _say(failure: SandboxError) -> None:
    from sandbox.report import terminal  # it takes a while to load, and help has no use for it

    terminal.error(failure)


if __name__ == "__main__":
    main()
