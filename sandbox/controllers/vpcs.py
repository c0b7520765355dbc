"""The networks of VPCs: the sandbox's own, and those that somebody makes, such as Terraform.

Another VPC than the sandbox's own gets a network when the first interface is in it, with its addresses, and a resolver
at its second one. It is internal, as the first is: only interfaces with public addresses reach the internet, and no VPC
reaches another. The network lasts as long as the sandbox does, for the next VPC of the same range: two at once share
it, so that an address can be in one of them alone.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Protocol

from docker.types import Mount

from sandbox.controllers.network import ENDPOINT_NAME, ENDPOINT_PORT, RESOLVER, RunNetwork
from sandbox.engine import networks
from sandbox.engine.containers import Containers
from sandbox.engine.networks import Network
from sandbox.model.security_groups import Surroundings


class Ec2(Protocol):
    """EC2's records of VPCs."""

    def range_of_vpc(self, subnet_id: str) -> IPv4Network:
        """The first IPv4 range of the VPC that a subnet is in."""


@dataclass(frozen=True)
class Vpc:
    """A VPC on this machine.

    Attributes:
        network: Its network.
        resolv_conf: The file that names its resolver.
        hosts: What its interfaces' hosts files say of AWS's endpoint: DNS has the one of the sandbox's own VPC.
    """

    network: Network
    resolv_conf: Mount
    hosts: str = ""

    @property
    def surroundings(self) -> Surroundings:
        """What security groups never filter."""
        resolver = self.network.address(RESOLVER)
        return Surroundings(resolver, (resolver, ENDPOINT_PORT))


class Vpcs:
    """All VPCs that have interfaces. Safe to use from several threads.

    Args:
        containers: The run's.
        network: The run's networks; the sandbox's own VPC is one of them.
        ec2: EC2's records.
    """

    def __init__(self, containers: Containers, network: RunNetwork, ec2: Ec2) -> None:
        self._containers = containers
        self._network = network
        self._ec2 = ec2
        self._own = Vpc(network.vpc, network.vpc_resolv_conf)
        self._others: dict[IPv4Network, Vpc] = {}
        self._lock = threading.Lock()

    def of(self, subnet_id: str, address: str) -> Vpc:
        """The VPC of an interface in a subnet, made if it is not there yet.

        Raises:
            SandboxError: The engine cannot make a network of its range: this machine has it for something else.
        """
        if IPv4Address(address) in self._own.network.cidr:
            return self._own
        cidr = self._ec2.range_of_vpc(subnet_id)
        with self._lock:
            if cidr not in self._others:
                self._others[cidr] = self._make(cidr)
            return self._others[cidr]

    def around(self, address: str) -> Surroundings:
        """What is around the interface of a private address; its VPC is there already, or it is the sandbox's own."""
        with self._lock:
            found = (vpc for cidr, vpc in self._others.items() if IPv4Address(address) in cidr)
            return next(found, self._own).surroundings

    def _make(self, cidr: IPv4Network) -> Vpc:
        name = f"vpc-{str(cidr.network_address).replace('.', '-')}-{cidr.prefixlen}"
        network = networks.create_other_vpc(self._containers.client, self._containers.run, name, cidr)
        self._network.start_resolver_in(network)
        hosts = f"{network.address(RESOLVER)} {ENDPOINT_NAME} data-{ENDPOINT_NAME}\n"
        return Vpc(network, self._network.resolv_conf(name, network), hosts)
