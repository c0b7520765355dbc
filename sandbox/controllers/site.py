"""A place for one sandbox after another: its networks, and the resolver on them, need not be made for each.

Two networks and the resolver take the engine a second of the processor's time. What a sandbox puts there, its clients
included, belongs to a run of its own, and is gone before the next sandbox comes.
"""

from __future__ import annotations

import contextlib
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from sandbox.controllers.network import RunNetwork
from sandbox.engine import hosts, sweep
from sandbox.engine.containers import Containers
from sandbox.engine.daemon import connect
from sandbox.engine.run import Run
from sandbox.errors import SandboxError
from sandbox.interrupts import held_back


class Site:
    """Lends networks to the sandboxes of this process, which has one at a time. Also a context manager.

    Made without an engine; the first sandbox's networks are the first that there are.
    """

    def __init__(self) -> None:
        self._run: Run | None = None
        self._network: RunNetwork | None = None
        self._engine = ""
        self._closing = ExitStack()

    def begin(self) -> Path:
        """The folder for the sockets of DNS and the endpoint of the next sandbox.

        Raises:
            SandboxError: No engine answers.
        """
        if self._network is not None and not self._is_sound():
            with contextlib.suppress(SandboxError):  # its engine is gone, and another one may be there
                self.close()
        if self._run is None:
            with held_back():  # its folder is there before it is known whose it is
                self._run = Run.begin()
            (self._run.folder / "sockets").mkdir()
        return self._run.folder / "sockets"

    def network(self, containers: Containers, toolbox: str) -> RunNetwork:
        """The networks, after `begin`; clients on them are containers of the sandbox's own run.

        Args:
            containers: That run's.
            toolbox: As `RunNetwork` has it.

        Raises:
            SandboxError: The engine could not make them.
        """
        if self._network is None:
            assert self._run is not None
            client = connect()
            self._engine = hosts.here()
            self._closing.callback(client.close)
            self._closing.callback(sweep.remove_run, client, self._run.id)
            self._network = RunNetwork(Containers(client, self._run), self._run.folder / "sockets", toolbox)
        self._network.lend(containers)
        return self._network

    def _is_sound(self) -> bool:
        assert self._network is not None
        try:
            return self._engine == hosts.here() and self._network.is_sound
        except SandboxError:
            return False

    def keep(self) -> None:
        """Leave the networks to the sandbox that has them, which is kept; the next one gets others."""
        if self._run is not None:
            self._run.keep()
        self._closing.pop_all()
        self._run = self._network = None

    def close(self) -> None:
        """Remove the networks. A second call does nothing."""
        with held_back():
            run, self._run, self._network = self._run, None, None
            try:
                self._closing.close()
            finally:
                if run is not None:
                    run.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
