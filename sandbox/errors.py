"""The error a person reads: what failed, its last state, its last log lines and the next step."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from typing import Self

_TRACE_LINES = 12


class SandboxError(Exception):
    """Something outside the scenario's verdict went wrong: usage, environment, or a container that never got ready.

    The command line prints it and exits 2; pytest shows it as the failure.

    Args:
        message: One sentence that names the thing.
        state: Its last known state ("exited with code 1").
        log: Its last log lines, oldest first.
        hint: The next step ("run `sandbox images build ghost`").
    """

    def __init__(self, message: str, *, state: str = "", log: Sequence[str] = (), hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.state = state
        self.log = tuple(log)
        self.hint = hint

    @classmethod
    def unforeseen(cls, where: str, error: Exception) -> Self:
        """What nobody foresaw: an error of the sandbox's own code, or of a scenario's."""
        trace = "".join(traceback.format_exception(error)).splitlines()
        return cls(
            f"{where}: {type(error).__name__}",
            state=str(error),
            log=trace[-_TRACE_LINES:],
            hint="the last lines of the trace are above; if they are the sandbox's own, this is a fault in it",
        )

    def __str__(self) -> str:
        lines = [self.message]
        if self.state:
            lines.append(f"last state: {self.state}")
        if self.log:
            lines.append("last log lines:")
            lines.extend(f"  {line}" for line in self.log)
        if self.hint:
            lines.append(f"next: {self.hint}")
        return "\n".join(lines)


class NotRunnable(SandboxError):
    """An optional part is not on this machine: what needs it is reported as not run, with what installs the part.

    Args:
        message: One sentence that names the part.
        command: The command that installs it.
        state: Why it could not be had.
        log: The last log lines of the attempt.
    """

    def __init__(self, message: str, *, command: str, state: str = "", log: Sequence[str] = ()) -> None:
        super().__init__(message, state=state, log=log, hint=command)
        self.command = command
