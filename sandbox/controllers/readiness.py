"""Why a stack did not come up, from what the timeline has: the container that ended, or whoever was silent."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from sandbox.controllers.stack_file import Ready
from sandbox.errors import SandboxError
from sandbox.timeline import Observation

LINES = 8  # of each log
_TROUBLE = ("unable to", "unhealthy")  # of events of services


def ended(stack: str, stop: Observation, seen: Sequence[Observation]) -> SandboxError:
    """A task stopped while the stack came up: ``stop`` is its ``task.state``."""
    for one in reversed(seen):
        if one.kind in {"container.exited", "container.failed"} and one["task"] == stop["task"]:
            how = one.get("reason") or f"exited with code {one['exit_code']}"
            return SandboxError(
                f"stack '{stack}': container '{one['container']}' ended before the stack was ready",
                state=f"{how}; task stopped: {stop['stopped_reason']}",
                log=one["log"],
                hint=one.get("hint") or "mend what the last state and the log say",
            )
    return SandboxError(f"stack '{stack}': a task stopped", state=stop["stopped_reason"])


def not_running(stack: str, within: float, late: Mapping[str, str], logs: Mapping[str, Sequence[str]]) -> SandboxError:
    """Tasks were not RUNNING in time.

    Args:
        stack: The stack's name.
        within: The bound, in seconds.
        late: The last status of each of those tasks, by its ARN.
        logs: The last log lines of each of their containers.
    """
    return SandboxError(
        f"stack '{stack}': tasks did not run within {within:g} s",
        state=", ".join(f"task {task.rsplit('/', 1)[-1]} is {status}" for task, status in late.items()),
        log=_tails(logs),
        hint="a container may wait for another one to be healthy (dependsOn), or for its image: see the log lines",
    )


def not_ready(
    stack: str, item: Ready, last: str, seen: Sequence[Observation], logs: Mapping[str, Sequence[str]]
) -> SandboxError:
    """A URL did not answer in time.

    Args:
        stack: The stack's name.
        item: What was to answer.
        last: What the last request led to.
        seen: The observations since the stack was begun.
        logs: The last log lines of each container.
    """
    return SandboxError(
        f"stack '{stack}': {item.url} did not answer {item.status} within {item.within:g} s",
        state="; ".join([last, *_unable(seen), *_functions(seen)]),
        log=_tails({**_logs_of_functions(seen), **logs}),
        hint="mend what the last state and the log lines say; --keep leaves the containers to be looked at",
    )


def _tails(logs: Mapping[str, Sequence[str]]) -> list[str]:
    return [f"[{name}] {line}" for name, lines in logs.items() for line in lines[-LINES:]]


def _unable(seen: Sequence[Observation]) -> list[str]:
    """In AWS's words, what services could not do or why they replace their tasks, and why targets get no requests."""
    last = {one["service"]: one["message"] for one in seen if one.kind == "service.event"}
    events = [message for message in last.values() if any(words in message for words in _TROUBLE)]
    targets = {(one["group"], one["target"]): one for one in seen if one.kind == "target.health"}
    unhealthy = [one for one in targets.values() if one["state"] == "unhealthy"]
    return [
        *events,
        *(f"target {one['target']} of group {one['group']} is unhealthy: {one['description']}" for one in unhealthy),
    ]


def _functions(seen: Sequence[Observation]) -> list[str]:
    """What is wrong with functions: the last invocation failed, has not ended, or could not be begun."""
    said = []
    for name, invocation in _last_invocations(seen).items():
        if invocation["status"] != "Success":
            said.append(f"function '{name}' failed: {invocation['status']}: {invocation['error']}")
    for name, delivered in _not_answered(seen).items():
        said.append(f"function '{name}' was invoked {time.time() - delivered.at:.0f} s ago and has not ended")
    for one in seen:
        if one.kind == "event.failed":
            said.append(f"an event could not be delivered to {one['target']}: {one['error']}: {one['reason']}")
    return list(dict.fromkeys(said))


def _logs_of_functions(seen: Sequence[Observation]) -> dict[str, Sequence[str]]:
    """The log of each function whose last invocation failed."""
    return {
        f"function {name}": invocation["log"]
        for name, invocation in _last_invocations(seen).items()
        if invocation["status"] != "Success"
    }


def _last_invocations(seen: Sequence[Observation]) -> dict[str, Observation]:
    return {one["function"]: one for one in seen if one.kind == "lambda.invocation"}


def _not_answered(seen: Sequence[Observation]) -> dict[str, Observation]:
    waiting: dict[str, Observation] = {}
    for one in seen:
        if one.kind == "event.delivered":
            waiting[str(one["target"]).rpartition(":function:")[2]] = one
        elif one.kind == "lambda.invocation":
            waiting.pop(one["function"], None)
    return waiting
