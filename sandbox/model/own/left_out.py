"""What of task definitions and services is left out on purpose: ``[stack] ignore``.

An entry is a container's name, which leaves it out, or ``NAME.member``: a member of the container, task definition or
service of that name; members within a member follow with further dots.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sandbox.model.own.errors import OwnError, unknown

_NEEDED = frozenset({"name", "family", "containerDefinitions", "serviceName", "taskDefinition"})

Requests = Sequence[tuple[str, Mapping[str, Any]]]
"""Requests, each with its file."""


def leave_out(ignore: Iterable[str], task_definitions: Requests, services: Requests) -> tuple[Requests, Requests]:
    """The requests without what is ignored.

    Args:
        ignore: The entries.
        task_definitions: RegisterTaskDefinition's.
        services: CreateService's.

    Raises:
        OwnError: An entry names nothing that is there, or what a request cannot be without.
    """
    for entry in ignore:
        name, _, path = entry.partition(".")
        if path in _NEEDED:
            raise OwnError(f"[stack] ignore: {entry} cannot be left out", "leave the file out of [stack] instead")
        used: list[str] = []
        task_definitions = [(file, _definition(one, name, path, used)) for file, one in task_definitions]
        services = [
            (file, _member(one, path, used) if path and one.get("serviceName") == name else one)
            for file, one in services
        ]
        if not used:
            raise unknown("[stack] ignore", entry, _known(name, task_definitions, services), "name")
    return task_definitions, services


def _definition(request: Mapping[str, Any], name: str, path: str, used: list[str]) -> Mapping[str, Any]:
    containers = request["containerDefinitions"]
    if path:
        if request.get("family") == name:
            request = _member(request, path, used)
        changed = [_member(one, path, used) if one["name"] == name else one for one in containers]
        return {**request, "containerDefinitions": changed}
    if all(one["name"] != name for one in containers):
        return request
    used.append(name)
    kept = [_without_dependency(one, name) for one in containers if one["name"] != name]
    return {**request, "containerDefinitions": kept}


def _without_dependency(container: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    if not container.get("dependsOn"):
        return container
    return {**container, "dependsOn": [one for one in container["dependsOn"] if one.get("containerName") != name]}


def _member(value: Mapping[str, Any], path: str, used: list[str]) -> Mapping[str, Any]:
    member, _, rest = path.partition(".")
    if member not in value:
        return value
    if not rest:
        used.append(member)
        return {name: one for name, one in value.items() if name != member}
    inner = value[member]
    return {**value, member: _member(inner, rest, used)} if isinstance(inner, Mapping) else value


def _known(name: str, task_definitions: Requests, services: Requests) -> list[str]:
    """The members of what has the name; where nothing has it, the names."""
    named: dict[str, list[Mapping[str, Any]]] = {}
    for _, service in services:
        named.setdefault(str(service.get("serviceName")), []).append(service)
    for _, definition in task_definitions:
        named.setdefault(str(definition.get("family")), []).append(definition)
        for container in definition["containerDefinitions"]:
            named.setdefault(container["name"], []).append(container)
    return [f"{name}.{member}" for one in named.get(name, ()) for member in one] or list(named)
