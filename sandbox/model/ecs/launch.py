"""Where and on what a task is to run: what RunTask and CreateService have in common.

Rules: API reference "RunTask" and "CreateService" (launchType, capacityProviderStrategy, networkConfiguration).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.model.ecs.errors import invalid_parameter, not_carried_out
from sandbox.model.ecs.messages import Network
from sandbox.model.ecs.taskdef import TaskDefinition

FARGATE_PROVIDERS = ("FARGATE", "FARGATE_SPOT")


@dataclass(frozen=True)
class Launch:
    """Network and capacity of new tasks. ``capacity_provider`` is None where a launch type was asked for."""

    network: Network
    launch_type: str
    capacity_provider: str | None


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
    if launch_type != "FARGATE":
        raise not_carried_out(f"launchType {launch_type}")
    if "FARGATE" not in definition.raw["compatibilities"]:
        raise invalid_parameter("Task definition does not support launch_type FARGATE.")
    vpc = (request.get("networkConfiguration") or {}).get("awsvpcConfiguration")
    if not vpc:
        raise invalid_parameter("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
    if not vpc.get("subnets"):
        raise invalid_parameter("subnets can not be empty.")
    return Launch(Network.of(vpc), launch_type, provider)


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
