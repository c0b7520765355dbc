"""A deploy that stops the old tasks first: for a moment the name does not exist, and resolvers remember that."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.scenario import Play, Scenario, Variant, Verdict
from sandbox.timeline import Observation

URL, NAME = "http://store.example.com/", "back.shop.local"
CLUSTER, TASKS, TTL = "store", 2, 1
BACK_WITHIN = 2.5  # seconds from a new task's first health check that passes until requests must succeed
WATCHED = 5  # seconds for which they are watched: the end of a long failure is not waited for
# What a VPC's resolver kept in namespaces of before the SOA's TTL could be set. With 15 s, as Cloud Map takes today, it
# is the same for a shorter time, and on a slow machine for no time at all: TTLs are not divided by --speed.
LONG = 300
# The old tasks finish their work: the name is empty for so long, and for as long as new tasks take to start.
SERVES_ON = "2"
STOP_FIRST = {"minimum_healthy_percent": "0", "maximum_percent": "100"}
COMMON = {"client": "dnsmasq", "ttl": str(TTL), "serve_after_term": SERVES_ON}


def play(play: Play) -> None:
    """Deploy the back service anew while a visitor asks, until requests succeed again."""
    sandbox, timeline, ecs = play.sandbox, play.sandbox.timeline, play.sandbox.aws("ecs")
    sandbox.progress("waiting for both back tasks to be healthy")
    sandbox.wait_discovered("back", TASKS)
    old = ecs.list_tasks(cluster=CLUSTER, serviceName="back")["taskArns"]
    timeline.record("negative_ttl", soa_ttl=int(play.stack.values["soa_ttl"]))
    with sandbox.visit(URL, timeout=5.0, interval=0.05):
        timeline.wait_for("a request to succeed", _succeeded, within=20)
        sandbox.progress("deploying the back service anew")
        mark = timeline.mark()
        ecs.update_service(cluster=CLUSTER, service="back", forceNewDeployment=True)
        for task in old:
            sandbox.wait_task(task, "STOPPED")
        timeline.wait_for("a new task to be healthy", _serves, within=60, since=mark)
        sandbox.resolve(NAME)
        sandbox.progress("watching whether requests succeed")
        sandbox.http_get_until(URL, within=WATCHED)
        sandbox.wait_ttl(1)


def _succeeded(seen: Observation) -> bool:
    return seen.kind == "visitor.outcome" and bool(seen["status"] == 200)


def judge(observations: Sequence[Observation]) -> Verdict:
    """Failed when requests go on failing with the name back in DNS, or fail although it never was away."""
    (end,) = (seen for seen in observations if seen.kind == "visitor.end")
    (negative,) = (seen for seen in observations if seen.kind == "negative_ttl")
    changes = [seen for seen in observations if seen.kind == "cloudmap.instance" and seen["service"] == "back"]
    outcomes = [seen for seen in observations if seen.kind == "visitor.outcome"]
    left = [seen for seen in changes if seen["change"] == "deregistered"]
    empty = next((seen for seen in observations if seen.kind == "dns.answer" and _is_empty(seen, left[0].at)), None)
    facts = [f"{end['failed']} of {end['requests']} requests during the deployment failed"]
    if empty is None:
        return Verdict(end["failed"] > 0, (f"{NAME} had an address all the time", *facts))
    back = next(seen for seen in changes if seen["change"] == "registered" and seen.at > left[-1].at)
    bad = [index for index, seen in enumerate(outcomes) if seen["status"] != 200 and seen.at > left[0].at]
    serves = next(seen for seen in observations if _serves(seen) and seen.at > back.at)
    over = (outcomes[bad[-1] + 1 :] or [end])[0] if bad else serves
    late = over.at - serves.at
    facts = [
        f"{NAME} was {empty['rcode']} for {back.at - left[-1].at:.1f} s; the SOA's TTL is {negative['soa_ttl']} s",
        *facts,
        f"{serves.at - back.at:.1f} s later a new task was healthy; "
        f"{max(late, 0.0):.1f} s after that requests {'failed still' if over is end else 'succeeded'}",
    ]
    return Verdict(late > BACK_WITHIN, tuple(facts))


def _serves(seen: Observation) -> bool:
    return seen.kind == "container.health" and seen["container"] == "back" and bool(seen["health"] == "HEALTHY")


def _is_empty(seen: Observation, since: float) -> bool:
    return bool(seen["name"] == NAME and seen["type"] == "A" and seen["rcode"] == "NXDOMAIN" and seen.at > since)


SCENARIO = Scenario(
    name="negative-cache",
    stack="discovery",
    symptom="After a deploy the back service runs and is in DNS, and its clients do not find the name for a while.",
    cause=(
        "With minimumHealthyPercent 0 and maximumPercent 100 the old tasks go first, and the last of them takes the "
        "name with it: NXDOMAIN. Resolvers keep that for as long as the zone's SOA says, whatever the TTL of the "
        "records: 15 s in a namespace of today, minutes in older ones and in other zones of Route 53."
    ),
    fix=(
        "Never let the name be empty: minimumHealthyPercent 100 and maximumPercent 200. Where that cannot be, lower "
        "the SOA's TTL (UpdatePrivateDnsNamespace)."
    ),
    variants=(
        Variant(
            "stop-first",
            "reproduces",
            f"0/100, with an SOA TTL of {LONG} s",
            {**COMMON, **STOP_FIRST, "soa_ttl": str(LONG)},
        ),
        Variant("default-rolling-update", "holds", "100/200, with the same SOA TTL", {**COMMON, "soa_ttl": str(LONG)}),
        Variant("short-soa-ttl", "holds", "0/100, with an SOA TTL of 1 s", {**COMMON, **STOP_FIRST, "soa_ttl": "1"}),
    ),
    play=play,
    judge=judge,
    speed=10,
)
