"""``loadBalancers``, ``serviceRegistries`` and ``healthCheckGracePeriodSeconds`` of CreateService and UpdateService.

Rules: API reference "CreateService", "UpdateService", "LoadBalancer" and "ServiceRegistry"; developer guide
"Registering multiple target groups with an Amazon ECS service" and "Use service discovery to connect Amazon ECS
services with DNS names". Words of errors are those that users have been shown, unless the docstring of the check says
otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sandbox.model.ecs.errors import invalid_parameter, not_carried_out
from sandbox.model.ecs.registration import GroupUse, Registrations, RegistryUse
from sandbox.model.ecs.taskdef import TaskDefinition

if TYPE_CHECKING:
    from sandbox.model.elb.config import TargetGroup

Request = Mapping[str, Any]

MAX_GROUPS = 5  # target groups of a service
MAX_GRACE = 2_147_483_647

_NOT_CARRIED_OUT = ("loadBalancerName", "advancedConfiguration")


@dataclass(frozen=True)
class Lookups:
    """What ECS asks of load balancers and of Cloud Map. By default there are none.

    Attributes:
        find_group: The target group with an ARN.
        has_balancer: Whether a listener of a load balancer names the group.
        registry_types: The types of the DNS records of a Cloud Map service (none for one of an HTTP namespace); None:
            there is no such service.
    """

    find_group: Callable[[str], TargetGroup | None] = field(default=lambda arn: None)
    has_balancer: Callable[[str], bool] = field(default=lambda arn: False)
    registry_types: Callable[[str], frozenset[str] | None] = field(default=lambda arn: None)

    def deregistration_delay(self, group_arn: str) -> int:
        """The deregistration delay of a target group, in seconds; 0 for one that is gone."""
        group = self.find_group(group_arn)
        return group.deregistration_delay if group is not None else 0


def registrations(
    request: Request, definition: TaskDefinition, lookups: Lookups, before: Registrations | None = None
) -> Registrations:
    """Where a request wants tasks to be registered; what it leaves out stays as it was ``before``.

    Raises:
        EcsError: InvalidParameterException, also for what is not carried out.
    """
    before = before or Registrations()
    groups, registry = before.groups, before.registry
    if (balancers := request.get("loadBalancers")) is not None:
        groups = _groups(balancers)
        for arn in {use.group_arn: None for use in groups}:
            _check_group(arn, lookups)
    if (registries := request.get("serviceRegistries")) is not None:
        registry = _registry(registries, definition, lookups)
    elif registry is not None and lookups.registry_types(registry.arn) is not None:
        _registry([registry.raw], definition, lookups)
    for use in groups:
        _check_port(use.container, use.port, definition)
        if (group := lookups.find_group(use.group_arn)) is not None:
            _check_type(group, definition)
    if registry is not None and registry.container_port is not None:
        _check_port(registry.container, registry.container_port, definition)
    return Registrations(groups, registry)


def grace_period(request: Request, wanted: Registrations, before: int = 0) -> int:
    """The ``healthCheckGracePeriodSeconds`` that holds after a request.

    Raises:
        EcsError: InvalidParameterException; the words of the range are ours.
    """
    given = request.get("healthCheckGracePeriodSeconds")
    if given is None:
        return before
    if not 0 <= int(given) <= MAX_GRACE:
        raise invalid_parameter(f"healthCheckGracePeriodSeconds must be between 0 and {MAX_GRACE}.")
    if not wanted.groups:
        raise invalid_parameter("Health check grace period is only valid for services configured to use load balancers")
    return int(given)


def _groups(balancers: Sequence[Request]) -> tuple[GroupUse, ...]:
    """The words of what is missing, and of too many, are ours."""
    if len(balancers) > MAX_GROUPS:
        raise invalid_parameter(f"A service can have at most {MAX_GROUPS} target groups.")
    for balancer in balancers:
        for parameter in _NOT_CARRIED_OUT:
            if balancer.get(parameter):
                raise not_carried_out(f"loadBalancers.{parameter}")
        for parameter in ("targetGroupArn", "containerName", "containerPort"):
            if balancer.get(parameter) is None:
                raise invalid_parameter(f"loadBalancers: {parameter} must be specified.")
    return tuple(GroupUse(b["targetGroupArn"], b["containerName"], int(b["containerPort"])) for b in balancers)


def _check_group(arn: str, lookups: Lookups) -> None:
    """The words for a group that there is not are ours."""
    group = lookups.find_group(arn)
    if group is None:
        raise invalid_parameter(f"The target group with targetGroupArn {arn} does not exist.")
    if not lookups.has_balancer(arn):
        raise invalid_parameter(
            f"The target group with targetGroupArn {arn} does not have an associated load balancer."
        )


def _check_type(group: TargetGroup, definition: TaskDefinition) -> None:
    mode = definition.network_mode
    if group.target_type != ("ip" if mode == "awsvpc" else "instance"):
        raise invalid_parameter(
            f"The provided target group {group.arn} has target type {group.target_type}, which is incompatible with "
            f"the {mode} network mode specified in the task definition."
        )


def _check_port(container: str, port: int, definition: TaskDefinition) -> None:
    found = next((one for one in definition.containers if one.name == container), None)
    if found is None:
        raise invalid_parameter(f"The container {container} does not exist in the task definition.")
    if not any(mapping.get("containerPort") == port for mapping in found.raw["portMappings"]):
        raise invalid_parameter(f"The container {container} did not have a container port {port} defined.")


def _registry(registries: Sequence[Request], definition: TaskDefinition, lookups: Lookups) -> RegistryUse | None:
    """The words of awsvpc mode, and for a registry that there is not, are ours."""
    if not registries:
        return None
    if len(registries) > 1:
        raise invalid_parameter("A service can be associated with one service registry at most.")
    (given,) = registries
    arn = given.get("registryArn") or ""
    types = lookups.registry_types(arn)
    if types is None:
        raise invalid_parameter(f"The service registry {arn} does not exist.")
    name, container_port, port = given.get("containerName"), given.get("containerPort"), given.get("port")
    pair = bool(name) and container_port is not None
    if definition.network_mode != "awsvpc":
        if others := sorted(types - {"SRV"}):
            raise invalid_parameter(
                f"serviceRegistries value is configured to use a type '{others[0]}' DNS record, which is not supported "
                "when specifying 'host' or 'bridge' for networkMode."
            )
        if not pair or port is not None:
            raise invalid_parameter(
                "When specifying 'host' or 'bridge' for networkMode, values for 'containerName' and 'containerPort' "
                "must be specified from the task definition."
            )
    elif "SRV" in types:
        if pair == (port is not None) or bool(name) != (container_port is not None):
            raise invalid_parameter(
                "When specifying 'awsvpc' for networkMode and a type 'SRV' DNS record, either the values "
                "'containerName' and 'containerPort' or the value 'port' must be specified, and not both."
            )
    elif types and (name or container_port is not None or port is not None):
        raise invalid_parameter(
            "The values 'containerName', 'containerPort' and 'port' must not be specified for a type 'A' DNS record."
        )
    return RegistryUse(arn, name or "", container_port if pair else None, port, dict(given))
