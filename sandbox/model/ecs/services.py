"""What the ECS API does with services, and the scheduler that keeps them at what they want.

Rules: API reference, one page an action. What a service decides, `sandbox.model.ecs.service` says; here its decisions
become tasks that start and stop.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from sandbox.model.ecs import definitions, instances, placement, service_requests, starts, tagging
from sandbox.model.ecs.cluster import checked_name
from sandbox.model.ecs.deployment import Deployment
from sandbox.model.ecs.errors import EcsError, invalid_parameter
from sandbox.model.ecs.messages import StopRequested
from sandbox.model.ecs.placement import Unplaced
from sandbox.model.ecs.registration import DeregisterTask, Registration
from sandbox.model.ecs.service import Service, StartTask, StopTask
from sandbox.model.ecs.task import SERVICE_GROUP, Task

if TYPE_CHECKING:
    from sandbox.model.ecs.control import Command, Ecs

Request = Mapping[str, Any]


def create(ecs: Ecs, request: Request, now: float) -> tuple[Service, list[Command]]:
    """CreateService: the first tasks start at once.

    Raises:
        EcsError: InvalidParameterException, ClusterNotFoundException, ClientException.
    """
    cluster = ecs.find_cluster(request.get("cluster"))
    name = checked_name(request.get("serviceName") or "", "Service name")
    arn = f"{ecs.arn_prefix}:service/{cluster.name}/{name}"
    status = ecs.services[arn].status if arn in ecs.services else ""
    if status == "ACTIVE":
        raise invalid_parameter("Creation of service was not idempotent.")
    if status == "DRAINING":
        raise invalid_parameter("Unable to Start a service that is still Draining.")
    service = service_requests.new_service(
        request,
        name=name,
        arn=arn,
        cluster_arn=cluster.arn,
        default_strategy=cluster.default_strategy,
        definition=definitions.runnable(ecs.definitions, request.get("taskDefinition", "")),
        deployment_id=_deployment_id(ecs),
        now=now,
        lookups=ecs.lookups,
    )
    ecs.services[arn] = service
    return service, schedule(ecs, service, now)


def update(ecs: Ecs, request: Request, now: float) -> tuple[Service, list[Command]]:
    """UpdateService: its desired count, its configuration, or another version of it: a new deployment.

    Raises:
        EcsError: ServiceNotActiveException, ServiceNotFoundException, InvalidParameterException, ClientException.
    """
    cluster = ecs.find_cluster(request.get("cluster"))
    service = ecs.find_service(cluster, request.get("service", ""))
    if service.status != "ACTIVE":
        raise EcsError("ServiceNotActiveException", "Service was not ACTIVE.")
    reference = request.get("taskDefinition")
    service_requests.update(
        service,
        request,
        default_strategy=cluster.default_strategy,
        definition=definitions.runnable(ecs.definitions, reference) if reference else None,
        deployment_id=_deployment_id(ecs),
        now=now,
        lookups=ecs.lookups,
    )
    return service, schedule(ecs, service, now)


def delete(ecs: Ecs, request: Request, now: float) -> tuple[Service, list[Command]]:
    """DeleteService: refused while tasks are wanted, unless forced; its tasks stop.

    Raises:
        EcsError: ServiceNotFoundException, InvalidParameterException.
    """
    cluster = ecs.find_cluster(request.get("cluster"))
    service = ecs.find_service(cluster, request.get("service", ""))
    if service.status == "INACTIVE":
        raise EcsError("ServiceNotFoundException", "Service not found.")
    if service.desired_count > 0 and not service.is_daemon and not request.get("force"):
        raise invalid_parameter("The service cannot be stopped while it is scaled above 0.")
    service.status, service.desired_count = "DRAINING", 0
    commands = schedule(ecs, service, now)
    service.end_if_drained(ecs.tasks_of(service))
    return service, commands


def schedule(ecs: Ecs, service: Service, now: float) -> list[Command]:
    """Start and stop what the service decides now, and tell of it."""
    commands: list[Command] = []
    started: list[Task] = []
    running: list[Task] = []
    pending = unhealthy = 0
    unplaced: Unplaced | None = None
    primary = service.primary
    if service.is_daemon and service.status == "ACTIVE":
        service.desired_count = placement.eligible(
            primary.definition, primary.how.rules, instances.occupancies(ecs, service.cluster_arn)
        )
    for decision in service.decide(ecs.tasks_of(service), now):
        match decision:
            case StartTask(deployment, replaces_unhealthy):
                new = _new_task(ecs, service, deployment, now)
                if isinstance(new, Unplaced):
                    unplaced = new
                    continue
                started.append(new)
                unhealthy += replaces_unhealthy
                commands += [*new.start(), *ecs.host_changed(new)]
            case StopTask(arn, reason):
                task = ecs.tasks[arn]
                if task.last_status == "RUNNING":
                    running.append(task)
                else:
                    pending += 1
                commands += task.handle(StopRequested(reason, "ServiceSchedulerInitiated"), now)
                commands += service.task_stopped(task, now)
    if started:
        service.events.started(started, unhealthy, now)
    service.events.stopped(running, pending, now)
    say_deregistered(ecs, service, commands, now)
    commands += service.not_placed(unplaced, now)
    commands += service.events.take()
    if service.primary is not primary:  # an unhealthy task was one too many, and the service rolls back
        commands += schedule(ecs, service, now)
    return commands


def say_deregistered(ecs: Ecs, service: Service, commands: Iterable[Command], now: float) -> None:
    """Tell of the targets that leave by ``commands``."""
    leaving = [command for command in commands if isinstance(command, DeregisterTask)]
    service.events.deregistered(leaving, ecs.tasks, now)


def _new_task(ecs: Ecs, service: Service, deployment: Deployment, now: float) -> Task | Unplaced:
    cluster = ecs.clusters[service.cluster_arn.rsplit("/", 1)[-1]]
    task = starts.new_task(
        ecs,
        cluster,
        deployment.definition,
        deployment.how,
        now,
        group=SERVICE_GROUP + service.name,
        started_by=deployment.id,
        tags=tagging.of_new_task(ecs, service.raw, deployment.definition.arn, cluster.name, service.name),
        execute_command=bool(service.raw.get("enableExecuteCommand")),
    )
    if isinstance(task, Task):
        task.registration = Registration(deployment.registrations, ecs.lookups.deregistration_delay)
        ecs.tasks_by_service.setdefault(service.arn, {})[task.arn] = task
    return task


def _deployment_id(ecs: Ecs) -> str:
    return f"ecs-svc/{int(ecs.new_id()[-15:], 16) % 10**19:019d}"
