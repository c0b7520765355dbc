"""Carries out what ECS decides of one task: an ENI container that owns the network namespace, and the task's
containers joined to it, as in awsvpc mode (localhost reaches the neighbours).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from docker.types import Mount

from sandbox.aws.protocol import AwsError
from sandbox.controllers.network import RunNetwork
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
    Interface,
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


class Ec2(Protocol):
    """EC2's records of network interfaces, in whatever backend holds them."""

    def create_interface(self, subnet_id: str, security_groups: list[str], description: str) -> Any:
        """A new interface: id, private_ip, mac, private_dns_name, subnet_id, availability_zone."""

    def assign_public_ip(self, interface_id: str, ip: str) -> None:
        """Show ``ip`` as the interface's Association.PublicIp."""

    def delete_interface(self, interface_id: str) -> None:
        """Remove the record."""


class ImageSource(Protocol):
    """Where images come from."""

    def ensure(self, name: str) -> str:
        """The reference of a component of the sandbox, built or pulled where it is missing."""

    def resolve(self, reference: str) -> str:
        """The reference to run for an ``image`` of a task definition."""


@dataclass
class _TaskHost:
    """What a task has on this machine."""

    definition: TaskDefinition
    pause: str = ""
    interface_id: str = ""
    public_ip: str = ""
    hosts_file: Path | None = None
    containers: dict[str, str] = field(default_factory=dict)
    volumes: list[str] = field(default_factory=list)
    starts: dict[str, Future[None]] = field(default_factory=dict)
    given_up: bool = False


class TaskRunner:
    """Runs tasks on Docker. Its methods block; the controller calls them on its pool.

    Args:
        containers: The run's.
        network: The run's networks.
        images: Where images come from.
        ec2: Loads when first called, so it is a callable.
        environment: What every container gets beside its own: the endpoint and dummy credentials.
        report: Told what happened to which task.
        timeline: Gets ``container.exited`` with the last log lines.
    """

    def __init__(
        self,
        containers: Containers,
        network: RunNetwork,
        images: ImageSource,
        ec2: Ec2,
        environment: Mapping[str, str],
        report: Report,
        timeline: Timeline,
    ) -> None:
        self._containers = containers
        self._network = network
        self._images = images
        self._ec2 = ec2
        self._environment = environment
        self._report = report
        self._timeline = timeline
        self._hosts: dict[str, _TaskHost] = {}
        self._next_subnet = 0
        self._lock = threading.Lock()

    # -- network interface --

    def attach(self, task_arn: str, definition: TaskDefinition, network: Network, attachment_arn: str) -> None:
        """Make the interface in EC2's records, described by its attachment's ARN, and the container that has it."""
        host = _TaskHost(definition)
        self._hosts[task_arn] = host
        try:
            interface = self._make_interface(task_arn, host, network, attachment_arn)
        except (SandboxError, AwsError) as error:
            self._clear(host)
            reason = "ResourceInitializationError: unable to provision the network interface"
            self._report(task_arn, EniFailed(f"{reason}: {error}"))
            return
        self._report(task_arn, EniAttached(interface))

    def _make_interface(self, task_arn: str, host: _TaskHost, network: Network, attachment_arn: str) -> Interface:
        with self._lock:
            subnet = network.subnets[self._next_subnet % len(network.subnets)]
            self._next_subnet += 1
        record = self._ec2.create_interface(subnet, list(network.security_groups), attachment_arn)
        host.interface_id = record.id
        addresses: list[tuple[str, str | None]] = [(self._network.vpc.name, record.private_ip)]
        if network.assign_public_ip:
            host.public_ip = self._network.public.take()
            addresses.append((self._network.internet.name, host.public_ip))
        host.hosts_file = self._hosts_file(record)
        host.pause = self._containers.run_new(
            Spec(
                f"eni-{record.id}",
                self._images.ensure("toolbox"),
                entrypoint=["tini", "--"],
                command=["sleep", "infinity"],
                networks=addresses,
                mac_address=record.mac,
                hostname=record.private_dns_name,
                mounts=self._name_files(host),
                labels={LABEL_TASK: task_arn},
            )
        )
        if host.public_ip:
            self._ec2.assign_public_ip(record.id, host.public_ip)
        return Interface(
            record.id,
            record.subnet_id,
            record.mac,
            record.private_dns_name,
            record.private_ip,
            record.availability_zone,
        )

    def _hosts_file(self, record: Any) -> Path:
        """The task's /etc/hosts, as the ECS agent writes it for an IPv4 interface.

        Docker's own has localhost a second time, for IPv6, so that a proxy takes one server for two: nginx then keeps
        off both for ten seconds once they have refused, which it does not do on Fargate. Source: amazon-ecs-agent,
        ecs-agent/netlib/platform/common_linux.go.
        """
        file = self._containers.run.folder / f"hosts-{record.id}"
        file.write_text(f"127.0.0.1 localhost\n{record.private_ip} {record.private_dns_name}\n")
        return file

    def _name_files(self, host: _TaskHost) -> list[Mount]:
        return [self._network.vpc_resolv_conf, Mount("/etc/hosts", str(host.hosts_file), type="bind")]

    def detach(self, task_arn: str) -> None:
        """Remove the task's containers, volumes and interface."""
        self._clear(self._hosts[task_arn])
        self._report(task_arn, EniDetached())

    def _clear(self, host: _TaskHost) -> None:
        for container_id in (*host.containers.values(), host.pause):
            if container_id:
                self._containers.remove(container_id)
        for volume in host.volumes:
            self._containers.remove_volume(volume)
        if host.hosts_file is not None:
            host.hosts_file.unlink(missing_ok=True)
        if host.interface_id:
            self._ec2.delete_interface(host.interface_id)
        if host.public_ip:
            self._network.public.give_back(host.public_ip)

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
        return host.public_ip if host else ""

    def _spec(self, task_arn: str, host: _TaskHost, definition: ContainerDefinition, image: str) -> Spec:
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
            network_of=host.pause,
            mounts=[
                *self._name_files(host),
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
