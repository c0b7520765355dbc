"""Flask-SocketIO in three tasks behind an Application Load Balancer, with and without sticky sessions."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.probes.socketio_session import GOOD
from sandbox.scenario import Play, Scenario, Variant, Verdict
from sandbox.timeline import Observation

URL = "http://chat.example.com"
CLIENTS = ("javascript", "python")
TASKS = 3
WITHOUT_MONGO = {"mongo_url": "", "mongo_tasks": "0"}
WITHIN = 2.0  # seconds; a client that is refused waits so long at several steps


def play(play: Play) -> None:
    """One session of each client; what counts is the way that the variant's client connects."""
    sandbox = play.sandbox
    sandbox.progress("waiting for the targets to be healthy")
    sandbox.wait_healthy(TASKS)
    sandbox.timeline.record("client", websocket_only=play.variant.settings["websocket_only"])
    for client in CLIENTS:
        sandbox.progress(f"a session of the client {client}")
        sandbox.socketio_session(URL, client=client, within=WITHIN)


def judge(observations: Sequence[Observation]) -> Verdict:
    """Failed when a client of the variant's kind does not get what it gets without a load balancer."""
    (client,) = (seen for seen in observations if seen.kind == "client")
    steps = [seen for seen in observations if seen.kind == "socketio.step"]
    counted = [seen for seen in steps if (seen["step"] == "websocket-only") == client["websocket_only"]]
    wrong = [seen for seen in counted if seen["outcome"] != GOOD[seen["step"]]]
    facts = []
    for name in CLIENTS:
        own = [seen for seen in counted if seen["client"] == name]
        told = ", ".join(f"{seen['step']} {seen['outcome']}" for seen in own if seen["outcome"] != "not tried")
        said = own[0]["detail"].get("said", "")
        facts.append(f"{name}: {told}" + (f" {said}" if said else ""))
    errors = [seen for seen in observations if seen.kind == "alb.response" and 400 <= seen["status"] < 500]
    facts += list(dict.fromkeys(f"target {seen['target']} answered {seen['status']}" for seen in errors))
    return Verdict(bool(wrong), tuple(facts))


SCENARIO = Scenario(
    name="alb-stickiness",
    stack="socketio-alb",
    symptom='With one task the chat works. With three, clients get 400 "Invalid session" and never connect.',
    cause=(
        "A polling session is many requests, and the process that has it must get all of them; a target group without "
        "stickiness gives each request to the next target."
    ),
    fix="Turn on stickiness (lb_cookie) of the target group, or let clients use WebSockets alone.",
    variants=(
        Variant(
            "not-sticky",
            "reproduces",
            "clients that poll first, without stickiness",
            {**WITHOUT_MONGO, "stickiness": "false"},
            {"websocket_only": False},
        ),
        Variant("sticky", "holds", "the same with stickiness by AWSALB", WITHOUT_MONGO, {"websocket_only": False}),
        Variant(
            "websocket-only",
            "holds",
            "without stickiness, and clients that never poll",
            {**WITHOUT_MONGO, "stickiness": "false"},
            {"websocket_only": True},
        ),
    ),
    play=play,
    judge=judge,
)
