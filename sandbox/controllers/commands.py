"""Commands of somebody's own on this machine: in sessions of their own, told line by line, and bounded."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

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
    last: deque[str] = deque(maxlen=_TAIL)

    def read(output: IO[str]) -> None:
        for line in output:
            last.append(line.rstrip())
            tell(line.rstrip())

    code: int | None = None
    output: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "errors": "replace"}
    with started(command, cwd=folder, env=dict(environment), **output) as process:
        reader = threading.Thread(target=read, args=(process.stdout,), name="command-output", daemon=True)
        reader.start()
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = process.wait(within)
    reader.join(_KILLED_AFTER)  # what it has started in another session may hold its output
    return Ended(code, tuple(last))


@contextlib.contextmanager
def started(
    command: str | Sequence[str], *, spares_what_is_left: bool = False, **options: Any
) -> Iterator[subprocess.Popen[Any]]:
    """A command in a session of its own, which has ended at the end of the block, whatever interrupts that, and when.

    Args:
        command: A text for the shell, or a program and its arguments.
        spares_what_is_left: Let what the command has started go on where the command has ended by itself.
        options: Of `subprocess.Popen`.

    Raises:
        OSError: There is no such program or folder.
    """
    process: subprocess.Popen[Any] | None = None
    try:
        with held_back():  # or an interruption of its start would leave it to nobody
            process = subprocess.Popen(
                command if isinstance(command, str) else list(command),
                shell=isinstance(command, str),
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                **options,
            )
        yield process
    finally:
        if process is not None and (process.poll() is None or not spares_what_is_left):
            _end(process)


def environment(inherited: Mapping[str, str], ours: Mapping[str, str]) -> dict[str, str]:
    """An environment in which AWS clients use the sandbox and nothing else.

    Every other AWS_ variable of ``inherited`` goes: a profile or a session token would lead to the real AWS.
    """
    kept = {name: value for name, value in inherited.items() if not name.startswith("AWS_")}
    own = next((inherited[name] for name in ("no_proxy", "NO_PROXY") if inherited.get(name)), "")
    reached = ",".join(filter(None, (own, "127.0.0.1")))
    return {**kept, **ours, "no_proxy": reached, "NO_PROXY": reached}


def _end(process: subprocess.Popen[Any]) -> None:
    """End a command's session: what it has left running, too, though it may have ended itself."""
    with held_back():  # a second Ctrl-C must not leave what does not heed the first
        for signal_ in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal_)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_KILLED_AFTER)
