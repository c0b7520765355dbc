"""A clock that is off: of containers that start while the fault lasts, or of a function. AWS refuses what they sign."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sandbox.errors import SandboxError
from sandbox.faults import faketime
from sandbox.faults.base import Fault, Option, Reach, Undo
from sandbox.faults.targets import Target, check_function, check_service, running

if TYPE_CHECKING:  # loads Docker
    from sandbox.engine.containers import Spec


def inject(reach: Reach, target: Target, *, seconds: int) -> Undo:
    """Give the clock to what starts; the end of the fault sets it right for all that has it."""
    return _function(reach, target, seconds) if target.kind == "function" else _service(reach, target, seconds)


def _service(reach: Reach, target: Target, seconds: int) -> Undo:
    check_service(reach, target)
    able: dict[str, str] = {}  # by image, why not
    for task in running(reach, target):
        for name, container in task.containers.items():
            if target.container in {"", name}:
                image = str(reach.containers.client.api.inspect_container(container)["Image"])
                _check(reach, image, name, able)
    offset = faketime.Offset.make(reach, seconds)

    def change(task_arn: str, container: str, spec: Spec) -> Spec:
        from docker.types import Mount

        service = reach.ecs.read(lambda ecs: ecs.tasks[task_arn].service_name)
        if service != target.name or target.container not in {"", container}:
            return spec
        _check(reach, spec.image, container, able)
        config = reach.containers.client.api.inspect_image(spec.image)["Config"]
        variables = offset.variables(faketime.THERE, faketime.joined(spec.environment, config.get("Env")))
        mount = Mount(faketime.THERE, str(offset.folder), type="bind", read_only=True)
        return replace(spec, environment={**spec.environment, **variables}, mounts=[*spec.mounts, mount])

    stop_changing = reach.runner.change_starts(change)

    def undo() -> None:
        stop_changing()
        offset.set(0)

    return undo


def _check(reach: Reach, image: str, container: str, able: dict[str, str]) -> None:
    if image not in able:
        able[image] = faketime.why_not(reach, image)
    if able[image]:
        raise SandboxError(
            f"the clock of container '{container}' cannot be put wrong",
            state=able[image],
            hint="name another container, as service:NAME/CONTAINER",
        )


def _function(reach: Reach, target: Target, seconds: int) -> Undo:
    runtime = reach.functions
    if runtime is None:
        raise SandboxError("functions run in LocalStack's container, whose clock is the machine's")
    check_function(reach, target)
    offset = faketime.Offset.make(reach, seconds)
    if why := faketime.why_not_here(offset):
        raise SandboxError("the clock of functions cannot be put wrong on this machine", state=why)
    offset.set(seconds)
    undo = runtime.change_environment(target.name, offset.variables(str(offset.folder)))

    def end() -> None:
        offset.set(0)
        undo()

    return end


FAULT = Fault(
    "clock-skew",
    "The clock of a service's new containers, or of a function, is off: AWS refuses what they sign.",
    ("service", "function"),
    inject,
    (Option("seconds", "How far ahead, below 0 behind", 600, "s", -86_400, 86_400),),
)
