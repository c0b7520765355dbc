"""HAProxy's runtime sockets: that of the worker, for its servers and maps, and that of the master, which reloads.

A target comes, goes, or gets another weight by commands; no connection notices. After a reload the workers from before
go on with the connections that they have, and are reached through the master.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from sandbox.errors import SandboxError

_REMOVAL = 2  # seconds in which a server that is cut has let go of its connections
_WORKER = re.compile(r"^(\d+)\s+worker\s", re.MULTILINE)


class Runtime:
    """Commands for one HAProxy.

    Args:
        admin: The socket of its worker.
        master: The socket of its master.
        patience: Seconds until an answer must have come.
    """

    def __init__(self, admin: Path, master: Path, *, patience: float = 10.0) -> None:
        self._admin = admin
        self._master = master
        self._patience = patience

    def ask(self, *commands: str) -> str:
        """What the worker answers to commands.

        Raises:
            SandboxError: It does not.
        """
        return self._talk(self._admin, "; ".join(commands))

    def reload(self) -> None:
        """Let a new worker take over with the configuration as it is now; connections stay with the old one.

        Raises:
            SandboxError: HAProxy refuses the configuration, and goes on with the one it has.
        """
        told = self._talk(self._master, "reload")
        if not told.startswith("Success=1"):
            raise SandboxError("HAProxy refused its configuration", state=told.strip())

    def weigh(self, backend: str, weights: dict[str, int]) -> None:
        """Give servers of a backend weights; 0: no new request."""
        self._change([f"set server {backend}/{server} weight {weight}" for server, weight in weights.items()])

    def map(self, file: str, keys: Sequence[str], *, present: bool) -> None:
        """Let a map file have keys, each with itself as value, or not have them."""
        self._change([f"add map {file} {key} {key}" if present else f"del map {file} {key}" for key in keys])

    def add(self, backend: str, server: str, address: str, options: str) -> None:
        """Add a server that gets no requests yet; one that is there already is used again."""
        told = self.ask(f"add server {backend}/{server} {address} weight 0 {options}".rstrip())
        host, _, port = address.rpartition(":")
        commands = [f"set server {backend}/{server} state ready"]
        if "Already exists" in told:
            commands[:0] = [f"set server {backend}/{server} addr {host} port {port}"]
            commands.append(f"set server {backend}/{server} weight 0")
        elif "New server registered" not in told:
            raise SandboxError(f"HAProxy took no server {server}", state=told.strip())
        self.ask(*commands)

    def connections(self, backend: str, server: str) -> int:
        """How many connections to a server carry a request or a tunnel, those of old workers too."""
        told = [self._talk(self._master, f"@!{one} show servers conn {backend}") for one in self._workers()]
        rows = (line.split() for line in "\n".join(told).splitlines())
        return sum(int(row[6]) for row in rows if row and row[0] == f"{backend}/{server}")

    def remove(self, backend: str, server: str) -> None:
        """End what a server still does, in old workers too, and forget it."""
        name = f"{backend}/{server}"
        self.ask(f"set server {name} state maint", f"shutdown sessions server {name}")
        for worker in self._workers():
            self._talk(self._master, f"@!{worker} shutdown sessions server {name}")
        self.ask(f"wait {_REMOVAL}s srv-removable {name}", f"del server {name}")

    def await_up(self, deadline: float, runs: Callable[[], bool]) -> None:
        """Until both sockets answer: nobody tells when.

        Raises:
            SandboxError: They do not by ``deadline`` (of the monotonic clock), or HAProxy has ended.
        """
        while True:
            try:
                self.ask("show version")
                self._talk(self._master, "show version")
            except SandboxError:
                if time.monotonic() > deadline or not runs():
                    raise
                time.sleep(0.02)
            else:
                return

    def _workers(self) -> list[str]:
        return _WORKER.findall(self._talk(self._master, "show proc"))

    def _change(self, commands: Sequence[str]) -> None:
        """Commands that say nothing where they succeed. A line has 16 KiB at most."""
        for start in range(0, len(commands), 50):
            told = self.ask(*commands[start : start + 50]).strip()
            if told:
                raise SandboxError("HAProxy refused a change", state=told)

    def _talk(self, path: Path, command: str) -> str:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(self._patience)
                connection.connect(str(path))
                connection.sendall(command.encode() + b"\n")
                if command != "reload":  # whose connection goes over to the new master, and must be whole
                    connection.shutdown(socket.SHUT_WR)
                pieces = []
                while piece := connection.recv(65536):
                    pieces.append(piece)
        except OSError as error:
            raise SandboxError("HAProxy does not answer", state=f"{path.name}: {error}") from error
        return b"".join(pieces).decode(errors="replace")
