"""The only task is gone: which pages CloudFront still shows, how long each visitor waits for them, and for how long.

The name of the origin goes on leading to the dead task's address, which answers nothing: CloudFront finds out by its
connection time-out, keeps what it has found out for the error caching minimum TTL, and reaches a new task when the
Lambda function has written its address and the record's TTL is over.
"""

from __future__ import annotations

from collections.abc import Sequence

from sandbox import evidence
from sandbox.errors import SandboxError
from sandbox.scenario import Play, Scenario, Variant, Verdict
from sandbox.timeline import Observation

SITE = "http://blog.example.com"
PAGE, NEVER_SEEN = "/", "/rss/"
CLUSTER = "blog"
CONNECTION_TIMEOUT = 2.0  # seconds, of stack.yaml's distribution
ENDURED = 1.0  # seconds of the wall clock that a visitor of a kept page may wait
EXPIRED_AFTER = 6.0  # AWS's seconds; s-maxage of nginx-stale-while-revalidate is 5


def play(play: Play) -> None:
    """Warm a page, stop the service's task for good, visit; start another one, and visit until it is reached."""
    sandbox, ecs = play.sandbox, play.sandbox.aws("ecs")
    if sandbox.clock.real_seconds(CONNECTION_TIMEOUT) < 2 * ENDURED:
        raise SandboxError(
            f"a connection time-out of {CONNECTION_TIMEOUT:g} s divided by --speed is no wait any more",
            hint="use a lower --speed",
        )
    _visit(play, PAGE, "before the outage")
    _visit(play, PAGE, "before the outage")
    (task,) = ecs.list_tasks(cluster=CLUSTER, serviceName="ghost")["taskArns"]
    sandbox.progress("stopping the only task")
    ecs.update_service(cluster=CLUSTER, service="ghost", desiredCount=0)
    sandbox.wait_task(task, "STOPPED", within=150)
    if play.variant.settings.get("expires"):
        sandbox.progress("letting the page expire")
        sandbox.wait_aws(EXPIRED_AFTER)
    for when in ("first visit without an origin", "the next one"):
        _visit(play, PAGE, when)
    for when in ("first visit without an origin", "the next one"):
        _visit(play, NEVER_SEEN, when)
    mark = sandbox.timeline.mark()
    ecs.update_service(cluster=CLUSTER, service="ghost", desiredCount=1)
    running = sandbox.timeline.wait_for(
        "a new task to be RUNNING",
        lambda seen: evidence.runs(seen) and seen["task"] != task,
        within=90,
        since=mark,
    )
    sandbox.progress("waiting for the new task's Ghost at its own address")
    sandbox.wait_serving(f"http://{running['public_ip']}/")
    sandbox.timeline.record("recovered")
    sandbox.progress("waiting for CloudFront to reach it")
    sandbox.wait_serving(f"{SITE}{NEVER_SEEN}", within=90)
    _visit(play, NEVER_SEEN, "after the outage")


def _visit(play: Play, path: str, when: str) -> None:
    result = play.sandbox.http_get(f"{SITE}{path}")
    facts = result.facts()
    shown = {key: facts.get(key, "") for key in ("status", "error", "seconds", "x_cache")}
    play.sandbox.timeline.record("visit", path=path, when=when, age=result.headers.get("age", ""), **shown)


def judge(observations: Sequence[Observation]) -> Verdict:
    """Failed when a visitor of a page that CloudFront has had to wait for it, or did not get it, during the outage."""
    visits = [seen for seen in observations if seen.kind == "visit"]
    outage = [seen for seen in visits if seen["path"] == PAGE and seen["when"] != "before the outage"]
    failed = any(seen["status"] != 200 or seen["seconds"] > ENDURED for seen in outage)
    facts = [
        f"{seen['path']}, {seen['when']}: {evidence.page(seen)} after {seen['seconds']:.1f} s, {seen['x_cache']}"
        + (f", age {seen['age']}" if seen["age"] else "")
        for seen in visits
    ]
    (recovered,) = (seen for seen in observations if seen.kind == "recovered")
    reached = next(seen for seen in visits if seen["when"] == "after the outage")
    facts.append(
        f"CloudFront reached the new task {reached.at - recovered.at:.1f} s after it served at its own address"
    )
    return Verdict(failed, tuple(facts))


SCENARIO = Scenario(
    name="origin-outage",
    stack="ghost-cdn",
    parameters={"blog": "image:ghost-blog/blog"},
    symptom="The task is gone for a while. The cache was to carry the blog, and each page takes as long as a time-out.",
    cause=(
        "CloudFront has the pages, but as expired ones (max-age=0): it asks the origin first, and shows what it has "
        "only when that has failed. A task that is gone does not refuse, it does not answer at all."
    ),
    fix=(
        "Let pages be fresh for a while (minimum TTL, s-maxage), or let them be shown while they are revalidated "
        "(stale-while-revalidate), and lower the origin's connection attempts and time-out."
    ),
    variants=(
        Variant("as-ghost-ships", "reproduces", "max-age=0: each page has expired"),
        Variant("min-ttl", "holds", "pages are fresh for 600 s", {"behavior": "min-ttl"}),
        Variant(
            "stale-while-revalidate",
            "holds",
            "pages have expired and may be shown while the origin is asked",
            {"nginx": "nginx-stale-while-revalidate"},
            {"expires": True},
        ),
    ),
    play=play,
    judge=judge,
)
