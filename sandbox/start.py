"""The beginning of the ``sandbox`` command: while it loads there is nothing that an interruption could clean up."""

from __future__ import annotations

import signal


def main() -> None:
    """Entry point: Ctrl-C ends the process at once, and without a trace, until the command can end by itself."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from sandbox import cli

    cli.main()
