"""The whole of ECS: its API calls and what happens to tasks, as one state that turns both into commands.

`Ecs` is pure: it is told the time, draws its ids from a callable and returns `Command` values; a controller carries
them out and reports back through `Ecs.task_event` and `Ecs.wake`. Errors and answers: Amazon ECS API reference, one
page an action.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.model.ecs import definitions, instances, overrides, placement, service_requests, starts, tagging, taskdef
from sandbox.model.ecs.cluster import Cluster
from sandbox.model.ecs.container import Container
from sandbox.model.ecs.container_instance import ContainerInstance, DropInstance, PublishInstance
from sandbox.model.ecs.deployment import Deployment
from sandbox.model.ecs.errors import EcsError, client_exception, invalid_parameter
from sandbox.model.ecs.launch import Launch, launch
from sandbox.model.ecs.messages import Network, StopRequested, TaskCommand, TaskEvent
from sandbox.model.ecs.placement import Unplaced
from sandbox.model.ecs.ports import Binding
from sandbox.model.ecs.registration import (
    DeregisterTask,
    Registered,
    Registration,
    RegistrationFailed,
    SetInstanceHealth,
    TargetHealthChanged,
    holder,
)
from sandbox.model.ecs.registration_requests import Lookups
from sandbox.model.ecs.service import PublishService, Service, ServiceSaid, StartTask, StopTask, Wake
from sandbox.model.ecs.settings import Settings
from sandbox.model.ecs.task import Task
from sandbox.model.ecs.taskdef import TaskDefinition
from sandbox.model.elb.config import Target, TargetHealth

Command = TaskCommand | PublishService | ServiceSaid | Wake | PublishInstance | DropInstance | Unplaced
Request = Mapping[str, Any]

STOPPED_TASKS_SHOWN_FOR = 3600.0  # "Stopped tasks only appear in the returned results for at least one hour"
MAX_TASKS_A_CALL = 10  # RunTask count

_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")


@dataclass
class Ecs:
    """ECS of one account in one region.

    Args:
        account: Twelve digits.
        region: Such as "us-east-1".
        new_id: Gives a new id of 32 hexadecimal digits at each call.
        lookups: Knows target groups and registries.
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
    _tasks_by_service: dict[str, dict[str, Task]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.settings = Settings(self.account)

    @property
    def _arn(self) -> str:
        return f"arn:aws:ecs:{self.region}:{self.account}"

    # -- clusters --

    def create_cluster(self, request: Request) -> Cluster:
        """CreateCluster; an existing one is returned as it is, as AWS does."""
        name = _checked_name(request.get("clusterName") or "default", "Cluster name")
        cluster = self.clusters.get(name)
        if cluster is None or cluster.status != "ACTIVE":
            cluster = Cluster(name, f"{self._arn}:cluster/{name}", dict(request))
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
        return tasks, services, len(instances.listed(self, {"cluster": cluster.name}))

    # -- task definitions --

    def register_task_definition(self, request: Request, now: float) -> TaskDefinition:
        """RegisterTaskDefinition: the next revision of its family."""
        revisions = self.definitions.get(request.get("family") or "", [])
        definition = taskdef.register(request, arn_prefix=self._arn, revision=len(revisions) + 1, now=now)
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

    def run_task(self, request: Request, now: float) -> tuple[list[Task], list[Command]]:
        """RunTask: ``count`` new tasks; an `Unplaced` is among the commands where instances do not take them all."""
        cluster = self.find_cluster(request.get("cluster"))
        definition = self.runnable(request.get("taskDefinition", ""))
        count = int(request.get("count", 1))
        if not 1 <= count <= MAX_TASKS_A_CALL:
            raise invalid_parameter(f"Count must be between 1 and {MAX_TASKS_A_CALL}.")
        overridden = request.get("overrides") or {}
        definition = overrides.apply(definition, overridden)
        if (request.get("group") or "").startswith("service:"):
            raise invalid_parameter("Invalid namespace for group.")
        tagging.checked(request.get("tags"))
        if request.get("propagateTags") == "SERVICE":
            raise invalid_parameter("Tags of a service can not be propagated to a task that none has started.")
        how = launch(request, definition, cluster.default_strategy)
        if how.launch_type == "EC2" and not instances.standings(self, cluster.arn):
            raise invalid_parameter("No Container Instances were found in your cluster.")
        tasks: list[Task] = []
        commands: list[Command] = []
        for _ in range(count):
            task = self._new_task(
                cluster,
                definition,
                how,
                now,
                group=request.get("group") or f"family:{definition.family}",
                started_by=request.get("startedBy", ""),
                tags=tagging.of_new_task(self, request, definition.arn, cluster.name),
                overridden=overridden,
                execute_command=bool(request.get("enableExecuteCommand")),
            )
            if isinstance(task, Unplaced):
                commands.append(task)
                break
            tasks.append(task)
            commands += [*task.start(), *self.host_changed(task)]
        return tasks, commands

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
        arn = reference if reference.startswith("arn:") else f"{self._arn}:task/{cluster.name}/{reference}"
        task = self.tasks.get(arn)
        if task is None or task.cluster_arn != cluster.arn:
            raise invalid_parameter("The referenced task was not found.")
        return task

    def attachment_arn(self, task: Task) -> str:
        """The ARN of a task's attachment, which EC2 shows as the description of its network interface."""
        return f"{self._arn}:attachment/{task.attachment_id}"

    def list_tasks(self, request: Request) -> list[Task]:
        """ListTasks: by family, service, startedBy, container instance, launch type, desired status (else RUNNING)."""
        cluster = self.find_cluster(request.get("cluster"))
        desired = request.get("desiredStatus", "RUNNING")
        chosen: Iterable[Task] = (
            task for task in self.tasks.values() if task.cluster_arn == cluster.arn and task.desired_status == desired
        )
        if name := request.get("serviceName"):
            group = f"service:{self.find_service(cluster, name).name}"
            chosen = (task for task in chosen if task.group == group)
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

    def create_service(self, request: Request, now: float) -> tuple[Service, list[Command]]:
        """CreateService: the first tasks start at once."""
        cluster = self.find_cluster(request.get("cluster"))
        name = _checked_name(request.get("serviceName") or "", "Service name")
        arn = f"{self._arn}:service/{cluster.name}/{name}"
        status = self.services[arn].status if arn in self.services else ""
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
            definition=self.runnable(request.get("taskDefinition", "")),
            deployment_id=self._deployment_id(),
            now=now,
            lookups=self.lookups,
        )
        self.services[arn] = service
        return service, self._schedule(service, now)

    def update_service(self, request: Request, now: float) -> tuple[Service, list[Command]]:
        """UpdateService: its desired count, its configuration, or another version of it: a new deployment."""
        cluster = self.find_cluster(request.get("cluster"))
        service = self.find_service(cluster, request.get("service", ""))
        if service.status != "ACTIVE":
            raise EcsError("ServiceNotActiveException", "Service was not ACTIVE.")
        reference = request.get("taskDefinition")
        service_requests.update(
            service,
            request,
            default_strategy=cluster.default_strategy,
            definition=self.runnable(reference) if reference else None,
            deployment_id=self._deployment_id(),
            now=now,
            lookups=self.lookups,
        )
        return service, self._schedule(service, now)

    def delete_service(self, request: Request, now: float) -> tuple[Service, list[Command]]:
        """DeleteService: refused while tasks are wanted, unless forced; its tasks stop."""
        cluster = self.find_cluster(request.get("cluster"))
        service = self.find_service(cluster, request.get("service", ""))
        if service.status == "INACTIVE":
            raise EcsError("ServiceNotFoundException", "Service not found.")
        if service.desired_count > 0 and not service.is_daemon and not request.get("force"):
            raise invalid_parameter("The service cannot be stopped while it is scaled above 0.")
        service.status, service.desired_count = "DRAINING", 0
        commands = self._schedule(service, now)
        self._end_drained(service)
        return service, commands

    def find_service(self, cluster: Cluster, reference: str) -> Service:
        """The service with this name or ARN in the cluster; INACTIVE ones stay to be seen.

        Raises:
            EcsError: ServiceNotFoundException.
        """
        service = self.services.get(f"{self._arn}:service/{cluster.name}/{reference.rsplit('/', 1)[-1]}")
        if service is None:
            raise EcsError("ServiceNotFoundException", "Service not found.")
        return service

    def tasks_of(self, service: Service) -> list[Task]:
        """The tasks that a service has started, in order of creation."""
        return list(self._tasks_by_service.get(service.arn, {}).values())

    # -- what happens --

    def task_event(self, task_arn: str, event: TaskEvent, now: float) -> list[Command]:
        """Something happened to a task; its service, where it has one, decides what follows."""
        task = self.tasks.get(task_arn)
        if task is None:  # forgotten
            return []
        had_run, desired, status = "startedAt" in task.times, task.desired_status, task.last_status
        awaited = task.registration.state == "asked"
        commands: list[Command] = list(task.handle(event, now))
        service = self._service_of(task)
        if task.host is not None and task.last_status == "STOPPED" != status:
            commands += [*self.host_changed(task), *self.capacity_changed(task.cluster_arn, now, but=service)]
        if service is None:
            return commands
        if awaited and isinstance(event, Registered | RegistrationFailed):
            service.say_registration(task, event, now)
        if any(isinstance(command, SetInstanceHealth) and not command.healthy for command in commands):
            service.instance_unhealthy(now)
        self._say_deregistered(service, commands, now)
        if not had_run and "startedAt" in task.times:
            commands += service.task_running(task)
        if task.desired_status != desired:
            commands += service.task_stopped(task, now)
        commands += self._schedule(service, now)
        self._end_drained(service)
        return commands

    def target_health_changed(self, group_arn: str, target: Target, health: TargetHealth, now: float) -> list[Command]:
        """The load balancer says something else of a target, which may be nobody's here."""
        task = holder(list(self.tasks.values()), group_arn, target)
        return self.task_event(task.arn, TargetHealthChanged(group_arn, target, health), now) if task else []

    def wake(self, wake: Wake, now: float) -> list[Command]:
        """The time that a `Wake` asked for has come."""
        service = self.services[wake.service_arn]
        service.woken(wake.subject)
        return self._schedule(service, now)

    def capacity_changed(self, cluster_arn: str, now: float, but: Service | None = None) -> list[Command]:
        """There may be room for what the cluster's services (``but`` one) could not place."""
        commands: list[Command] = []
        for service in self.services.values():
            concerned = service.cluster_arn == cluster_arn and service is not but and service.status == "ACTIVE"
            if concerned and service.primary.how.launch_type == "EC2":
                commands += self._schedule(service, now)
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
            if (service := self._service_of(task)) is not None:
                del self._tasks_by_service[service.arn][task_arn]

    def _schedule(self, service: Service, now: float) -> list[Command]:
        commands: list[Command] = []
        started: list[Task] = []
        running: list[Task] = []
        pending = unhealthy = 0
        unplaced: Unplaced | None = None
        primary = service.primary
        if service.is_daemon and service.status == "ACTIVE":
            service.desired_count = placement.eligible(
                primary.definition, primary.how.rules, instances.standings(self, service.cluster_arn)
            )
        for decision in service.decide(self.tasks_of(service), now):
            match decision:
                case StartTask(deployment, replaces_unhealthy):
                    new = self._new_task_of(service, deployment, now)
                    if isinstance(new, Unplaced):
                        unplaced = new
                        continue
                    started.append(new)
                    unhealthy += replaces_unhealthy
                    commands += [*new.start(), *self.host_changed(new)]
                case StopTask(arn, reason):
                    task = self.tasks[arn]
                    if task.last_status == "RUNNING":
                        running.append(task)
                    else:
                        pending += 1
                    commands += task.handle(StopRequested(reason, "ServiceSchedulerInitiated"), now)
                    commands += service.task_stopped(task, now)
        if started:
            service.say_started(started, unhealthy, now)
        service.say_stopped(running, pending, now)
        self._say_deregistered(service, commands, now)
        commands += service.say_unplaced(unplaced, now)
        commands += service.take_news()
        if service.primary is not primary:  # an unhealthy task was one too many, and the service rolls back
            commands += self._schedule(service, now)
        return commands

    def _say_deregistered(self, service: Service, commands: Iterable[Command], now: float) -> None:
        leaving = [command for command in commands if isinstance(command, DeregisterTask)]
        service.say_deregistered(leaving, self.tasks, now)

    def _end_drained(self, service: Service) -> None:
        if service.status == "DRAINING" and all(t.last_status == "STOPPED" for t in self.tasks_of(service)):
            service.status = "INACTIVE"

    def _service_of(self, task: Task) -> Service | None:
        if not task.group.startswith("service:"):
            return None
        cluster = task.cluster_arn.rsplit("/", 1)[-1]
        return self.services.get(f"{self._arn}:service/{cluster}/{task.group.removeprefix('service:')}")

    def _deployment_id(self) -> str:
        return f"ecs-svc/{int(self.new_id()[-15:], 16) % 10**19:019d}"

    def _new_task_of(self, service: Service, deployment: Deployment, now: float) -> Task | Unplaced:
        cluster = self.clusters[service.cluster_arn.rsplit("/", 1)[-1]]
        task = self._new_task(
            cluster,
            deployment.definition,
            deployment.how,
            now,
            group=f"service:{service.name}",
            started_by=deployment.id,
            tags=tagging.of_new_task(self, service.raw, deployment.definition.arn, cluster.name, service.name),
            execute_command=bool(service.raw.get("enableExecuteCommand")),
        )
        if isinstance(task, Task):
            task.registration = Registration(deployment.registrations, self.lookups.deregistration_delay)
            self._tasks_by_service.setdefault(service.arn, {})[task.arn] = task
        return task

    def _new_task(
        self, cluster: Cluster, definition: TaskDefinition, how: Launch, now: float, *, group: str, **more: Any
    ) -> Task | Unplaced:
        """A task on Fargate, or on the instance that placement finds."""
        if how.launch_type != "EC2":
            return self.make_task(cluster, definition, how, now, group=group, **more)
        found = placement.place(
            definition,
            how.rules,
            group,
            instances.standings(self, cluster.arn),
            lambda below: int(self.new_id(), 16) % below,
        )
        if isinstance(found, Unplaced):
            return found
        return self.make_task(cluster, definition, how, now, group=group, instance=found, **more)

    def make_task(
        self,
        cluster: Cluster,
        definition: TaskDefinition,
        how: Launch,
        now: float,
        *,
        group: str,
        started_by: str,
        tags: Sequence[Mapping[str, str]],
        overridden: Mapping[str, Any] | None = None,
        execute_command: bool = False,
        instance: ContainerInstance | None = None,
    ) -> Task:
        """A new task, on Fargate or on the ``instance`` that has been found for it."""
        task_id = self.new_id()
        containers = {
            container.name: Container(
                container.name,
                f"{self._arn}:container/{cluster.name}/{task_id}/{_uuid(self.new_id())}",
                container.image,
            )
            for container in definition.containers
        }
        network = how.network
        bindings: Mapping[str, tuple[Binding, ...]] = {}
        if instance is not None:
            bindings = starts.bind(self, instance, definition)
            if network is not None:  # its interface is in the instance's subnet
                network = Network((instance.launched.subnet_id,), network.security_groups, assign_public_ip=False)
        task = Task(
            f"{self._arn}:task/{cluster.name}/{task_id}",
            cluster.arn,
            definition,
            network,
            _uuid(self.new_id()),
            group,
            how.launch_type,
            how.capacity_provider,
            started_by,
            now,
            containers,
            tags=tuple(tags),
            overrides=overridden or {},
            execute_command=execute_command,
            host=instance.host if instance else None,
            bindings=bindings,
        )
        self.tasks[task.arn] = task
        return task

    def runnable(self, reference: str) -> TaskDefinition:
        """The task definition with this reference, as a request to run it names it.

        Raises:
            EcsError: ClientException: there is none, or it is INACTIVE.
        """
        try:
            definition = self.find_definition(reference)
        except EcsError:
            raise client_exception("TaskDefinition not found.") from None
        if not definition.active:
            raise client_exception("TaskDefinition is inactive")
        return definition


def _checked_name(name: str, what: str) -> str:
    if not _NAME.fullmatch(name):
        raise invalid_parameter(
            f"{what} contains invalid characters: up to 255 letters (uppercase and lowercase), numbers, hyphens, "
            "and underscores are allowed."
        )
    return name


def _uuid(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
