"""What the engine is asked for so that a container of a task is what its container definition says."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from docker.types import Mount

from sandbox.clock import Clock
from sandbox.controllers import task_endpoint
from sandbox.controllers.instance_bridge import InstanceBridge
from sandbox.controllers.interfaces import Eni, Interfaces
from sandbox.engine.containers import Check, Containers, Spec
from sandbox.model.ecs.containerdef import ContainerDefinition
from sandbox.model.ecs.health import HealthCheck
from sandbox.model.ecs.ports import Binding
from sandbox.model.ecs.taskdef import TaskDefinition

LABEL_TASK = "aws-container-sandbox.task"
LABEL_CONTAINER = "aws-container-sandbox.container"
# ECS sets this one itself; it also tells the containers of a task apart in `docker ps`.
LABEL_ECS_CONTAINER = "com.amazonaws.ecs.container-name"
# The EC2 instance on which it is: only these are seen there.
LABEL_ON_INSTANCE = "aws-container-sandbox.on-instance"

# Seconds of the wall clock. --speed does not shorten a health check's time-out below this: the command itself takes the
# time that it takes, and AWS allows no time-out below it either.
_LEAST_CHECK_TIMEOUT = 2.0


@dataclass
class TaskHost:
    """What a task has on this machine.

    Attributes:
        definition: Its own.
        eni: Its network interface, or in host mode its instance's.
        owns_eni: Whether it goes with the task.
        instance_id: The EC2 instance of its container instance ("": it is on Fargate).
        bridge: That instance's bridge, in bridge mode.
        bindings: Its ports there, by container.
        addresses: The addresses of its containers there.
        environment: That of secrets and environment files, by container.
        hosts_files: Those of its containers on the bridge.
    """

    definition: TaskDefinition
    eni: Eni | None = None
    owns_eni: bool = True
    instance_id: str = ""
    bridge: InstanceBridge | None = None
    bindings: Mapping[str, Sequence[Binding]] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    hosts_files: list[Path] = field(default_factory=list)
    containers: dict[str, str] = field(default_factory=dict)
    volumes: list[str] = field(default_factory=list)
    environment: dict[str, dict[str, str]] = field(default_factory=dict)
    starts: dict[str, Future[None]] = field(default_factory=dict)
    given_up: bool = False


class ContainerSpecs:
    """Makes the `Spec` of each container.

    Args:
        containers: The run's.
        interfaces: Where the tasks' network interfaces come from.
        environment: What every container gets beside its own: the endpoint and dummy credentials.
        clock: Scales the timers of health checks.
        instance_volume: A volume of an EC2 instance, by its id and what it is for.
    """

    def __init__(
        self,
        containers: Containers,
        interfaces: Interfaces,
        environment: Mapping[str, str],
        clock: Clock,
        instance_volume: Callable[[str, str], str],
    ) -> None:
        self._instance_volume = instance_volume
        self._containers = containers
        self._interfaces = interfaces
        self._environment = environment
        self._clock = clock
        self._open: set[str] = set()  # volumes of access points that every user may write to by now

    def make(self, task_arn: str, host: TaskHost, definition: ContainerDefinition, image: str) -> Spec:
        """The container of a task that has its network; ``image`` is a reference that the engine has."""
        raw = definition.raw
        memory = raw.get("memory") or host.definition.raw.get("memory")
        return Spec(
            f"{task_arn.rsplit('/', 1)[-1][:8]}-{definition.name}",
            image,
            command=raw.get("command") or None,
            entrypoint=raw.get("entryPoint") or None,
            environment={
                **task_endpoint.environment(
                    self._environment, task_arn, host.definition, definition.name, on_ec2=bool(host.instance_id)
                ),
                **{item["name"]: item.get("value", "") for item in raw["environment"]},
                **host.environment.get(definition.name, {}),
            },
            user=raw.get("user", ""),
            working_dir=raw.get("workingDirectory"),
            **self._network(task_arn, host, definition),
            mounts=[
                *self._name_files(task_arn, host, definition),
                *(self._mount(task_arn, host, mount, image) for mount in raw["mountPoints"]),
            ],
            memory=int(memory) if memory else None,
            memory_reservation=raw.get("memoryReservation"),
            cpu_shares=raw["cpu"] or None,
            ulimits=[
                {"name": item["name"], "soft": item["softLimit"], "hard": item["hardLimit"]}
                for item in raw.get("ulimits", ())
            ],
            check=self._check(definition.health_check),
            init=definition.linux.init,
            stdin=bool(raw.get("interactive")),
            tty=bool(raw.get("pseudoTerminal")),
            cap_add=definition.linux.add,
            cap_drop=definition.linux.drop,
            tmpfs={item.path: ",".join([f"size={item.size}m", *item.options]) for item in definition.linux.tmpfs},
            volumes_from=[
                host.containers[item["sourceContainer"]] + (":ro" if item.get("readOnly") else "")
                for item in raw["volumesFrom"]
            ],
            read_only=bool(raw.get("readonlyRootFilesystem", False)),
            labels={
                **raw.get("dockerLabels", {}),
                LABEL_TASK: task_arn,
                LABEL_CONTAINER: definition.name,
                LABEL_ECS_CONTAINER: definition.name,
                **_agent_labels(task_arn, host),
            },
        )

    def _network(self, task_arn: str, host: TaskHost, definition: ContainerDefinition) -> dict[str, Any]:
        if host.eni is not None:
            return {"network_of": host.eni.container}
        if host.bridge is None:
            return {"no_network": True}
        return {
            "networks": [(host.bridge.network.id, host.addresses[definition.name])],
            "hostname": _hostname(task_arn, definition.name),
        }

    def _name_files(self, task_arn: str, host: TaskHost, definition: ContainerDefinition) -> list[Mount]:
        if host.eni is not None:
            return self._interfaces.name_files(host.eni)
        if host.bridge is None:
            return []
        # Docker's own file, and what its legacy links add to it. A link is to a container that runs already.
        own = (host.addresses[definition.name], _hostname(task_arn, definition.name))
        links = [(host.addresses[name], " ".join((*aliases, name))) for name, aliases in definition.links.items()]
        lines = [("127.0.0.1", "localhost"), *links, own]
        file = self._containers.run.folder / f"hosts-{own[1]}"
        file.write_text("".join(f"{address} {names}\n" for address, names in lines))
        host.hosts_files.append(file)
        return [self._interfaces.resolv_conf, Mount("/etc/hosts", str(file), type="bind")]

    def _mount(self, task_arn: str, host: TaskHost, mount: Mapping[str, Any], image: str) -> Mount:
        volume = next(v for v in host.definition.raw["volumes"] if v["name"] == mount["sourceVolume"])
        efs = volume.get("efsVolumeConfiguration")
        source = (volume.get("host") or {}).get("sourcePath")
        shared = (volume.get("dockerVolumeConfiguration") or {}).get("scope") == "shared"
        if source:
            name = self._instance_volume(host.instance_id, "host" + source.replace("/", "-"))
        elif shared:
            name = self._instance_volume(host.instance_id, f"volume-{volume['name']}")
        elif efs:
            name = self._file_system(efs, image)
        else:
            name = self._containers.create_volume(f"{task_arn.rsplit('/', 1)[-1][:8]}-{volume['name']}")
            if name not in host.volumes:
                host.volumes.append(name)
        # A mount of EFS or of the instance's files hides what the image has at that path; a volume begins with a copy.
        return Mount(
            mount["containerPath"],
            name,
            type="volume",
            read_only=bool(mount.get("readOnly", False)),
            no_copy=bool(efs or source),
        )

    def _file_system(self, efs: Mapping[str, Any], image: str) -> str:
        """The volume that stands for a directory of a file system, or for an access point's."""
        point = (efs.get("authorizationConfig") or {}).get("accessPointId")
        name = self._containers.create_volume(efs_volume(efs["fileSystemId"], point or efs.get("rootDirectory", "/")))
        if point and name not in self._open:
            self._containers.open_volume(name, image)  # on AWS whoever writes is the access point's user
            self._open.add(name)
        return name

    def _check(self, check: HealthCheck | None) -> Check | None:
        if check is None:
            return None
        seconds = self._clock.real_seconds
        return Check(
            check.command,
            seconds(check.interval),
            max(seconds(check.timeout), _LEAST_CHECK_TIMEOUT),
            check.retries,
            seconds(check.start_period),
        )


def _agent_labels(task_arn: str, host: TaskHost) -> dict[str, str]:
    """What the ECS agent puts on a container of an instance (amazon-ecs-agent, "Container metadata": labels)."""
    if not host.instance_id:
        return {}
    return {
        LABEL_ON_INSTANCE: host.instance_id,
        "com.amazonaws.ecs.cluster": task_arn.split("/")[-2],
        "com.amazonaws.ecs.task-arn": task_arn,
        "com.amazonaws.ecs.task-definition-family": host.definition.family,
        "com.amazonaws.ecs.task-definition-version": str(host.definition.revision),
    }


def _hostname(task_arn: str, container: str) -> str:
    """Twelve hexadecimal digits, as Docker's own host names have."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"{task_arn}/{container}").hex[:12]


def efs_volume(file_system: str, directory: str) -> str:
    """The name of the volume that stands for a directory of an EFS file system, or for an access point of it."""
    return f"efs-{file_system}" + "".join(f"-{part}" for part in directory.split("/") if part)
