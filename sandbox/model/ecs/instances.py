"""What the ECS API does with container instances and their attributes, and what happens to them.

Rules: API reference, one page an action; developer guide "Draining Amazon ECS container instances" and "Amazon ECS
stopped tasks error messages" (reasons of tasks whose instance is lost).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sandbox.model.ecs import cluster_query
from sandbox.model.ecs.cluster import Cluster
from sandbox.model.ecs.container_instance import (
    ContainerInstance,
    DropInstance,
    Launched,
    Occupancy,
    PublishInstance,
    built_in,
)
from sandbox.model.ecs.errors import EcsError, invalid_parameter
from sandbox.model.ecs.messages import HostLost, StopRequested
from sandbox.model.ecs.task import ON_THE_WAY, Task

if TYPE_CHECKING:
    from sandbox.model.ecs.control import Command, Ecs

Request = Mapping[str, Any]

MAX_ATTRIBUTES_A_CALL = 10
_ATTRIBUTE_NAME = re.compile(r"[A-Za-z0-9_./\\-]{1,128}")
_ATTRIBUTE_VALUE = re.compile(r"[A-Za-z0-9_.@/\\:-](?:[A-Za-z0-9_.@/\\: -]{0,126}[A-Za-z0-9_.@/\\:-])?")


# -- what happens to the EC2 instance --


def register(ecs: Ecs, cluster: Cluster, launched: Launched, now: float) -> list[Command]:
    """The agent of an EC2 instance registers; one that has registered before connects again.

    Whether it has a trunk interface, the account setting decides at the first time: "only new instances launched after
    opting in".
    """
    known = of_ec2_instance(ecs, launched.ec2_instance_id)
    if known is not None:
        known.agent_connected, known.gone = True, False
        return [changed(ecs, known), *ecs.capacity_changed(cluster.arn, now)]
    instance_id = ecs.new_id()
    limit = launched.type.trunked_task_interfaces if ecs.settings.is_enabled("awsvpcTrunking") else None
    trunk = f"eni-{ecs.new_id()[:17]}" if limit is not None else ""
    instance = ContainerInstance(
        f"{ecs.arn_prefix}:container-instance/{cluster.name}/{instance_id}",
        cluster.arn,
        launched,
        launched.type.task_interfaces if limit is None else limit,
        now,
        built_in(launched, trunk),
    )
    ecs.instances[instance.arn] = instance
    return [PublishInstance(instance.arn, cluster.arn, instance.describe(())), *ecs.capacity_changed(cluster.arn, now)]


def lost(ecs: Ecs, ec2_instance_id: str, what: str, now: float) -> list[Command]:
    """The EC2 instance is stopped or terminated (``what``): its tasks end; a terminated one is deregistered."""
    instance = of_ec2_instance(ecs, ec2_instance_id)
    if instance is None:
        return [DropInstance(ec2_instance_id)]
    instance.agent_connected, instance.gone = False, True
    if what == "terminated":
        instance.status = "INACTIVE"
    commands: list[Command] = [changed(ecs, instance)]
    reason = f"Host EC2 (instance {ec2_instance_id}) {what}."
    for task in tasks_on(ecs, instance):
        commands += ecs.task_event(task.arn, HostLost(reason, "TerminationNotice"), now)
    return [*commands, *ecs.capacity_changed(instance.cluster_arn, now), *empty(ecs, instance)]


def empty(ecs: Ecs, instance: ContainerInstance) -> list[Command]:
    """What follows when the last task of a lost instance has stopped."""
    if instance.gone and not tasks_on(ecs, instance):
        return [DropInstance(instance.launched.ec2_instance_id)]
    return []


def of_ec2_instance(ecs: Ecs, ec2_instance_id: str) -> ContainerInstance | None:
    """The container instance that an EC2 instance is, unless it has been deregistered."""
    found = (i for i in ecs.instances.values() if i.launched.ec2_instance_id == ec2_instance_id)
    return next((instance for instance in found if instance.status != "INACTIVE"), None)


def changed(ecs: Ecs, instance: ContainerInstance) -> PublishInstance:
    """Its next version, to be published."""
    instance.version += 1
    return PublishInstance(instance.arn, instance.cluster_arn, describe(ecs, instance))


# -- looking --


def tasks_on(ecs: Ecs, instance: ContainerInstance) -> list[Task]:
    """The tasks on an instance that are not STOPPED."""
    return [
        task
        for task in ecs.tasks.values()
        if task.host is not None and task.host.container_instance_arn == instance.arn and task.last_status != "STOPPED"
    ]


def occupancies(ecs: Ecs, cluster_arn: str) -> list[Occupancy]:
    """The ACTIVE instances of a cluster with their tasks, in order of registration."""
    tasks: dict[str, list[Task]] = {}
    for task in ecs.tasks.values():
        if task.host is not None and task.last_status != "STOPPED":
            tasks.setdefault(task.host.container_instance_arn, []).append(task)
    return [
        instance.occupancy(tasks.get(instance.arn, ()))
        for instance in ecs.instances.values()
        if instance.cluster_arn == cluster_arn and instance.status == "ACTIVE"
    ]


def describe(ecs: Ecs, instance: ContainerInstance) -> dict[str, Any]:
    """As DescribeContainerInstances shows it."""
    return instance.describe(tasks_on(ecs, instance))


def find(ecs: Ecs, cluster: Cluster, reference: str) -> ContainerInstance:
    """The instance with this id or ARN in the cluster.

    Raises:
        EcsError: InvalidParameterException.
    """
    arn = reference
    if not reference.startswith("arn:"):
        arn = f"{ecs.arn_prefix}:container-instance/{cluster.name}/{reference}"
    instance = ecs.instances.get(arn)
    if instance is None or instance.cluster_arn != cluster.arn:
        raise invalid_parameter("Referenced container instance not found.")
    return instance


def listed(ecs: Ecs, request: Request) -> list[ContainerInstance]:
    """ListContainerInstances: by an expression and by status (ACTIVE and DRAINING where none is given).

    Raises:
        EcsError: InvalidParameterException, ClusterNotFoundException.
    """
    cluster = ecs.find_cluster(request.get("cluster"))
    wanted = {request["status"]} if request.get("status") else {"ACTIVE", "DRAINING"}
    chosen = [i for i in ecs.instances.values() if i.cluster_arn == cluster.arn and i.status in wanted]
    if request.get("filter"):
        predicate = cluster_query.parse(request["filter"])
        chosen = [instance for instance in chosen if predicate(instance.occupancy(tasks_on(ecs, instance)))]
    return chosen


# -- changing --


def update_state(
    ecs: Ecs, request: Request, now: float
) -> tuple[list[ContainerInstance], list[dict[str, str]], list[Command]]:
    """UpdateContainerInstancesState; unknown instances are failures.

    DRAINING: service tasks that do not run yet stop at once, those that run are replaced under the rules of their
    service, standalone tasks go on.

    Raises:
        EcsError: InvalidParameterException, ClusterNotFoundException.
    """
    cluster = ecs.find_cluster(request.get("cluster"))
    if request["status"] not in {"ACTIVE", "DRAINING"}:
        raise invalid_parameter("Container instances can only be set to ACTIVE or DRAINING.")
    found, failures = [], []
    commands: list[Command] = []
    for reference in request["containerInstances"]:
        try:
            instance = find(ecs, cluster, reference)
        except EcsError:
            failures.append({"arn": reference, "reason": "MISSING"})
            continue
        if instance.status == "INACTIVE":
            failures.append({"arn": instance.arn, "reason": "INACTIVE"})
            continue
        found.append(instance)
        instance.status = request["status"]
        commands.append(changed(ecs, instance))
        commands += _drain(ecs, instance, now)
    return found, failures, [*commands, *ecs.capacity_changed(cluster.arn, now)]


def _drain(ecs: Ecs, instance: ContainerInstance, now: float) -> list[Command]:
    commands: list[Command] = []
    for task in tasks_on(ecs, instance):
        task.draining = instance.status == "DRAINING"
        if task.draining and task.service_name and task.last_status in ON_THE_WAY:
            reason = f"Scaling activity initiated by (deployment {task.started_by})"
            commands += ecs.task_event(task.arn, StopRequested(reason, "ServiceSchedulerInitiated"), now)
    return commands


def deregister(ecs: Ecs, request: Request, now: float) -> tuple[ContainerInstance, list[Command]]:
    """DeregisterContainerInstance: with tasks on it only by force, which stops them.

    Raises:
        EcsError: InvalidParameterException, ClusterNotFoundException.
    """
    cluster = ecs.find_cluster(request.get("cluster"))
    instance = find(ecs, cluster, request["containerInstance"])
    if instance.status == "INACTIVE":
        raise invalid_parameter("Referenced container instance not found.")
    tasks = tasks_on(ecs, instance)
    if tasks and not request.get("force"):
        raise invalid_parameter("Found running tasks on the instance.")
    instance.status, instance.agent_connected = "INACTIVE", False
    commands: list[Command] = [changed(ecs, instance)]
    for task in tasks:
        lost_host = HostLost("Container instance deregistration forced by user", "UserInitiated")
        commands += ecs.task_event(task.arn, lost_host, now)
    return instance, [*commands, *ecs.capacity_changed(cluster.arn, now)]


# -- attributes --


def put_attributes(ecs: Ecs, request: Request, now: float) -> tuple[list[dict[str, Any]], list[Command]]:
    """PutAttributes: custom attributes; those of the same name are replaced.

    Raises:
        EcsError: TargetNotFoundException, InvalidParameterException, ClusterNotFoundException.
    """
    targets = _targets(ecs, request)
    for instance, item in targets:
        if not _ATTRIBUTE_NAME.fullmatch(item["name"]) or not _ATTRIBUTE_VALUE.fullmatch(item.get("value") or "-"):
            raise invalid_parameter(f"The attribute '{item['name']}' has characters that are not allowed.")
        _refuse_built_in(instance, item["name"])
    for instance, item in targets:
        instance.attributes[item["name"]] = item.get("value")
    cluster = ecs.find_cluster(request.get("cluster"))
    return [_shown(instance, item["name"]) for instance, item in targets], ecs.capacity_changed(cluster.arn, now)


def delete_attributes(ecs: Ecs, request: Request) -> list[dict[str, Any]]:
    """DeleteAttributes.

    Raises:
        EcsError: TargetNotFoundException, InvalidParameterException, ClusterNotFoundException.
    """
    targets = _targets(ecs, request)
    for instance, item in targets:
        _refuse_built_in(instance, item["name"])
    deleted = []
    for instance, item in targets:
        if item["name"] in instance.attributes:
            deleted.append(_shown(instance, item["name"]))
            del instance.attributes[item["name"]]
    return deleted


def list_attributes(ecs: Ecs, request: Request) -> list[dict[str, Any]]:
    """ListAttributes: of the cluster's instances, by name and value.

    Raises:
        EcsError: ClusterNotFoundException.
    """
    cluster = ecs.find_cluster(request.get("cluster"))
    name, value = request.get("attributeName"), request.get("attributeValue")
    return [
        _shown(instance, attribute)
        for instance in ecs.instances.values()
        if instance.cluster_arn == cluster.arn and instance.status != "INACTIVE"
        for attribute in instance.attributes
        if name in {None, attribute} and value in {None, instance.attributes[attribute]}
    ]


def _targets(ecs: Ecs, request: Request) -> list[tuple[ContainerInstance, Mapping[str, Any]]]:
    cluster = ecs.find_cluster(request.get("cluster"))
    attributes: Sequence[Mapping[str, Any]] = request["attributes"]
    if len(attributes) > MAX_ATTRIBUTES_A_CALL:
        raise invalid_parameter(f"There are more than {MAX_ATTRIBUTES_A_CALL} attributes.")
    return [(_target(ecs, cluster, item), item) for item in attributes]


def _target(ecs: Ecs, cluster: Cluster, item: Mapping[str, Any]) -> ContainerInstance:
    try:
        return find(ecs, cluster, item.get("targetId") or "")
    except EcsError:
        raise EcsError("TargetNotFoundException", f"The target {item.get('targetId')} was not found.") from None


def _refuse_built_in(instance: ContainerInstance, name: str) -> None:
    custom = name in instance.launched.attributes or not name.startswith(("ecs.", "com.amazonaws.ecs."))
    if not custom:
        raise invalid_parameter(f"The attribute '{name}' is reserved for Amazon ECS.")


def _shown(instance: ContainerInstance, name: str) -> dict[str, Any]:
    value = instance.attributes[name]
    return {"name": name, **({} if value is None else {"value": value}), "targetId": instance.arn}
