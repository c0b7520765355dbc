"""Rows of what is in one state after another: tasks, targets, records, instances, actions of a pipeline."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from sandbox.report.page.picture import Mark, Row, States, Tone
from sandbox.timeline import Observation

_TASK: Mapping[str, Tone] = {
    "PROVISIONING": "wait",
    "PENDING": "wait",
    "ACTIVATING": "wait",
    "RUNNING": "good",
    "DEACTIVATING": "going",
    "STOPPING": "going",
    "DEPROVISIONING": "going",
    "STOPPED": "going",
}
TARGET: Mapping[str, Tone] = {"healthy": "good", "unhealthy": "bad", "initial": "wait", "draining": "going"}
HEALTH: Mapping[str, Tone] = {"HEALTHY": "good", "UNHEALTHY": "bad"}
_ACTION: Mapping[str, Tone] = {"InProgress": "wait", "Succeeded": "good", "Failed": "bad"}


def tasks(seen: Sequence[Observation], end: float) -> list[Row]:
    """Tasks by group and id. A task that is to stop and has not begun to is going."""
    of: dict[str, States] = defaultdict(States)
    names: dict[str, str] = {}
    for one in seen:
        if one.kind == "task.state":
            names.setdefault(one["task"], task_name(one))
            _task_state(of[one["task"]], one)
        elif (told := _CONTAINER.get(one.kind)) and one["task"] in of:
            of[one["task"]].marks.append(told(one))
    return [states.row(names[task], end) for task, states in of.items()]


def _task_state(states: States, one: Observation) -> None:
    status, address = one["last_status"], one.get("public_ip")
    if status in {"STOPPED", "DELETED"}:
        states.leave(one.at)
        failed = one.get("stop_code") in {"EssentialContainerExited", "TaskFailedToStart"}
        states.marks.append(
            Mark(one.at, "bad" if failed else "plain", _join("STOPPED", one.get("stop_code"), one["stopped_reason"]))
        )
        return
    tone, label = task_look(status, one["desired_status"])
    states.enter(one.at, tone, label, f"at {address}" if address else "")


def task_look(last_status: str, desired_status: str) -> tuple[Tone, str]:
    """How a task looks, and what is written there."""
    if (last_status, desired_status) == ("RUNNING", "STOPPED"):
        return "going", "RUNNING, to stop"
    return _TASK.get(last_status, "plain"), last_status


def _exited(one: Observation) -> Mark:
    code = one["exit_code"]
    return Mark(one.at, "bad" if code else "plain", f"container {one['container']} exited with code {code}")


_CONTAINER: Mapping[str, Callable[[Observation], Mark]] = {
    "container.exited": _exited,
    "container.failed": lambda one: Mark(one.at, "bad", f"container {one['container']}: {one['reason']}"),
    "container.restarted": lambda one: Mark(one.at, "plain", f"container {one['container']} restarted"),
    "container.health": lambda one: Mark(
        one.at, HEALTH.get(one["health"], "plain"), f"container {one['container']} is {one['health']}"
    ),
}


def targets(seen: Sequence[Observation], end: float) -> list[Row]:
    """Targets of target groups."""
    of: dict[str, States] = defaultdict(States)
    for one in seen:
        if one.kind == "target.health":
            states, state = of[f"{one['group']} {one['target']}"], one["state"]
            if state == "unused":
                states.leave(one.at)
            else:
                states.enter(one.at, TARGET.get(state, "plain"), state, _join(one["reason"], one["description"]))
    return [states.row(name, end) for name, states in of.items()]


def records(seen: Sequence[Observation], end: float) -> list[Row]:
    """What names are, as the zones have it, with what was answered to whoever asked."""
    of: dict[str, States] = defaultdict(States)
    for one in seen:
        if one.kind == "dns.change" and one["type"] not in {"NS", "SOA"}:
            states = of[record_name(one)]
            if one["new"]:
                states.enter(one.at, "plain", ", ".join(map(str, one["new"])), f"TTL {one['ttl']} s")
            else:
                states.leave(one.at)
        elif one.kind == "dns.probe":
            label = ", ".join(one["answers"]) or str(one["rcode"])
            asked = Mark(one.at, "good" if one["answers"] else "bad", f"asked: {label}")
            of[record_name(one)].marks.append(asked)
    return [states.row(name, end) for name, states in of.items()]


def cloudmap(seen: Sequence[Observation], end: float) -> list[Row]:
    """Instances that Cloud Map has."""
    of: dict[str, States] = defaultdict(States)
    for one in seen:
        if one.kind == "cloudmap.instance":
            states = of[f"{one['service']}.{one['namespace']} {one['instance'][:8]}"]
            if one["change"] == "deregistered":
                states.leave(one.at)
            else:
                address = one["attributes"].get("AWS_INSTANCE_IPV4", "")
                states.enter(one.at, HEALTH.get(one["health"], "plain"), one["health"], address)
    return [states.row(name, end) for name, states in of.items()]


def machines(seen: Sequence[Observation], end: float) -> list[Row]:
    """EC2 instances that run something."""
    of: dict[str, States] = defaultdict(States)
    for one in seen:
        if one.kind == "instance.launched":
            of[one["instance"]].enter(one.at, "good", "launched", _join(one["type"], one["address"]))
        elif one.kind == "instance.state" and not one["agent_connected"]:
            of[one["instance"]].enter(one.at, "bad", "agent not connected")
        elif one.kind == "instance.state":
            of[one["instance"]].enter(one.at, "good", str(one["status"]))
        elif one.kind == "instance.failed":
            of[one["instance"]].marks.append(Mark(one.at, "bad", str(one["reason"])))
        elif one.kind == "instance.dropped":
            of[one["instance"]].leave(one.at)
    return [states.row(name, end) for name, states in of.items()]


def pipelines(seen: Sequence[Observation], end: float) -> list[Row]:
    """Actions of pipelines and phases of builds."""
    of: dict[str, States] = defaultdict(States)
    for one in seen:
        if one.kind == "pipeline.action":
            states = of[f"{one['pipeline']} {one['stage']}/{one['action']}"]
            why = str(one["error"] or one["summary"])
            if one["status"] == "InProgress":
                states.enter(one.at, "wait", "InProgress", why)
            else:
                states.leave(one.at)
                states.marks.append(Mark(one.at, _ACTION.get(one["status"], "plain"), _join(one["status"], why)))
        elif one.kind == "codebuild.phase":
            tone: Tone = "bad" if one["status"] not in {"SUCCEEDED", "IN_PROGRESS"} else "good"
            of[f"build {one['build'].rpartition(':')[0]}"].marks.append(
                Mark(one.at, tone, _join(one["phase"], one["status"], one["message"]))
            )
    return [states.row(name, end) for name, states in of.items()]


def task_name(one: Observation) -> str:
    """The row of the task that a ``task.state`` is about."""
    return f"{str(one['group']).rpartition(':')[2]} {str(one['task']).rsplit('/', 1)[-1][:8]}"


def record_name(one: Observation) -> str:
    """The row of the record set that a ``dns.change`` or ``dns.probe`` is about."""
    return _join(one["name"], one["type"], one.get("set_identifier"))


def _join(*words: object) -> str:
    return " ".join(str(word) for word in words if word)
