"""moto in this process: the AWS services that we do not own, and the network interfaces that our ECS attaches.

moto's state is global to the process: one process, one sandbox. moto is imported when it is first used, and each of its
services at the service's first request; `Embedded.preload` does that ahead in the background.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

from sandbox.aws.protocol import ACCOUNT_ID, REGION

if TYPE_CHECKING:
    from sandbox.aws.backends.moto_network import MotoNetwork

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class Interface:
    """An elastic network interface of a task, as DescribeNetworkInterfaces shows it."""

    id: str
    private_ip: str
    mac: str
    private_dns_name: str
    subnet_id: str
    availability_zone: str


class Embedded:
    """The embedded backend: a WSGI application for the gateway, and EC2's network without the way over HTTP.

    Args:
        account_id: The account whose EC2 the network methods act on; moto's only one unless roles are assumed.
        region: The region of it.
    """

    def __init__(self, account_id: str = ACCOUNT_ID, region: str = REGION) -> None:
        self._account_id = account_id
        self._region = region
        self._lock = threading.Lock()

    def wsgi_app(self) -> WsgiApp:
        """The application that answers for every service moto has."""
        application: WsgiApp = _moto().application
        return application

    def preload(self, *services: str) -> threading.Thread:
        """Import moto's services (by moto's names: "ec2", "route53") on a background thread, which is returned."""

        def load() -> None:
            moto = _moto()
            for service in services:
                moto.load(service)

        thread = threading.Thread(target=load, name="preload moto", daemon=True)
        thread.start()
        return thread

    def reset(self) -> None:
        """Forget everything that was created, in every service, account and region."""
        _moto().reset()

    def create_vpc(self, cidr: str) -> str:
        """A VPC with DNS host names on; its id."""
        return self._network().create_vpc(cidr)

    def create_subnet(self, vpc_id: str, cidr: str, availability_zone: str) -> str:
        """A subnet; its id.

        Raises:
            AwsError: EC2 refuses it: no such VPC or zone, a range outside the VPC's or taken.
        """
        return self._network().create_subnet(vpc_id, cidr, availability_zone)

    def missing_subnets(self, subnet_ids: Iterable[str]) -> list[str]:
        """Those of ``subnet_ids`` that there are not."""
        return self._network().missing_subnets(subnet_ids)

    def create_security_group(self, vpc_id: str, name: str, description: str) -> str:
        """A security group; its id."""
        return self._network().create_security_group(vpc_id, name, description)

    def create_interface(self, subnet_id: str, security_groups: Iterable[str] = (), description: str = "") -> Interface:
        """An interface as ECS attaches it to a Fargate task: in use from the start, managed by its requester.

        Addresses are given in ascending order and come back into use only after the subnet's last one.

        Raises:
            AwsError: InvalidSubnetID.NotFound, InvalidGroup.NotFound, or InsufficientFreeAddressesInSubnet.
        """
        network = self._network()
        with self._lock:
            return network.create_interface(subnet_id, list(security_groups), description)

    def assign_public_ip(self, interface_id: str, ip: str) -> None:
        """Show ``ip`` as the interface's public address, one of Amazon's own (no Elastic IP).

        Raises:
            AwsError: InvalidNetworkInterfaceID.NotFound.
        """
        self._network().assign_public_ip(interface_id, ip)

    def delete_interface(self, interface_id: str) -> None:
        """Delete an interface; its private address is free again.

        Raises:
            AwsError: InvalidNetworkInterfaceID.NotFound.
        """
        with self._lock:
            self._network().delete_interface(interface_id)

    def _network(self) -> MotoNetwork:
        network: MotoNetwork = _moto().network(self._account_id, self._region)
        return network


def _moto() -> ModuleType:
    """Our module that imports moto."""
    from sandbox.aws.backends import moto_app  # a second of CPU: only when moto is used

    return moto_app
