"""What the faults kill, stop and pause share: which containers they are for."""

from __future__ import annotations

from collections.abc import Callable

from sandbox.faults.base import Option, Reach
from sandbox.faults.targets import Target, running

HOW_MANY = Option("tasks", "How many tasks of a service (0: all)", 1, "tasks", 0, 10_000)


def chosen(reach: Reach, target: Target, tasks: int) -> list[str]:
    """The containers meant by a target: the named one, or all, of so many tasks.

    Raises:
        SandboxError: There are none; see `running`.
    """
    found = [task for task in running(reach, target) if not target.container or target.container in task.containers]
    return [
        container
        for task in (found[:tasks] if tasks else found)
        for name, container in task.containers.items()
        if target.container in {"", name}
    ]


def ask(call: Callable[[str], object], container: str) -> str:
    """Ask the engine for something about a container: why it refused, in its words, or ""."""
    from docker.errors import APIError  # it takes a while to load, and `sandbox --help` has no use for it

    try:
        call(container)
    except APIError as error:
        return str(error.explanation or error)
    return ""
