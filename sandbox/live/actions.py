"""What the buttons of the live view do, and what it answers: a sentence, or the error that says why not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from sandbox.errors import SandboxError
from sandbox.faults import base

if TYPE_CHECKING:
    from sandbox.controllers.sandbox import Sandbox

_TASK_EVENT = "ECS Task State Change"


class Actions:
    """Acts on a sandbox. Safe to use from several threads."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def carry_out(self, verb: str, order: Mapping[str, Any]) -> str:
        """Do it, and say what has been done.

        Args:
            verb: "deploy", "stop", "interrupt", "replay", "fault" or "lift".
            order: The action's; see each.

        Raises:
            SandboxError: There is no such action, something of the order is missing, or it could not be done.
        """
        if verb not in _VERBS:
            raise SandboxError(f"there is no action '{verb}'", hint=f"actions: {', '.join(_VERBS)}")
        try:
            return _VERBS[verb](self, order)
        except ClientError as error:
            refusal = error.response["Error"]
            raise SandboxError("AWS refused", state=f"{refusal['Code']}: {refusal['Message']}") from error
        except BotoCoreError as error:
            raise SandboxError("the sandbox does not answer", state=str(error)) from error

    def _deploy(self, order: Mapping[str, Any]) -> str:
        """UpdateService with forceNewDeployment: ``cluster``, ``service``."""
        cluster, name = _text(order, "cluster"), _text(order, "service")
        ecs = self._sandbox.aws("ecs")
        service = ecs.update_service(cluster=cluster, service=name, forceNewDeployment=True)["service"]
        deployment = next(one["id"] for one in service["deployments"] if one["status"] == "PRIMARY")
        return f"service {name}: deployment {deployment} has begun"

    def _stop(self, order: Mapping[str, Any]) -> str:
        """StopTask: ``cluster``, ``task``."""
        cluster, task = _text(order, "cluster"), _text(order, "task")
        self._sandbox.aws("ecs").stop_task(cluster=cluster, task=task, reason="stopped in the live view")
        return f"task {_short(task)} is to stop"

    def _interrupt(self, order: Mapping[str, Any]) -> str:
        """A Spot interruption: ``task``."""
        task = _text(order, "task")
        self._sandbox.interrupt_spot(task)
        return f"task {_short(task)} is interrupted: its Spot capacity is taken back"

    def _replay(self, order: Mapping[str, Any]) -> str:
        """The last event of a task's state is delivered once more; nothing is ordered."""
        seen = self._sandbox.timeline.since()
        last = next(
            (one for one in reversed(seen) if one.kind == "event.published" and one["detail_type"] == _TASK_EVENT), None
        )
        if last is None:
            raise SandboxError("there is no event of a task yet that could be replayed")
        self._sandbox.replay([last["event"]])
        task = _short(str(last.get("taskArn", "")))
        return f"replayed: task {task} {last.get('lastStatus')}, version {last.get('version')}, event {last['id'][:8]}"

    def _fault(self, order: Mapping[str, Any]) -> str:
        """Put a fault in: ``name``, ``target``, ``options``. It ends when it is lifted, or with the stack."""
        name, target, options = _text(order, "name"), _text(order, "target"), order.get("options", {})
        if not isinstance(options, Mapping):
            raise SandboxError("the options of a fault are an object")
        fault = base.find(name)
        values = fault.read({str(key): value for key, value in options.items()})
        begun = self._sandbox.fault(name, target, **values)
        if fault.instant:
            return f"{name} of {target}: done"
        return f"fault {begun.id}, {name} of {target}, is in force until it is lifted"

    def _lift(self, order: Mapping[str, Any]) -> str:
        """Take a fault away, whoever has put it in: ``fault``, its number."""
        number = order.get("fault")
        if type(number) is not int:
            raise SandboxError("'fault' is the number of a fault")
        self._sandbox.lift(number)
        return f"fault {number} is lifted"


_VERBS: Mapping[str, Callable[[Actions, Mapping[str, Any]], str]] = {
    "deploy": Actions._deploy,
    "stop": Actions._stop,
    "interrupt": Actions._interrupt,
    "replay": Actions._replay,
    "fault": Actions._fault,
    "lift": Actions._lift,
}


def _text(order: Mapping[str, Any], name: str) -> str:
    value = order.get(name)
    if not isinstance(value, str) or not value:
        raise SandboxError(f"'{name}' is missing, or no text")
    return value


def _short(arn: str) -> str:
    return arn.rpartition("/")[2][:8]
