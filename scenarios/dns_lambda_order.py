"""An event of the old task comes once more, after the new task's: the last write wins, or it is not believed.

EventBridge promises "at least once" and no order. The old task has been told to stop but has not stopped yet, so that
its network interface is still there: a function that believes the event finds everything it needs to write a dead
address.
"""

from __future__ import annotations

from collections.abc import Sequence

from sandbox import evidence
from sandbox.errors import SandboxError
from sandbox.scenario import Play, Scenario, Variant, Verdict
from sandbox.timeline import Observation

NAME = "blog.example.com"
URL = f"http://{NAME}/"
CLUSTER = "blog"
FUNCTION = "blog-dns"
RULE = "blog-task-running"


def play(play: Play) -> None:
    """Replace the task, and deliver the old one's RUNNING event again while it is still stopping."""
    sandbox, timeline = play.sandbox, play.sandbox.timeline
    mark = timeline.mark()
    old, running = sandbox.replace_task(CLUSTER, "ghost")
    timeline.wait_for(
        "the record to lead to the replacement",
        lambda seen: seen.kind == "dns.change" and seen["new"] == [running["public_ip"]],
        within=60,
        since=mark,
    )
    sandbox.resolve(NAME)

    late = timeline.mark()
    sandbox.progress("delivering the old task's RUNNING event a second time")
    sandbox.replay([_running_event(timeline.since(), old)])
    timeline.wait_for(
        f"{FUNCTION} to be invoked for the duplicate",
        lambda seen: seen.kind == "lambda.invocation" and seen["function"] == FUNCTION,
        within=60,
        since=late,
    )
    if any(seen.kind == "task.state" and seen["task"] == old and _stopped(seen) for seen in timeline.since()):
        raise SandboxError(
            "the old task had stopped before its event came again, so nothing can be said", hint="use a lower --speed"
        )
    sandbox.wait_task(old, "STOPPED")
    # The replacement serves: whatever the name says afterwards is not Ghost's fault.
    sandbox.progress("waiting for the replacement's Ghost at its own address")
    sandbox.wait_serving(f"http://{running['public_ip']}/")
    sandbox.resolve(NAME)
    sandbox.http_get(URL)


def judge(observations: Sequence[Observation]) -> Verdict:
    """Failed when the name, which led to the replacement, leads elsewhere after the duplicate."""
    running = [seen for seen in observations if evidence.runs(seen)]
    first, last = running[0], running[-1]
    record = [seen for seen in observations if seen.kind == "dns.probe"]
    page = [seen for seen in observations if seen.kind == "http.response" and seen["url"] == URL][-1]
    direct = [seen for seen in observations if seen.kind == "http.response" and last["public_ip"] in seen["url"]][-1]
    events = [seen for seen in observations if seen.kind == "event.published" and RULE in seen["rules"]]
    duplicate = events[-1]
    told_of = duplicate["resources"][0]
    invoked = [seen for seen in observations if seen.kind == "lambda.invocation" and seen["function"] == FUNCTION]
    state = [
        seen
        for seen in observations
        if seen.kind == "task.state" and seen["task"] == told_of and seen.at <= duplicate.at
    ][-1]

    follows = record[-1]["answers"] == [last["public_ip"]] and page["status"] == 200
    facts = (
        f"task {evidence.task(first)} at {first['public_ip']} was replaced by {evidence.task(last)} at "
        f"{last['public_ip']}; {NAME} is {evidence.answers(record[0])}",
        f"event {duplicate['id'][:8]} of {evidence.task(state)} comes again: RUNNING, version {duplicate['version']}; "
        f"the task is at version {state['version']}, desired {state['desired_status']}",
        f"{FUNCTION} for it: {evidence.invocation(invoked[-1])}",
        f"replacement asked at its own address: {evidence.page(direct)}",
        f"{NAME} is {evidence.answers(record[-1])}; {URL}: {evidence.page(page)}",
    )
    return Verdict(not follows, facts)


def _running_event(observations: Sequence[Observation], task: str) -> dict[str, object]:
    """The event that told of ``task``'s start, as it was published."""
    for seen in observations:
        if seen.kind == "event.published" and seen["resources"] == [task] and RULE in seen["rules"]:
            return dict(seen["event"])
    raise SandboxError(f"no RUNNING event of {task} was published")


def _stopped(seen: Observation) -> bool:
    return seen["last_status"] in {"DEPROVISIONING", "STOPPED"}


SCENARIO = Scenario(
    name="dns-lambda-order",
    stack="ghost",
    parameters={"blog": "image:ghost-blog/blog"},
    symptom="After a clean replacement of the task, the name leads to the old one again, and the site is down.",
    cause=(
        "EventBridge delivers at least once and in no order: the old task's RUNNING event came again, after the new "
        "task's. The function believes each event, so the last write wins."
    ),
    fix="Take the event as a hint: ask ECS whether the task is still to run, and ignore it if not.",
    variants=(
        Variant(
            "last-write-wins",
            "reproduces",
            "writes whatever task the event names",
            {"handler": "by_name", "taskdef": "taskdef-slow-stop"},
        ),
        Variant(
            "asks-ecs",
            "holds",
            "asks ECS for the task's present state first",
            {"handler": "by_state", "taskdef": "taskdef-slow-stop"},
        ),
    ),
    play=play,
    judge=judge,
)
