"""A rolling update: which tasks a service starts and stops next, so that it stays within its limits.

Rules: developer guide "Deploy Amazon ECS services by replacing tasks", API reference "DeploymentConfiguration"
(minimumHealthyPercent rounds up, maximumPercent rounds down; a task without a health check counts as healthy 40 s after
it has reached RUNNING, one with a health check when it is HEALTHY, and one behind a load balancer when its targets are
healthy, too) and "A deep dive into Amazon ECS task health and task replacement" on the AWS Containers blog
(replacements of unhealthy tasks start first where the maximum lets them).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from sandbox.model.ecs.task import Task

HEALTHY_AFTER = 40.0  # seconds in RUNNING, for a task without a health check


class Standing(Enum):
    """What a task is worth to its service."""

    STARTING = "on its way to RUNNING"
    RUNNING = "RUNNING, and not yet counted as healthy"
    HEALTHY = "counted as healthy"
    UNHEALTHY = "failing its health checks"
    LEAVING = "told to stop, and its containers may still run"
    GONE = "without running containers"


Member = tuple[Task, Standing]


@dataclass(frozen=True)
class Limits:
    """How few healthy and how many tasks a service may have.

    Attributes:
        desired: The service's desired count.
        minimum: Healthy tasks that must remain.
        maximum: Tasks that may be there at once, starting, running or stopping.
    """

    desired: int
    minimum: int
    maximum: int

    @staticmethod
    def of(desired: int, minimum_percent: int, maximum_percent: int) -> Limits:
        """The limits of a desired count under minimumHealthyPercent and maximumPercent."""
        return Limits(desired, -(-desired * minimum_percent // 100), desired * maximum_percent // 100)


@dataclass(frozen=True)
class Fleet:
    """The tasks of a service with their standing, each group in the order in which they are kept.

    Attributes:
        new: Those of the PRIMARY deployment that are not told to stop.
        old: The same of the deployment that was COMPLETED last, and of any on a DRAINING instance.
        superseded: The same of deployments that gave way before they were complete.
        leaving: How many tasks are told to stop and may still run.
        may_start: Whether the PRIMARY deployment may start tasks now: it has not FAILED and is not throttled.
        may_replace: Whether its tasks take the place of others: it has not FAILED.
        may_restart_old: Whether the deployment that was COMPLETED last may start tasks now.
    """

    new: Sequence[Member]
    old: Sequence[Member] = ()
    superseded: Sequence[Member] = ()
    leaving: int = 0
    may_start: bool = True
    may_replace: bool = True
    may_restart_old: bool = True


@dataclass(frozen=True)
class Plan:
    """What to do now.

    Attributes:
        start: New tasks of the PRIMARY deployment.
        start_old: New tasks of the deployment that is being replaced.
        stop: Tasks that give way.
        stuck: Nothing can be done now and nothing is on its way: the limits leave no room.
    """

    start: int
    start_old: int
    stop: tuple[Task, ...]
    stuck: bool


def standing_of(task: Task, *, lasted: bool, in_grace: bool = False) -> Standing:
    """What ``task`` is worth.

    Args:
        task: The task.
        lasted: It has been RUNNING for `HEALTHY_AFTER` seconds.
        in_grace: Unhealthy checks are ignored still.
    """
    if task.desired_status == "STOPPED":
        up = task.last_status in {"PENDING", "ACTIVATING", "RUNNING", "DEACTIVATING", "STOPPING"}
        return Standing.LEAVING if up else Standing.GONE
    if task.last_status != "RUNNING":
        return Standing.STARTING
    status = task.health_status if task.health_checked else "UNKNOWN"
    if status == "UNHEALTHY" or task.registration.failing:
        return Standing.RUNNING if in_grace else Standing.UNHEALTHY
    healthy = status == "HEALTHY" if task.health_checked else lasted or balanced(task)
    healthy = healthy and task.registration.healthy
    return Standing.HEALTHY if healthy else Standing.RUNNING


def in_balance(members: Sequence[Member]) -> list[Member]:
    """The same in an order in which the last one can always go without zones losing their balance.

    Source: developer guide "Use strategies to define Amazon ECS task placement" (tasks to terminate "maintain a balance
    across Availability Zones"). Tasks on Fargate stay as they are: in order of creation.
    """
    if not any(task.host for task, _ in members):
        return list(members)
    seen: Counter[str] = Counter()
    places = []
    for task, _ in members:
        zone = task.host.availability_zone if task.host else ""
        seen[zone] += 1
        places.append(seen[zone])
    return [member for _, member in sorted(zip(places, members, strict=True), key=lambda item: item[0])]


def balanced(task: Task) -> bool:
    """Whether the task is behind a load balancer, whose checks then say when it is healthy."""
    return bool(task.registration.wanted.groups)


def plan(fleet: Fleet, limits: Limits) -> Plan:
    """The next step.

    While PRIMARY can start none, lost tasks of the deployment before it are started again, so that the minimum is kept.
    """
    live = [*fleet.new, *fleet.old, *fleet.superseded]
    if limits.desired == 0:
        return Plan(0, 0, tuple(task for task, _ in live), stuck=False)
    healthy = _count(live, Standing.HEALTHY)
    room = max(0, limits.maximum - len(live) - fleet.leaving)
    wanted = max(0, limits.desired - len(fleet.new) + _count(fleet.new, Standing.UNHEALTHY))
    start = min(wanted, room) if fleet.may_start else 0
    start_old = 0
    if fleet.may_restart_old and not fleet.may_start:
        start_old = min(max(0, -_spare_old(fleet, limits)), room)

    surplus = _surplus(fleet, limits)
    full = bool(wanted) and not room and not fleet.leaving
    stop = [task for task, _ in surplus] + _unhealthy(live, healthy, limits, full=full)
    if fleet.may_replace:
        stop += _replaced(fleet, healthy - _count(surplus, Standing.HEALTHY), limits)
    waiting = fleet.leaving or _count(live, Standing.STARTING) or _count(live, Standing.RUNNING)
    idle = not (start or stop or waiting)
    return Plan(
        start, start_old, tuple(stop), stuck=idle and fleet.may_start and bool(wanted or live[len(fleet.new) :])
    )


def _count(members: Sequence[Member], worth: Standing) -> int:
    return sum(standing is worth for _, standing in members)


def _spare_old(fleet: Fleet, limits: Limits) -> int:
    """How many old tasks are there beyond those that, with the healthy new ones, make up the minimum."""
    good_old = len(fleet.old) - _count(fleet.old, Standing.UNHEALTHY)
    return good_old + _count(fleet.new, Standing.HEALTHY) - limits.minimum


def _surplus(fleet: Fleet, limits: Limits) -> list[Member]:
    """New tasks above the desired count: those that have proved least, then the youngest."""
    order = (Standing.HEALTHY, Standing.RUNNING, Standing.STARTING)
    good = [member for member in fleet.new if member[1] in order]
    ranked = sorted(good, key=lambda member: order.index(member[1]))
    return ranked[limits.desired :]


def _unhealthy(live: Sequence[Member], healthy: int, limits: Limits, *, full: bool) -> list[Task]:
    """Unhealthy tasks: all, where enough healthy ones are there; one by one, where no replacement finds room."""
    bad = [task for task, worth in live if worth is Standing.UNHEALTHY]
    return bad if healthy >= limits.minimum else bad[:1] if full else []


def _replaced(fleet: Fleet, healthy: int, limits: Limits) -> list[Task]:
    """What gives way to new tasks: what does not run yet, and what runs while the minimum stays healthy without it."""
    stop = [task for task, worth in fleet.superseded if worth is Standing.STARTING]
    unneeded = max(0, _spare_old(fleet, limits))
    stop += [task for task, worth in fleet.old if worth is Standing.STARTING][:unneeded]
    others = [*fleet.superseded, *fleet.old]
    if healthy >= limits.minimum:
        stop += [task for task, worth in others if worth is Standing.RUNNING]
    return stop + [task for task, worth in others if worth is Standing.HEALTHY][: max(0, healthy - limits.minimum)]
