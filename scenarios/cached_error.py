"""An error that CloudFront has kept is shown on, long after the origin has recovered."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox import evidence
from sandbox.errors import SandboxError
from sandbox.scenario import Play, Scenario, Variant, Verdict
from sandbox.timeline import Observation

SITE = "http://blog.example.com"
PAGE = f"{SITE}/coming-soon/"
CLUSTER = "blog"
KEPT = 300.0  # seconds: the error caching minimum TTL of errors/five-minutes.json
MOST_ASKED = 120  # each for half a second
NEEDED = 60.0  # seconds of the wall clock in which a task boots and the record's TTL ends


def play(play: Play) -> None:
    """Ask for a page while there is no task, and again when CloudFront reaches a new one."""
    sandbox, ecs = play.sandbox, play.sandbox.aws("ecs")
    if sandbox.clock.real_seconds(KEPT) < NEEDED:
        raise SandboxError(
            f"an error kept for {KEPT:g} s divided by --speed is gone before a new task serves",
            hint="use a lower --speed",
        )
    (old,) = ecs.list_tasks(cluster=CLUSTER, serviceName="ghost")["taskArns"]
    sandbox.progress("stopping the only task")
    ecs.update_service(cluster=CLUSTER, service="ghost", desiredCount=0)
    sandbox.wait_task(old, "STOPPED", within=150)
    _visit(play, "while there is no task")
    mark = sandbox.timeline.mark()
    ecs.update_service(cluster=CLUSTER, service="ghost", desiredCount=1)
    running = sandbox.timeline.wait_for(
        "a new task to be RUNNING",
        lambda seen: evidence.runs(seen) and seen["task"] != old,
        within=90,
        since=mark,
    )
    sandbox.progress("waiting for the new task's Ghost at its own address")
    sandbox.wait_serving(f"http://{running['public_ip']}/")
    sandbox.progress("waiting for CloudFront to reach it")
    for number in range(MOST_ASKED):
        # Each of these is another object, of which no error is kept.
        reached = sandbox.http_get_until(f"{SITE}/?number={number}", within=0.5)
        if reached.status == 200:
            break
    else:
        raise SandboxError("CloudFront does not reach the new task", state=str(reached))
    _visit(play, "when CloudFront reaches a new one")
    (distribution,) = sandbox.aws("cloudfront").list_distributions()["DistributionList"]["Items"]
    sandbox.aws("cloudfront").create_invalidation(
        DistributionId=distribution["Id"],
        InvalidationBatch={"Paths": {"Quantity": 1, "Items": ["/coming-soon/"]}, "CallerReference": "recovered"},
    )
    _visit(play, "after an invalidation of the page")


def _visit(play: Play, when: str) -> None:
    result = play.sandbox.http_get(PAGE)
    facts = result.facts()
    age = result.headers.get("age", "")
    play.sandbox.timeline.record("visit", when=when, age=age, **{key: facts.get(key, "") for key in _SHOWN})


_SHOWN = ("status", "error", "seconds", "x_cache")


def judge(observations: Sequence[Observation]) -> Verdict:
    """Failed when the page is an error although CloudFront reaches the origin again."""
    visits = [seen for seen in observations if seen.kind == "visit"]
    facts = [
        f"{PAGE} {seen['when']}: {evidence.page(seen)}, {seen['x_cache']}"
        + (f", age {seen['age']}" * bool(seen["age"]))
        for seen in visits
    ]
    origin = next((seen for seen in observations if seen.kind == "cdn.origin_error"), None)
    if origin is not None:
        facts.insert(1, f"the origin, as CloudFront saw it: {origin['error']} ({origin['origin']})")
    return Verdict(visits[1]["status"] >= 500, tuple(facts))


SCENARIO = Scenario(
    name="cached-error",
    stack="ghost-cdn",
    parameters={"blog": "image:ghost-blog/blog"},
    symptom="The origin is well again, and visitors still get 504 for minutes.",
    cause=(
        "CloudFront keeps errors, too: for the error caching minimum TTL, 10 s unless the distribution says otherwise. "
        "Whoever asked during a deployment has put the error there for everybody."
    ),
    fix="Give 5xx an error caching minimum TTL of a second or none; invalidate after an outage.",
    variants=(
        Variant("kept-five-minutes", "reproduces", "5xx are kept for 300 s", {"errors": "five-minutes"}),
        Variant("not-kept", "holds", "5xx are kept for 0 s", {"errors": "at-once"}),
    ),
    play=play,
    judge=judge,
)
