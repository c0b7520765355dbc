"""A rolling deploy under open WebSockets: how many are cut, when, and who comes back."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.scenario import Play, Scenario, Variant, Verdict
from sandbox.timeline import Observation

URL = "http://chat.example.com"
CLUSTER, TASKS, CLIENTS = "chat", 2, 12
DELAY = 4  # AWS's seconds, of deregistration
# The application alone: neither Redis nor MongoDB is needed.
ALONE = {"redis_url": "", "redis_tasks": "0", "mongo_url": "", "mongo_tasks": "0", "app_tasks": "2"}


def play(play: Play) -> None:
    """Hold WebSockets while the service is deployed anew, until the old tasks are gone."""
    sandbox, ecs = play.sandbox, play.sandbox.aws("ecs")
    sandbox.progress("waiting for the targets to be healthy")
    sandbox.wait_healthy(TASKS)
    old = set(ecs.list_tasks(cluster=CLUSTER, serviceName="app")["taskArns"])
    reconnects = play.variant.settings["reconnects"]
    sandbox.timeline.record("drained", delay=play.stack.values["deregistration_delay"])
    with sandbox.crowd(URL, CLIENTS, reconnects=reconnects):
        sandbox.progress("deploying the service anew")
        mark = sandbox.timeline.mark()
        ecs.update_service(cluster=CLUSTER, service="app", forceNewDeployment=True)
        gone: set[str] = set()

        def replaced(seen: Observation) -> bool:
            if seen.kind == "task.state" and seen["last_status"] == "STOPPED":
                gone.add(seen["task"])
            return gone >= old

        sandbox.timeline.wait_for("the old tasks to stop", replaced, within=180, since=mark)


def judge(observations: Sequence[Observation]) -> Verdict:
    """Failed when a client is without a connection at the end."""
    (end,) = (seen for seen in observations if seen.kind == "crowd.end")
    (drained,) = (seen for seen in observations if seen.kind == "drained")
    left = [seen for seen in observations if seen.kind == "target.health" and seen["state"] == "draining"]
    cuts = [seen for seen in observations if seen.kind == "crowd.cut"]
    backs = [seen["seconds"] for seen in observations if seen.kind == "crowd.back"]
    facts = [
        f"deregistration delay {drained['delay']} s; {end['clients']} WebSockets were open when the deploy began",
        f"{end['cut']} of them were cut" + (f", {_when(left, cuts)}" if cuts else ""),
    ]
    if backs:
        facts.append(f"{end['back']} came back, within {max(backs):.1f} s")
    facts.append(f"{end['connected']} of {end['clients']} are connected after the deploy")
    return Verdict(end["connected"] < end["clients"], tuple(facts))


def _when(left: Sequence[Observation], cuts: Sequence[Observation]) -> str:
    first = min(seen.at for seen in left) if left else cuts[0].at
    return f"{cuts[0].at - first:.1f} to {cuts[-1].at - first:.1f} s after the first target began to drain"


SCENARIO = Scenario(
    name="alb-drain",
    stack="socketio-alb",
    symptom="Minutes after each deploy everybody's WebSocket is cut at once, and some pages stay dead until reloaded.",
    cause=(
        "A WebSocket stays with its target while that drains; when the deregistration delay is over, the load balancer "
        "cuts it, before the task gets SIGTERM. So every deploy takes that long, and ends every connection."
    ),
    fix=(
        "Clients must connect again by themselves (Socket.IO does unless told not to) and fetch what they have missed; "
        "a shorter deregistration delay shortens deploys."
    ),
    variants=(
        Variant(
            "without-reconnection",
            "reproduces",
            "clients that do not connect again",
            {**ALONE, "deregistration_delay": str(DELAY)},
            {"reconnects": False},
        ),
        Variant(
            "with-reconnection",
            "holds",
            "clients that do",
            {**ALONE, "deregistration_delay": str(DELAY)},
            {"reconnects": True},
        ),
    ),
    play=play,
    judge=judge,
)
