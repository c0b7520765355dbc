"""What a sandbox stands on: the engine, the run, its images and its networks."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from sandbox.controllers import process
from sandbox.controllers.network import RunNetwork
from sandbox.controllers.site import Site
from sandbox.engine import hosts, placement, sweep
from sandbox.engine.containers import Containers
from sandbox.engine.image_copies import OtherEngines
from sandbox.engine.images import Images
from sandbox.engine.run import Run
from sandbox.interrupts import held_back


class Ground:
    """Begins a run. The engine makes the networks while this process goes on, with what takes it long to load.

    Args:
        images: "auto", "official" or "build".
        progress: Told what is being built, pulled or waited for.
        site: Lends the networks; None: they are made for this one.

    Attributes:
        run: The run.
        containers: The run's.
        images: Where images come from.
        toolbox: The image of the sandbox's own containers.
        sockets: The folder for the sockets of DNS and the endpoint.

    Raises:
        SandboxError: No engine answers, an image cannot be had, or the process has a sandbox already; nothing is left.
    """

    def __init__(
        self,
        images: str = "auto",
        progress: Callable[[str], None] = lambda text: None,
        site: Site | None = None,
    ) -> None:
        self._site = site
        self._closing = ExitStack()
        self._closing.callback(process.claim())
        try:
            with placement.placing(progress) as client:
                self._closing.callback(client.close)
                with held_back():  # its folder is there before its end is arranged for
                    self.run = Run.begin()
                    self._closing.callback(self.run.end)
            placement.remove_dead_runs(client)
            self.containers = Containers(client, self.run)
            self._closing.callback(self.remove_containers)
            self.images = Images(client, images, progress, OtherEngines(hosts.here(), progress))
            self._closing.callback(self.images.close)
            self.toolbox = self.images.ensure("toolbox")
            self.sockets = self.run.folder / "sockets"
            if site is None:
                self.sockets.mkdir()
            else:
                self.sockets.symlink_to(site.begin())
            pool = ThreadPoolExecutor(1, thread_name_prefix="networks")
            # A pool does not wait at its end for a thread in whose start it was interrupted.
            with held_back():
                self._network = pool.submit(self._make_network)
                self._closing.callback(self._close_network)
            pool.shutdown(wait=False)
        except BaseException:
            self.close()
            raise

    @property
    def network(self) -> RunNetwork:
        """The networks; waits until they are there.

        Raises:
            SandboxError: The engine could not make them.
        """
        return self._network.result()

    def keep(self) -> None:
        """Leave everything in the engine when this is closed."""
        self.run.keep()
        if self._site is not None:
            self._site.keep()

    def remove_containers(self) -> None:
        """Remove what the run has in the engine, unless it is kept."""
        if not self.run.is_kept:
            sweep.remove_run(self.containers.client, self.run.id)

    def close(self) -> None:
        """Remove everything. A second call does nothing."""
        with held_back():
            self._closing.close()

    def _make_network(self) -> RunNetwork:
        if self._site is None:
            return RunNetwork(self.containers, self.sockets, self.toolbox)
        return self._site.network(self.containers, self.toolbox)

    def _close_network(self) -> None:
        if self._network.exception() is None:
            self._network.result().close()
