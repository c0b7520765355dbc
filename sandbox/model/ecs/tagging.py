"""Tags of clusters, container instances, services, tasks and task definitions.

Rules: developer guide "Tagging Amazon ECS resources"; API reference "TagResource", "UntagResource",
"ListTagsForResource", "Tag".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sandbox.model.ecs import instances
from sandbox.model.ecs.errors import EcsError, invalid_parameter

if TYPE_CHECKING:
    from sandbox.model.ecs.control import Ecs

MAX_TAGS = 50
MAX_KEY = 128
MAX_VALUE = 256

Tags = Sequence[Mapping[str, str]]


def checked(tags: Tags | None) -> tuple[Mapping[str, str], ...]:
    """The tags of a request.

    Raises:
        EcsError: InvalidParameterException; AWS documents the rules, the words are ours.
    """
    given = tuple(dict(tag) for tag in tags or ())
    keys = [tag.get("key") or "" for tag in given]
    if len(given) > MAX_TAGS:
        raise invalid_parameter(f"There are more than {MAX_TAGS} tags.")
    if len(set(keys)) < len(keys):
        raise invalid_parameter("Duplicate tag keys found. Tag keys must be unique.")
    for tag, key in zip(given, keys, strict=True):
        if not 0 < len(key) <= MAX_KEY or len(tag.get("value") or "") > MAX_VALUE:
            raise invalid_parameter(f"Tag '{key}': a key has 1 to {MAX_KEY} characters, a value {MAX_VALUE} at most.")
        if key.lower().startswith("aws:"):
            raise invalid_parameter(f"Tag '{key}': the prefix aws: is reserved.")
    return given


def of(ecs: Ecs, arn: str) -> Tags:
    """ListTagsForResource.

    Raises:
        EcsError: ClusterNotFoundException and the like: there is no such resource.
    """
    kind, resource = _resource(ecs, arn)
    if kind in {"task", "container-instance"}:
        return tuple(resource.tags)
    if kind == "task-definition":
        return tuple(ecs.definition_tags.get(resource.arn, ()))
    return tuple(resource.raw.get("tags") or ())


def add(ecs: Ecs, arn: str, tags: Tags) -> None:
    """TagResource: tags of the same key are replaced.

    Raises:
        EcsError: There is no such resource, or the tags are refused.
    """
    given = checked(tags)
    merged = {tag["key"]: tag for tag in (*of(ecs, arn), *given)}
    _put(ecs, arn, checked_count(merged.values()))


def remove(ecs: Ecs, arn: str, keys: Iterable[str]) -> None:
    """UntagResource.

    Raises:
        EcsError: There is no such resource.
    """
    gone = set(keys)
    _put(ecs, arn, [tag for tag in of(ecs, arn) if tag["key"] not in gone])


def checked_count(tags: Iterable[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """The tags of a resource, or a refusal where there are too many.

    Raises:
        EcsError: InvalidParameterException.
    """
    found = list(tags)
    if len(found) > MAX_TAGS:
        raise invalid_parameter(f"There are more than {MAX_TAGS} tags.")
    return found


def of_new_task(
    ecs: Ecs, request: Mapping[str, Any], definition_arn: str, cluster: str, service: str = ""
) -> tuple[Mapping[str, str], ...]:
    """The tags that a task starts with: its own or its service's, what is propagated, and ECS's own.

    Args:
        ecs: Has the tags of task definitions.
        request: RunTask's, or the service's: tags, propagateTags, enableECSManagedTags.
        definition_arn: The task definition.
        cluster: The cluster's name.
        service: The service's name, "" for RunTask, whose own tags are the task's.
    """
    own = list(request.get("tags") or ())
    propagate = request.get("propagateTags")
    tags = {tag["key"]: tag for tag in own} if not service or propagate == "SERVICE" else {}
    if propagate == "TASK_DEFINITION":
        tags = {tag["key"]: tag for tag in ecs.definition_tags.get(definition_arn, ())} | tags
    if request.get("enableECSManagedTags"):
        managed = {"aws:ecs:clusterName": cluster, **({"aws:ecs:serviceName": service} if service else {})}
        tags |= {key: {"key": key, "value": value} for key, value in managed.items()}
    return tuple(tags.values())


def _put(ecs: Ecs, arn: str, tags: Sequence[Mapping[str, str]]) -> None:
    kind, resource = _resource(ecs, arn)
    if kind in {"task", "container-instance"}:
        resource.tags = tuple(tags)
    elif kind == "task-definition":
        ecs.definition_tags[resource.arn] = tuple(tags)
    else:
        resource.raw = {**resource.raw, "tags": list(tags)}


def _resource(ecs: Ecs, arn: str) -> tuple[str, Any]:
    kind, _, name = "".join(arn.split(":", 5)[5:]).partition("/")
    if kind == "cluster":
        return kind, ecs.find_cluster(name)
    if kind == "service" and "/" in name:
        return kind, ecs.find_service(ecs.find_cluster(name.partition("/")[0]), arn)
    if kind == "container-instance" and "/" in name:
        return kind, instances.find(ecs, ecs.find_cluster(name.partition("/")[0]), arn)
    if kind == "task" and "/" in name:
        return kind, ecs.find_task(ecs.find_cluster(name.partition("/")[0]), arn)
    if kind == "task-definition":
        return kind, ecs.find_definition(arn)
    raise EcsError("InvalidParameterException", "Invalid identifier: Invalid resource identifier.")
