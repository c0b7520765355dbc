"""One task: its life cycle as a state machine.

Events come in (`EniAttached`, `ContainerStarted`, ...), commands go out (`AttachEni`, `StartContainer`, ...), and the
task's own fields always say what DescribeTasks would. Life cycle: developer guide "Amazon ECS task lifecycle":
PROVISIONING, PENDING, ACTIVATING, RUNNING, DEACTIVATING, STOPPING, DEPROVISIONING, STOPPED. ACTIVATING and
DEACTIVATING belong to target groups and service discovery; a task that has neither passes by them. STOPPING shows in
DescribeTasks and makes no event: the events of a Fargate task that is told to stop are RUNNING with desiredStatus
STOPPED (version 4), DEPROVISIONING (5) and STOPPED (6).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.model.ecs.messages import (
    AttachEni,
    ContainerExited,
    ContainerFailed,
    ContainerStarted,
    DetachEni,
    EniAttached,
    EniDetached,
    EniFailed,
    ImagePulled,
    Interface,
    Network,
    PublishTask,
    StartContainer,
    StopContainer,
    StopRequested,
    TaskCommand,
    TaskEvent,
)
from sandbox.model.ecs.taskdef import TaskDefinition

STATUSES = (
    "PROVISIONING",
    "PENDING",
    "ACTIVATING",
    "RUNNING",
    "DEACTIVATING",
    "STOPPING",
    "DEPROVISIONING",
    "STOPPED",
)


@dataclass
class Container:
    """A container of a task. ``status`` is PENDING, RUNNING or STOPPED."""

    name: str
    arn: str
    image: str
    status: str = "PENDING"
    runtime_id: str | None = None
    digest: str | None = None
    exit_code: int | None = None
    reason: str = ""
    pulled: bool = False


@dataclass
class Task:
    """A task and everything ECS knows of it. Times are seconds since the epoch.

    Make one with `start`; afterwards only `handle` changes it.
    """

    arn: str
    cluster_arn: str
    definition: TaskDefinition
    network: Network
    attachment_id: str
    group: str
    launch_type: str
    capacity_provider: str | None
    started_by: str
    created_at: float
    containers: dict[str, Container]
    tags: tuple[Mapping[str, str], ...] = ()
    last_status: str = "PROVISIONING"
    desired_status: str = "RUNNING"
    version: int = 1
    attachment_status: str = "PRECREATED"
    interface: Interface | None = None
    stop_code: str = ""
    stopped_reason: str = ""
    times: dict[str, float] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The last part of the ARN, 32 hexadecimal digits."""
        return self.arn.rsplit("/", 1)[-1]

    def start(self) -> list[TaskCommand]:
        """The first commands of a new task."""
        return [self._publish(), AttachEni(self.arn, self.network)]

    def handle(self, event: TaskEvent, now: float) -> list[TaskCommand]:
        """Take one event and say what has to be done.

        Events that come late or twice (a container that started after the task was given up) change nothing that is
        final.
        """
        commands: list[TaskCommand] = []
        match event:
            case EniAttached(interface) if self.last_status == "PROVISIONING":
                commands = self._attached(interface, now)
            case EniFailed(reason) if self.last_status == "PROVISIONING":
                commands = self._attach_failed(reason, now)
            case EniDetached() if self.last_status == "DEPROVISIONING":
                commands = self._stopped(now)
            case ImagePulled(name, digest):
                self._pulled(name, digest, now)
            case ContainerStarted(name, runtime_id):
                commands = self._container_started(name, runtime_id, now)
            case ContainerFailed(name, reason):
                commands = self._container_failed(name, reason, now)
            case ContainerExited(name, exit_code, reason):
                commands = self._container_exited(name, exit_code, reason, now)
            case StopRequested(reason, stop_code):
                commands = self._stop(stop_code, reason, now)
        return commands

    # -- starting --

    def _attached(self, interface: Interface, now: float) -> list[TaskCommand]:
        self.interface = interface
        self.attachment_status = "ATTACHED"
        self.times["connectivityAt"] = now
        if self.desired_status == "STOPPED":
            self._stop_containers_that_never_ran()
            return self._deprovision(now)
        self.times["pullStartedAt"] = now
        return [self._move("PENDING"), *(StartContainer(self.arn, name) for name in self.containers)]

    def _attach_failed(self, reason: str, now: float) -> list[TaskCommand]:
        self._give_up("TaskFailedToStart", reason, now)
        self._stop_containers_that_never_ran()
        return self._stopped(now)

    def _pulled(self, name: str, digest: str, now: float) -> None:
        container = self.containers[name]
        container.pulled, container.digest = True, digest
        if all(other.pulled for other in self.containers.values()):
            self.times.setdefault("pullStoppedAt", now)

    def _container_started(self, name: str, runtime_id: str, now: float) -> list[TaskCommand]:
        container = self.containers[name]
        container.runtime_id = runtime_id
        if container.status != "PENDING":  # it has exited before its start was reported
            return []
        container.status = "RUNNING"
        return self._running_if_complete(now)

    def _running_if_complete(self, now: float) -> list[TaskCommand]:
        complete = all(container.status != "PENDING" for container in self.containers.values())
        if self.last_status == "PENDING" and self.desired_status == "RUNNING" and complete:
            self.times["startedAt"] = now
            return [self._move("RUNNING")]
        return []

    # -- stopping --

    def _container_failed(self, name: str, reason: str, now: float) -> list[TaskCommand]:
        container = self.containers[name]
        if container.status != "PENDING":
            return []
        container.status, container.reason = "STOPPED", reason
        # One container that cannot be started is the end of the task, essential or not.
        return self._stop("TaskFailedToStart", reason, now) or self._deprovision_if_empty(now)

    def _container_exited(self, name: str, exit_code: int, reason: str, now: float) -> list[TaskCommand]:
        container = self.containers[name]
        if container.status == "STOPPED":
            return []
        # What has exited has run, also where its start is reported after its end: "the task already moved to the
        # RUNNING state" ("Service throttle logic").
        container.status = "RUNNING"
        commands = self._running_if_complete(now)
        container.status, container.exit_code, container.reason = "STOPPED", exit_code, reason
        if self.desired_status == "STOPPED":
            return self._deprovision_if_empty(now)
        if self.definition.container(name).essential or self._all_stopped():
            return commands + self._stop("EssentialContainerExited", "Essential container in task exited", now)
        # "A container in the task changes state" is an event of its own.
        return [*commands, self._changed()]

    def _stop(self, code: str, reason: str, now: float) -> list[TaskCommand]:
        if self.desired_status == "STOPPED":
            return []
        self._give_up(code, reason, now)
        commands: list[TaskCommand] = [self._changed()]
        if self.last_status == "PROVISIONING":
            return commands  # the interface is on its way; it is taken down when it has come
        if self._all_stopped():
            return commands + self._deprovision(now)
        self.last_status = "STOPPING"  # without an event, see above
        commands.extend(
            StopContainer(self.arn, container.name, self.definition.container(container.name).stop_timeout)
            for container in self.containers.values()
            if container.status != "STOPPED"
        )
        return commands

    def _give_up(self, code: str, reason: str, now: float) -> None:
        if self.desired_status == "RUNNING":
            self.desired_status = "STOPPED"
            self.stop_code, self.stopped_reason = code, reason
            self.times["stoppingAt"] = now

    def _stop_containers_that_never_ran(self) -> None:
        for container in self.containers.values():
            container.status = "STOPPED"

    def _all_stopped(self) -> bool:
        return all(container.status == "STOPPED" for container in self.containers.values())

    def _deprovision_if_empty(self, now: float) -> list[TaskCommand]:
        if self.last_status in {"PENDING", "RUNNING", "STOPPING"} and self._all_stopped():
            return self._deprovision(now)
        return []

    def _deprovision(self, now: float) -> list[TaskCommand]:
        self.times["executionStoppedAt"] = now
        self.attachment_status = "DETACHING"
        return [self._move("DEPROVISIONING"), DetachEni(self.arn)]

    def _stopped(self, now: float) -> list[TaskCommand]:
        self.attachment_status = "DELETED"
        self.times["stoppedAt"] = now
        return [self._move("STOPPED")]

    # -- showing --

    def _move(self, status: str) -> PublishTask:
        self.last_status = status
        return self._changed()

    def _changed(self) -> PublishTask:
        self.version += 1
        return self._publish()

    def _publish(self) -> PublishTask:
        return PublishTask(self.arn, self.describe())

    def describe(self) -> dict[str, Any]:
        """The task as DescribeTasks shows it (API reference "Task"); times are seconds since the epoch."""
        shown: dict[str, Any] = {
            "taskArn": self.arn,
            "clusterArn": self.cluster_arn,
            "taskDefinitionArn": self.definition.arn,
            "group": self.group,
            "startedBy": self.started_by or None,
            "availabilityZone": self.interface.availability_zone if self.interface else None,
            "cpu": self.definition.raw.get("cpu"),
            "memory": self.definition.raw.get("memory"),
            "launchType": self.launch_type,
            "capacityProviderName": self.capacity_provider,
            "platformVersion": "1.4.0",
            "platformFamily": "Linux",
            "ephemeralStorage": self.definition.raw.get("ephemeralStorage", {"sizeInGiB": 20}),
            "lastStatus": self.last_status,
            "desiredStatus": self.desired_status,
            "connectivity": "CONNECTED" if self.interface else None,
            "createdAt": self.created_at,
            "version": self.version,
            "stopCode": self.stop_code or None,
            "stoppedReason": self.stopped_reason or None,
            **self.times,
            "overrides": {
                "containerOverrides": [{"name": name} for name in self.containers],
                "inferenceAcceleratorOverrides": [],
            },
            "tags": [dict(tag) for tag in self.tags],
            "attachments": [self._attachment()],
            "containers": [self._describe_container(container) for container in self.containers.values()],
            "healthStatus": "UNKNOWN",
            "enableExecuteCommand": False,
        }
        return {name: value for name, value in shown.items() if value is not None}

    def _attachment(self) -> dict[str, Any]:
        details = [{"name": "subnetId", "value": self.network.subnets[0]}]
        if self.interface is not None:
            details = [
                {"name": "subnetId", "value": self.interface.subnet_id},
                {"name": "networkInterfaceId", "value": self.interface.id},
                {"name": "macAddress", "value": self.interface.mac_address},
                {"name": "privateDnsName", "value": self.interface.private_dns_name},
                {"name": "privateIPv4Address", "value": self.interface.private_ip},
            ]
        return {
            "id": self.attachment_id,
            "type": "ElasticNetworkInterface",
            "status": self.attachment_status,
            "details": details,
        }

    def _describe_container(self, container: Container) -> dict[str, Any]:
        definition = self.definition.container(container.name).raw
        interfaces = []
        if self.interface is not None:
            interfaces = [{"attachmentId": self.attachment_id, "privateIpv4Address": self.interface.private_ip}]
        shown = {
            "containerArn": container.arn,
            "taskArn": self.arn,
            "name": container.name,
            "image": container.image,
            "imageDigest": container.digest,
            "runtimeId": container.runtime_id,
            "lastStatus": container.status,
            "exitCode": container.exit_code,
            "reason": container.reason or None,
            "networkBindings": [],
            "networkInterfaces": interfaces,
            "healthStatus": "UNKNOWN",
            "cpu": str(definition.get("cpu", 0)),
            "memory": None if definition.get("memory") is None else str(definition["memory"]),
        }
        return {name: value for name, value in shown.items() if value is not None}
