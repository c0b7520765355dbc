"""The whole of ECS: one state that API calls and what happens to tasks turn into commands.

`Ecs` is pure: it is told the time, draws its ids from a callable and returns `Command` values; a controller carries
them out and reports back through `Ecs.task_event` and `Ecs.wake`. What the API does with services, container instances
and task definitions, and how tasks start, is in `services`, `instances`, `definitions` and `starts` beside it. Errors
and answers: Amazon ECS API reference, one page an action.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.model.ecs import definitions, instances, services, tagging, taskdef
from sandbox.model.ecs.cluster import Cluster, checked_name
from sandbox.model.ecs.container_instance import ContainerInstance, DropInstance, PublishInstance
from sandbox.model.ecs.errors import EcsError, invalid_parameter
from sandbox.model.ecs.messages import StopRequested, TaskCommand, TaskEvent
from sandbox.model.ecs.placement import Unplaced
from sandbox.model.ecs.registration import (
    Registered,
    RegistrationFailed,
    SetInstanceHealth,
    TargetHealthChanged,
    holder,
)
from sandbox.model.ecs.registration_requests import Lookups
from sandbox.model.ecs.service import Service, Wake
from sandbox.model.ecs.service_events import PublishService, ServiceSaid
from sandbox.model.ecs.settings import Settings
from sandbox.model.ecs.task import Task
from sandbox.model.ecs.taskdef import TaskDefinition
from sandbox.model.elb.target import Target, TargetHealth

Command = TaskCommand | PublishService | ServiceSaid | Wake | PublishInstance | DropInstance | Unplaced
Request = Mapping[str, Any]

STOPPED_TASKS_SHOWN_FOR = 3600.0  # "Stopped tasks only appear in the returned results for at least one hour"


@dataclass
class Ecs:
    """ECS of one account in one region.

    Args:
        account: Twelve digits.
        region: Such as "us-east-1".
        new_id: Gives a new id of 32 hexadecimal digits at each call.
        lookups: Knows target groups and registries.

    Attributes:
        tasks_by_service: Tasks by their ARN, by the ARN of the service that has started them.
    """

    account: str
    region: str
    new_id: Callable[[], str]
    clusters: dict[str, Cluster] = field(default_factory=dict)
    definitions: dict[str, list[TaskDefinition]] = field(default_factory=dict)
    definition_tags: dict[str, tagging.Tags] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    services: dict[str, Service] = field(default_factory=dict)
    lookups: Lookups = field(default_factory=Lookups)
    instances: dict[str, ContainerInstance] = field(default_factory=dict)
    settings: Settings = field(init=False)
    tasks_by_service: dict[str, dict[str, Task]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.settings = Settings(self.account)

    @property
    def arn_prefix(self) -> str:
        """What the ARN of everything here begins with."""
        return f"arn:aws:ecs:{self.region}:{self.account}"

    # -- clusters --

    def create_cluster(self, request: Request) -> Cluster:
        """CreateCluster; an existing one is returned as it is, as AWS does."""
        name = checked_name(request.get("clusterName") or "default", "Cluster name")
        cluster = self.clusters.get(name)
        if cluster is None or cluster.status != "ACTIVE":
            cluster = Cluster(name, f"{self.arn_prefix}:cluster/{name}", dict(request))
            self.clusters[name] = cluster
        return cluster

    def find_cluster(self, reference: str | None) -> Cluster:
        """The cluster with this name or ARN ("default" where none is given).

        Raises:
            EcsError: ClusterNotFoundException.
        """
        name = (reference or "default").rsplit("/", 1)[-1]
        cluster = self.clusters.get(name)
        if cluster is None or cluster.status != "ACTIVE":
            raise EcsError("ClusterNotFoundException", "Cluster not found.")
        return cluster

    def delete_cluster(self, reference: str) -> Cluster:
        """DeleteCluster; refused while services or tasks are in it."""
        cluster = self.find_cluster(reference)
        cluster.delete(*self._within(cluster))
        return cluster

    def put_cluster_capacity_providers(self, request: Request) -> Cluster:
        """PutClusterCapacityProviders."""
        cluster = self.find_cluster(request["cluster"])
        cluster.put_capacity_providers(request, self._within(cluster)[0])
        return cluster

    def describe_cluster(self, cluster: Cluster) -> dict[str, Any]:
        """The cluster as DescribeClusters shows it."""
        return cluster.describe(*self._within(cluster))

    def _within(self, cluster: Cluster) -> tuple[list[Task], list[Service], int]:
        tasks = [task for task in self.tasks.values() if task.cluster_arn == cluster.arn]
        services = [service for service in self.services.values() if service.cluster_arn == cluster.arn]
        listed = [one for one in self.instances.values() if one.cluster_arn == cluster.arn]
        return tasks, services, len([one for one in listed if one.status in {"ACTIVE", "DRAINING"}])

    # -- task definitions --

    def register_task_definition(self, request: Request, now: float) -> TaskDefinition:
        """RegisterTaskDefinition: the next revision of its family."""
        revisions = self.definitions.get(request.get("family") or "", [])
        definition = taskdef.register(request, arn_prefix=self.arn_prefix, revision=len(revisions) + 1, now=now)
        tags = tagging.checked(request.get("tags"))
        self.definitions.setdefault(definition.family, []).append(definition)
        self.definition_tags[definition.arn] = tags
        return definition

    def find_definition(self, reference: str) -> TaskDefinition:
        """The task definition with this family, ``family:revision`` or ARN.

        Raises:
            EcsError: ClientException, "Unable to describe task definition."
        """
        return definitions.find(self.definitions, reference)

    # -- tasks --

    def stop_task(self, request: Request, now: float) -> tuple[Task, list[Command]]:
        """StopTask: the task's containers get their stop signal."""
        cluster = self.find_cluster(request.get("cluster"))
        task = self.find_task(cluster, request.get("task", ""))
        reason = request.get("reason") or "Task stopped by user"
        return task, self.task_event(task.arn, StopRequested(reason, "UserInitiated"), now)

    def interrupt_spot(self, task_arn: str, now: float) -> list[Command]:
        """Fargate takes back the capacity of a Spot task: its containers get their stop signal at once.

        Source: developer guide "Amazon ECS clusters for Fargate" (Fargate Spot termination notices). stopTimeout, of
        120 s at most, bounds what is left; a service replaces the task as it does any that stops.

        Raises:
            EcsError: InvalidParameterException: there is no such task, it is not of FARGATE_SPOT, or it stops already.
        """
        task = self.tasks.get(task_arn)
        if task is None:
            raise invalid_parameter("The referenced task was not found.")
        if task.capacity_provider != "FARGATE_SPOT":
            raise invalid_parameter("Only tasks of the capacity provider FARGATE_SPOT are interrupted.")
        if task.desired_status == "STOPPED":
            raise invalid_parameter("The task is stopping already.")
        return self.task_event(task_arn, StopRequested("Your Spot Task was interrupted.", "SpotInterruption"), now)

    def find_task(self, cluster: Cluster, reference: str) -> Task:
        """The task with this id or ARN in the cluster.

        Raises:
            EcsError: InvalidParameterException, "The referenced task was not found."
        """
        arn = reference if reference.startswith("arn:") else f"{self.arn_prefix}:task/{cluster.name}/{reference}"
        task = self.tasks.get(arn)
        if task is None or task.cluster_arn != cluster.arn:
            raise invalid_parameter("The referenced task was not found.")
        return task

    def attachment_arn(self, task: Task) -> str:
        """The ARN of a task's attachment, which EC2 shows as the description of its network interface."""
        return f"{self.arn_prefix}:attachment/{task.attachment_id}"

    def list_tasks(self, request: Request) -> list[Task]:
        """ListTasks: by family, service, startedBy, container instance, launch type, desired status (else RUNNING)."""
        cluster = self.find_cluster(request.get("cluster"))
        desired = request.get("desiredStatus", "RUNNING")
        chosen: Iterable[Task] = (
            task for task in self.tasks.values() if task.cluster_arn == cluster.arn and task.desired_status == desired
        )
        if name := request.get("serviceName"):
            service = self.find_service(cluster, name)
            chosen = (task for task in chosen if task.service_name == service.name)
        if family := request.get("family"):
            chosen = (task for task in chosen if task.definition.family == family)
        if started_by := request.get("startedBy"):
            chosen = (task for task in chosen if task.started_by == started_by)
        if reference := request.get("containerInstance"):
            on = instances.find(self, cluster, reference).arn
            chosen = (task for task in chosen if task.host is not None and task.host.container_instance_arn == on)
        if launch_type := request.get("launchType"):
            chosen = (task for task in chosen if task.launch_type == launch_type)
        return list(chosen)

    # -- services --

    def find_service(self, cluster: Cluster, reference: str) -> Service:
        """The service with this name or ARN in the cluster; INACTIVE ones stay to be seen.

        Raises:
            EcsError: ServiceNotFoundException.
        """
        service = self.services.get(f"{self.arn_prefix}:service/{cluster.name}/{reference.rsplit('/', 1)[-1]}")
        if service is None:
            raise EcsError("ServiceNotFoundException", "Service not found.")
        return service

    def tasks_of(self, service: Service) -> list[Task]:
        """The tasks that a service has started, in order of creation."""
        return list(self.tasks_by_service.get(service.arn, {}).values())

    def service_of(self, task: Task) -> Service | None:
        """The service that has started a task; None for one that RunTask or StartTask has."""
        if not task.service_name:
            return None
        cluster = task.cluster_arn.rsplit("/", 1)[-1]
        return self.services.get(f"{self.arn_prefix}:service/{cluster}/{task.service_name}")

    # -- what happens --

    def task_event(self, task_arn: str, event: TaskEvent, now: float) -> list[Command]:
        """Something happened to a task; its service, where it has one, decides what follows."""
        task = self.tasks.get(task_arn)
        if task is None:  # forgotten
            return []
        had_run, desired, status = "startedAt" in task.times, task.desired_status, task.last_status
        awaited = task.registration.state == "asked"
        service = self.service_of(task)
        worth = service.standing(task) if service else None
        commands: list[Command] = list(task.handle(event, now))
        if task.host is not None and task.last_status == "STOPPED" != status:
            commands += [*self.host_changed(task), *self.capacity_changed(task.cluster_arn, now, but=service)]
        if service is None:
            return commands
        if awaited and isinstance(event, Registered | RegistrationFailed):
            service.events.registered(task, event, now)
        if any(isinstance(command, SetInstanceHealth) and not command.healthy for command in commands):
            service.events.instance_unhealthy(now)
        services.say_deregistered(self, service, commands, now)
        if not had_run and "startedAt" in task.times:
            commands += service.task_running(task)
        if task.desired_status != desired:
            commands += service.task_stopped(task, now)
        if service.settled and service.standing(task) is worth:  # it would decide what it has decided: nothing
            commands += service.events.take()
        else:
            commands += services.schedule(self, service, now)
        service.end_if_drained(self.tasks_of(service))
        return commands

    def target_health_changed(self, group_arn: str, target: Target, health: TargetHealth, now: float) -> list[Command]:
        """The load balancer says something else of a target, which may be nobody's here."""
        task = holder(list(self.tasks.values()), group_arn, target)
        return self.task_event(task.arn, TargetHealthChanged(group_arn, target, health), now) if task else []

    def wake(self, wake: Wake, now: float) -> list[Command]:
        """The time that a `Wake` asked for has come."""
        service = self.services[wake.service_arn]
        service.woken(wake.subject)
        return services.schedule(self, service, now)

    def capacity_changed(self, cluster_arn: str, now: float, but: Service | None = None) -> list[Command]:
        """The cluster's services (``but`` one) may have room for what they could not place, or fewer instances."""
        commands: list[Command] = []
        for service in self.services.values():
            concerned = service.cluster_arn == cluster_arn and service is not but and service.status == "ACTIVE"
            if concerned and service.primary.how.launch_type == "EC2":
                commands += services.schedule(self, service, now)
        return commands

    def host_changed(self, task: Task) -> list[Command]:
        """Its instance has other resources left than before."""
        if task.host is None:
            return []
        instance = self.instances[task.host.container_instance_arn]
        return [instances.changed(self, instance), *instances.empty(self, instance)]

    def forget_task(self, task_arn: str) -> None:
        """Show a stopped task no more; `STOPPED_TASKS_SHOWN_FOR` seconds after it has stopped is the time."""
        task = self.tasks.get(task_arn)
        if task is not None and task.last_status == "STOPPED":
            del self.tasks[task_arn]
            if (service := self.service_of(task)) is not None:
                del self.tasks_by_service[service.arn][task_arn]
