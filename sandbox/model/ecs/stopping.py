"""The end of a task's life: from the reason to stop, by DEACTIVATING, STOPPING and DEPROVISIONING, to STOPPED.

A task is deregistered first, then its containers stop, then what it has of the network goes (see
`sandbox.model.ecs.task` for the sources).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.model.ecs import dependencies
from sandbox.model.ecs.messages import DetachEni, LeaveInstance, Remind, StopContainer, TaskCommand
from sandbox.model.ecs.registration import DrainOver

if TYPE_CHECKING:
    from sandbox.model.ecs.task import Task


def stop(task: Task, code: str, reason: str, now: float) -> list[TaskCommand]:
    """Begin to stop, for this stopCode and stoppedReason; nothing if it does already."""
    if task.desired_status == "STOPPED":
        return []
    _give_up(task, code, reason, now)
    commands: list[TaskCommand] = [task.changed()]
    if task.last_status == "PROVISIONING":
        return commands  # the interface is on its way; it is taken down when it has come
    for container in task.containers.values():
        if not container.asked:
            container.status = "STOPPED"
    return [*commands, *_leave(task, code), *further(task, now)]


def attach_failed(task: Task, reason: str, now: float) -> list[TaskCommand]:
    """It gets no network interface: it is STOPPED at once."""
    _give_up(task, "TaskFailedToStart", reason, now)
    _end_containers(task)
    return stopped(task, now)


def attached_too_late(task: Task, now: float) -> list[TaskCommand]:
    """Its network interface has come when it was to stop already."""
    _end_containers(task)
    return _deprovision(task, now)


def container_failed(task: Task, name: str, reason: str, now: float) -> list[TaskCommand]:
    """A container cannot be started: the end of the task, essential or not."""
    container = task.containers[name]
    if container.status != "PENDING":
        return []
    container.status, container.reason = "STOPPED", reason
    return stop(task, "TaskFailedToStart", reason, now) or further(task, now)


def host_lost(task: Task, code: str, reason: str, now: float) -> list[TaskCommand]:
    """Its container instance is gone, and its containers with it; nothing is left that could drain."""
    if task.last_status == "PROVISIONING":
        return stop(task, code, reason, now)
    if not task.all_stopped:
        _end_containers(task)
        return stop(task, code, reason, now) or further(task, now)
    return []


def further(task: Task, now: float) -> list[TaskCommand]:
    """Go on with a stop: once its targets have drained, stop the containers; then take the interface down."""
    over = task.last_status == "STOPPED" or "executionStoppedAt" in task.times
    if over or task.desired_status == "RUNNING" or task.last_status == "PROVISIONING":
        return []
    if task.all_stopped:
        return [] if task.registration.unfinished else _deprovision(task, now)
    if task.registration.holds_containers:
        return []
    task.last_status = "STOPPING"  # without an event, as `sandbox.model.ecs.task` says
    return _stop_ready(task)


def deregister(task: Task) -> list[TaskCommand]:
    """Deregister a task that is to stop, where it is registered; its targets may drain for their delay."""
    command = task.registration.deregister(task.arn)
    if command is None:
        return []
    drain = () if task.registration.drained else (Remind(task.arn, DrainOver(), task.registration.delay),)
    return [command, *drain]


def stopped(task: Task, now: float) -> list[TaskCommand]:
    """Nothing is left of it."""
    task.attachment_status = "DELETED"
    task.times["stoppedAt"] = now
    return [task.move("STOPPED")]


def _give_up(task: Task, code: str, reason: str, now: float) -> None:
    if task.desired_status == "RUNNING":
        task.desired_status = "STOPPED"
        task.stop_code, task.stopped_reason = code, reason
        task.times["stoppingAt"] = now


def _end_containers(task: Task) -> None:
    """They never ran, or are gone with their host."""
    for container in task.containers.values():
        container.status = "STOPPED"


def _leave(task: Task, code: str) -> list[TaskCommand]:
    """Begin to deregister, where there is something to."""
    if not task.registration.leave(code):
        return []
    announced = [task.move("DEACTIVATING")] if task.registration.wanted.before_running else []
    task.last_status = "DEACTIVATING"
    return [*announced, *deregister(task)]


def _stop_ready(task: Task) -> list[TaskCommand]:
    """Stop what no live container depends on: the order of the start, reversed."""
    commands: list[TaskCommand] = []
    for container in task.containers.values():
        dependants = dependencies.dependants(container.name, task.definition.containers)
        if container.status == "STOPPED" or container.stopping:
            continue
        if all(task.containers[name].status == "STOPPED" for name in dependants):
            container.stopping = True
            timeout = task.definition.container(container.name).stop_timeout
            commands.append(StopContainer(task.arn, container.name, timeout))
    return commands


def _deprovision(task: Task, now: float) -> list[TaskCommand]:
    task.times["executionStoppedAt"] = now
    if task.network is None:  # nothing to be deprovisioned
        task.last_status = "STOPPING"
        return [LeaveInstance(task.arn)]
    task.attachment_status = "DETACHING"
    return [task.move("DEPROVISIONING"), DetachEni(task.arn)]
