"""A command in a running container, with this process's own input and output: as at a terminal, or through pipes."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import termios
import threading
import tty
from collections.abc import Iterator, Sequence
from typing import Any

import docker
from docker.errors import APIError
from docker.utils.socket import frames_iter

from sandbox.errors import SandboxError

_CHUNK = 65536
_STDERR = 2  # the number that the engine gives that stream


def run(client: docker.DockerClient, container_id: str, command: Sequence[str]) -> int:
    """Run ``command`` in a container until it ends; its exit code.

    Where both ends are terminals the command gets one, with the size of ours.

    Raises:
        SandboxError: The engine could not run it; its own words are in the error.
    """
    api = client.api
    interactive = sys.stdin.isatty() and sys.stdout.isatty()
    try:
        exec_id = api.exec_create(container_id, list(command), stdin=True, tty=interactive)["Id"]
        connection = api.exec_start(exec_id, tty=interactive, socket=True)
        with _as_terminal(api, exec_id) if interactive else contextlib.nullcontext():
            threading.Thread(target=_send_input, args=(connection,), name="exec-input", daemon=True).start()
            for stream, data in frames_iter(connection, interactive):
                _write(_STDERR if stream == _STDERR and not interactive else 1, data)
        connection.close()
        return int(api.exec_inspect(exec_id)["ExitCode"])
    except APIError as error:
        raise SandboxError(
            f"could not run {command[0]} in container {container_id[:12]}", state=str(error.explanation or error)
        ) from error


def _send_input(connection: Any) -> None:
    """Copy what is typed, or comes through a pipe; its end is the command's end of input."""
    try:
        while data := os.read(sys.stdin.fileno(), _CHUNK):
            connection._sock.sendall(data)
        connection._sock.shutdown(1)
    except (OSError, ValueError):  # the command has ended, or there is no input
        return


def _write(stream: int, data: bytes) -> None:
    while data:
        data = data[os.write(stream, data) :]


@contextlib.contextmanager
def _as_terminal(api: Any, exec_id: str) -> Iterator[None]:
    """Hand every key to the command, and tell it of the window's size, now and when it changes."""

    def resize(*_: Any) -> None:
        size = shutil.get_terminal_size()
        with contextlib.suppress(APIError):  # it has ended
            api.exec_resize(exec_id, height=size.lines, width=size.columns)

    keyboard = sys.stdin.fileno()
    before = termios.tcgetattr(keyboard)
    signal.signal(signal.SIGWINCH, resize)
    resize()
    tty.setraw(keyboard)
    try:
        yield
    finally:
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)
        signal.signal(signal.SIGWINCH, signal.SIG_DFL)
