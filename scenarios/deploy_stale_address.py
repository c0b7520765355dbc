"""A deploy under load: the old tasks are gone, and a client that honours the TTL still has their addresses."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.scenario import Play, Scenario, Variant, Verdict
from sandbox.timeline import Observation

URL, NAME = "http://store.example.com/", "back.shop.local"
CLUSTER, TASKS, TTL, SERVES_ON = "store", 2, 5, 7


def play(play: Play) -> None:
    """Deploy the back service anew while a visitor asks, until the old tasks are gone."""
    sandbox, timeline, ecs = play.sandbox, play.sandbox.timeline, play.sandbox.aws("ecs")
    sandbox.progress("waiting for both back tasks to be healthy")
    sandbox.wait_discovered("back", TASKS)
    old = ecs.list_tasks(cluster=CLUSTER, serviceName="back")["taskArns"]
    (front,) = ecs.list_tasks(cluster=CLUSTER, serviceName="front")["taskArns"]
    with sandbox.visit(URL, timeout=5.0, interval=0.05):
        sandbox.progress("deploying the back service anew")
        mark = timeline.mark()
        ecs.update_service(cluster=CLUSTER, service="back", forceNewDeployment=True)
        registered: set[str] = set()

        def both_new(seen: Observation) -> bool:
            if seen.kind == "cloudmap.instance" and seen["change"] == "registered":
                registered.add(seen["instance"])
            return len(registered) == TASKS

        timeline.wait_for("the new tasks to be registered", both_new, within=60, since=mark)
        # The answer that nginx has may be as old as its TTL. From now on it is new: that is when a client keeps the
        # old addresses for longest.
        sandbox.execute(front, "proxy", ["nginx", "-s", "reload"])
        for task in old:
            sandbox.wait_task(task, "STOPPED")
        sandbox.progress("letting the TTL of the last answer with an old task end")
        last = max(seen.at for seen in timeline.since(mark) if _left(seen))
        sandbox.wait_ttl(max(0.0, last + TTL + 1 - sandbox.clock.now()))


def _left(seen: Observation) -> bool:
    return seen.kind == "cloudmap.instance" and bool(seen["change"] == "deregistered")


def judge(observations: Sequence[Observation]) -> Verdict:
    """Failed when requests fail because a task has gone before clients have forgotten its address."""
    (end,) = (seen for seen in observations if seen.kind == "visitor.end")
    outcomes = [seen for seen in observations if seen.kind == "visitor.outcome"]
    left = [seen for seen in observations if _left(seen)]
    exits = [seen for seen in observations if seen.kind == "container.exited" and seen["container"] == "back"]
    facts = [
        f"TTL {TTL} s; the old tasks ended {_between(left, exits)} s after they had left {NAME}",
        f"{end['failed']} of {end['requests']} requests during the deployment failed",
    ]
    bad = [index for index, seen in enumerate(outcomes) if seen["status"] != 200]
    if bad:
        first, over = outcomes[bad[0]], outcomes[bad[-1] + 1 :]
        why = f"HTTP {first['status']}" if first["status"] else first["error"]
        until = f"from {over[0].at - left[0].at:.1f} s on all is well" if over else "to the end"
        facts.append(f"the first ({why}) {first.at - left[0].at:.1f} s after the first old task had left; {until}")
    return Verdict(end["failed"] > 0, tuple(facts))


def _between(left: Sequence[Observation], exits: Sequence[Observation]) -> str:
    ended = {seen["task"].rpartition("/")[2]: seen.at for seen in exits}
    return " and ".join(f"{ended[seen['instance']] - seen.at:.1f}" for seen in left if seen["instance"] in ended)


SCENARIO = Scenario(
    name="deploy-stale-address",
    stack="discovery",
    symptom="With each deploy of the back service the front service has some seconds of errors, then all is well.",
    cause=(
        "ECS takes a task out of Cloud Map and sends it SIGTERM at once; it waits for nothing, as there is no "
        "deregistration delay without a load balancer. Clients may keep the address until the TTL is over, and a task "
        "that ends at once is gone by then."
    ),
    fix=(
        "Go on serving after SIGTERM for longer than the TTL, with a stopTimeout above that (120 s at most on "
        "Fargate), and keep the TTL short."
    ),
    variants=(
        Variant("stops-at-once", "reproduces", "the tasks end at SIGTERM", {"ttl": str(TTL)}),
        Variant(
            "serves-on",
            "holds",
            f"they go on serving for {SERVES_ON} s after it, with a TTL of {TTL} s",
            {"ttl": str(TTL), "serve_after_term": str(SERVES_ON)},
        ),
    ),
    play=play,
    judge=judge,
    speed=10,
)
