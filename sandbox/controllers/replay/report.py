"""What a replay has shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.model.replay.plan import Plan, Recording
from sandbox.model.replay.recording import is_task_event
from sandbox.model.replay.state import State
from sandbox.model.replay.world import World

CHECKS = ("end", "always")


@dataclass(frozen=True)
class Step:
    """One invocation.

    Attributes:
        event: The event's index in the recording.
        at: When, in seconds since the epoch, in the recording's own time.
        what: The event in words.
        note: What is unlike the recorded order in it, in words.
        attempt: 1, or 2 and 3 for Lambda's retries.
        changes: What it did to AWS's state, in words: record sets, and other calls that change something.
        result: The response's or the error's JSON.
        error: "" where it succeeded.
        log: Its last lines.
        broken: By invariant: what is wrong after it.
    """

    event: int
    at: float
    what: str
    note: str
    attempt: int
    changes: tuple[str, ...]
    result: str
    error: str
    log: tuple[str, ...]
    broken: Mapping[str, str]


@dataclass(frozen=True)
class Report:
    """One replay.

    Attributes:
        recording: What was replayed.
        plan: How.
        steps: The invocations, in order.
        lost: The events that were given up after their last attempt, in words.
        end: The state when everything had been told and had happened.
        broken: By invariant: what is wrong in the end.
        invariants: Their names.
        check: "end": they count in the end; "always": after every invocation too.
    """

    recording: Recording
    plan: Plan
    steps: tuple[Step, ...]
    lost: tuple[str, ...]
    end: State
    broken: Mapping[str, str]
    invariants: tuple[str, ...]
    check: str = "end"

    @property
    def held(self) -> bool:
        """Whether every invariant held where it counts."""
        return not self.broken and (self.check == "end" or self.first_broken is None)

    @property
    def first_broken(self) -> Step | None:
        """The first step after which an invariant was broken, whether that counts or not."""
        return next((step for step in self.steps if step.broken), None)

    def as_json(self) -> dict[str, Any]:
        """For `sandbox replay --json` (docs/formats.md)."""
        told = [one for one in self.plan if not one.lost]
        return {
            "held": self.held,
            "check": self.check,
            "invariants": [
                {
                    "name": name,
                    "broken_steps": [number for number, step in enumerate(self.steps, 1) if name in step.broken],
                    "end": self.broken.get(name, ""),
                }
                for name in self.invariants
            ],
            "events": len(self.recording.events),
            "deliveries": len(told),
            "never_told": [one.event + 1 for one in self.plan if one.lost],
            "given_up": list(self.lost),
            "steps": [
                {
                    "event": step.event + 1,
                    "id": self.recording.events[step.event].event.get("id", ""),
                    "at": step.at,
                    "what": step.what,
                    "note": step.note,
                    "attempt": step.attempt,
                    "changes": list(step.changes),
                    "result": step.result,
                    "error": step.error,
                    "log": list(step.log),
                    "broken": dict(step.broken),
                }
                for step in self.steps
            ],
            "records": {
                f"{record_set.name.rstrip('.')} {record_set.type}": list(record_set.values)
                for zone in self.end.zones
                for record_set in zone.record_sets
                if record_set.type not in {"NS", "SOA"}
            },
            "running": [
                {"task": task.arn, "public_ip": task.public_ip, "private_ip": task.private_ip}
                for task in self.end.running_tasks()
            ],
        }


def in_words(event: Mapping[str, Any]) -> str:
    """An event as a person reads it: ``task 1a2b3c4d RUNNING v3``, or its detail-type."""
    detail = event["detail"]
    if "lastStatus" in detail and "taskArn" in detail:
        task = str(detail["taskArn"]).rpartition("/")[2][:8]
        desired = ", to stop" if (detail["lastStatus"], detail.get("desiredStatus")) == ("RUNNING", "STOPPED") else ""
        return f"task {task} {detail['lastStatus']}{desired} v{detail.get('version', '?')}"
    return str(event.get("detail-type") or event.get("id") or "event")


def outdated(event: Mapping[str, Any], world: World) -> str:
    """What has become of the event's task meanwhile, in words; "" where the event is the newest of it."""
    detail = event["detail"]
    task = world.tasks.get(str(detail.get("taskArn")))
    if task is None or not is_task_event(event) or task["version"] <= detail["version"]:
        return ""
    return f"the task is {task['lastStatus']} v{task['version']} now"
