"""CloudFront's distributions become edge locations: one each, named in DNS, for as long as the distribution exists."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.aws.log_writer import LogWriter
from sandbox.controllers.interfaces import ImageSource
from sandbox.controllers.network import RESOLVER, RunNetwork
from sandbox.engine.containers import Containers
from sandbox.errors import SandboxError
from sandbox.timeline import Timeline

if TYPE_CHECKING:
    # Templates, cryptography and the model take a tenth of a second to load, and most stacks have no distribution.
    from sandbox.controllers.edge_functions import EdgeFunctions, RunAtEdge
    from sandbox.controllers.edge_location import EdgeLocation
    from sandbox.dataplane.cdn.certificates import Authority
    from sandbox.model.cloudfront.config import Distribution


class CloudFrontController:
    """Carries out what the API decides. Safe to use from several threads.

    Observations: ``cdn.deployed`` (distribution, domain_name, aliases, address, enabled, origins),
    ``cdn.invalidated`` (distribution, paths), ``cdn.removed`` (distribution), and those of `EdgeLocation`.

    Args:
        containers: The run's.
        images: Where images come from.
        network: The run's.
        name: Gives a domain name an address in DNS, or takes it away (None).
        folder: For configurations and certificates.
        speed: Divides every time of AWS's.
        run: Runs Lambda@Edge functions.
        logs: Gets what CloudFront logs of them.
        timeline: Gets the observations.
    """

    def __init__(
        self,
        containers: Containers,
        images: ImageSource,
        network: RunNetwork,
        name: Callable[[str, str | None], None],
        folder: Path,
        speed: float,
        run: RunAtEdge,
        logs: LogWriter,
        timeline: Timeline,
    ) -> None:
        self._containers = containers
        self._images = images
        self._network = network
        self._name = name
        self._folder = folder
        self._speed = speed
        self._run = run
        self._logs = logs
        self._record = timeline.record
        self._authority: Authority | None = None
        self._lock = threading.Lock()
        self._edges: dict[str, tuple[EdgeLocation, str, str]] = {}

    @property
    def authority(self) -> Authority:
        """Issues the certificates of this run; its own is what a client of distributions over HTTPS is to trust."""
        from sandbox.dataplane.cdn.certificates import Authority

        with self._lock:
            if self._authority is None:
                self._authority = Authority()
            return self._authority

    def deploy(self, distribution_id: str, distribution: Distribution) -> None:
        """Let viewers have this distribution; returns when they do.

        Raises:
            SandboxError: Varnish or nginx could not.
        """
        authority = self.authority
        with self._lock:
            known = self._edges.get(distribution_id)
            edge, address = known[:2] if known else self._make(distribution_id, authority)
            try:
                edge.serve(distribution)
            except SandboxError:
                if known is None:
                    edge.close()
                    self._network.public.give_back(address)
                raise
            if known is None:
                self._edges[distribution_id] = edge, address, distribution.domain_name
                self._name(distribution.domain_name, address)
        self._record(
            "cdn.deployed",
            distribution=distribution_id,
            domain_name=distribution.domain_name,
            aliases=list(distribution.aliases),
            address=address,
            enabled=distribution.enabled,
            origins=[origin.domain_name for origin in distribution.origins.values()],
        )

    def _make(self, distribution_id: str, authority: Authority) -> tuple[EdgeLocation, str]:
        from sandbox.controllers.edge_functions import EdgeFunctions
        from sandbox.controllers.edge_location import EdgeLocation, Surroundings

        self._network.start()  # its resolver
        address = self._network.public.take()
        internet = self._network.internet
        where = Surroundings(
            internet.name,
            address,
            IPv4Address(internet.address(RESOLVER)),
            self._folder / f"cdn-{distribution_id}",
            self._speed,
        )

        def functions(sockets: Path) -> EdgeFunctions:
            return EdgeFunctions(distribution_id, sockets, self._run, self._logs, self._record)

        made = EdgeLocation(distribution_id, self._containers, self._images, where, authority, functions, self._record)
        return made, address

    def invalidate(self, distribution_id: str, paths: Sequence[str]) -> None:
        """Remove what is kept of these paths."""
        edge, _, _ = self._edges[distribution_id]
        edge.invalidate(paths)
        self._record("cdn.invalidated", distribution=distribution_id, paths=list(paths))

    def remove(self, distribution_id: str) -> None:
        """The distribution exists no more."""
        with self._lock:
            edge, address, domain_name = self._edges.pop(distribution_id)
            self._name(domain_name, None)
            edge.close()
            self._network.public.give_back(address)
        self._record("cdn.removed", distribution=distribution_id)

    def close(self) -> None:
        """Run no more functions; the containers are the run's to remove."""
        with self._lock:
            for edge, _, _ in self._edges.values():
                edge.stop_functions()
