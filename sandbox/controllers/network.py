"""The network of a run: VPC, internet, and the two containers that every run has.

A VPC that somebody else makes gets a network of its own (`sandbox.controllers.vpcs`).

*resolver* has the VPC's second address (on AWS the Amazon-provided DNS server is there) and one on the internet, where
it does not know private zones. It relays DNS, the AWS endpoint and S3 to the sandbox's process, through Unix sockets,
so that the process itself listens on 127.0.0.1 alone. *viewer* is a client on the internet: probes run in it.

The networks with the resolver may outlive a sandbox, for the next one of its process (`sandbox.controllers.site`).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from pathlib import Path

import docker
from docker.types import Mount

from sandbox.aws.account import REGION
from sandbox.engine import networks
from sandbox.engine.containers import Containers, Spec
from sandbox.engine.networks import Network
from sandbox.errors import SandboxError
from sandbox.interrupts import held_back

# Offsets within both networks. The first is the gateway's; AWS reserves the first four of a subnet likewise.
RESOLVER = 2
VIEWER = 3
FIRST_PUBLIC = 16

ENDPOINT_NAME = "aws.internal"
ENDPOINT_PORT = 4566
SOCKETS = Path("/run/sandbox")  # inside the resolver
DNS_UDP, DNS_TCP, GATEWAY = "dns-udp.sock", "dns-tcp.sock", "gateway.sock"
OUTSIDE = "outside-"  # before the names of DNS's sockets: for those who ask from the internet

# type=5 is SOCK_SEQPACKET: a datagram stays one message.
_VPC_RELAYS = (
    f"socat UDP4-RECVFROM:53,bind={{vpc}},fork,reuseaddr UNIX-CONNECT:{SOCKETS / DNS_UDP},type=5",
    f"socat TCP4-LISTEN:53,bind={{vpc}},fork,reuseaddr,backlog=128 UNIX-CONNECT:{SOCKETS / DNS_TCP}",
    f"socat TCP4-LISTEN:{ENDPOINT_PORT},fork,reuseaddr,backlog=128 UNIX-CONNECT:{SOCKETS / GATEWAY}",
)
_RELAYS = (
    *_VPC_RELAYS,
    f"socat UDP4-RECVFROM:53,bind={{internet}},fork,reuseaddr UNIX-CONNECT:{SOCKETS / (OUTSIDE + DNS_UDP)},type=5",
    f"socat TCP4-LISTEN:53,bind={{internet}},fork,reuseaddr,backlog=128 UNIX-CONNECT:{SOCKETS / (OUTSIDE + DNS_TCP)}",
    f"socat TCP4-LISTEN:80,bind={{internet}},fork,reuseaddr,backlog=128 UNIX-CONNECT:{SOCKETS / GATEWAY}",
)


class Addresses:
    """Public addresses of the internet, given out in order so that a new task does not get a dead one's at once."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._free = deque(map(network.address, range(FIRST_PUBLIC, network.cidr.num_addresses - 1)))
        self._taken: dict[str, None] = {}  # in the order of their taking
        self._lock = threading.Lock()

    def take(self) -> str:
        """An address that no task has.

        Raises:
            SandboxError: All are taken.
        """
        with self._lock:
            if not self._free:
                raise SandboxError(f"all public addresses of {self._network.cidr} are taken", hint="stop some tasks")
            address = self._free.popleft()
            self._taken[address] = None
            return address

    def give_back(self, address: str) -> None:
        """The address is free again."""
        with self._lock:
            if address in self._taken:
                del self._taken[address]
                self._free.append(address)

    def give_all_back(self) -> None:
        """Nobody who has taken one is there any more."""
        with self._lock:
            self._free.extend(self._taken)
            self._taken.clear()


class RunNetwork:
    """The networks of a run and their two containers.

    Args:
        containers: Those of the run that the networks and the resolver belong to.
        sockets: The folder in which the DNS server and the gateway have their sockets.
        toolbox: The image of the containers.
    """

    def __init__(self, containers: Containers, sockets: Path, toolbox: str) -> None:
        self._owner = self._containers = containers
        self._sockets = sockets
        self._toolbox = toolbox
        self._lock = threading.Lock()
        self.vpc, self.internet = _create_both(containers.client, containers)
        self.public = Addresses(self.internet)
        self.vpc_resolv_conf = self.resolv_conf("vpc", self.vpc)
        self._internet_resolv_conf = self.resolv_conf("internet", self.internet)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="network")
        self._resolver: Future[str] | None = None
        self._viewer: Future[str] | None = None
        self._clients: dict[str, str] = {}  # the public address of each one's container

    def lend(self, containers: Containers) -> None:
        """The viewer and all clients are another run's from now on; those of the one before it are gone."""
        self._containers = containers
        self._viewer = None
        self._clients.clear()
        self.public.give_all_back()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="network")

    @property
    def is_sound(self) -> bool:
        """Whether the resolver runs, or has never been wanted: then another sandbox may have the networks."""
        if self._resolver is None:
            return True
        if not self._resolver.done() or self._resolver.cancelled() or self._resolver.exception() is not None:
            return False
        return self._owner.runs(self._resolver.result())

    def start(self) -> None:
        """Begin to start the resolver, at the first call. The sockets that it relays to are served then.

        A task does not wait for the resolver: like its own processes, it is up within half a second, and what asks
        DNS in that time asks again.
        """
        with held_back(), self._lock:  # a pool does not wait for a thread in whose start it was interrupted
            if self._resolver is None:
                self._resolver = self._pool.submit(self._start_resolver)

    def viewer(self) -> str:
        """The viewer's container, started at the first call; waits until it and the resolver are up.

        Raises:
            SandboxError: The engine could not start one of them, or the network has been closed.
        """
        try:
            self.start()
            with held_back(), self._lock:
                if self._viewer is None:
                    self._viewer = self._pool.submit(self._start_viewer)
                resolver, viewer = self._resolver, self._viewer
            if resolver is not None:
                resolver.result()
            return viewer.result()
        except (CancelledError, RuntimeError) as error:  # what a pool says that has been shut down
            raise SandboxError("the sandbox has been closed") from error

    def add_client(self, what: str, image: str, *, publish: int = 0) -> str:
        """Start another client on the internet; the resolver is up then, too.

        Args:
            what: The container's name.
            image: Without a port, one that has ``sleep``: it sleeps, and commands are run in it.
            publish: A port of the image's own program, which then runs, without capabilities: published on 127.0.0.1.
        """
        self.viewer()  # as it waits for the resolver
        address = self.public.take()
        container = self._containers.run_new(
            Spec(
                what,
                image,
                entrypoint=None if publish else ["sleep"],
                command=None if publish else ["infinity"],
                networks=[(self.internet.name, address)],
                mounts=[self._internet_resolv_conf],
                publish={publish: 0} if publish else {},
                cap_drop=["ALL"] if publish else [],
            )
        )
        self._clients[container] = address
        return container

    def remove_client(self, container: str) -> None:
        """Remove a client; its address is another's then."""
        self._containers.remove(container)
        address = self._clients.pop(container, None)
        if address is not None:
            self.public.give_back(address)

    def close(self) -> None:
        """Wait until nothing more is being started."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def start_resolver_in(self, network: Network) -> None:
        """Start a resolver in another VPC, at its second address; it is up within half a second."""
        address = network.address(RESOLVER)
        script = " & ".join(_VPC_RELAYS).format(vpc=address)
        self._containers.run_new(
            Spec(
                f"resolver-{network.name.partition('-vpc-')[2]}",
                self._toolbox,
                entrypoint=["tini", "-g", "--"],
                command=["sh", "-c", f"{script} & wait"],
                networks=[(network.name, address)],
                mounts=[self.sockets],
            )
        )

    def _start_resolver(self) -> str:
        vpc, internet = self.vpc.address(RESOLVER), self.internet.address(RESOLVER)
        script = " & ".join(_RELAYS).format(vpc=vpc, internet=internet)
        return self._owner.run_new(
            Spec(
                "resolver",
                self._toolbox,
                entrypoint=["tini", "-g", "--"],
                command=["sh", "-c", f"{script} & wait"],
                networks=[(self.vpc.name, vpc), (self.internet.name, internet)],
                mounts=[self.sockets],
            )
        )

    def _start_viewer(self) -> str:
        return self._containers.run_new(
            Spec(
                "viewer",
                self._toolbox,
                entrypoint=["tini", "--"],
                command=["sleep", "infinity"],
                networks=[(self.internet.name, self.internet.address(VIEWER))],
                mounts=[self._internet_resolv_conf],
            )
        )

    def endpoint_names(self) -> Mapping[str, str]:
        """Names that resolve to the AWS endpoint inside the VPC.

        Clients put Cloud Map's host prefix, ``data-``, right before the endpoint's name for what discovers instances.
        """
        names = (ENDPOINT_NAME, f"*.{ENDPOINT_NAME}", f"data-{ENDPOINT_NAME}")
        return dict.fromkeys(names, self.vpc.address(RESOLVER))

    def bucket_names(self) -> Mapping[str, str]:
        """Names of S3's buckets, as a distribution has them for its origins: port 80 of the internet."""
        return self.names_outside(f"*.s3.{REGION}.amazonaws.com", "*.s3.amazonaws.com")

    def names_outside(self, *names: str) -> Mapping[str, str]:
        """Names of the internet, none of AWS's, for which the process itself answers at port 80."""
        return dict.fromkeys(names, self.internet.address(RESOLVER))

    @property
    def sockets(self) -> Mount:
        """The folder of DNS's and the AWS endpoint's sockets, for a container that relays to one of them.

        The folder, because a container may be started before who listens there.
        """
        return Mount(str(SOCKETS), str(self._sockets), type="bind", read_only=True)

    @property
    def endpoint_url(self) -> str:
        """The AWS endpoint as containers in the VPC reach it."""
        return f"http://{ENDPOINT_NAME}:{ENDPOINT_PORT}"

    @property
    def endpoint_url_outside(self) -> str:
        """The AWS endpoint as containers on the internet reach it, which do not know the VPC's names."""
        return f"http://{self.internet.address(RESOLVER)}:{ENDPOINT_PORT}"

    def resolv_conf(self, what: str, network: Network) -> Mount:
        """The file that names a network's resolver, for a container."""
        # Mounted over Docker's own, so that a name resolves as on AWS: Docker's resolver would also answer the names
        # of containers, and hide that `ghost` is no name in awsvpc.
        path = self._sockets.parent / f"resolv-{what}.conf"
        path.write_text(f"nameserver {network.address(RESOLVER)}\noptions timeout:2 attempts:2\n")
        return Mount("/etc/resolv.conf", str(path), type="bind", read_only=True)


def _create_both(client: docker.DockerClient, containers: Containers) -> tuple[Network, Network]:
    with ThreadPoolExecutor(2) as pool:
        vpc = pool.submit(networks.create_vpc, client, containers.run)
        internet = pool.submit(networks.create_internet, client, containers.run)
        return vpc.result(), internet.result()
