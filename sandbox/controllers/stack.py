"""A stack that is in a sandbox: wait until its tasks run and its URLs answer, or learn why they do not."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from sandbox.controllers import readiness
from sandbox.controllers.stack_file import Ready, StackDefinition
from sandbox.errors import SandboxError
from sandbox.timeline import Observation

if TYPE_CHECKING:
    from sandbox.controllers.sandbox import Sandbox

RUNNING_WITHIN = 900.0  # seconds; a task may have to wait until its image is built
_STARTING = frozenset({"PROVISIONING", "PENDING", "ACTIVATING"})
_FAILED = frozenset({"TaskFailedToStart", "EssentialContainerExited"})


class Stack:
    """A stack in a sandbox.

    Attributes:
        definition: What its stack.yaml says.
        values: The kept answers of its calls, by name.
    """

    def __init__(self, sandbox: Sandbox, definition: StackDefinition, values: Mapping[str, Any], mark: int) -> None:
        self.definition = definition
        self.values = values
        self._sandbox = sandbox
        self._mark = mark

    @property
    def name(self) -> str:
        """The stack's name."""
        return self.definition.name

    def wait_running(self) -> None:
        """Wait until every task that the stack has started so far runs.

        Raises:
            SandboxError: One did not in time, or a container ended; the error has its last log lines.
        """
        timeline = self._sandbox.timeline

        def decided(observation: Observation) -> bool:
            return observation.kind == "task.state" and (self._has_failed(observation) or not self._starting())

        if self._starting():
            self._sandbox.progress("waiting for the tasks to run")
            try:
                observation = timeline.wait_for(
                    f"the tasks of stack '{self.name}' to run", decided, within=RUNNING_WITHIN, since=self._mark
                )
            except SandboxError as error:
                timeline.check()
                late = {task: status for task, status in self._states().items() if status in _STARTING}
                raise readiness.not_running(self.name, RUNNING_WITHIN, late, self._logs(late)) from error
            if self._has_failed(observation):
                raise readiness.ended(self.name, observation, timeline.since(self._mark))

    def wait_ready(self) -> None:
        """Wait until each URL of ``ready`` answers as it must.

        Raises:
            SandboxError: One did not in time, or a task's container ended before; the error has its last log lines.
        """
        self.wait_running()
        for item in self.definition.ready:
            self._sandbox.progress(f"waiting for {item.url} to answer {item.status}")
            self._wait_ready(item)

    def _wait_ready(self, item: Ready) -> None:
        timeline = self._sandbox.timeline

        unable: list[SandboxError] = []

        def ask() -> None:
            try:
                result = self._sandbox.http_get_until(item.url, status=item.status, within=item.within)
            except SandboxError as error:  # the sandbox is being closed, or its engine is gone
                unable.append(error)
                timeline.record("stack.ready", url=item.url, reached=False, last=error.message)
            else:
                timeline.record("stack.ready", url=item.url, reached=result.status == item.status, last=str(result))

        def decided(observation: Observation) -> bool:
            if observation.kind == "stack.ready":
                return bool(observation["url"] == item.url)
            return self._has_failed(observation)

        threading.Thread(target=ask, name="wait-ready", daemon=True).start()
        observation = timeline.wait_for(f"{item.url}", decided, within=item.within + 15, since=self._mark)
        seen = timeline.since(self._mark)
        if observation.kind == "task.state":
            raise readiness.ended(self.name, observation, seen)
        if unable:
            raise unable[0]
        if not observation["reached"]:
            raise readiness.not_ready(self.name, item, observation["last"], seen, self._logs(self._states()))

    def _logs(self, tasks: Iterable[str]) -> dict[str, list[str]]:
        """The last log lines of each container."""
        return {name: lines for task in tasks for name, lines in self._sandbox.task_logs(task).items()}

    def _has_failed(self, seen: Observation) -> bool:
        """Whether a task that has begun since the stack did has failed; one that was there before is another's."""
        if seen.kind != "task.state" or seen["stop_code"] not in _FAILED:
            return False
        states = (o for o in self._sandbox.timeline.since(self._mark) if o.kind == "task.state")
        first = next((o for o in states if o["task"] == seen["task"]), seen)
        return first["last_status"] in _STARTING

    def _states(self) -> dict[str, str]:
        """The last status of each task since the stack was begun."""
        seen = self._sandbox.timeline.since(self._mark)
        return {o["task"]: o["last_status"] for o in seen if o.kind == "task.state"}

    def _starting(self) -> bool:
        return any(status in _STARTING for status in self._states().values())
