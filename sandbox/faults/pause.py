"""The freezer: processes that stand still, keep their connections, and answer nothing, as on a host that hangs."""

from __future__ import annotations

import contextlib
from functools import partial

from sandbox.errors import SandboxError
from sandbox.faults.base import Fault, Reach, Undo
from sandbox.faults.signals import HOW_MANY, ask, chosen
from sandbox.faults.targets import TASKS, Target


def inject(reach: Reach, target: Target, *, tasks: int) -> Undo:
    """Freeze the containers, and thaw them."""
    with contextlib.ExitStack() as undo:
        for container in chosen(reach, target, tasks):
            refusal = ask(reach.containers.client.api.pause, container)
            if refusal:
                raise SandboxError(f"{target} cannot be paused", state=refusal)
            # A container that has been stopped meanwhile is not paused any more, which is fine.
            undo.callback(partial(ask, reach.containers.client.api.unpause, container))
        return undo.pop_all().close


FAULT = Fault(
    "pause", "Containers stand still: connections stay open, and nothing is answered.", TASKS, inject, (HOW_MANY,)
)
