"""An idle WebSocket through an Application Load Balancer: how long it lives."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.errors import SandboxError
from sandbox.scenario import Play, Scenario, Variant, Verdict
from sandbox.timeline import Observation

URL = "http://chat.example.com"
TASKS = 1
# The application alone: neither Redis nor MongoDB is needed.
ALONE = {"redis_url": "", "redis_tasks": "0", "mongo_url": "", "mongo_tasks": "0", "app_tasks": "1"}
IDLE = 5  # seconds, of the load balancer in two of the variants
WATCHED = IDLE + 2.0


def play(play: Play) -> None:
    """Open a WebSocket, send nothing, and watch it for longer than the shorter idle time-out."""
    sandbox = play.sandbox
    if sandbox.speed != 1:
        raise SandboxError("the server's pings are not scaled by --speed", hint="run this scenario without --speed")
    sandbox.progress("waiting for the targets to be healthy")
    sandbox.wait_healthy(TASKS)
    parameters = play.stack.values
    sandbox.timeline.record(
        "timers", idle_timeout=parameters["idle_timeout"], ping_interval=parameters["ping_interval"]
    )
    sandbox.progress(f"watching an idle WebSocket for {WATCHED:g} s")
    sandbox.socketio_session(URL, idle=WATCHED)


def judge(observations: Sequence[Observation]) -> Verdict:
    """Failed when the idle WebSocket is cut."""
    (timers,) = (seen for seen in observations if seen.kind == "timers")
    (idle,) = (seen for seen in observations if seen.kind == "socketio.step" and seen["step"] == "idle")
    facts = (
        f"idle time-out {timers['idle_timeout']} s, a ping every {timers['ping_interval']} s",
        f"the idle WebSocket was {idle['outcome']} after {idle['detail']['seconds']:.1f} s",
    )
    return Verdict(idle["outcome"] == "cut", facts)


SCENARIO = Scenario(
    name="alb-idle-timeout",
    stack="socketio-alb",
    symptom="Clients that only listen lose their WebSocket again and again, each time after as many seconds.",
    cause=(
        "The load balancer's idle time-out holds for WebSockets too, and the server's ping interval is longer: nothing "
        "is sent for so long, and the connection is closed."
    ),
    fix="Let the server ping more often than the idle time-out, or raise that (60 s by default, 4000 s at most).",
    variants=(
        Variant(
            "pings-too-seldom",
            "reproduces",
            f"a ping every 25 s, and an idle time-out of {IDLE} s",
            {**ALONE, "idle_timeout": str(IDLE)},
        ),
        Variant(
            "pings-in-time",
            "holds",
            "the same time-out, and a ping every 2 s",
            {**ALONE, "idle_timeout": str(IDLE), "ping_interval": "2"},
        ),
        Variant("longer-timeout", "holds", "a ping every 25 s, and AWS's default of 60 s", ALONE),
    ),
    play=play,
    judge=judge,
)
