"""SIGTERM, and SIGKILL when the time is up: what `docker stop`, and ECS for StopTask, send to a container."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from sandbox.faults.base import Fault, Option, Reach, Undo
from sandbox.faults.signals import HOW_MANY, chosen
from sandbox.faults.targets import TASKS, Target


def inject(reach: Reach, target: Target, *, tasks: int, seconds: int) -> Undo:
    """Stop the containers at the same time; returns when they have ended. ECS has not asked for it, and is not told."""
    containers = chosen(reach, target, tasks)
    with ThreadPoolExecutor(max(len(containers), 1)) as pool:
        list(pool.map(lambda container: reach.containers.stop(container, seconds), containers))
    return lambda: None


FAULT = Fault(
    "stop",
    "Containers get SIGTERM, and SIGKILL if they go on; ECS did not ask for it.",
    TASKS,
    inject,
    (HOW_MANY, Option("seconds", "From SIGTERM to SIGKILL", 30, "s", 0, 120)),
    instant=True,
)
