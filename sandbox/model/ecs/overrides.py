"""RunTask's ``overrides``: what one task has otherwise than its task definition says.

Rules: API reference "TaskOverride" and "ContainerOverride".
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from sandbox.model.ecs import environment_files
from sandbox.model.ecs.containerdef import ContainerDefinition
from sandbox.model.ecs.errors import invalid_parameter, not_carried_out
from sandbox.model.ecs.taskdef import TaskDefinition, check_fargate, size

MAX_CHARACTERS = 8192  # "A total of 8192 characters are allowed for overrides", the JSON's own included

_REPLACED = ("command", "cpu", "memory", "memoryReservation")


def apply(definition: TaskDefinition, overrides: Mapping[str, Any]) -> TaskDefinition:
    """The task definition that a task with ``overrides`` runs; the registered one is not changed.

    Raises:
        EcsError: InvalidParameterException, with AWS's message where one is known; ClientException for what the
            sandbox does not carry out, and for sizes that Fargate does not have.
    """
    if not overrides:
        return definition
    if len(json.dumps(overrides, separators=(",", ":"))) > MAX_CHARACTERS:
        raise invalid_parameter(f"Container Overrides length must be at most {MAX_CHARACTERS}")
    if overrides.get("inferenceAcceleratorOverrides"):
        raise not_carried_out("overrides.inferenceAcceleratorOverrides")
    by_name = {}
    names = {container.name for container in definition.containers}
    for item in overrides.get("containerOverrides") or ():
        name = item.get("name") or ""
        if name not in names:
            raise invalid_parameter(f"Override for container named {name} is not a container in the TaskDefinition.")
        if item.get("resourceRequirements"):
            raise not_carried_out(f"overrides.containerOverrides[name={name}].resourceRequirements")
        by_name[name] = item
    raw = {**definition.raw, **_task(definition, overrides)}
    containers = tuple(_container(container, by_name.get(container.name, {})) for container in definition.containers)
    return dataclasses.replace(definition, containers=containers, raw=raw)


def shown(overrides: Mapping[str, Any], names: list[str]) -> dict[str, Any]:
    """The ``overrides`` of DescribeTasks: each container has an entry, overridden or not."""
    given = {item["name"]: dict(item) for item in overrides.get("containerOverrides") or ()}
    return {
        "inferenceAcceleratorOverrides": [],
        **overrides,
        "containerOverrides": [given.get(name, {"name": name}) for name in names],
    }


def _task(definition: TaskDefinition, overrides: Mapping[str, Any]) -> dict[str, Any]:
    taken = {name: overrides[name] for name in ("taskRoleArn", "executionRoleArn") if overrides.get(name)}
    if overrides.get("ephemeralStorage"):
        taken["ephemeralStorage"] = dict(overrides["ephemeralStorage"])
    sizes = {name: overrides[name] for name in ("cpu", "memory") if overrides.get(name)}
    if sizes:
        cpu, memory = size({**definition.raw, **sizes})
        if "FARGATE" in definition.raw["compatibilities"]:
            check_fargate(definition.raw.get("networkMode"), cpu, memory)
        taken.update(cpu=str(cpu), memory=str(memory))
    return taken


def _container(container: ContainerDefinition, override: Mapping[str, Any]) -> ContainerDefinition:
    if not override:
        return container
    raw = {**container.raw, **{name: override[name] for name in _REPLACED if override.get(name)}}
    if override.get("environment"):
        merged = {item["name"]: item for item in (*container.raw["environment"], *override["environment"])}
        raw["environment"] = list(merged.values())
    files = container.environment_files
    if override.get("environmentFiles"):
        raw["environmentFiles"] = list(override["environmentFiles"])
        files = environment_files.parse(container.name, raw["environmentFiles"])
    return dataclasses.replace(container, raw=raw, environment_files=files)
