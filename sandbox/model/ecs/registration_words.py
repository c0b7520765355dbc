"""What a service says of its targets.

Words: those of DescribeServices as users have shown them, up to 2026; developer guide "Viewing Amazon ECS service event
messages".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sandbox.model.ecs.registration import DeregisterTask, RegistrationFailed, Targets, targets_by_group
from sandbox.model.ecs.task import Task

# What a stoppedReason begins with where a load balancer's checks have failed.
_FAILED = "Task failed ELB health checks in"


def stopped_reason(task: Task) -> str | None:
    """The stoppedReason of a task that a target of it fails; None where none does."""
    failing = task.registration.failing
    return f"{_FAILED} (target-group {failing[0]})" if failing else None


def failed_checks(task: Task) -> bool:
    """Whether its service has given it up for a load balancer's checks."""
    return task.stopped_reason.startswith(_FAILED)


def unhealthy(service: str, task: Task) -> str:
    """Said when a task is given up for a load balancer's checks."""
    failing = task.registration.failing
    assert failing is not None, "a task was given up for checks that it passes"
    group_arn, target, health = failing
    where = f"instance {target.id}" if task.host and task.host.ec2_instance_id == target.id else f"task {task.id}"
    return (
        f"(service {service}) ({where}) (port {target.port}) is unhealthy in (target-group {group_arn}) "
        f"due to (reason {health.description})."
    )


def registered(service: str, targets: Targets) -> list[str]:
    """Said of new targets, group by group."""
    return [
        f"(service {service}) registered {count} targets in (target-group {group_arn})"
        for group_arn, count in targets_by_group(targets).items()
    ]


def registration_failed(service: str, failure: RegistrationFailed) -> str:
    """Said when targets could not be registered; of Cloud Map, the words are ours."""
    if ":targetgroup/" in failure.where:
        where = f"failed to register targets in (target-group {failure.where})"
    else:
        where = f"failed to register an instance in (service registry {failure.where})"
    return f"(service {service}) {where} with (error {failure.error})"


def deregistered(service: str, leaving: Sequence[DeregisterTask], deployments: Iterable[str]) -> list[str]:
    """Said of targets that leave together; ``deployments`` are the ids of those that the tasks belong to."""
    targets = tuple(target for command in leaving for target in command.targets)
    if not targets:
        return []
    said = [
        f"(service {service}) deregistered {count} targets in (target-group {group_arn})"
        for group_arn, count in targets_by_group(targets).items()
    ]
    of = list(deployments)
    for deployment in dict.fromkeys(of):
        count = of.count(deployment)
        said.append(f"(service {service}, taskSet {deployment}) has begun draining connections on {count} tasks.")
    return said
