"""Fargate takes the only task's capacity back: an outage until the name serves again, or none.

The service starts a replacement at once. What a visitor feels is decided by the old task: whether it goes on serving,
for its stopTimeout, until the replacement is ready, the record is written and the old answer has left every cache.
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
STOP_TIMEOUT = 120.0
NEEDED = 30.0  # seconds of the wall clock in which a replacement boots and the record's TTL ends


def play(play: Play) -> None:
    """Interrupt the task under the eyes of a visitor, until the replacement serves that visitor."""
    sandbox, timeline = play.sandbox, play.sandbox.timeline
    if sandbox.clock.real_seconds(STOP_TIMEOUT) < NEEDED:
        raise SandboxError(
            f"a stopTimeout of {STOP_TIMEOUT:g} s divided by --speed is too short for a replacement to boot in it",
            hint="use a lower --speed",
        )
    (old,) = sandbox.aws("ecs").list_tasks(cluster=CLUSTER, serviceName="ghost")["taskArns"]
    mark = timeline.mark()
    with sandbox.visit(URL):
        timeline.wait_for("the visitor to be served", _served, within=30, since=mark)
        mark = timeline.mark()
        sandbox.progress("interrupting the Spot task; its service replaces it")
        sandbox.interrupt_spot(old)
        running = timeline.wait_for(
            "the replacement to be RUNNING",
            lambda seen: seen.kind == "task.state" and seen["task"] != old and seen["last_status"] == "RUNNING",
            within=90,
            since=mark,
        )
        sandbox.progress("waiting for the replacement's Ghost at its own address")
        sandbox.wait_serving(f"http://{running['public_ip']}/")
        sandbox.progress("waiting for the visitor to be served by the replacement")
        timeline.wait_for(
            "the visitor to be served by the replacement",
            lambda seen: _served(seen) and seen["remote_ip"] == running["public_ip"],
            within=60,
            since=mark,
        )


def judge(observations: Sequence[Observation]) -> Verdict:
    """Failed when the visitor was not served for a while after the interruption."""
    states = [seen for seen in observations if seen.kind == "task.state"]
    told = next(seen for seen in states if seen["stop_code"] == "SpotInterruption")
    running = next(seen for seen in states if seen["task"] != told["task"] and seen["last_status"] == "RUNNING")
    placed = next(seen for seen in states if seen["task"] == running["task"])
    record = next(seen for seen in observations if seen.kind == "dns.change" and seen["new"] == [running["public_ip"]])
    pages = [seen for seen in observations if seen.kind == "http.response" and running["public_ip"] in seen["url"]]
    visits = [seen for seen in observations if seen.kind == "visitor.outcome" and seen.at > told.at]
    failed = [seen for seen in visits if seen["status"] != 200]
    moved = next(seen for seen in visits if seen["status"] == 200 and seen["remote_ip"] == running["public_ip"])
    ended = [seen for seen in observations if seen.kind == "container.exited" and seen["task"] == told["task"]]
    total = next(seen for seen in observations if seen.kind == "visitor.end")

    def after(seen: Observation) -> str:
        return f"{seen.at - told.at:.1f} s"

    stopped = [f"{seen['container']} ended after {after(seen)}" for seen in ended if seen.at < moved.at]
    how = dict.fromkeys(f"{seen['remote_ip']}: {evidence.page(seen)}" for seen in failed)
    facts = (
        f"task {evidence.task(told)} at {told['public_ip']}: {told['stopped_reason']} "
        + ("; ".join(stopped) or "Its containers go on serving"),
        f"replacement {evidence.task(running)}: placed after {after(placed)}, RUNNING after {after(running)}, Ghost "
        f"serves after {after(pages[-1])}",
        f"{NAME} is {running['public_ip']} after {after(record)}, to the visitor, who keeps an answer for its TTL, "
        f"after {after(moved)}",
        f"visitor not served from {after(failed[0])} on: {'; '.join(how)}" if failed else "visitor served all the time",
        f"{total['failed']} of {total['requests']} requests failed",
    )
    return Verdict(bool(failed), facts)


def _served(seen: Observation) -> bool:
    return bool(seen.kind == "visitor.outcome" and seen["status"] == 200)


SCENARIO = Scenario(
    name="spot-interruption",
    stack="ghost",
    parameters={"blog": "image:ghost-blog/blog"},
    symptom="Every few days the site is down for a minute, and nobody has deployed anything.",
    cause=(
        "Fargate Spot took the task's capacity back. The only task stops serving at once on SIGTERM, while its "
        "replacement is placed and boots, the function writes the record, and caches keep the old answer for its TTL."
    ),
    fix=(
        "Go on serving through stopTimeout (120 s at most) after SIGTERM, and let nginx wait for a healthy Ghost "
        "(dependsOn), so that RUNNING, and with it the record, comes when the replacement can serve."
    ),
    variants=(
        Variant("stops-at-once", "reproduces", "the containers end on the stop signal", {"taskdef": "taskdef"}),
        Variant(
            "serves-until-replaced",
            "holds",
            "they go on for their stopTimeout; nginx starts when Ghost is healthy",
            {"taskdef": "taskdef-serves-on"},
        ),
    ),
    play=play,
    judge=judge,
)
