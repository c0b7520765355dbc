"""The task definitions of an account: by family, in the order of their revisions.

Rules: API reference "DeregisterTaskDefinition", "ListTaskDefinitions", "ListTaskDefinitionFamilies".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from sandbox.model.ecs import taskdef
from sandbox.model.ecs.errors import EcsError, client_exception
from sandbox.model.ecs.taskdef import TaskDefinition

ByFamily = Mapping[str, list[TaskDefinition]]


def find(definitions: ByFamily, reference: str) -> TaskDefinition:
    """The task definition with this family (its latest ACTIVE revision), ``family:revision`` or ARN.

    Raises:
        EcsError: ClientException, "Unable to describe task definition."
    """
    family, revision = taskdef.parse_reference(reference)
    revisions = definitions.get(family, [])
    if revision is None:
        found = [one for one in revisions if one.active][-1:]
    else:
        found = revisions[revision - 1 : revision] if revision else []
    if not found:
        raise client_exception("Unable to describe task definition.")
    return found[0]


def runnable(definitions: ByFamily, reference: str) -> TaskDefinition:
    """The task definition with this reference, as a request to run it names it.

    Raises:
        EcsError: ClientException: there is none, or it is INACTIVE.
    """
    try:
        definition = find(definitions, reference)
    except EcsError:
        raise client_exception("TaskDefinition not found.") from None
    if not definition.active:
        raise client_exception("TaskDefinition is inactive")
    return definition


def deregister(definitions: ByFamily, reference: str, now: float) -> TaskDefinition:
    """Make a revision INACTIVE: what runs it goes on, nothing new starts from it.

    Raises:
        EcsError: ClientException: there is no such revision, or none is named.
    """
    family, revision = taskdef.parse_reference(reference)
    if revision is None:
        raise client_exception("Task definition revision must be specified.")
    definition = find(definitions, reference)
    if not definition.active:
        return definition
    raw = {**definition.raw, "status": "INACTIVE", "deregisteredAt": now}
    inactive = dataclasses.replace(definition, raw=raw)
    definitions[family][revision - 1] = inactive
    return inactive


def listed(definitions: ByFamily, request: Mapping[str, Any]) -> list[TaskDefinition]:
    """ListTaskDefinitions: of a family or all, ACTIVE ones unless another status is asked for."""
    family, status = request.get("familyPrefix"), request.get("status", "ACTIVE")
    found = [
        definition
        for name, revisions in sorted(definitions.items())
        if not family or name == family
        for definition in revisions
        if definition.raw["status"] == status
    ]
    return found[::-1] if request.get("sort") == "DESC" else found


def families(definitions: ByFamily, request: Mapping[str, Any]) -> list[str]:
    """ListTaskDefinitionFamilies: those with an ACTIVE revision, those without, or all."""
    prefix, status = request.get("familyPrefix", ""), request.get("status", "ALL")

    def chosen() -> Iterator[str]:
        for name, revisions in sorted(definitions.items()):
            active = any(one.active for one in revisions)
            if name.startswith(prefix) and status in {"ALL", "ACTIVE" if active else "INACTIVE"}:
                yield name

    return list(chosen())
