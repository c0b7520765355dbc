"""Instances in moto's EC2. Importing this imports moto."""

from __future__ import annotations

import base64
import contextlib
import gzip
from collections.abc import Callable
from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.models.instances import Instance, InstanceBackend
from moto.ec2.models.subnets import Subnet

from sandbox.aws.backends.embedded import Ec2Instance, Interface
from sandbox.aws.backends.moto_network import free_address
from sandbox.aws.protocol import AwsError

_OPTIMIZED_AMIS = "/aws/service/ecs/optimized-ami"


def correct_instances() -> None:
    """Let moto's EC2 run instances as AWS does, from now on in this process.

    An instance type that there is not is refused (words seen in moto's issue 1695), addresses come from where those of
    tasks come from, and the interface that an instance is launched with goes with it.
    """
    run_instances = InstanceBackend.run_instances
    prepare_interfaces = Instance.prep_nics

    def run_known_types(backend: Any, *args: Any, **kwargs: Any) -> Any:
        name = kwargs.get("instance_type")
        if name and name not in INSTANCE_TYPES:
            raise EC2ClientError("InvalidParameterValue", f"Invalid value '{name}' for InstanceType.")
        return run_instances(backend, *args, **kwargs)

    def prepare(instance: Any, nic_spec: list[dict[str, Any]], **kwargs: Any) -> None:
        given = {int(nic["DeviceIndex"]): nic.get("DeleteOnTermination") for nic in nic_spec}
        prepare_interfaces(instance, nic_spec, **kwargs)
        for index, interface in instance.nics.items():
            if given.get(index) is None:  # EC2 deletes what it has made for the launch
                interface.delete_on_termination = True

    def address(subnet: Any, instance: Any) -> str:
        try:
            ip = free_address(subnet.ec2_backend, subnet)
        except AwsError as error:
            raise EC2ClientError(error.code, error.message) from error
        subnet._subnet_ips[ip] = instance
        return ip

    backend_class: Any = InstanceBackend
    backend_class.run_instances = run_known_types
    instance_class: Any = Instance
    instance_class.prep_nics = prepare
    subnet_class: Any = Subnet
    subnet_class.get_available_subnet_ip = address


class MotoInstances:
    """The instances of one account and region; the methods are those of `sandbox.aws.backends.embedded.Embedded`.

    Args:
        backend: moto's EC2 backend.
        parameters: moto's Systems Manager backend.
    """

    def __init__(self, backend: Any, parameters: Callable[[], Any]) -> None:
        self._ec2 = backend
        self._parameters = parameters

    def instances(self) -> list[Ec2Instance]:
        # Copied first: other calls may run instances meanwhile.
        found = [
            instance for reservation in list(self._ec2.reservations.values()) for instance in reservation.instances
        ]
        return [_shown(instance) for instance in found if instance.nics]

    def is_ecs_optimized(self, image_id: str) -> bool:
        # Not through the API, which has pages of ten, each cut from all parameters anew.
        parameters = self._parameters()
        names = parameters._parameters.get_keys_beginning_with(f"{_OPTIMIZED_AMIS}/", True)
        return any(parameters.get_parameter(name).value == image_id for name in names)

    def show_instance_address(self, interface_id: str, ip: str) -> None:
        with contextlib.suppress(EC2ClientError):  # terminated meanwhile
            self._ec2.get_network_interface(interface_id).public_ip = ip or None


def _shown(instance: Any) -> Ec2Instance:
    interface = instance.nics[0]
    return Ec2Instance(
        instance.id,
        INSTANCE_TYPES.get(instance.instance_type, {}),
        instance.image_id,
        instance.state,
        instance.vpc_id or "",
        Interface(
            interface.id,
            interface.private_ip_address or "",
            interface.mac_address,
            instance.private_dns_name,
            interface.subnet.id,
            interface.subnet.availability_zone,
        ),
        _user_data(instance.user_data),
        str(interface.public_ip_auto_assign).lower() == "true",
    )


def _user_data(given: Any) -> str:
    """As text; cloud-init takes it compressed as well."""
    if not given:
        return ""
    content = base64.b64decode(given.as_bytes() if hasattr(given, "as_bytes") else given)
    if content.startswith(b"\x1f\x8b"):
        content = gzip.decompress(content)
    return content.decode(errors="replace")
