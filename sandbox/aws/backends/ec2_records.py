"""What EC2 has of VPCs, subnets, security groups and instances, for services of ours that are given their ids."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Network = ipaddress.IPv4Network


@dataclass(frozen=True, slots=True)
class Vpc:
    """A VPC, with its IPv4 ranges and whether an internet gateway is attached."""

    id: str
    networks: tuple[Network, ...]
    has_internet_gateway: bool


@dataclass(frozen=True, slots=True)
class Subnet:
    """A subnet."""

    id: str
    vpc_id: str
    availability_zone: str
    network: Network


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance; ``state`` is EC2's, such as running, ``vpc_id`` None outside a VPC."""

    id: str
    state: str
    vpc_id: str | None
    availability_zone: str


class Ec2Records:
    """Reads moto's EC2 of one account and region.

    Args:
        backend: moto's EC2 backend, with everything entered that the sandbox has made.
    """

    def __init__(self, backend: Any) -> None:
        self._ec2 = backend

    def vpc(self, vpc_id: str) -> Vpc | None:
        """A VPC, or None if there is none of that id; likewise below."""
        vpc = self._ec2.vpcs.get(vpc_id)
        if vpc is None:
            return None
        ranges = (one["cidr_block"] for one in vpc.cidr_block_association_set)
        gateways = list(self._ec2.internet_gateways.values())
        has_gateway = any(gateway.vpc is not None and gateway.vpc.id == vpc_id for gateway in gateways)
        return Vpc(vpc_id, tuple(map(ipaddress.IPv4Network, ranges)), has_gateway)

    def subnet(self, subnet_id: str) -> Subnet | None:
        """A subnet."""
        return next((one for one in self._subnets() if one.id == subnet_id), None)

    def subnets_of(self, vpc_id: str) -> list[Subnet]:
        """All subnets of a VPC."""
        return [one for one in self._subnets() if one.vpc_id == vpc_id]

    def free_addresses(self, subnet: Subnet) -> int:
        """How many of a subnet's addresses are free."""
        return int(self._ec2.get_subnet(subnet.id).available_ip_address_count)

    def _subnets(self) -> Iterable[Subnet]:
        return (
            Subnet(one.id, one.vpc_id, one.availability_zone, ipaddress.IPv4Network(one.cidr_block))
            for one in self._ec2.describe_subnets()
        )

    def security_group_vpc(self, group_id: str) -> str | None:
        """The VPC of a security group."""
        group = self._ec2.get_security_group_from_id(group_id)
        return None if group is None else str(group.vpc_id)

    def default_security_group(self, vpc_id: str) -> str | None:
        """The default security group of a VPC."""
        group = self._ec2.get_default_security_group(vpc_id)
        return None if group is None else str(group.id)

    def instance(self, instance_id: str) -> Instance | None:
        """An instance, also one that is terminated, for as long as EC2 shows it."""
        for instance in self._ec2.all_instances():
            if instance.id == instance_id:
                zone = instance.placement.zone
                return Instance(instance_id, instance.state, instance.vpc_id, zone)
        return None
