"""Carries out what ECS decides of one task: an ENI container that owns the network namespace, and the task's
containers joined to it, as in awsvpc mode (localhost reaches the neighbours).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from docker.types import Mount

from sandbox.aws.protocol import AwsError
from sandbox.controllers.interfaces import Eni, ImageSource, Interfaces
from sandbox.engine.containers import Containers, Exit, Spec
from sandbox.errors import SandboxError
from sandbox.model.ecs.messages import (
    ContainerExited,
    ContainerFailed,
    ContainerStarted,
    EniAttached,
    EniDetached,
    EniFailed,
    ImagePulled,
    Network,
    TaskEvent,
)
from sandbox.model.ecs.taskdef import ContainerDefinition, TaskDefinition
from sandbox.timeline import Timeline

LABEL_TASK = "aws-container-sandbox.task"
LABEL_CONTAINER = "aws-container-sandbox.container"
# ECS sets this one itself; it also tells the containers of a task apart in `docker ps`.
LABEL_ECS_CONTAINER = "com.amazonaws.ecs.container-name"

Report = Callable[[str, TaskEvent], None]


@dataclass
class _TaskHost:
    """What a task has on this machine."""

    definition: TaskDefinition
    eni: Eni | None = None
    containers: dict[str, str] = field(default_factory=dict)
    volumes: list[str] = field(default_factory=list)
    starts: dict[str, Future[None]] = field(default_factory=dict)
    given_up: bool = False


class TaskRunner:
    """Runs tasks on Docker. Its methods block; the controller calls them on its pool.

    Args:
        containers: The run's.
        interfaces: Where the tasks' network interfaces come from.
        images: Where images come from.
        environment: What every container gets beside its own: the endpoint and dummy credentials.
        report: Told what happened to which task.
        timeline: Gets ``container.exited`` with the last log lines.
    """

    def __init__(
        self,
        containers: Containers,
        interfaces: Interfaces,
        images: ImageSource,
        environment: Mapping[str, str],
        report: Report,
        timeline: Timeline,
    ) -> None:
        self._containers = containers
        self._interfaces = interfaces
        self._images = images
        self._environment = environment
        self._report = report
        self._timeline = timeline
        self._hosts: dict[str, _TaskHost] = {}

    # -- network interface --

    def attach(self, task_arn: str, definition: TaskDefinition, network: Network, attachment_arn: str) -> None:
        """Make the interface in EC2's records, described by its attachment's ARN, and the container that has it."""
        host = _TaskHost(definition)
        self._hosts[task_arn] = host
        try:
            host.eni = self._interfaces.attach(network, attachment_arn, {LABEL_TASK: task_arn})
        except (SandboxError, AwsError) as error:
            reason = "ResourceInitializationError: unable to provision the network interface"
            self._report(task_arn, EniFailed(f"{reason}: {error}"))
            return
        self._report(task_arn, EniAttached(host.eni.shown()))

    def detach(self, task_arn: str) -> None:
        """Remove the task's containers, volumes and interface."""
        host = self._hosts[task_arn]
        for container_id in host.containers.values():
            self._containers.remove(container_id)
        for volume in host.volumes:
            self._containers.remove_volume(volume)
        if host.eni is not None:
            self._interfaces.remove(host.eni)
        self._report(task_arn, EniDetached())

    # -- containers --

    def expect_start(self, task_arn: str, name: str, start: Future[None]) -> None:
        """Remember the start under way, so that a stop can wait for it."""
        self._hosts[task_arn].starts[name] = start

    def start(self, task_arn: str, name: str) -> None:
        """Get the image and start the container."""
        host = self._hosts[task_arn]
        definition = host.definition.container(name)
        try:
            image = self._images.resolve(definition.image)
        except SandboxError as error:
            self._failed(task_arn, name, "CannotPullContainerError", error)
            return
        self._report(task_arn, ImagePulled(name, self._digest(image)))
        if host.given_up:
            self._report(task_arn, ContainerFailed(name, "The task was stopped before the container was started"))
            return
        try:
            container_id = self._containers.create(self._spec(task_arn, host, definition, image))
            host.containers[name] = container_id
            self._containers.start(container_id)
        except SandboxError as error:
            self._failed(task_arn, name, "CannotStartContainerError", error)
            return
        self._report(task_arn, ContainerStarted(name, container_id))

    def _failed(self, task_arn: str, name: str, kind: str, error: SandboxError) -> None:
        reason = f"{kind}: {error.message}" + (f": {error.state}" if error.state else "")
        self._timeline.record(
            "container.failed", task=task_arn, container=name, reason=reason, log=error.log, hint=error.hint
        )
        self._report(task_arn, ContainerFailed(name, reason))

    def stop(self, task_arn: str, name: str, timeout: float) -> None:
        """Stop a container, waiting for its start first where that is still under way."""
        host = self._hosts[task_arn]
        host.given_up = True
        host.starts[name].result()
        if name in host.containers:
            self._containers.stop(host.containers[name], timeout)

    def exited(self, end: Exit) -> None:
        """The engine says that a container has ended: keep its last log lines and tell ECS."""
        task_arn, name = end.labels.get(LABEL_TASK), end.labels.get(LABEL_CONTAINER)
        if not task_arn or not name or task_arn not in self._hosts:
            return
        self._timeline.record(
            "container.exited",
            task=task_arn,
            container=name,
            exit_code=end.exit_code,
            log=self._containers.log_tail(end.container_id),
        )
        self._report(task_arn, ContainerExited(name, end.exit_code))

    def logs(self, task_arn: str, lines: int = 20) -> dict[str, list[str]]:
        """The last log lines of each container of a task that is still there."""
        host = self._hosts.get(task_arn)
        return {
            name: self._containers.log_tail(container_id, lines)
            for name, container_id in (host.containers.items() if host else ())
        }

    def public_ip(self, task_arn: str) -> str:
        """The task's public address ("" where it has none)."""
        host = self._hosts.get(task_arn)
        return host.eni.public_ip if host and host.eni else ""

    def _spec(self, task_arn: str, host: _TaskHost, definition: ContainerDefinition, image: str) -> Spec:
        assert host.eni is not None  # containers start once it is attached
        raw = definition.raw
        memory = raw.get("memory") or host.definition.raw.get("memory")
        return Spec(
            f"{task_arn.rsplit('/', 1)[-1][:8]}-{definition.name}",
            image,
            command=raw.get("command") or None,
            entrypoint=raw.get("entryPoint") or None,
            environment={**self._environment, **{item["name"]: item.get("value", "") for item in raw["environment"]}},
            user=raw.get("user", ""),
            working_dir=raw.get("workingDirectory"),
            network_of=host.eni.container,
            mounts=[
                *self._interfaces.name_files(host.eni),
                *(self._mount(task_arn, host, mount) for mount in raw["mountPoints"]),
            ],
            memory=int(memory) if memory else None,
            cpu_shares=raw["cpu"] or None,
            ulimits=[
                {"name": item["name"], "soft": item["softLimit"], "hard": item["hardLimit"]}
                for item in raw.get("ulimits", ())
            ],
            read_only=bool(raw.get("readonlyRootFilesystem", False)),
            labels={
                **raw.get("dockerLabels", {}),
                LABEL_TASK: task_arn,
                LABEL_CONTAINER: definition.name,
                LABEL_ECS_CONTAINER: definition.name,
            },
        )

    def _mount(self, task_arn: str, host: _TaskHost, mount: Mapping[str, Any]) -> Mount:
        volume = next(v for v in host.definition.raw["volumes"] if v["name"] == mount["sourceVolume"])
        efs = volume.get("efsVolumeConfiguration")
        if efs:
            name = self._containers.create_volume(efs_volume(efs["fileSystemId"], efs.get("rootDirectory", "/")))
        else:
            name = self._containers.create_volume(f"{task_arn.rsplit('/', 1)[-1][:8]}-{volume['name']}")
            if name not in host.volumes:
                host.volumes.append(name)
        # An EFS mount hides what the image has at that path; a task's own volume starts with a copy of it.
        return Mount(
            mount["containerPath"],
            name,
            type="volume",
            read_only=bool(mount.get("readOnly", False)),
            no_copy=bool(efs),
        )

    def _digest(self, image: str) -> str:
        return str(self._containers.client.api.inspect_image(image)["Id"])


def efs_volume(file_system: str, directory: str) -> str:
    """The name of the volume that stands for a directory of an EFS file system."""
    return f"efs-{file_system}" + "".join(f"-{part}" for part in directory.split("/") if part)
