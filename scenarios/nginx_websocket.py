"""Flask-SocketIO behind nginx or H2O: what of WebSockets and polling breaks, one line of configuration at a time.

Each variant is one session of the official clients through the proxy, from the handshake to a broadcast between two
processes (see `sandbox.probes.socketio_session`). The three processes and their Redis are the same for all of them.

The variants ``host-lost-in-location-*`` are how the asobann team came to give up nginx: "SocketIO tries to switch to
WebSocket and cannot". The location sets Upgrade, so that it inherits no header from the level above (nginx's
documentation of ``proxy_set_header``), among them Host; the application then takes the page's origin for a foreign one.
With the versions of 2020 the WebSocket is answered 101 before that is found out, and nothing follows.
"""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.probes.socketio_session import GOOD
from sandbox.scenario import Play, Scenario, Variant, Verdict
from sandbox.timeline import Observation

NAME = "chat.example.com"
IDLE = 8.0  # seconds; longer than the read time-out of the fault
TODAY = ("javascript", "python")
OF_2020 = ("javascript-2",)
OTHERS = ("text", "binary", "acknowledgement", "room", "broadcast", "reconnect")


def play(play: Play) -> None:
    """One session of each client that speaks with the versions at hand."""
    settings = play.variant.settings
    url = f"http://{NAME}{settings.get('port', '')}"
    idle = settings.get("idle", 0.0)  # for the first of them
    for client in settings.get("clients", TODAY):
        play.sandbox.progress(f"a session of the client {client}")
        play.sandbox.socketio_session(url, client=client, idle=idle)
        idle = 0.0


def judge(observations: Sequence[Observation]) -> Verdict:
    """Failed when a step of a session is not what it is without a proxy."""
    steps = [seen for seen in observations if seen.kind == "socketio.step"]
    facts = []
    for client in dict.fromkeys(seen["client"] for seen in steps):
        facts += _facts(client, {seen["step"]: seen for seen in steps if seen["client"] == client})
    return Verdict(any(not _good(seen) for seen in steps), tuple(facts))


def _good(seen: Observation) -> bool:
    # H2O leads to one process alone.
    return str(seen["outcome"]).removesuffix(", one process") == GOOD[seen["step"]]


def _facts(client: str, steps: dict[str, Observation]) -> list[str]:
    polling, alone = steps["polling"], steps["websocket-only"]
    if polling["outcome"] == "connected":
        ends = steps["upgrade"]["outcome"]
        facts = [f"{client}: polls, then {'upgrades to a WebSocket' if ends == 'websocket' else f'stays on {ends}'}"]
        others = {name: steps[name]["outcome"] for name in OTHERS}
        facts.append(f"{client}: " + ", ".join(f"{name} {outcome}" for name, outcome in others.items()))
    else:
        facts = [f"{client}: polls: {polling['outcome']} {polling['detail'].get('said', '')}".rstrip()]
    facts.append(f"{client}: WebSocket alone: {alone['outcome']}")
    if "idle" in steps:
        idle = steps["idle"]
        facts.append(f"{client}: idle WebSocket: {idle['outcome']} after {idle['detail'].get('seconds', 0):.1f} s")
    return facts


def _on_2020(conf: str) -> dict[str, str]:
    return {"conf": conf, "app": "flask-socketio-2020", "async_mode": "gevent"}


SCENARIO = Scenario(
    name="nginx-websocket",
    stack="socketio",
    symptom=(
        "Behind the proxy the chat does not connect, or it stays on polling and nobody notices, or it is cut every few "
        "seconds. Without the proxy it works."
    ),
    cause=(
        "One line is missing of what WebSockets and polling need: Upgrade and Connection, HTTP/1.1 to the application, "
        "one process for a session, Host as the browser sent it (a location that sets any header inherits none), a "
        "read time-out above the ping interval; for H2O, proxy.websocket."
    ),
    fix=(
        "compose/socketio/nginx/default.conf has them all; repeat the Host line in each location that sets headers; "
        "`proxy.websocket: ON` for H2O."
    ),
    variants=(
        Variant(
            "no-upgrade-headers",
            "reproduces",
            "no Upgrade and Connection: polling for ever",
            {"conf": "nginx-no-upgrade"},
        ),
        Variant(
            "http-1.0",
            "reproduces",
            "no proxy_http_version 1.1, before gevent's server",
            {"conf": "nginx-http-1.0", "async_mode": "gevent"},
        ),
        Variant("http-1.1", "holds", "the same server with proxy_http_version 1.1", {"async_mode": "gevent"}),
        Variant("no-stickiness", "reproduces", "round robin over the processes", {"conf": "nginx-no-stickiness"}),
        Variant(
            "host-without-port",
            "reproduces",
            "Host $host, and nginx is published on port 8080",
            {"conf": "nginx-host-without-port"},
            {"port": ":8080"},
        ),
        Variant("host-not-forwarded", "reproduces", "no Host line at all", {"conf": "nginx-host-not-forwarded"}),
        Variant(
            "read-timeout",
            "reproduces",
            "proxy_read_timeout 5s, and a ping every 25 s",
            {"conf": "nginx-read-timeout"},
            {"idle": IDLE},
        ),
        Variant(
            "host-lost-in-location-2020",
            "reproduces",
            "Host stands above, and the location sets Upgrade; the versions of 2020",
            _on_2020("nginx-asobann"),
            {"clients": OF_2020},
        ),
        Variant(
            "host-kept-in-location-2020",
            "holds",
            "the Host line again in the location; the versions of 2020",
            _on_2020("nginx-asobann-host"),
            {"clients": OF_2020},
        ),
        Variant(
            "host-lost-in-location", "reproduces", "the same with the versions of today", {"conf": "nginx-asobann"}
        ),
        Variant("host-kept-in-location", "holds", "the Host line again", {"conf": "nginx-asobann-host"}),
        Variant(
            "h2o-websocket-off",
            "reproduces",
            "H2O without proxy.websocket",
            {"proxy": "h2o", "conf": "h2o-websocket-off"},
        ),
        Variant("h2o-websocket-on", "holds", "H2O with proxy.websocket: ON", {"proxy": "h2o", "conf": "h2o"}),
        Variant("right", "holds", "nginx with every line, on port 8080", {}, {"port": ":8080", "idle": IDLE}),
    ),
    play=play,
    judge=judge,
)
