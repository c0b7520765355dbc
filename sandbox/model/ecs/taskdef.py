"""Task definitions: what RegisterTaskDefinition takes, refuses and fills in.

Rules: ECS API reference "RegisterTaskDefinition"; developer guide "Task definition parameters" and "Task size" (the
Fargate pairs of cpu and memory).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sandbox.model.ecs import capabilities, cluster_query, containerdef, dependencies, secrets, volumes
from sandbox.model.ecs.containerdef import ContainerDefinition
from sandbox.model.ecs.errors import EcsError, client_exception, not_carried_out

GIB = 1024

# cpu units -> allowed memory in MiB; "Task size" in the developer guide (Linux).
FARGATE_MEMORY: Mapping[int, Sequence[int]] = {
    256: (512, 1 * GIB, 2 * GIB),
    512: range(1 * GIB, 4 * GIB + 1, GIB),
    1024: range(2 * GIB, 8 * GIB + 1, GIB),
    2048: range(4 * GIB, 16 * GIB + 1, GIB),
    4096: range(8 * GIB, 30 * GIB + 1, GIB),
    8192: range(16 * GIB, 60 * GIB + 1, 4 * GIB),
    16384: range(32 * GIB, 120 * GIB + 1, 8 * GIB),
}

MAX_CONTAINERS = 10
FARGATE_STORAGE = (21, 200)  # GiB, where more than the 20 that every task has is asked for

_FAMILY = re.compile(r"[A-Za-z0-9_-]{1,255}")
_REFERENCE = re.compile(r"(?:arn:[^/]*:task-definition/)?([A-Za-z0-9_-]{1,255})(?::([^:/]*))?")
_CPU_UNITS = re.compile(r"\s*(\d*\.?\d+)\s*(vcpu)?\s*", re.IGNORECASE | re.ASCII)
_MEMORY_MIB = re.compile(r"\s*(\d*\.?\d+)\s*(gb)?\s*", re.IGNORECASE | re.ASCII)

Port = tuple[str, int]  # of an instance: protocol and number

NETWORK_MODES = ("awsvpc", "bridge", "host", "none")

_NOT_YET_IN_TASK = ("pidMode", "ipcMode", "proxyConfiguration", "inferenceAccelerators")


@dataclass(frozen=True)
class TaskDefinition:
    """A registered revision. ``raw`` is what DescribeTaskDefinition answers."""

    arn: str
    family: str
    revision: int
    containers: tuple[ContainerDefinition, ...]
    raw: Mapping[str, Any]

    @property
    def name(self) -> str:
        """``family:revision``."""
        return f"{self.family}:{self.revision}"

    @property
    def active(self) -> bool:
        """Whether new tasks may be started from it."""
        return bool(self.raw["status"] == "ACTIVE")

    @property
    def network_mode(self) -> str:
        """awsvpc, bridge, host or none; "The default Docker network mode on Linux is bridge"."""
        return str(self.raw.get("networkMode") or "bridge")

    @cached_property
    def cpu_units(self) -> int:
        """What a task takes of an instance: its own cpu, or its containers' together."""
        own = self.raw.get("cpu")
        return int(own) if own else sum(int(container.raw["cpu"]) for container in self.containers)

    @cached_property
    def memory_mib(self) -> int:
        """MiB that a task takes: its own, or of each container the reservation, else the limit."""
        own = self.raw.get("memory")
        limits = (c.raw.get("memoryReservation") or c.raw.get("memory") or 0 for c in self.containers)
        return int(own) if own else sum(map(int, limits))

    @cached_property
    def static_ports(self) -> tuple[Port, ...]:
        """The ports that an instance must have free for a task: those of its port mappings which have a number."""
        if self.network_mode not in {"bridge", "host"}:
            return ()
        mappings = (mapping for container in self.containers for mapping in container.raw["portMappings"])
        return tuple((mapping["protocol"], int(mapping["hostPort"])) for mapping in mappings if mapping["hostPort"])

    def container(self, name: str) -> ContainerDefinition:
        """The container called ``name``; KeyError where there is none."""
        for container in self.containers:
            if container.name == name:
                return container
        raise KeyError(name)


def register(request: Mapping[str, Any], *, arn_prefix: str, revision: int, now: float) -> TaskDefinition:
    """Check a RegisterTaskDefinition request and make the revision.

    Args:
        request: The request, in the API's names.
        arn_prefix: ``arn:aws:ecs:REGION:ACCOUNT``.
        revision: The number that the new revision gets.
        now: Seconds since the epoch, for ``registeredAt``.

    Raises:
        EcsError: ClientException, with AWS's message where one is known.
    """
    family = request.get("family") or ""
    if not _FAMILY.fullmatch(family):
        raise client_exception(
            "Family contains invalid characters: up to 255 letters (uppercase and lowercase), numbers, hyphens, "
            "and underscores are allowed."
        )
    definitions = request.get("containerDefinitions") or ()
    if not definitions:
        raise client_exception(
            "Task definition does not have any container definitions: Container list cannot be empty."
        )
    if len(definitions) > MAX_CONTAINERS:
        raise client_exception(f"A task definition can have at most {MAX_CONTAINERS} containers.")
    network_mode = request.get("networkMode")
    compatibilities = list(request.get("requiresCompatibilities") or ())
    cpu, memory = size(request)
    fargate = "FARGATE" in compatibilities
    if fargate:
        check_fargate(network_mode, cpu, memory)
    if network_mode and network_mode not in NETWORK_MODES:
        raise client_exception(f"Invalid network mode '{network_mode}'.")
    for parameter in _NOT_YET_IN_TASK:
        if request.get(parameter):
            raise not_carried_out(parameter)
    _check_platform(request.get("runtimePlatform") or {})
    _check_storage(request.get("ephemeralStorage"))
    given_volumes = volumes.parse(request.get("volumes") or (), fargate=fargate)
    containers = tuple(
        containerdef.parse(definition, fargate=fargate, memory=memory, network_mode=network_mode or "bridge")
        for definition in definitions
    )
    _check_names(containers, given_volumes)
    dependencies.check(containers)
    _check_execution_role(containers, request.get("executionRoleArn"), fargate=fargate)

    arn = f"{arn_prefix}:task-definition/{family}:{revision}"
    raw: dict[str, Any] = {
        **{name: value for name, value in request.items() if name != "tags"},
        "taskDefinitionArn": arn,
        "revision": revision,
        "status": "ACTIVE",
        "containerDefinitions": [dict(container.raw) for container in containers],
        "volumes": [dict(volume) for volume in given_volumes],
        "placementConstraints": _constraints(request.get("placementConstraints") or ()),
        "compatibilities": ["EC2", "FARGATE"] if fargate else ["EC2"],
        "requiresAttributes": [{"name": name} for name in capabilities.required(request, containers)],
        "requiresCompatibilities": compatibilities,
        "registeredAt": now,
    }
    if cpu is not None:
        raw["cpu"] = str(cpu)
    if memory is not None:
        raw["memory"] = str(memory)
    return TaskDefinition(arn, family, revision, containers, raw)


def size(request: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """Task cpu in units and memory in MiB of a request in the API's names (None: not given)."""
    cpu, memory = request.get("cpu"), request.get("memory")
    return (
        None if cpu is None else _number(cpu, _CPU_UNITS, "cpu", scale=1024),
        None if memory is None else _number(memory, _MEMORY_MIB, "memory", scale=GIB),
    )


def _number(text: str, form: re.Pattern[str], what: str, *, scale: int) -> int:
    match = form.fullmatch(str(text))
    value = float(match[1]) * (scale if match[2] else 1) if match else 0
    if value <= 0 or value != int(value):
        raise client_exception(f"Invalid '{what}' setting for task.")
    return int(value)


def check_fargate(network_mode: str | None, cpu: int | None, memory: int | None) -> None:
    """Refuse what Fargate cannot run.

    Raises:
        EcsError: ClientException.
    """
    if network_mode != "awsvpc":
        raise client_exception("Fargate only supports network mode ‘awsvpc’.")
    if cpu is None:
        raise client_exception("Fargate requires that 'cpu' be defined at the task level.")
    if memory is None:
        raise client_exception("Fargate requires that 'memory' be defined at the task level.")
    if memory not in FARGATE_MEMORY.get(cpu, ()):
        raise client_exception("No Fargate configuration exists for given values.")


def _check_platform(platform: Mapping[str, Any]) -> None:
    system = platform.get("operatingSystemFamily") or "LINUX"
    if system != "LINUX":
        raise not_carried_out(f"runtimePlatform.operatingSystemFamily {system}")


def _check_storage(storage: Mapping[str, Any] | None) -> None:
    least, most = FARGATE_STORAGE
    if storage is not None and not least <= int(storage.get("sizeInGiB") or 0) <= most:
        raise client_exception(f"Ephemeral storage size must be between {least} and {most} GiB.")


def _constraints(constraints: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those of a task definition; distinctInstance is for RunTask and services alone."""
    for constraint in constraints:
        if constraint.get("type") != "memberOf" or not constraint.get("expression"):
            raise client_exception(f"Placement constraint type '{constraint.get('type')}' is invalid.")
        try:
            cluster_query.parse(constraint["expression"])
        except EcsError as error:
            raise client_exception(error.message) from None
    return list(constraints)


def _check_names(containers: Sequence[ContainerDefinition], given: Sequence[Mapping[str, Any]]) -> None:
    names = [container.name for container in containers]
    if len(set(names)) != len(names):
        raise client_exception("Container names in a task definition must be unique.")
    if not any(container.essential for container in containers):
        raise client_exception("Invalid setting for container. At least one container must be essential.")
    known = {volume["name"] for volume in given}
    for container in containers:
        for linked in container.links:
            if linked not in names:
                raise client_exception(f"Invalid link: there is no container '{linked}' in the task definition.")
        for mount in container.raw["mountPoints"]:
            if mount.get("sourceVolume") not in known:
                raise client_exception(f"Unknown volume '{mount.get('sourceVolume')}'.")


def _check_execution_role(containers: Sequence[ContainerDefinition], role: str | None, *, fargate: bool) -> None:
    secrets.need_role(containers, role)
    if fargate and not role and any(container.log for container in containers):
        raise client_exception(
            "Fargate requires task definition to have execution role ARN to support log driver awslogs."
        )


def parse_reference(reference: str) -> tuple[str, int | None]:
    """Split ``family``, ``family:revision`` or a task definition ARN into family and revision (None: the latest).

    Raises:
        EcsError: ClientException where it is none of the three.
    """
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise client_exception("Unable to describe task definition.")
    family, revision = match.groups()
    if revision is None:
        return family, None
    if not re.fullmatch("[0-9]{1,9}", revision):
        raise client_exception(f"Invalid revision number. Number: {revision}")
    return family, int(revision)
