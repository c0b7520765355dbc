"""The network interfaces of tasks: a record in EC2, and a container that owns the namespace with its addresses."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from docker.types import Mount

from sandbox.aws.protocol import AwsError
from sandbox.clock import Clock
from sandbox.controllers import task_endpoint
from sandbox.controllers.network import GATEWAY, SOCKETS, RunNetwork
from sandbox.controllers.security_groups import SecurityGroups
from sandbox.controllers.vpcs import Vpc, Vpcs
from sandbox.engine.containers import Containers, Spec
from sandbox.errors import SandboxError
from sandbox.interrupts import held_back
from sandbox.model.ecs.messages import Interface, Network
from sandbox.timeline import Timeline

_METADATA_RELAY = f"TCP4-LISTEN:{task_endpoint.PORT},bind={task_endpoint.ADDRESS},fork,reuseaddr,backlog=128"


class Ec2(Protocol):
    """EC2's records of network interfaces, in whatever backend holds them."""

    def security_groups_of(self, subnet_id: str, wanted: Iterable[str]) -> tuple[str, ...]:
        """The security groups of a new interface: the VPC's default one where none is wanted."""

    def reserve_interface(self, subnet_id: str) -> Any:
        """A new interface: id, private_ip, mac, private_dns_name, subnet_id, availability_zone."""

    def enter_interface(
        self, interface: Any, security_groups: list[str], description: str, instance_id: str = ""
    ) -> None:
        """Show a reserved interface from now on, attached to an instance where one is given."""

    def assign_public_ip(self, interface_id: str, ip: str) -> None:
        """Show ``ip`` as the interface's Association.PublicIp."""

    def set_security_groups(self, interface_id: str, security_groups: Iterable[str]) -> None:
        """Give an interface other security groups."""

    def delete_interface(self, interface_id: str) -> None:
        """Remove the record."""


class ImageSource(Protocol):
    """Where images come from."""

    def ensure(self, name: str) -> str:
        """The reference of a component of the sandbox, built or pulled where it is missing."""

    def resolve(self, reference: str) -> str:
        """The reference to run for an ``image`` of a task definition."""


@dataclass
class Eni:
    """An interface on this machine; what it has not got yet is empty.

    Attributes:
        record: EC2's, see `Ec2.reserve_interface`.
        container: The container that owns the namespace.
        public_ip: The address on the internet ("": none).
        groups: The security groups that it was made with.
        ruleset: What its container told nftables at its start ("": nothing, all passes).
        entered: Whether EC2 shows it.
        description: As EC2 shows it ("" for an instance's own).
        vpc: Where it is.
    """

    record: Any
    container: str = ""
    public_ip: str = ""
    hosts_file: Path | None = None
    groups: tuple[str, ...] = ()
    ruleset: str = ""
    entered: bool = False
    description: str = ""
    vpc: Vpc | None = None

    @property
    def own(self) -> tuple[str, ...]:
        """Its addresses, the private one first."""
        return (self.record.private_ip, self.public_ip) if self.public_ip else (self.record.private_ip,)

    def shown(self) -> Interface:
        """As ECS shows it."""
        record = self.record
        return Interface(
            record.id,
            record.subnet_id,
            record.mac,
            record.private_dns_name,
            record.private_ip,
            record.availability_zone,
        )


class Interfaces:
    """Makes and removes interfaces. Safe to use from several threads.

    Args:
        containers: The run's.
        network: The run's networks.
        vpcs: The VPCs that interfaces are in.
        images: Where images come from.
        ec2: EC2's records.
        security_groups: Looks after what passes.
        clock: Times how late EC2 shows public addresses.
        timeline: Gets ``eni.association`` when EC2 shows one.

    Attributes:
        association_delay: AWS seconds from an interface's attachment until EC2 shows its public address.
    """

    def __init__(
        self,
        containers: Containers,
        network: RunNetwork,
        vpcs: Vpcs,
        images: ImageSource,
        ec2: Ec2,
        security_groups: SecurityGroups,
        clock: Clock,
        timeline: Timeline,
    ) -> None:
        self.association_delay = 0.0
        self._clock = clock
        self._timeline = timeline
        self._containers = containers
        self._network = network
        self._vpcs = vpcs
        self._images = images
        self._ec2 = ec2
        self._security_groups = security_groups
        self._turn = itertools.count()
        self._lock = threading.Lock()
        self._ahead: dict[Network, Future[Eni]] = {}
        self._attached: dict[str, Eni] = {}
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="interfaces")

    def make_ahead(self, network: Network) -> None:
        """Begin to make the interface that the next `attach` of the same network gets: a container takes 0.3 s."""
        # A pool does not wait at its end for a thread in whose start it was interrupted.
        with held_back(), self._lock:
            if network not in self._ahead:
                self._ahead[network] = self._pool.submit(self._make, network)

    def attach(self, network: Network, description: str, labels: Mapping[str, str], instance_id: str = "") -> Eni:
        """An interface that EC2 shows with ``description``; a container made for it now has ``labels``.

        ``instance_id`` is the container instance that EC2 shows it at ("": Fargate).

        Raises:
            SandboxError: The engine refused; nothing is left.
            AwsError: EC2 refused; nothing is left.
        """
        with self._lock:
            ahead = self._ahead.pop(network, None)
        eni = ahead.result() if ahead is not None else self._make(network, labels)
        try:
            self._ec2.enter_interface(eni.record, list(network.security_groups), description, instance_id)
            eni.entered, eni.description = True, description
            self._look_after(eni)
            if eni.public_ip and self.association_delay:
                self._clock.call_later(self.association_delay, lambda: self._associate_late(eni))
            elif eni.public_ip:
                self._associate(eni)
        except BaseException:
            self.remove(eni)
            raise
        return eni

    def own(self, record: Any, labels: Mapping[str, str], bridge: tuple[str, str], *, public: bool) -> Eni:
        """The primary interface of an EC2 instance, which EC2 shows already.

        Its container may change routes and packet filters of its own network namespace: it is the router of the
        instance's bridge.

        Args:
            record: EC2's, as `Ec2.reserve_interface` gives them.
            labels: The container's.
            bridge: The id of the instance's bridge, and the interface's address on it.
            public: Whether it has a public address.

        Raises:
            SandboxError: The engine refused; nothing is left.
        """
        eni = self._run(Eni(record, groups=self._security_groups.groups_of(record.id)), labels, public, bridge)
        try:
            self._look_after(eni)
        except BaseException:
            self.remove(eni)
            raise
        return eni

    def attached(self) -> list[Eni]:
        """Those that tasks, instances and load balancers have now."""
        with self._lock:
            return list(self._attached.values())

    def set_groups(self, eni: Eni, security_groups: Iterable[str]) -> None:
        """Give an attached interface other security groups (a load balancer's: SetSecurityGroups).

        Raises:
            AwsError: There is no such group.
        """
        self._ec2.set_security_groups(eni.record.id, security_groups)
        self._security_groups.refresh()

    def remove(self, eni: Eni) -> None:
        """Remove the container and the record; the addresses are free again."""
        self._security_groups.detach(eni.record.id)
        with self._lock:
            self._attached.pop(eni.record.id, None)
        if eni.container:
            self._containers.remove(eni.container)
        if eni.hosts_file is not None:
            eni.hosts_file.unlink(missing_ok=True)
        if eni.entered:
            self._ec2.delete_interface(eni.record.id)
            self._security_groups.refresh()
        if eni.public_ip:
            self._network.public.give_back(eni.public_ip)

    def close(self) -> None:
        """Wait until nothing more is being made. What nobody took goes with the run's containers."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def name_files(self, eni: Eni) -> list[Mount]:
        """The files with names that every container of a task has."""
        resolv_conf = eni.vpc.resolv_conf if eni.vpc else self.resolv_conf
        return [resolv_conf, Mount("/etc/hosts", str(eni.hosts_file), type="bind")]

    @property
    def resolv_conf(self) -> Mount:
        """The VPC's DNS server, for a container whose hosts file is its own."""
        return self._network.vpc_resolv_conf

    def _associate(self, eni: Eni) -> None:
        self._ec2.assign_public_ip(eni.record.id, eni.public_ip)
        self._timeline.record("eni.association", interface=eni.record.id, public_ip=eni.public_ip)

    def _associate_late(self, eni: Eni) -> None:
        with contextlib.suppress(AwsError):  # its task has stopped meanwhile
            self._associate(eni)

    def _make(self, network: Network, labels: Mapping[str, str] | None = None) -> Eni:
        subnet = network.subnets[next(self._turn) % len(network.subnets)]
        groups = self._ec2.security_groups_of(subnet, network.security_groups)
        eni = Eni(self._ec2.reserve_interface(subnet), groups=groups)
        return self._run(eni, labels or {}, network.assign_public_ip)

    def _look_after(self, eni: Eni) -> None:
        with self._lock:
            self._attached[eni.record.id] = eni
        self._security_groups.attach(eni.record.id, eni.own, eni.groups, eni.container, eni.ruleset)

    def _run(self, eni: Eni, labels: Mapping[str, str], public: bool, bridge: tuple[str, str] | None = None) -> Eni:
        record = eni.record
        try:
            eni.vpc = self._vpcs.of(record.subnet_id, record.private_ip)
            addresses: list[tuple[str, str | None]] = [(eni.vpc.network.name, record.private_ip)]
            if public:
                eni.public_ip = self._network.public.take()
                addresses.append((self._network.internet.name, eni.public_ip))
            eni.ruleset = self._security_groups.ruleset(record.id, eni.own, eni.groups)
            if bridge is not None:
                addresses.append(bridge)
            eni.hosts_file = self._hosts_file(record, eni.vpc.hosts)
            eni.container = self._containers.run_new(
                Spec(
                    f"eni-{record.id}",
                    self._images.ensure("toolbox"),
                    entrypoint=["tini", "--"],
                    command=_command(eni.ruleset),
                    networks=addresses,
                    link_local=task_endpoint.ADDRESS,
                    cap_add=["NET_ADMIN"],  # for nftables; the containers that join the namespace do not get it
                    mac_address=record.mac,
                    hostname=record.private_dns_name,
                    mounts=[*self.name_files(eni), self._network.sockets],
                    labels=labels,
                    sysctls={"net.ipv4.ip_forward": "1"} if bridge is not None else {},
                )
            )
            self._network.start()  # the first task's containers are about to want the resolver
        except (SandboxError, AwsError, RuntimeError):  # refused, or the network has been closed
            self.remove(eni)
            raise
        return eni

    def _hosts_file(self, record: Any, more: str) -> Path:
        """The task's /etc/hosts, as the ECS agent writes it for an IPv4 interface.

        Docker's own has localhost a second time, for IPv6, so that a proxy takes one server for two: nginx then keeps
        off both for ten seconds once they have refused, which it does not do on Fargate. Source: amazon-ecs-agent,
        ecs-agent/netlib/platform/common_linux.go.
        """
        file = self._containers.run.folder / f"hosts-{record.id}"
        file.write_text(f"127.0.0.1 localhost\n{record.private_ip} {record.private_dns_name}\n{more}")
        return file


def _command(ruleset: str) -> list[str]:
    """Serve the metadata; before that, where there are rules, let nftables have them, at no cost of a call more."""
    relay = ["socat", _METADATA_RELAY, f"UNIX-CONNECT:{SOCKETS / GATEWAY}"]
    return ["sh", "-c", 'nft "$1" && shift && exec "$@"', "sh", ruleset, *relay] if ruleset else relay
