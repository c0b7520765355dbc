"""What ``sandbox up`` leaves for other processes to find: how to reach a stack that is up, and who serves it."""

from __future__ import annotations

import json
import os
import select
import shlex
import signal
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from sandbox.engine.run import OWNER_FILE, is_gone, runs_folder
from sandbox.errors import SandboxError

STATE_FILE = "up.json"
# Seconds: a container of the stack may use its whole stop time-out, which is 120 s at most.
_END_WITHIN = 150.0


@dataclass(frozen=True)
class UpState:
    """A stack that is up.

    Attributes:
        stack: Its name.
        pid: The process that serves it.
        urls: From what the stack calls it to the URL on 127.0.0.1.
        distributions: The names that lead to CloudFront.
        endpoint_url: The AWS endpoint.
        dns: ``127.0.0.1:PORT``.
        environment: What to export.
    """

    stack: str
    pid: int
    urls: dict[str, str]
    distributions: list[str]
    endpoint_url: str
    dns: str
    environment: dict[str, str]

    def write(self, run_id: str) -> None:
        """Leave it in the run's folder, which goes when the run ends."""
        file = runs_folder() / run_id / STATE_FILE
        partial = file.with_suffix(".new")
        partial.write_text(json.dumps(asdict(self)))
        partial.rename(file)  # whole at once, because other processes look for it


def living() -> list[UpState]:
    """The stacks that are up now, newest first."""
    found: list[tuple[float, UpState]] = []
    for file in runs_folder().glob(f"*/{STATE_FILE}"):
        state = _read(file)
        if state is not None:
            found.append((file.stat().st_mtime, state))
    return [state for _, state in sorted(found, key=lambda item: -item[0])]


def end(state: UpState) -> None:
    """Ask the process that serves a stack to take it down, and wait until it has (where the system can tell).

    Raises:
        SandboxError: It goes on.
    """
    if sys.platform != "linux":
        os.kill(state.pid, signal.SIGTERM)
        return
    try:
        process = os.pidfd_open(state.pid)
    except ProcessLookupError:
        return
    try:
        signal.pidfd_send_signal(process, signal.SIGTERM)
        ended = select.select([process], [], [], _END_WITHIN)[0]
    except ProcessLookupError:
        return
    finally:
        os.close(process)
    if not ended:
        raise SandboxError(
            f"{state.stack} (process {state.pid}) is still being taken down after {_END_WITHIN:g} s",
            hint=f"kill -9 {state.pid}; `sandbox down` then removes what it leaves",
        )


def exports(environment: Mapping[str, str], inherited: Mapping[str, str]) -> list[str]:
    """Lines for a shell that has ``inherited``: after them its AWS clients use the sandbox, and nothing else.

    Every other AWS_ variable goes: a profile, a session token or AWS_ENDPOINT_URL_S3 would lead to the real AWS.
    """
    lines = [f"unset {name}" for name in sorted(inherited) if name.startswith("AWS_") and name not in environment]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
    if any(name.lower() in {"http_proxy", "all_proxy"} for name in inherited):
        own = [inherited[name] for name in ("no_proxy", "NO_PROXY") if inherited.get(name)][:1]
        value = shlex.quote(",".join([*own, "127.0.0.1"]))
        lines += [f"export {name}={value}" for name in ("no_proxy", "NO_PROXY")]
    return lines


def _read(file: Path) -> UpState | None:
    try:
        if is_gone((file.parent / OWNER_FILE).read_text()):
            return None
        return UpState(**json.loads(file.read_text()))
    except (OSError, ValueError, TypeError):  # it is being removed at this moment
        return None
