"""Tasks that start: RunTask, StartTask, and what a new task gets: its ids, its instance and its ports there.

Rules: API reference "RunTask" and "StartTask"; developer guide "Amazon ECS API failure reasons".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sandbox.model.ecs import definitions, instances, overrides, placement, ports, tagging
from sandbox.model.ecs.container import Container
from sandbox.model.ecs.container_instance import ContainerInstance
from sandbox.model.ecs.errors import EcsError, invalid_parameter
from sandbox.model.ecs.launch import Launch, launch
from sandbox.model.ecs.messages import Network
from sandbox.model.ecs.placement import Unplaced
from sandbox.model.ecs.task import SERVICE_GROUP, Task
from sandbox.model.ecs.taskdef import TaskDefinition

if TYPE_CHECKING:
    from sandbox.model.ecs.cluster import Cluster
    from sandbox.model.ecs.control import Command, Ecs

Request = Mapping[str, Any]

MAX_TASKS_A_CALL = 10  # RunTask count
MAX_INSTANCES_A_CALL = 10  # StartTask containerInstances


def run_task(ecs: Ecs, request: Request, now: float) -> tuple[list[Task], list[Command]]:
    """RunTask: ``count`` new tasks; an `Unplaced` is among the commands where instances do not take them all.

    Raises:
        EcsError: ClientException, ClusterNotFoundException, InvalidParameterException.
    """
    cluster = ecs.find_cluster(request.get("cluster"))
    definition, asked = _asked(ecs, request, cluster)
    count = int(request.get("count", 1))
    if not 1 <= count <= MAX_TASKS_A_CALL:
        raise invalid_parameter(f"Count must be between 1 and {MAX_TASKS_A_CALL}.")
    how = launch(request, definition, cluster.default_strategy)
    if how.launch_type == "EC2" and not instances.occupancies(ecs, cluster.arn):
        raise invalid_parameter(placement.NO_INSTANCES)
    tasks: list[Task] = []
    commands: list[Command] = []
    for _ in range(count):
        task = new_task(ecs, cluster, definition, how, now, **asked)
        if isinstance(task, Unplaced):
            commands.append(task)
            break
        tasks.append(task)
        commands += [*task.start(), *ecs.host_changed(task)]
    return tasks, commands


def start_task(ecs: Ecs, request: Request, now: float) -> tuple[list[Task], list[dict[str, str]], list[Command]]:
    """StartTask: a task on each instance that is named; those that cannot take it are failures.

    Raises:
        EcsError: As RunTask does.
    """
    cluster = ecs.find_cluster(request.get("cluster"))
    references = request["containerInstances"]
    if not 1 <= len(references) <= MAX_INSTANCES_A_CALL:
        raise invalid_parameter(f"There must be 1 to {MAX_INSTANCES_A_CALL} container instances.")
    definition, asked = _asked(ecs, request, cluster)
    how = launch({**request, "launchType": "EC2"}, definition, ())
    tasks: list[Task] = []
    failures: list[dict[str, str]] = []
    commands: list[Command] = []
    for reference in references:
        instance, failed = _able(ecs, cluster, reference, definition)
        if instance is None:
            failures.append(failed)
            continue
        task = _make(ecs, cluster, definition, how, now, **asked, instance=instance)
        tasks.append(task)
        commands += [*task.start(), *ecs.host_changed(task)]
    return tasks, failures, commands


def _asked(ecs: Ecs, request: Request, cluster: Cluster) -> tuple[TaskDefinition, dict[str, Any]]:
    """What RunTask and StartTask want to start, and what they say of each of their tasks (see `_make`)."""
    overridden = request.get("overrides") or {}
    definition = overrides.apply(definitions.runnable(ecs.definitions, request.get("taskDefinition", "")), overridden)
    if (request.get("group") or "").startswith(SERVICE_GROUP):
        raise invalid_parameter("Invalid namespace for group.")
    tagging.checked(request.get("tags"))
    if request.get("propagateTags") == "SERVICE":
        raise invalid_parameter("Tags of a service can not be propagated to a task that none has started.")
    return definition, {
        "group": request.get("group") or f"family:{definition.family}",
        "started_by": request.get("startedBy", ""),
        "tags": tagging.of_new_task(ecs, request, definition.arn, cluster.name),
        "overridden": overridden,
        "execute_command": bool(request.get("enableExecuteCommand")),
    }


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
    reason = placement.failure(definition, instance.occupancy(instances.tasks_on(ecs, instance)))
    return (instance, {}) if reason is None else (None, {"arn": instance.arn, "reason": reason})


def new_task(
    ecs: Ecs, cluster: Cluster, definition: TaskDefinition, how: Launch, now: float, *, group: str, **more: Any
) -> Task | Unplaced:
    """A task on Fargate, or on the instance that placement finds; ``more`` is what `_make` takes."""
    if how.launch_type != "EC2":
        return _make(ecs, cluster, definition, how, now, group=group, **more)
    found = placement.place(
        definition,
        how.rules,
        group,
        instances.occupancies(ecs, cluster.arn),
        lambda below: int(ecs.new_id(), 16) % below,
    )
    if isinstance(found, Unplaced):
        return found
    return _make(ecs, cluster, definition, how, now, group=group, instance=found, **more)


def _make(
    ecs: Ecs,
    cluster: Cluster,
    definition: TaskDefinition,
    how: Launch,
    now: float,
    *,
    group: str,
    started_by: str,
    tags: Sequence[Mapping[str, str]],
    overridden: Mapping[str, Any] | None = None,
    execute_command: bool = False,
    instance: ContainerInstance | None = None,
) -> Task:
    """A new task, on Fargate or on the ``instance`` that has been found for it."""
    task_id = ecs.new_id()
    containers = {
        container.name: Container(
            container.name,
            f"{ecs.arn_prefix}:container/{cluster.name}/{task_id}/{_uuid(ecs.new_id())}",
            container.image,
        )
        for container in definition.containers
    }
    network = how.network
    bindings: Mapping[str, tuple[ports.Binding, ...]] = {}
    if instance is not None:
        bindings = _bind(ecs, instance, definition)
        if network is not None:  # its interface is in the instance's subnet
            network = Network((instance.launched.subnet_id,), network.security_groups, assign_public_ip=False)
    task = Task(
        f"{ecs.arn_prefix}:task/{cluster.name}/{task_id}",
        cluster.arn,
        definition,
        network,
        _uuid(ecs.new_id()),
        group,
        how.launch_type,
        how.capacity_provider,
        started_by,
        now,
        containers,
        tags=tuple(tags),
        overrides=overridden or {},
        execute_command=execute_command,
        host=instance.host if instance else None,
        bindings=bindings,
    )
    ecs.tasks[task.arn] = task
    return task


def _bind(ecs: Ecs, instance: ContainerInstance, definition: TaskDefinition) -> Mapping[str, tuple[ports.Binding, ...]]:
    """The ports that a new task gets on its instance; the next task's search begins after them."""
    taken = instance.usage(instances.tasks_on(ecs, instance)).ports
    bindings = ports.bind(definition, taken, instance.next_port)
    given = [one.host_port for bound in bindings.values() for one in bound if one.host_port in ports.EPHEMERAL]
    instance.next_port = max(given, default=instance.next_port - 1) + 1
    return bindings


def _uuid(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
