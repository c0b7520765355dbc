"""A client that asks DNS once, when it starts: it stays with addresses that are nobody's any more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sandbox import evidence
from sandbox.scenario import Play, Scenario, Variant, Verdict
from sandbox.timeline import Observation

URL, NAME = "http://store.example.com/", "back.shop.local"
CLUSTER, TASKS, TTL = "store", 2, 2
GROUP, REQUEST = "/store/back", '"GET /stock"'
BEFORE, AFTER = 30, 12


def play(play: Play) -> None:
    """Count who answers; then deploy the back service anew, and ask again once the TTL of the old answer is over."""
    sandbox, timeline, ecs = play.sandbox, play.sandbox.timeline, play.sandbox.aws("ecs")
    sandbox.progress("waiting for both back tasks to be healthy")
    sandbox.wait_discovered("back", TASKS)
    sandbox.resolve(NAME)
    begun = sandbox.clock.now()
    sandbox.http_burst(URL, BEFORE)
    events = sandbox.wait_log(GROUP, REQUEST, BEFORE, since=begun)
    old = ecs.list_tasks(cluster=CLUSTER, serviceName="back")["taskArns"]
    streams = Counter(event["logStreamName"].rpartition("/")[2] for event in events)
    timeline.record("shares", group=GROUP, shares={task: streams[task.rpartition("/")[2]] for task in old})
    sandbox.progress("deploying the back service anew")
    ecs.update_service(cluster=CLUSTER, service="back", forceNewDeployment=True)
    for task in old:
        sandbox.wait_task(task, "STOPPED")
    sandbox.progress("letting the TTL of the old answer end")
    sandbox.wait_ttl(TTL + 1)
    sandbox.resolve(NAME)
    sandbox.http_burst(URL, AFTER, at_once=AFTER)


def _left(seen: Observation) -> bool:
    return bool(seen.kind == "cloudmap.instance" and seen["service"] == "back" and seen["change"] == "deregistered")


def judge(observations: Sequence[Observation]) -> Verdict:
    """Failed when requests fail after the deployment, with the TTL over and the new tasks in the answers."""
    before, after = (seen for seen in observations if seen.kind == "http.burst")
    then, now = (seen for seen in observations if seen.kind == "dns.probe")
    (counted,) = (seen for seen in observations if seen.kind == "shares")
    shares = " and ".join(f"{count} by {task.rpartition('/')[2][:8]}" for task, count in counted["shares"].items())
    last = max(seen.at for seen in observations if _left(seen))
    facts = (
        f"{NAME} is {evidence.answers(then)}; {before['requests']} requests, {before['failed']} failed; by the log "
        f"group {counted['group']}: {shares}",
        f"after the deployment {NAME} is {evidence.answers(now)}",
        f"{after.at - last:.1f} s after the last old task has left, with a TTL of {TTL} s: {after['failed']} of "
        f"{after['requests']} requests failed ({_outcomes(after)}), the slowest took {after['slowest']:.1f} s",
    )
    return Verdict(after["failed"] > 0, facts)


def _outcomes(burst: Observation) -> str:
    statuses = [f"HTTP {status}: {count}" for status, count in burst["statuses"].items()]
    return ", ".join([*statuses, *(f"{error}: {count}" for error, count in burst["errors"].items())])


SCENARIO = Scenario(
    name="client-dns-cache",
    stack="discovery",
    symptom="After a deploy of the back service its tasks are well, and the front service fails until it is restarted.",
    cause=(
        "The client asked DNS when it started, and never again: nginx with a literal name in proxy_pass, HAProxy "
        "without `resolvers`, a JVM with networkaddress.cache.ttl=-1. HAProxy takes one address besides, so that one "
        "task gets all the load."
    ),
    fix=(
        "Let the client honour the TTL: in nginx the name in a variable and a `resolver` (or `resolve` in an "
        "upstream), in HAProxy `resolvers` and `server-template`, in Java a cache TTL of some seconds."
    ),
    variants=(
        Variant(
            "nginx-name",
            "reproduces",
            "nginx, proxy_pass http://back.shop.local:8080",
            {"conf": "nginx-name", "ttl": str(TTL)},
        ),
        Variant(
            "haproxy-name",
            "reproduces",
            "HAProxy, server back back.shop.local:8080",
            {"client": "haproxy", "conf": "haproxy-name", "ttl": str(TTL)},
        ),
        Variant("nginx-resolver", "holds", "nginx, a variable and a resolver", {"conf": "nginx", "ttl": str(TTL)}),
        Variant(
            "haproxy-resolvers",
            "holds",
            "HAProxy, resolvers and server-template",
            {"client": "haproxy", "conf": "haproxy", "ttl": str(TTL)},
        ),
    ),
    play=play,
    judge=judge,
    speed=10,
)
