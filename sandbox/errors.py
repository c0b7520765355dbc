"""The error a person reads: what failed, its last state, its last log lines and the next step."""

from __future__ import annotations

import errno
import logging
import traceback
from collections.abc import Sequence
from typing import Self

_TRACE_LINES = 12
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})


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


def log_failure(log: logging.Logger, error: Exception, what: str) -> None:
    """Log a failure that nobody waits for: in one line what the surroundings refuse, with its trace what is unforeseen.

    Args:
        log: The module's.
        error: An engine that refuses, or a disk that is full, are the surroundings.
        what: What failed, in words.
    """
    if isinstance(error, SandboxError):
        log.error("%s: %s: %s", what, error.message, error.state)
    elif isinstance(error, OSError) and error.errno in NO_ROOM:
        log.error("%s: %s", what, error)
    else:
        log.error("%s", what, exc_info=error)
