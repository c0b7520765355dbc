"""SIGKILL: what the kernel does to a container that is out of memory, or a host that is lost."""

from __future__ import annotations

from sandbox.faults.base import Fault, Reach, Undo
from sandbox.faults.signals import HOW_MANY, ask, chosen
from sandbox.faults.targets import TASKS, Target


def inject(reach: Reach, target: Target, *, tasks: int) -> Undo:
    """Send SIGKILL to the containers. One that has just ended is fine."""
    for container in chosen(reach, target, tasks):
        ask(reach.containers.client.api.kill, container)
    return lambda: None


FAULT = Fault(
    "kill",
    "Containers get SIGKILL and end with code 137.",
    TASKS,
    inject,
    (HOW_MANY,),
    instant=True,
)
