"""What CreateService and UpdateService ask for: checked, and as the deployment that they begin.

Rules: API reference "CreateService" and "UpdateService" (which parameters trigger a new service deployment).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sandbox.model.ecs.deployment import Configuration, Deployment
from sandbox.model.ecs.errors import invalid_parameter, not_carried_out
from sandbox.model.ecs.launch import Launch, launch
from sandbox.model.ecs.registration_requests import Lookups, grace_period, registrations
from sandbox.model.ecs.service import Service
from sandbox.model.ecs.taskdef import TaskDefinition

Request = Mapping[str, Any]

_NOT_CARRIED_OUT = (
    "serviceConnectConfiguration",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
    "gatewayConnectors",
)

# Parameters that describe how tasks run: a deployment keeps those it began with.
_OF_DEPLOYMENT = (
    "launchType",
    "capacityProviderStrategy",
    "networkConfiguration",
    "placementConstraints",
    "placementStrategy",
    "platformVersion",
)

# Those that an empty list takes away.
_REMOVED_BY_EMPTY_LIST = ("placementConstraints", "placementStrategy")

# Those whose change triggers a new deployment; another capacity provider strategy only holds for tasks to come.
_TRIGGERS = ("networkConfiguration", "platformVersion")

# Those that only change what the service keeps for itself.
_OF_SERVICE = ("availabilityZoneRebalancing", "enableECSManagedTags", "propagateTags")


def new_service(
    request: Request,
    *,
    name: str,
    arn: str,
    cluster_arn: str,
    default_strategy: Sequence[Mapping[str, Any]],
    definition: TaskDefinition,
    deployment_id: str,
    now: float,
    lookups: Lookups,
) -> Service:
    """The service that a CreateService request makes.

    Args:
        request: The request, in the API's names.
        name: Its name, already checked.
        arn: The ARN that it gets.
        cluster_arn: Its cluster's.
        default_strategy: Its cluster's ``defaultCapacityProviderStrategy``.
        definition: The task definition that the request names.
        deployment_id: The id of its first deployment.
        now: Seconds since the epoch.
        lookups: Knows target groups and registries.

    Raises:
        EcsError: InvalidParameterException, also for what is not carried out.
    """
    _check(request)
    configuration = dict(request.get("deploymentConfiguration") or {})
    how = launch(request, definition, default_strategy)
    if request.get("schedulingStrategy") == "DAEMON":
        how, configuration = _daemon(request, how, configuration)
    wanted = registrations(request, definition, lookups)
    service = Service(
        arn,
        name,
        cluster_arn,
        desired_count(request, default=1),
        Configuration.of(configuration),
        Deployment(deployment_id, definition, how, _of_deployment(request), now, now, registrations=wanted),
        now,
        dict(request),
        grace=grace_period(request, wanted),
    )
    service.events.deployment_began(service.primary, now)
    return service


def update(
    service: Service,
    request: Request,
    *,
    default_strategy: Sequence[Mapping[str, Any]],
    definition: TaskDefinition | None,
    deployment_id: str,
    now: float,
    lookups: Lookups,
) -> None:
    """Change a service as an UpdateService request asks; a new deployment begins where that triggers one.

    Args:
        service: The service.
        request: The request, in the API's names.
        default_strategy: Its cluster's ``defaultCapacityProviderStrategy``.
        definition: The task definition that the request names, if it names one.
        deployment_id: The id of the deployment that may begin.
        now: Seconds since the epoch.
        lookups: Knows target groups and registries.

    Raises:
        EcsError: InvalidParameterException, also for what is not carried out; the service is as it was.
    """
    _check(request)
    configuration = Configuration.of(request.get("deploymentConfiguration") or {}, service.configuration.raw)
    count = desired_count(request, default=service.desired_count)
    definition = definition or service.primary.definition
    asked = {**service.primary.raw, **_of_deployment(request)}
    if request.get("capacityProviderStrategy"):
        asked.pop("launchType", None)
    elif "capacityProviderStrategy" in request:  # an empty list leads back to the launch type
        asked.pop("capacityProviderStrategy", None)
        asked["launchType"] = service.primary.how.launch_type
    for parameter in _REMOVED_BY_EMPTY_LIST:
        if request.get(parameter) == []:
            asked.pop(parameter, None)
    how = launch(asked, definition, default_strategy)
    if service.is_daemon:
        how, _ = _daemon(request, how, dict(configuration.raw))
    wanted = registrations(request, definition, lookups, service.primary.registrations)
    grace = grace_period(request, wanted, service.grace)
    changed = (
        definition is not service.primary.definition
        or wanted != service.primary.registrations
        or any(
            request.get(parameter) and request[parameter] != service.primary.raw.get(parameter)
            for parameter in _TRIGGERS
        )
    )
    service.configuration, service.desired_count, service.grace = configuration, count, grace
    service.raw = {**service.raw, **{name: request[name] for name in _OF_SERVICE if name in request}}
    service.primary.updated_at = now
    if changed or request.get("forceNewDeployment"):
        service.deploy(Deployment(deployment_id, definition, how, asked, now, now, registrations=wanted), now)
    else:
        service.primary.how, service.primary.raw = how, asked


def _daemon(request: Request, how: Launch, configuration: dict[str, Any]) -> tuple[Launch, dict[str, Any]]:
    """A service with a task on each instance: its tasks are spread by that alone, and none starts beside an old one."""
    if how.launch_type == "FARGATE":
        raise invalid_parameter("The daemon scheduling strategy is not supported for Fargate tasks.")
    if request.get("placementStrategy"):
        raise invalid_parameter("Placement strategies are not supported with the daemon scheduling strategy.")
    if request.get("desiredCount") is not None:
        raise invalid_parameter("A desired count can not be specified with the daemon scheduling strategy.")
    if configuration.get("maximumPercent", 100) != 100:
        raise invalid_parameter("The maximum percent must be 100 with the daemon scheduling strategy.")
    rules = replace(how.rules, alone=True)
    return replace(how, rules=rules), {"minimumHealthyPercent": 0, **configuration, "maximumPercent": 100}


def desired_count(request: Request, *, default: int) -> int:
    """The desired count that a request asks for.

    Raises:
        EcsError: InvalidParameterException.
    """
    count = int(request.get("desiredCount", default))
    if count < 0:
        raise invalid_parameter("desiredCount must not be negative.")
    return count


def _check(request: Request) -> None:
    for parameter in _NOT_CARRIED_OUT:
        if request.get(parameter):
            raise not_carried_out(parameter)
    if (request.get("deploymentController") or {}).get("type", "ECS") != "ECS":
        raise not_carried_out(f"deploymentController {request['deploymentController']['type']}")


def _of_deployment(request: Request) -> dict[str, Any]:
    return {name: request[name] for name in _OF_DEPLOYMENT if request.get(name)}
