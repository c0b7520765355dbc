"""Commands in processes of their own that do not load every library anew: they are forked from one that has them.

Half a second to two of a command's processor time goes into imports. A forked command is a process as any other: it has
its own session, folder, environment, streams and exit code, and runs ``python -m sandbox.cli``. What its parent has
loaded already are libraries, and modules of the sandbox that take nothing from their surroundings when they are loaded.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path

LOADED = (
    *("typer", "rich.live", "rich.markdown", "rich.progress", "rich.table", "rich.traceback", "hypothesis.strategies"),
    *("docker", "boto3", "yaml", "jinja2", "aiohttp", "socketio", "websocket", "crossplane"),
    *("sandbox.controllers.sandbox", "sandbox.replay", "sandbox.scenario", "sandbox.runner", "sandbox.image_commands"),
    *("sandbox.checks.assets", "sandbox.checks.cache", "sandbox.checks.websocket"),
)
SERVICES = ("route53", "ec2")  # of moto's
READS_ITS_SURROUNDINGS = ("sandbox.cli", "sandbox.report.terminal")  # the consoles look at streams and COLUMNS
_MESSAGE = 1 << 18  # bytes

_server: socket.socket | None = None
_starting = threading.Lock()


class Forked:
    """A command that runs, as `subprocess.Popen` has it."""

    def __init__(self, arguments: list[str], environment: Mapping[str, str], folder: Path) -> None:
        self.returncode: int | None = None
        self._answers, theirs = socket.socketpair()
        out, out_end = os.pipe()
        err, err_end = os.pipe()
        nothing = os.open(os.devnull, os.O_RDONLY)
        request = json.dumps({"arguments": arguments, "environment": dict(environment), "folder": str(folder)})
        streams = [nothing, out_end, err_end]
        with _starting:
            socket.send_fds(_started(), [request.encode()], [*streams, theirs.fileno()])
        theirs.close()
        for stream in streams:
            os.close(stream)
        self.stdout, self.stderr = (os.fdopen(stream, encoding="utf-8") for stream in (out, err))
        self.pid = self._next_number()

    def poll(self) -> int | None:
        """The exit code, or None where it runs."""
        if self.returncode is None and select.select([self._answers], [], [], 0)[0]:
            self.returncode = self._next_number()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end: the exit code."""
        if self.returncode is None:
            if not select.select([self._answers], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("sandbox", timeout or 0.0)
            self.returncode = self._next_number()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal; one that has ended gets none."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _next_number(self) -> int:
        return int(self._answers.recv(16))


def start(arguments: list[str], environment: Mapping[str, str], folder: Path) -> Forked | subprocess.Popen[str]:
    """Start a ``sandbox`` command, forked unless it is to have modules from elsewhere (PYTHONPATH)."""
    if environment.get("PYTHONPATH") == os.environ.get("PYTHONPATH"):
        return Forked(arguments, environment, folder)
    return subprocess.Popen(
        [sys.executable, "-m", "sandbox.cli", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=folder,
        start_new_session=True,
    )


def run(*arguments: object, within: float, **environment: str) -> tuple[int, str, str]:
    """Run a command in this folder to its end: exit code, standard output, standard error."""
    process = start([str(argument) for argument in arguments], {**os.environ, **environment}, Path.cwd())
    told: dict[str, str] = {}
    readers = [
        threading.Thread(target=lambda name=name: told.update({name: getattr(process, name).read()}), daemon=True)
        for name in ("stdout", "stderr")
    ]
    for reader in readers:
        reader.start()
    try:
        code = process.wait(within)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    for reader in readers:
        reader.join(within)
    return code, told["stdout"], told["stderr"]


def _started() -> socket.socket:
    global _server  # noqa: PLW0603 -- one for each process of pytest
    if _server is None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                cwd=Path(__file__).parent.parent,
            )
        _server = ours  # it ends when this is closed, at the end of pytest at the latest
    return _server


# -- the process that forks --


def _serve(requests: socket.socket) -> list[str]:
    """Fork a command for each request; returns in the command's own process, with its arguments, and at the end."""
    for module in LOADED:
        importlib.import_module(module)
    for service in SERVICES:
        importlib.import_module("sandbox.aws.backends.moto_app").load(service)
    assert not sys.modules.keys() & set(READS_ITS_SURROUNDINGS)
    assert threading.active_count() == 1, "a fork has but one thread"
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the processes between here and the commands
    while True:
        message, files, _, _ = socket.recv_fds(requests, _MESSAGE, 4)
        if not message:
            sys.exit()
        if os.fork() == 0:
            requests.close()
            return _between(json.loads(message), files)
        for file in files:
            os.close(file)


def _between(request: dict[str, object], files: list[int]) -> list[str]:
    """The parent of one command: tells its process id and its exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    *streams, answers = files
    pid = os.fork()
    if pid == 0:
        os.close(answers)
        return _become(request, streams)
    for stream in streams:
        os.close(stream)
    with socket.socket(fileno=answers) as to:
        to.send(b"%-16d" % pid)
        _, status = os.waitpid(pid, 0)
        with contextlib.suppress(OSError):
            to.send(b"%-16d" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _become(request: dict[str, object], streams: list[int]) -> list[str]:
    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(str(request["folder"]))
    os.environ.clear()
    os.environ.update(request["environment"])  # type: ignore[call-overload]
    tempfile.tempdir = None
    return list(request["arguments"])  # type: ignore[call-overload]


if __name__ == "__main__":
    sys.path.pop(0)  # this folder
    with socket.socket(fileno=int(sys.argv[1])) as requests:
        sys.argv[1:] = _serve(requests)
    sys.path.insert(0, "")  # as -m has it
    runpy.run_module("sandbox.cli", run_name="__main__", alter_sys=True)
