"""Where and on what a task is to run: what RunTask and CreateService have in common.

Rules: API reference "RunTask" and "CreateService" (launchType, capacityProviderStrategy, networkConfiguration).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.model.ecs import placement
from sandbox.model.ecs.errors import invalid_parameter, not_carried_out
from sandbox.model.ecs.messages import Network
from sandbox.model.ecs.placement import Rules
from sandbox.model.ecs.taskdef import TaskDefinition

FARGATE_PROVIDERS = ("FARGATE", "FARGATE_SPOT")


@dataclass(frozen=True)
class Launch:
    """Network, capacity and placement of new tasks.

    ``network`` is None unless they are in awsvpc mode, ``capacity_provider`` where a launch type was asked for.
    """

    network: Network | None
    launch_type: str
    capacity_provider: str | None
    rules: Rules = field(default_factory=Rules)

    def describe_network(self) -> dict[str, Any]:
        """``networkConfiguration``, where there is one."""
        return {"networkConfiguration": self.network.describe()} if self.network else {}


def launch(
    request: Mapping[str, Any], definition: TaskDefinition, default_strategy: Sequence[Mapping[str, Any]]
) -> Launch:
    """Check a RunTask or CreateService request.

    Args:
        request: The request, in the API's names.
        definition: The task definition to run.
        default_strategy: The cluster's ``defaultCapacityProviderStrategy``, used where the request has neither a
            launch type nor a strategy.

    Raises:
        EcsError: InvalidParameterException, with AWS's message where one is known.
    """
    provider = _capacity_provider(request, default_strategy)
    launch_type = "FARGATE" if provider else request.get("launchType") or "EC2"
    if launch_type not in {"FARGATE", "EC2"}:
        raise not_carried_out(f"launchType {launch_type}")
    if launch_type not in definition.raw["compatibilities"]:
        raise invalid_parameter(f"Task definition does not support launch_type {launch_type}.")
    network = _network(request, definition)
    if launch_type == "EC2":
        if network is not None and network.assign_public_ip:
            raise invalid_parameter("Assign public IP is not supported for this launch type.")
        return Launch(
            network, launch_type, None, placement.rules(request, definition, network.subnets if network else ())
        )
    for parameter, what in (("placementConstraints", "constraints"), ("placementStrategy", "strategies")):
        if request.get(parameter):
            raise invalid_parameter(f"Placement {what} are not supported with FARGATE launch type.")
    return Launch(network, launch_type, provider)


def _network(request: Mapping[str, Any], definition: TaskDefinition) -> Network | None:
    vpc = (request.get("networkConfiguration") or {}).get("awsvpcConfiguration")
    if definition.network_mode != "awsvpc":
        if vpc:
            raise invalid_parameter(
                "Network Configuration is not valid for the given networkMode of this task definition."
            )
        return None
    if not vpc:
        raise invalid_parameter("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
    if not vpc.get("subnets"):
        raise invalid_parameter("subnets can not be empty.")
    return Network.of(vpc)


def _capacity_provider(request: Mapping[str, Any], default_strategy: Sequence[Mapping[str, Any]]) -> str | None:
    strategy = request.get("capacityProviderStrategy")
    if strategy and request.get("launchType"):
        raise invalid_parameter(
            "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again."
        )
    if not strategy and not request.get("launchType"):
        strategy = default_strategy
    providers = [item.get("capacityProvider", "") for item in strategy or ()]
    if not providers:
        return None
    if len(providers) > 1:
        raise not_carried_out("a capacityProviderStrategy of more than one provider")
    if providers[0] not in FARGATE_PROVIDERS:
        raise invalid_parameter(f"The specified capacity provider strategy is invalid: {providers[0]} was not found.")
    return str(providers[0])
