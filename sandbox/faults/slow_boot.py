"""Containers that start late: an image that is slow to come, or a machine without a free core."""

from __future__ import annotations

import threading
from collections.abc import Callable

from sandbox.faults.base import Fault, Option, Reach, Undo
from sandbox.faults.targets import Target, check_service

_LOOK = 0.1  # seconds, at which it is seen that a task is stopped meanwhile


def inject(reach: Reach, target: Target, *, seconds: float) -> Undo:
    """Hold back each start of a container of the service; the end of the fault lets go of those that wait."""
    check_service(reach, target)
    over = threading.Event()

    def hold(task_arn: str, container: str, given_up: Callable[[], bool]) -> None:
        service = reach.ecs.read(lambda ecs: ecs.tasks[task_arn].service_name)
        if service != target.name or target.container not in {"", container}:
            return
        due = threading.Event()
        timer = reach.clock.call_later(seconds, due.set)
        while not (due.wait(_LOOK) or over.is_set() or given_up()):
            pass
        timer.cancel()

    stop_holding = reach.runner.hold_starts(hold)

    def undo() -> None:
        stop_holding()
        over.set()

    return undo


FAULT = Fault(
    "slow-boot",
    "Containers of a service's new tasks start late, after their image is there.",
    ("service",),
    inject,
    (Option("seconds", "How late", 30.0, "AWS seconds", 0.1, 3600, type=float),),
)
