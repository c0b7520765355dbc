"""What ``sandbox up`` leaves for other processes to find: how to reach a stack that is up, and who serves it."""

from __future__ import annotations

import json
import os
import select
import shlex
import signal
import ssl
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

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
        ready: The URLs that it waits for.
        authority: The certificate (PEM) of the run's own authority, where a URL has https; else "".
    """

    stack: str
    pid: int
    urls: dict[str, str]
    distributions: list[str]
    endpoint_url: str
    dns: str
    environment: dict[str, str]
    ready: list[str] = field(default_factory=list)
    authority: str = ""

    @property
    def sites(self) -> dict[str, str]:
        """Its ``urls`` as viewers come: a name that has HTTPS is not asked by plain HTTP."""
        by_name: dict[str, list[str]] = {}
        for url in self.urls:
            by_name.setdefault(urlsplit(url).hostname or "", []).append(url)
        secure = [[one for one in urls if one.startswith("https:")] or urls for urls in by_name.values()]
        return {url: self.urls[url] for urls in secure for url in urls}

    @property
    def page(self) -> str:
        """Of its sites where a viewer begins: what it waits for, CloudFront's if there is one; "": there are none."""
        waited = {urlsplit(url).hostname for url in self.ready}
        names = {url: urlsplit(url).hostname for url in self.sites}
        asked = [url for url, name in names.items() if name in waited] or list(names)
        return next((url for url in asked if names[url] in self.distributions), next(iter(asked), ""))

    def trust(self) -> ssl.SSLContext | None:
        """For clients of its doors: who is trusted is the run's own authority alone; None: no URL has https."""
        return ssl.create_default_context(cadata=self.authority) if self.authority else None

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


def find(stack: str) -> UpState | None:
    """The newest stack of this name that is up now."""
    return next((state for state in living() if state.stack == stack), None)


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
