"""``requiresAttributes``: what a container instance has to have for a task definition.

Names: developer guide "Amazon ECS task definition parameters" and "Amazon ECS container agent configuration"; what
DescribeTaskDefinition shows for the parameters that the sandbox carries out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sandbox.model.ecs.containerdef import ContainerDefinition
from sandbox.model.ecs.secrets import Parameter

_DOCKER = "com.amazonaws.ecs.capability."


def required(request: Mapping[str, Any], containers: Sequence[ContainerDefinition]) -> list[str]:
    """The attributes that a RegisterTaskDefinition request makes necessary, sorted."""
    names = {f"{_DOCKER}docker-remote-api.1.18"}
    if request.get("networkMode") == "awsvpc":
        names.add("ecs.capability.task-eni")
    if request.get("cpu") or request.get("memory"):
        names.add("ecs.capability.task-cpu-mem-limit")
    if request.get("taskRoleArn"):
        host = "-network-host" if request.get("networkMode") == "host" else ""
        names.add(f"{_DOCKER}task-iam-role{host}")
    if any(volume.get("efsVolumeConfiguration") for volume in request.get("volumes") or ()):
        names.add("ecs.capability.efs")
    if any(volume.get("dockerVolumeConfiguration") for volume in request.get("volumes") or ()):
        names.add("ecs.capability.docker-plugin.local")
    for container in containers:
        names.update(_of(container, bool(request.get("executionRoleArn"))))
    return sorted(names)


def _of(container: ContainerDefinition, with_role: bool) -> Iterable[str]:
    if container.log is not None:
        yield f"{_DOCKER}logging-driver.awslogs"
        if with_role:
            yield "ecs.capability.execution-role-awslogs"
    if container.health_check is not None:
        yield "ecs.capability.container-health-check"
        yield f"{_DOCKER}docker-remote-api.1.29"
    if container.depends_on:
        yield "ecs.capability.container-ordering"
    if container.environment_files:
        yield "ecs.capability.env-files.s3"
    if container.raw.get("memoryReservation"):
        yield f"{_DOCKER}docker-remote-api.1.21"
    for secret in container.secrets:
        kind = "ssm" if isinstance(secret.source, Parameter) else "asm"
        yield f"ecs.capability.secrets.{kind}.environment-variables"
