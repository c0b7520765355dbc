"""A task that fails its health check leaves the answers, unless all fail it: then all are answered, it among them."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox import evidence
from sandbox.scenario import Play, Scenario, Variant, Verdict
from sandbox.timeline import Observation

URL, NAME = "http://store.example.com/", "back.shop.local"
CLUSTER, TASKS, TTL, REQUESTS = "store", 2, 1, 60
SETTLES = 20  # AWS's seconds: two intervals and more, by which two tasks' health checks may be apart
COMMON = {"ttl": str(TTL), "ratings_tasks": "1"}


def play(play: Play) -> None:
    """Break one back task and stop a service that no back task needs; ask once health checks have told of that."""
    sandbox, timeline, ecs = play.sandbox, play.sandbox.timeline, play.sandbox.aws("ecs")
    sandbox.progress("waiting for both back tasks to be healthy")
    sandbox.wait_discovered("back", TASKS)
    sandbox.resolve(NAME)
    broken, _ = ecs.list_tasks(cluster=CLUSTER, serviceName="back")["taskArns"]
    mark = timeline.mark()
    sandbox.progress("breaking one back task, and stopping the service ratings")
    sandbox.execute(broken, "back", ["rm", "/tmp/stock.json"])
    timeline.record("broken", task=broken, speed=sandbox.speed)
    ecs.update_service(cluster=CLUSTER, service="ratings", desiredCount=0)
    timeline.wait_for(
        "the broken task to be UNHEALTHY in Cloud Map", lambda seen: _fails(seen, broken), within=90, since=mark
    )
    sandbox.progress("letting the other task's health checks tell, and the TTL end")
    sandbox.wait_aws(SETTLES)
    sandbox.wait_ttl(TTL)
    sandbox.resolve(NAME)
    sandbox.http_burst(URL, REQUESTS)


def _fails(seen: Observation, task: str) -> bool:
    if seen.kind != "cloudmap.instance" or not task.endswith(str(seen["instance"])):
        return False
    return bool(seen["change"] == "deregistered" or seen["health"] == "UNHEALTHY")


def judge(observations: Sequence[Observation]) -> Verdict:
    """Failed when requests come to the task that is broken."""
    (broken,) = (seen for seen in observations if seen.kind == "broken")
    (burst,) = (seen for seen in observations if seen.kind == "http.burst")
    _, answered = (seen for seen in observations if seen.kind == "dns.probe")
    told = [seen for seen in observations if seen.kind == "cloudmap.instance" and seen["service"] == "back"]
    address = next(
        seen["attributes"]["AWS_INSTANCE_IPV4"] for seen in told if broken["task"].endswith(str(seen["instance"]))
    )
    out = next(seen for seen in told if seen.at > broken.at and _fails(seen, broken["task"]))
    now = {seen["instance"]: seen for seen in told if seen.at < answered.at}
    healths = [
        f"{seen['attributes']['AWS_INSTANCE_IPV4']} {seen['health']}"
        for seen in now.values()
        if seen["change"] != "deregistered"
    ]
    facts = (
        f"task {evidence.task(broken)} at {address} is broken; {(out.at - broken.at) * broken['speed']:.0f} s later "
        f"(AWS's) Cloud Map has it as {'gone' if out['change'] == 'deregistered' else out['health']}",
        f"instances then: {', '.join(sorted(healths))}",
        f"{NAME} is {evidence.answers(answered)}: {'with' if address in answered['answers'] else 'without'} it",
        f"{burst['failed']} of {burst['requests']} requests failed",
    )
    return Verdict(burst["failed"] > 0, facts)


SCENARIO = Scenario(
    name="unhealthy-member",
    stack="discovery",
    symptom="One task is broken and its health check says so, and still a share of the requests goes to it.",
    cause=(
        "The health check also asks for another service, which is down: no task is healthy then, and Route 53 takes "
        "that for a failure of the checks, and answers with all of them. The broken task is in the answers again, and "
        "ECS replaces tasks that can serve by new ones that are not healthy either."
    ),
    fix=(
        "Let a container's health check ask whether this task can serve, and nothing else; alarm on dependencies "
        "elsewhere. Clients that try another address after an error help, too."
    ),
    variants=(
        Variant(
            "deep-check", "reproduces", "the check asks the service ratings, too", {**COMMON, "health": "/health/deep"}
        ),
        Variant("own-check", "holds", "the check asks the task alone", COMMON),
    ),
    play=play,
    judge=judge,
    speed=10,
)
