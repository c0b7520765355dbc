"""The ``sandbox`` command.

Exit codes: 0, everything did what it declares; 1, something did not; 2, usage or environment; 130, interrupted.
Docker, boto3 and moto are imported by the commands that need them, so that ``--help`` is there at once.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

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
from sandbox.errors import SandboxError
from sandbox.manual import ManualGroup

EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


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
    except SystemExit as ending:
        if ending.code == EXIT_INTERRUPTED:
            interrupts.ignore()
            print("interrupted", file=sys.stderr, flush=True)
            sys.stdout.flush()
            # Python remembers a KeyboardInterrupt within exec(), where dataclasses are made, and though it was caught
            # would end by the signal instead of with a code.
            os._exit(EXIT_INTERRUPTED)
        raise
    except Exception as error:
        _say(SandboxError.unforeseen("the command failed", error))
        sys.exit(EXIT_USAGE)


def _say(failure: SandboxError) -> None:
    from sandbox.report import terminal  # it takes a while to load, and help has no use for it

    terminal.error(failure)


if __name__ == "__main__":
    main()
