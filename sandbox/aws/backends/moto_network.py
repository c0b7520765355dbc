"""VPCs, subnets and network interfaces in moto's EC2. Importing this imports moto."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import security_groups as groups
from moto.ec2.models import subnets, vpcs
from moto.ec2.models.elastic_network_interfaces import NetworkInterface, NetworkInterfaceBackend

from sandbox.aws.backends.embedded import FIRST_HOST
from sandbox.aws.backends.moto_groups import security_records
from sandbox.aws.backends.network_interfaces import Attachment, Interface, public_dns_name
from sandbox.aws.protocol import AwsError
from sandbox.model.security_groups import Records, Rule


class FargateInterface(NetworkInterface):
    """A network interface as ECS makes it (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-task-networking.html)."""

    def __init__(self, *args: Any, attachment: Attachment | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.status = "in-use"
        self.requester_managed = True
        self._fargate_attachment = attachment or Attachment()
        region = self.ec2_backend.region_name
        domain = "ec2.internal" if region == "us-east-1" else f"{region}.compute.internal"
        self.private_dns_name = f"ip-{(self.private_ip_address or '').replace('.', '-')}.{domain}"
        self.private_ip_addresses[0]["PrivateDnsName"] = self.private_dns_name

    @property
    def attachment(self) -> Any:
        return self._fargate_attachment

    def get_filter_value(self, filter_name: str, method_name: str | None = None) -> Any:
        if filter_name == "attachment.instance-id":
            return self._fargate_attachment.instance_id
        return super().get_filter_value(filter_name, method_name)

    @property
    def association(self) -> dict[str, Any]:
        if not self.public_ip:
            return {}
        region = self.ec2_backend.region_name
        name = public_dns_name(self.public_ip, region)
        return {"PublicIp": self.public_ip, "PublicDnsName": name, "IpOwnerId": "amazon"}


def protect_interfaces_in_use() -> None:
    """Let moto's EC2 refuse to delete the interface of a task, as AWS does, from now on in this process."""
    delete = NetworkInterfaceBackend.delete_network_interface

    def delete_unused(backend: Any, eni_id: str) -> None:
        interface = backend.enis.get(eni_id)
        if isinstance(interface, FargateInterface) and interface.status == "in-use":
            raise EC2ClientError("InvalidParameterValue", f"Network interface '{eni_id}' is currently in use.")
        delete(backend, eni_id)

    patched: Any = NetworkInterfaceBackend
    patched.delete_network_interface = delete_unused


class MotoNetwork:
    """The network of one account and region; the methods are those of `sandbox.aws.backends.embedded.Embedded`.

    Args:
        backend: moto's EC2 backend.
    """

    def __init__(self, backend: Any) -> None:
        self._ec2 = backend

    def create_vpc(self, vpc_id: str, cidr: str, default_group: str) -> None:
        with (
            _aws_errors(),
            _given_id(vpcs, "random_vpc_id", vpc_id),
            _given_id(groups, "random_security_group_id", default_group),
        ):
            vpc = self._ec2.create_vpc(cidr)
            # Without one AWS refuses load balancers that face the internet.
            gateway = self._ec2.create_internet_gateway()
            self._ec2.attach_internet_gateway(gateway.id, vpc_id)
        vpc.enable_dns_hostnames = True

    def create_subnet(self, subnet_id: str, vpc_id: str, cidr: str, availability_zone: str) -> None:
        with _aws_errors(), _given_id(subnets, "random_subnet_id", subnet_id):
            self._ec2.create_subnet(vpc_id, cidr, availability_zone=availability_zone)

    def missing_subnets(self, subnet_ids: Iterable[str]) -> list[str]:
        known = {subnet.id for subnet in self._ec2.describe_subnets()}
        return [subnet_id for subnet_id in subnet_ids if subnet_id not in known]

    def create_security_group(
        self, group_id: str, vpc_id: str, name: str, description: str, ingress: Iterable[Rule]
    ) -> None:
        with _aws_errors(), _given_id(groups, "random_security_group_id", group_id):
            self._ec2.create_security_group(name, description, vpc_id=vpc_id)
            for rule in ingress:
                self._ec2.authorize_security_group_ingress(
                    group_id, rule.protocol, rule.from_port, rule.to_port, [{"CidrIp": rule.cidr}]
                )

    def default_group(self, subnet_id: str) -> str:
        with _aws_errors():
            subnet = self._ec2.get_subnet(subnet_id)
        return str(self._ec2.get_default_security_group(subnet.vpc_id).id)

    def security_records(self) -> Records:
        return security_records(self._ec2)

    def reserve_interface(self, subnet_id: str) -> Interface:
        with _aws_errors():
            subnet = self._ec2.get_subnet(subnet_id)
        # moto draws an interface's id and addresses when it makes one; this one is thrown away.
        drawn = _make(self._ec2, subnet, free_address(self._ec2, subnet))
        interface = Interface(
            id=drawn.id,
            private_ip=drawn.private_ip_address,
            mac=drawn.mac_address,
            private_dns_name=drawn.private_dns_name,
            subnet_id=subnet.id,
            availability_zone=subnet.availability_zone,
        )
        self.reserve(interface)
        return interface

    def reserve(self, interface: Interface) -> None:
        """Give its address to nobody else; the next one comes after it."""
        subnet = self._ec2.get_subnet(interface.subnet_id)
        _reserved(subnet).add(interface.private_ip)
        subnet.sandbox_next_address = int(ipaddress.ip_address(interface.private_ip)) + 1

    def enter_interface(
        self, given: Interface, security_groups: list[str], description: str, attachment: Attachment
    ) -> None:
        subnet = self._ec2.get_subnet(given.subnet_id)
        self._check_groups(security_groups)
        interface = _make(
            self._ec2,
            subnet,
            given.private_ip,
            group_ids=security_groups,
            description=description,
            attachment=attachment,
        )
        interface.id, interface.mac_address = given.id, given.mac
        _reserved(subnet).discard(given.private_ip)
        subnet.request_ip(given.private_ip, interface)
        self._ec2.enis[interface.id] = interface

    def set_security_groups(self, interface_id: str, security_groups: list[str]) -> None:
        self._check_groups(security_groups)
        with _aws_errors():
            self._ec2.modify_network_interface_attribute(interface_id, security_groups)

    def _check_groups(self, security_groups: list[str]) -> None:
        for group in security_groups:
            if self._ec2.get_security_group_from_id(group) is None:
                raise AwsError("InvalidGroup.NotFound", f"The security group '{group}' does not exist")

    def assign_public_ip(self, interface_id: str, ip: str) -> None:
        with _aws_errors():
            interface = self._ec2.get_network_interface(interface_id)
        interface.public_ip = ip
        interface.private_ip_addresses[0]["Association"] = interface.association

    def delete_interface(self, interface_id: str) -> None:
        with _aws_errors():
            interface = self._ec2.get_network_interface(interface_id)
            interface.status = "available"  # detached; until then nobody may delete it
            interface.delete()


def free_address(ec2: Any, subnet: Any) -> str:
    """The address of a subnet after the one given last; from the start again after the last one.

    Raises:
        AwsError: InsufficientFreeAddressesInSubnet.
    """
    network = subnet.cidr
    taken = set(subnet._subnet_ips) | _reserved(subnet)
    taken |= {eni.private_ip_address for eni in list(ec2.enis.values()) if eni.subnet is subnet}
    first, last = int(network.network_address) + FIRST_HOST, int(network.broadcast_address) - 1
    start = getattr(subnet, "sandbox_next_address", first)
    for number in (*range(start, last + 1), *range(first, start)):
        ip = str(ipaddress.ip_address(number))
        if ip not in taken:
            subnet.sandbox_next_address = number + 1
            return ip
    raise AwsError(
        "InsufficientFreeAddressesInSubnet",
        f"The specified subnet does not have enough free addresses to satisfy the request. ({subnet.id})",
    )


def _make(ec2: Any, subnet: Any, ip: str, **options: Any) -> Any:
    make: Any = FargateInterface  # its CloudFormation half is abstract in moto, and unused
    return make(ec2, subnet, ip, **options)


def _reserved(subnet: Any) -> set[str]:
    """The addresses of a subnet that are promised to interfaces which are not entered yet."""
    if not hasattr(subnet, "sandbox_reserved"):
        subnet.sandbox_reserved = set()
    reserved: set[str] = subnet.sandbox_reserved
    return reserved


@contextmanager
def _given_id(module: ModuleType, function: str, value: str) -> Iterator[None]:
    """Have moto use ``value`` where it would draw a random id. Under the caller's lock; moto draws one id a call."""
    drawn = getattr(module, function)
    setattr(module, function, lambda: value)
    try:
        yield
    finally:
        setattr(module, function, drawn)


@contextmanager
def _aws_errors() -> Iterator[None]:
    """Moto's errors as ours."""
    try:
        yield
    except EC2ClientError as error:
        raise AwsError(str(error.code), str(error.message)) from error
