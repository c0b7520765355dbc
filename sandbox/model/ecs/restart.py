"""``restartPolicy``: a container that is started again in its task.

Rules: developer guide "Restart individual containers in Amazon ECS tasks with container restart policies"; API
reference "ContainerRestartPolicy".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.model.ecs.errors import client_exception
from sandbox.model.ecs.messages import MayRestart, Remind, RestartContainer, TaskCommand

if TYPE_CHECKING:
    from sandbox.model.ecs.container import Container
    from sandbox.model.ecs.task import Task

DEFAULT_PERIOD, LEAST_PERIOD, MOST_PERIOD = 300, 60, 1800
MAX_IGNORED = 50


@dataclass(frozen=True)
class RestartPolicy:
    """Exit codes after which a container stays stopped, and the seconds that it must have run to be started again."""

    ignored: frozenset[int]
    period: int


def parse(container: str, raw: Mapping[str, Any] | None) -> RestartPolicy | None:
    """The policy of a container definition (None: none, or one that is not enabled).

    Raises:
        EcsError: ClientException; AWS documents the limits, the words are ours.
    """
    if not raw or not raw.get("enabled"):
        return None
    ignored = list(raw.get("ignoredExitCodes") or ())
    period = raw.get("restartAttemptPeriod")
    period = DEFAULT_PERIOD if period is None else int(period)
    if len(ignored) > MAX_IGNORED or not LEAST_PERIOD <= period <= MOST_PERIOD:
        raise client_exception(
            f"Invalid setting for container '{container}'. A restart policy has {MAX_IGNORED} ignoredExitCodes at "
            f"most, and a restartAttemptPeriod of {LEAST_PERIOD} to {MOST_PERIOD} seconds."
        )
    return RestartPolicy(frozenset(ignored), period)


def allow(task: Task, container: Container) -> list[TaskCommand]:
    """It has started: its policy wants it to run for a while before it may be started again."""
    policy = task.definition.container(container.name).restart
    if policy is None or container.status != "RUNNING" or container.started_at is None:
        return []
    return [Remind(task.arn, MayRestart(container.name, container.started_at), policy.period)]


def may_restart(task: Task, name: str, since: float) -> None:
    """That while is over for the start at ``since``."""
    container = task.containers[name]
    if container.status == "RUNNING" and container.started_at == since:
        container.may_restart = True


def restart(task: Task, container: Container, exit_code: int, now: float) -> list[TaskCommand]:
    """Start it again, where its policy allows it; without an event, as its status stays RUNNING."""
    policy = task.definition.container(container.name).restart
    if policy is None or not container.may_restart or exit_code in policy.ignored:
        return []
    container.may_restart = False
    container.restarts += 1
    container.started_at, container.health = now, "UNKNOWN"
    return [RestartContainer(task.arn, container.name)]
