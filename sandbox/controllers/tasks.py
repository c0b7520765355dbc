"""Carries out what ECS decides of one task: an ENI container that owns the network namespace, and the task's
containers joined to it, as in awsvpc mode (localhost reaches the neighbours).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING

from docker.errors import APIError

from sandbox.aws.protocol import AwsError
from sandbox.controllers.container_logs import ContainerLogs
from sandbox.controllers.container_specs import LABEL_CONTAINER, LABEL_TASK, ContainerSpecs, TaskHost
from sandbox.controllers.interfaces import ImageSource, Interfaces
from sandbox.controllers.resources import TaskResources, Unavailable
from sandbox.engine.containers import Containers, Exit, HealthReport, Spec
from sandbox.errors import SandboxError
from sandbox.model.ecs.health import Health
from sandbox.model.ecs.messages import (
    ContainerExited,
    ContainerFailed,
    ContainerStarted,
    EniAttached,
    EniDetached,
    EniFailed,
    HealthChanged,
    Host,
    ImagePulled,
    InstanceLeft,
    Network,
    ResourcesFailed,
    ResourcesReady,
    TaskEvent,
)
from sandbox.model.ecs.ports import Binding
from sandbox.model.ecs.taskdef import TaskDefinition
from sandbox.timeline import Timeline

if TYPE_CHECKING:
    from sandbox.controllers.container_instances import InstanceHost

_OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"

Report = Callable[[str, TaskEvent], None]

Hold = Callable[[str, str, Callable[[], bool]], None]
"""Returns when a container may start, or when the function says that it will not: its task's ARN, its name."""

Change = Callable[[str, str, Spec], Spec]
"""What a container is to be instead: its task's ARN, its name, what it would be. Raises SandboxError if it cannot."""


class TaskRunner:
    """Runs tasks on Docker. Its methods block; the controller calls them on its pool.

    Args:
        containers: The run's.
        interfaces: Where the tasks' network interfaces come from.
        images: Where images come from.
        specs: Makes what the engine is asked for.
        resources: Where secrets, environment files and log streams come from.
        logs: Takes the output of containers with a log configuration.
        report: Told what happened to which task.
        instance_host: What a container instance has on this machine, by its EC2 instance.
        timeline: Gets ``container.exited`` with the last log lines, ``container.health``, ``container.failed``.
    """

    def __init__(
        self,
        containers: Containers,
        interfaces: Interfaces,
        images: ImageSource,
        specs: ContainerSpecs,
        resources: TaskResources,
        logs: ContainerLogs,
        report: Report,
        instance_host: Callable[[str], InstanceHost],
        timeline: Timeline,
    ) -> None:
        self._instance_host = instance_host
        self._containers = containers
        self._interfaces = interfaces
        self._images = images
        self._specs = specs
        self._resources = resources
        self._logs = logs
        self._report = report
        self._timeline = timeline
        self._hosts: dict[str, TaskHost] = {}
        self._holds: list[Hold] = []
        self._changes: list[Change] = []

    # -- network interface --

    def attach(
        self,
        task_arn: str,
        definition: TaskDefinition,
        network: Network,
        attachment_arn: str,
        instance: Host | None = None,
    ) -> None:
        """Make the interface in EC2's records, described by its attachment's ARN, and the container that has it.

        ``instance`` is the task's container instance (None: it is on Fargate).
        """
        instance_id = instance.ec2_instance_id if instance else ""
        host = TaskHost(definition, instance_id=instance_id)
        self._hosts[task_arn] = host
        try:
            host.eni = self._interfaces.attach(network, attachment_arn, {LABEL_TASK: task_arn}, instance_id)
        except (SandboxError, AwsError) as error:
            reason = "ResourceInitializationError: unable to provision the network interface"
            self._report(task_arn, EniFailed(f"{reason}: {error}"))
            return
        self._report(task_arn, EniAttached(host.eni.shown()))

    def detach(self, task_arn: str) -> None:
        """Remove the task's containers, volumes and interface."""
        self._remove(self._hosts[task_arn])
        self._report(task_arn, EniDetached())

    def enter(
        self, task_arn: str, definition: TaskDefinition, instance: Host, bindings: Mapping[str, Sequence[Binding]]
    ) -> None:
        """Take a task on that has no interface of its own. It does not block."""
        place = self._instance_host(instance.ec2_instance_id)
        mode = definition.network_mode
        self._hosts[task_arn] = TaskHost(
            definition,
            place.eni if mode == "host" else None,
            owns_eni=False,
            instance_id=instance.ec2_instance_id,
            bridge=place.bridge if mode == "bridge" else None,
            bindings=bindings,
        )

    def leave(self, task_arn: str) -> None:
        """Remove what such a task has."""
        self._remove(self._hosts[task_arn])
        self._report(task_arn, InstanceLeft())

    def _remove(self, host: TaskHost) -> None:
        for start in host.starts.values():
            start.result()  # a container may have ended before its start was over, and its log is not followed yet
        for container_id in host.containers.values():
            self._logs.finish(container_id)
            self._containers.remove(container_id)
        for volume in host.volumes:
            self._containers.remove_volume(volume)
        if host.eni is not None and host.owns_eni:
            self._interfaces.remove(host.eni)
        for name, address in host.addresses.items():
            self._close(host, name, address)
        for file in host.hosts_files:
            file.unlink(missing_ok=True)

    def _close(self, host: TaskHost, name: str, address: str) -> None:
        assert host.bridge is not None  # only there containers have addresses
        with contextlib.suppress(SandboxError):  # the instance is gone, and its ports with it
            host.bridge.close(address, host.bindings.get(name, ()))
        host.bridge.give_back(address)

    def prepare(self, task_arn: str) -> None:
        """Look up what the containers need of AWS, and make their log streams."""
        host = self._hosts[task_arn]
        try:
            host.environment = self._resources.prepare(task_arn.rsplit("/", 1)[-1], host.definition)
        except Unavailable as error:
            self._report(task_arn, ResourcesFailed(str(error)))
            return
        self._report(task_arn, ResourcesReady())

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
        for hold in tuple(self._holds):
            hold(task_arn, name, lambda: host.given_up)
        if host.given_up:
            self._report(task_arn, ContainerFailed(name, "The task was stopped before the container was started"))
            return
        try:
            if host.bridge is not None:
                host.addresses[name] = host.bridge.take()
                host.bridge.publish(host.addresses[name], host.bindings.get(name, ()))
            spec = self._changed(task_arn, name, self._specs.make(task_arn, host, definition, image))
            container_id = self._containers.create(spec)
        except SandboxError as error:
            self._failed(task_arn, name, "CannotCreateContainerError", error)
            return
        host.containers[name] = container_id
        try:
            self._containers.start(container_id)
        except SandboxError as error:
            self._failed(task_arn, name, "CannotStartContainerError", error)
            return
        if definition.log is not None:
            self._logs.follow(container_id, definition.log, definition.log.stream(name, task_arn.rsplit("/", 1)[-1]))
        self._report(task_arn, ContainerStarted(name, container_id, host.addresses.get(name, "")))

    def hold_starts(self, hold: Hold) -> Callable[[], None]:
        """Have containers start when ``hold`` returns; the returned function ends that for those that come."""
        self._holds.append(hold)
        return lambda: self._holds.remove(hold)

    def change_starts(self, change: Change) -> Callable[[], None]:
        """Have containers started as ``change`` says; the returned function ends that for those that come.

        Where it raises, the container starts as it would have, and the timeline gets ``fault.missed`` with the reason.
        """
        self._changes.append(change)
        return lambda: self._changes.remove(change)

    def _changed(self, task_arn: str, name: str, spec: Spec) -> Spec:
        for change in tuple(self._changes):
            try:
                spec = change(task_arn, name, spec)
            except SandboxError as error:
                self._timeline.record("fault.missed", task=task_arn, container=name, reason=_words(error))
        return spec

    def container(self, task_arn: str, name: str) -> str:
        """A container of a task ("" where it does not run)."""
        host = self._hosts.get(task_arn)
        return host.containers.get(name, "") if host else ""

    def interface(self, task_arn: str) -> str:
        """The container that owns the task's network namespace ("" where there is none)."""
        host = self._hosts.get(task_arn)
        return host.eni.container if host and host.eni else ""

    def restart(self, task_arn: str, name: str) -> None:
        """Start a container again that has ended."""
        host = self._hosts[task_arn]
        definition, container_id = host.definition.container(name), host.containers[name]
        self._logs.finish(container_id)
        since = time.time()
        try:
            self._containers.start(container_id)
        except SandboxError as error:
            self._report(task_arn, ContainerExited(name, 1, f"CannotStartContainerError: {_words(error)}"))
            return
        if definition.log is not None:
            stream = definition.log.stream(name, task_arn.rsplit("/", 1)[-1])
            self._logs.follow(container_id, definition.log, stream, since)
        self._timeline.record("container.restarted", task=task_arn, container=name)
        self._report(task_arn, ContainerStarted(name, container_id, host.addresses.get(name, "")))

    def _failed(self, task_arn: str, name: str, kind: str, error: SandboxError) -> None:
        reason = f"{kind}: {_words(error)}"
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
        reason = _OUT_OF_MEMORY if self._containers.ran_out_of_memory(end.container_id) else ""
        self._report(task_arn, ContainerExited(name, end.exit_code, reason))

    def health(self, report: HealthReport) -> None:
        """The engine says that a container's health has changed."""
        task_arn, name = report.labels.get(LABEL_TASK), report.labels.get(LABEL_CONTAINER)
        if not task_arn or not name or task_arn not in self._hosts:
            return
        health: Health = "HEALTHY" if report.healthy else "UNHEALTHY"
        output = self._containers.check_output(report.container_id)
        self._timeline.record("container.health", task=task_arn, container=name, health=health, output=output)
        self._report(task_arn, HealthChanged(name, health))

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

    def _digest(self, image: str) -> str:
        return str(self._containers.client.api.inspect_image(image)["Id"])


def _words(error: SandboxError) -> str:
    """What the ECS agent says of an error: the engine's words where it has refused."""
    if isinstance(error.__cause__, APIError):
        return f"Error response from daemon: {error.state}"
    return error.message + (f": {error.state}" if error.state else "")
