"""Spot interruptions on demand, also of a sandbox that another process serves (``sandbox interrupt``)."""

from __future__ import annotations

import requests

from sandbox.aws.protocol import HttpResponse
from sandbox.controllers.ecs import EcsController
from sandbox.controllers.up import UpState
from sandbox.errors import SandboxError
from sandbox.model.ecs.errors import EcsError
from sandbox.model.ecs.task import is_meant

PATH = "/_sandbox/interrupt/"
_ANSWER_WITHIN = 30.0  # seconds


class Interruptions:
    """Takes the requests of other processes.

    Args:
        ecs: Interrupts.
    """

    def __init__(self, ecs: EcsController) -> None:
        self._ecs = ecs

    def answer(self, path: str) -> HttpResponse:
        """POST of `PATH` and a task's ARN, id, or the beginning of an id."""
        wanted = path.removeprefix(PATH)
        found = self._ecs.read(lambda ecs: [arn for arn in ecs.tasks if is_meant(arn, wanted)])
        if len(found) != 1:
            return HttpResponse(404, {}, f"there are {len(found)} tasks of that name".encode())
        try:
            self._ecs.interrupt_spot(found[0])
        except EcsError as error:
            return HttpResponse(409, {}, error.message.encode())
        return HttpResponse(200, {}, found[0].encode())


def interrupt(stacks: list[UpState], task: str) -> str:
    """Interrupt a task of the stacks that are up; its ARN.

    Raises:
        SandboxError: None of them has it, or it cannot be interrupted.
    """
    refusal = "no stack is up"
    for stack in stacks:
        try:
            answer = requests.post(
                f"{stack.endpoint_url}{PATH}{task}", timeout=_ANSWER_WITHIN, proxies={"http": "", "https": ""}
            )
        except requests.RequestException as error:
            refusal = f"{stack.stack}: {error}"
            continue
        if answer.status_code == 200:
            return answer.text
        refusal = f"{stack.stack}: {answer.text}"
        if answer.status_code == 409:
            break
    hint = "" if stacks else "bring one up in another terminal: sandbox up ghost"
    raise SandboxError(f"task {task} cannot be interrupted", state=refusal, hint=hint)
