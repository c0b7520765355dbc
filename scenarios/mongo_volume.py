"""MongoDB in a container: what is left of the data when its task is replaced."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sandbox.errors import SandboxError
from sandbox.scenario import Play, Scenario, Variant, Verdict
from sandbox.timeline import Observation

URL = "http://chat.example.com"
CLUSTER, TASKS, POST = "chat", 1, "please keep this"
ONE_PROCESS = {"app_tasks": "1", "redis_url": "", "redis_tasks": "0"}


def play(play: Play) -> None:
    """Post something, have MongoDB's task replaced, and look at the board."""
    sandbox = play.sandbox
    sandbox.progress("waiting for the targets to be healthy")
    sandbox.wait_healthy(TASKS)
    with sandbox.crowd(URL, 1, reconnects=True) as crowd:
        crowd.post(POST)
    _look(play, "before")
    old, new = sandbox.replace_task(CLUSTER, "mongo")
    sandbox.timeline.record("replaced", old=old, new=new["task"])
    _look(play, "after")


def _look(play: Play, when: str) -> None:
    play.sandbox.progress(f"looking at the board {when} the replacement")
    answer = play.sandbox.http_get_until(f"{URL}/board", within=60)
    if answer.status != 200:
        raise SandboxError("the board cannot be read", state=str(answer))
    posts = [post["text"] for post in json.loads(answer.body)["posts"]]
    play.sandbox.timeline.record("board", when=when, posts=posts)


def judge(observations: Sequence[Observation]) -> Verdict:
    """Failed when what was posted is not on the board any more."""
    before, after = (seen for seen in observations if seen.kind == "board")
    (replaced,) = (seen for seen in observations if seen.kind == "replaced")
    facts = (
        f"before: {', '.join(before['posts']) or 'nothing'}",
        f"task {_id(replaced['old'])} of MongoDB was replaced by {_id(replaced['new'])}",
        f"after: {', '.join(after['posts']) or 'nothing'}",
    )
    return Verdict(POST not in after["posts"], facts)


def _id(arn: str) -> str:
    return arn.rpartition("/")[2][:8]


SCENARIO = Scenario(
    name="mongo-volume",
    stack="socketio-alb",
    symptom="After a deploy, or a night in which an instance was replaced, the database is empty.",
    cause="The database's files are on a volume of its task; ECS starts the replacement with a new, empty one.",
    fix=(
        "Put /data/db on EFS, let the old task end before the new one starts (minimumHealthyPercent 0, maximumPercent "
        "100), or use a managed database."
    ),
    variants=(
        Variant(
            "volume-of-the-task",
            "reproduces",
            "a volume without efsVolumeConfiguration",
            {**ONE_PROCESS, "mongo": "mongo-task-volume"},
        ),
        Variant("efs", "holds", "the same volume on EFS", ONE_PROCESS),
    ),
    play=play,
    judge=judge,
)
