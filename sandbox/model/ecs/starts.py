"""StartTask: tasks on container instances that the caller chooses; and the ports that a task gets on its instance.

Rules: API reference "StartTask"; developer guide "Amazon ECS API failure reasons".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sandbox.model.ecs import instances, overrides, placement, ports, tagging
from sandbox.model.ecs.container_instance import ContainerInstance
from sandbox.model.ecs.errors import EcsError, invalid_parameter
from sandbox.model.ecs.launch import launch
from sandbox.model.ecs.task import Task
from sandbox.model.ecs.taskdef import TaskDefinition

if TYPE_CHECKING:
    from sandbox.model.ecs.cluster import Cluster
    from sandbox.model.ecs.control import Command, Ecs

MAX_INSTANCES_A_CALL = 10


def start_task(
    ecs: Ecs, request: Mapping[str, Any], now: float
) -> tuple[list[Task], list[dict[str, str]], list[Command]]:
    """StartTask: a task on each instance that is named; those that cannot take it are failures.

    Raises:
        EcsError: As RunTask does.
    """
    cluster = ecs.find_cluster(request.get("cluster"))
    references = request["containerInstances"]
    if not 1 <= len(references) <= MAX_INSTANCES_A_CALL:
        raise invalid_parameter(f"There must be 1 to {MAX_INSTANCES_A_CALL} container instances.")
    overridden = request.get("overrides") or {}
    definition = overrides.apply(ecs.runnable(request.get("taskDefinition", "")), overridden)
    how = launch({**request, "launchType": "EC2"}, definition, ())
    tagging.checked(request.get("tags"))
    tasks: list[Task] = []
    failures: list[dict[str, str]] = []
    commands: list[Command] = []
    for reference in references:
        instance, failed = _able(ecs, cluster, reference, definition)
        if instance is None:
            failures.append(failed)
            continue
        task = ecs.make_task(
            cluster,
            definition,
            how,
            now,
            group=request.get("group") or f"family:{definition.family}",
            started_by=request.get("startedBy", ""),
            tags=tagging.of_new_task(ecs, request, definition.arn, cluster.name),
            overridden=overridden,
            execute_command=bool(request.get("enableExecuteCommand")),
            instance=instance,
        )
        tasks.append(task)
        commands += [*task.start(), *ecs.host_changed(task)]
    return tasks, failures, commands


def _able(
    ecs: Ecs, cluster: Cluster, reference: str, definition: TaskDefinition
) -> tuple[ContainerInstance | None, dict[str, str]]:
    """The instance, or the failure of it."""
    try:
        instance = instances.find(ecs, cluster, reference)
    except EcsError:
        return None, {"arn": reference, "reason": "MISSING"}
    if instance.status == "INACTIVE":
        return None, {"arn": instance.arn, "reason": "INACTIVE"}
    reason = placement.failure(definition, instance.standing(instances.tasks_on(ecs, instance)))
    return (instance, {}) if reason is None else (None, {"arn": instance.arn, "reason": reason})


def bind(ecs: Ecs, instance: ContainerInstance, definition: TaskDefinition) -> Mapping[str, tuple[ports.Binding, ...]]:
    """The ports that a new task gets on its instance; the next task's search begins after them."""
    taken = instance.usage(instances.tasks_on(ecs, instance)).ports
    bindings = ports.bind(definition, taken, instance.next_port)
    given = [one.host_port for bound in bindings.values() for one in bound if one.host_port in ports.EPHEMERAL]
    instance.next_port = max(given, default=instance.next_port - 1) + 1
    return bindings
