"""What ``sandbox up`` leaves for other processes to find: how to reach a stack that is up, and who serves it."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import asdict, dataclass
from pathlib import Path

from sandbox.engine.run import OWNER_FILE, is_gone, runs_folder

STATE_FILE = "up.json"


@dataclass(frozen=True)
class UpState:
    """A stack that is up.

    Attributes:
        stack: Its name.
        pid: The process that serves it.
        urls: From what the stack calls it to the URL on 127.0.0.1.
        endpoint_url: The AWS endpoint.
        dns: ``127.0.0.1:PORT``.
        environment: What to export.
    """

    stack: str
    pid: int
    urls: dict[str, str]
    endpoint_url: str
    dns: str
    environment: dict[str, str]

    def write(self, run_id: str) -> None:
        """Leave it in the run's folder, which goes when the run ends."""
        (runs_folder() / run_id / STATE_FILE).write_text(json.dumps(asdict(self)))


def living() -> list[UpState]:
    """The stacks that are up now, newest first."""
    found: list[tuple[float, UpState]] = []
    for file in runs_folder().glob(f"*/{STATE_FILE}"):
        state = _read(file)
        if state is not None:
            found.append((file.stat().st_mtime, state))
    return [state for _, state in sorted(found, key=lambda item: -item[0])]


def end(state: UpState) -> None:
    """Ask the process that serves a stack to take it down."""
    os.kill(state.pid, signal.SIGTERM)


def _read(file: Path) -> UpState | None:
    try:
        if is_gone((file.parent / OWNER_FILE).read_text()):
            return None
        return UpState(**json.loads(file.read_text()))
    except (OSError, ValueError, TypeError):  # it is being removed at this moment
        return None
