"""Commands of somebody's own on this machine: in sessions of their own, told line by line, and bounded."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.interrupts import held_back

_TAIL = 40  # lines
_KILLED_AFTER = 5.0  # seconds from SIGTERM to SIGKILL


@dataclass(frozen=True)
class Ended:
    """How a command has ended.

    Attributes:
        exit_code: None: it was still running when its time was over, and was ended.
        lines: The last ones of its output and errors.
    """

    exit_code: int | None
    lines: tuple[str, ...]


def run(
    command: str | Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    within: float,
    tell: Callable[[str], None] = lambda line: None,
) -> Ended:
    """Run a command and wait for its end.

    Whatever ends this call ends the command, and what it has started, too.

    Args:
        command: A text for the shell, or a program and its arguments.
        folder: Where it runs.
        environment: All of its environment.
        within: Seconds.
        tell: Told each line as it comes, on a thread of its own.

    Raises:
        OSError: There is no such program or folder.
    """
    process = subprocess.Popen(
        command if isinstance(command, str) else list(command),
        shell=isinstance(command, str),
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    last: deque[str] = deque(maxlen=_TAIL)

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            last.append(line.rstrip())
            tell(line.rstrip())

    reader = threading.Thread(target=read, name="command-output", daemon=True)
    code: int | None = None
    try:
        reader.start()
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = process.wait(within)
    finally:
        end(process)
    reader.join(_KILLED_AFTER)  # what it has started in another session may hold its output
    return Ended(code, tuple(last))


def environment(inherited: Mapping[str, str], ours: Mapping[str, str]) -> dict[str, str]:
    """An environment in which AWS clients use the sandbox and nothing else.

    Every other AWS_ variable of ``inherited`` goes: a profile or a session token would lead to the real AWS.
    """
    kept = {name: value for name, value in inherited.items() if not name.startswith("AWS_")}
    own = next((inherited[name] for name in ("no_proxy", "NO_PROXY") if inherited.get(name)), "")
    reached = ",".join(filter(None, (own, "127.0.0.1")))
    return {**kept, **ours, "no_proxy": reached, "NO_PROXY": reached}


def end(process: subprocess.Popen[Any]) -> None:
    """End a command with a session of its own, and what it has left running though it has ended itself."""
    with held_back():  # a second Ctrl-C must not leave what does not heed the first
        for signal_ in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal_)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_KILLED_AFTER)
