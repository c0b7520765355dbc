"""What a closed security group of a load balancer looks like, and what a target group without targets does."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox import evidence
from sandbox.scenario import Play, Scenario, Variant, Verdict
from sandbox.timeline import Observation

URL = "http://chat.example.com/health"
CLUSTER, TASKS = "chat", 1
# The application alone: neither Redis nor MongoDB is needed.
ALONE = {"redis_url": "", "redis_tasks": "0", "mongo_url": "", "mongo_tasks": "0", "app_tasks": "1"}
PATIENCE = 5.0  # seconds


def play(play: Play) -> None:
    """Ask once, when everything behind the load balancer is as the variant has it."""
    sandbox, ecs = play.sandbox, play.sandbox.aws("ecs")
    play.stack.wait_running()
    sandbox.progress("waiting for the targets to be healthy")
    sandbox.wait_healthy(TASKS)
    if play.variant.settings.get("without_targets"):
        sandbox.progress("scaling the service to nothing")
        mark = sandbox.timeline.mark()
        ecs.update_service(cluster=CLUSTER, service="app", desiredCount=0)
        gone: set[str] = set()

        def emptied(seen: Observation) -> bool:
            if seen.kind == "task.state" and seen["last_status"] == "STOPPED":
                gone.add(seen["task"])
            return len(gone) == TASKS

        sandbox.timeline.wait_for("the tasks to stop", emptied, within=120, since=mark)
    sandbox.progress(f"asking for {URL}")
    sandbox.http_get(URL, timeout=PATIENCE)


def judge(observations: Sequence[Observation]) -> Verdict:
    """Failed when the viewer does not get 200."""
    answer = [seen for seen in observations if seen.kind == "http.response"][-1]
    facts = [f"{answer['url']}: {evidence.page(answer)}"]
    own = [seen for seen in observations if seen.kind == "alb.response" and seen["status"] == answer["status"] >= 500]
    facts += [f"the load balancer's own answer: {seen['reason']}" for seen in own[-1:]]
    return Verdict(answer["status"] != 200, tuple(facts))


SCENARIO = Scenario(
    name="alb-security-group",
    stack="socketio-alb",
    symptom="Nobody reaches the site, although its tasks run and their health checks pass.",
    cause=(
        "The load balancer's security group does not let the listener's port in: packets are dropped, and a browser "
        "waits until it gives up. A 503 is something else: then the load balancer is reached, and has no target."
    ),
    fix="Let the listener's port in (authorize-security-group-ingress); for a 503, look at the target group.",
    variants=(
        Variant(
            "closed",
            "reproduces",
            "the security group lets in port 443 alone: a time-out",
            {**ALONE, "ingress": "closed"},
        ),
        Variant(
            "no-targets",
            "reproduces",
            "the security group is open, and the service has no tasks: 503",
            {**ALONE, "deregistration_delay": "0"},
            {"without_targets": True},
        ),
        Variant("open", "holds", "open, with targets: 200", ALONE),
    ),
    play=play,
    judge=judge,
    awaits_ready=False,
)
