"""Broadcasts of Flask-SocketIO in three tasks: without a message queue, with Redis, and while Redis is away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sandbox.errors import SandboxError
from sandbox.scenario import Play, Scenario, Variant, Verdict
from sandbox.timeline import Observation

if TYPE_CHECKING:
    from sandbox.probes.socketio_crowd import Crowd

URL = "http://chat.example.com"
CLUSTER, TASKS, CLIENTS = "chat", 3, 6
WITHOUT_MONGO = {"mongo_url": "", "mongo_tasks": "0"}
HEARD_WITHIN = 3.0  # seconds
LISTENING_WITHIN = 60  # seconds
# The channel is Flask-SocketIO's own; Redis answers with its name and the number of those who listen.
_LISTENING = (
    "i=0; until n=$(redis-cli pubsub numsub flask-socketio | tail -n 1); [ $n -ge {tasks} ]; do "
    '[ $((i += 1)) -lt {looks} ] || {{ echo "it counts $n" >&2; exit 1; }}; sleep 0.1; done'
)
AGAIN_WITHIN = 20  # attempts of `HEARD_WITHIN` at most


def play(play: Play) -> None:
    """Post while clients of all tasks listen; where the variant wants that, with Redis being replaced meanwhile."""
    sandbox = play.sandbox
    sandbox.progress("waiting for the targets to be healthy")
    sandbox.wait_healthy(TASKS)
    with sandbox.crowd(URL, CLIENTS, reconnects=True) as crowd:
        if play.variant.parameters.get("redis_tasks") != "0":
            _wait_listening(play)
        _post(play, crowd, "all is well")
        if not play.variant.settings.get("replaces_redis"):
            return
        ecs = sandbox.aws("ecs")
        (redis,) = ecs.list_tasks(cluster=CLUSTER, serviceName="redis")["taskArns"]
        sandbox.progress("taking Redis away")
        ecs.update_service(cluster=CLUSTER, service="redis", desiredCount=0)
        sandbox.wait_task(redis, "STOPPED")
        _post(play, crowd, "Redis is away")
        sandbox.progress("bringing Redis back")
        mark = sandbox.timeline.mark()
        ecs.update_service(cluster=CLUSTER, service="redis", desiredCount=1)
        sandbox.timeline.wait_for(
            "Redis to be found again",
            lambda seen: seen.kind == "cloudmap.instance" and seen["change"] == "registered",
            within=60,
            since=mark,
        )
        for attempt in range(AGAIN_WITHIN):
            if _post(play, crowd, f"Redis is back ({attempt + 1})") == CLIENTS:
                return


def _wait_listening(play: Play) -> None:
    """A process begins to listen when its first client comes, on another thread: the client may be first.

    Raises:
        SandboxError: One still does not listen.
    """
    play.sandbox.progress("waiting for every process to listen to Redis")
    tasks = {
        service: play.sandbox.aws("ecs").list_tasks(cluster=CLUSTER, serviceName=service)["taskArns"]
        for service in ("redis", "app")
    }
    (redis,) = tasks["redis"]
    looks = _LISTENING.format(tasks=TASKS, looks=10 * LISTENING_WITHIN)
    code, _, said = play.sandbox.execute(redis, "redis", ["sh", "-c", looks])
    if code:
        logs = [line for task in tasks["app"] for line in play.sandbox.task_logs(task).get("app", [])[-5:]]
        waited = f"fewer than {TASKS} processes listen to Redis after {LISTENING_WITHIN} s"
        raise SandboxError(waited, state=said.strip(), log=logs, hint="do they find Redis?")


def _post(play: Play, crowd: Crowd, text: str) -> int:
    play.sandbox.progress(f"posting '{text}'")
    crowd.post(text)
    heard = crowd.hear(text, HEARD_WITHIN)
    play.sandbox.timeline.record("posted", text=text, heard=heard, clients=CLIENTS)
    return heard


def judge(observations: Sequence[Observation]) -> Verdict:
    """Failed when a post does not reach every client."""
    posts = [seen for seen in observations if seen.kind == "posted"]
    facts = [f"'{seen['text']}' was heard by {seen['heard']} of {seen['clients']} clients" for seen in posts]
    return Verdict(any(seen["heard"] < seen["clients"] for seen in posts), tuple(facts))


SCENARIO = Scenario(
    name="socketio-broadcast",
    stack="socketio-alb",
    symptom="With more than one task, a message reaches some of those who are in the room, and not the others.",
    cause=(
        "Each process knows its own clients alone. Without a message queue a broadcast ends there; with one it ends "
        "there too while the queue is away, and what was sent in that time is not sent later."
    ),
    fix=(
        "Give every process the same message queue (Redis). It is no store: what must not be lost goes to the "
        "database, and clients fetch it when they come (back)."
    ),
    variants=(
        Variant(
            "no-queue",
            "reproduces",
            "three processes that do not know of each other",
            {**WITHOUT_MONGO, "redis_url": "", "redis_tasks": "0"},
        ),
        Variant("redis", "holds", "Redis as message queue, found by its Cloud Map name", WITHOUT_MONGO),
        Variant(
            "redis-replaced",
            "reproduces",
            "a post while Redis is replaced; those after it arrive again",
            WITHOUT_MONGO,
            settings={"replaces_redis": True},
        ),
    ),
    play=play,
    judge=judge,
)
