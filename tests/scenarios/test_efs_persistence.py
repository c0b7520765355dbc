"""The verdict of efs-persistence, from observations as a run makes them."""

from __future__ import annotations

import pytest

from sandbox import scenario
from sandbox.timeline import Observation

SCENARIO = scenario.load_all()["efs-persistence"]
OLD, NEW = "198.51.100.16", "198.51.100.17"
URL = "http://blog.example.com/"
RENAMED = "Renamed during the deployment"


def state(at, task, status, desired="RUNNING", ip=OLD):
    fields = {"task": f"arn:aws:ecs:x:task/blog/{task * 32}", "last_status": status, "desired_status": desired}
    return Observation(at, "task.state", {**fields, "public_ip": ip})


def response(at, path, status, ip=OLD, **more):
    return Observation(at, "http.response", {"url": URL + path, "status": status, "error": "", "remote_ip": ip, **more})


def observed(*, told=10.0, saved_at="", post=200, title=RENAMED):
    save = [response(14.0, "ghost/api/admin/settings/", 200, saved_at, method="PUT")] if saved_at else []
    return [
        state(1.0, "a", "RUNNING"),
        response(5.0, "kept/", 200),
        *([state(told, "a", "RUNNING", "STOPPED")] if told < 12.0 else []),
        state(12.0, "b", "RUNNING", ip=NEW),
        *save,
        *([state(told, "a", "RUNNING", "STOPPED")] if told >= 12.0 else []),
        response(60.0, "kept/", post),
        response(61.0, "", 200),
        Observation(61.1, "page.title", {"url": URL, "title": title}),
    ]


def test_what_was_saved_with_one_task_at_a_time_holds():
    verdict = SCENARIO.judge(observed(saved_at=NEW))
    assert verdict.outcome == "holds"
    assert verdict.evidence == (
        "post published on task aaaaaaaa: HTTP 200",
        "task bbbbbbbb RUNNING after it had been told to stop",
        f"title saved through {NEW}, the new task: HTTP 200",
        f"after the deployment: post HTTP 200, title {RENAMED!r}",
    )


@pytest.mark.parametrize(
    "what",
    [
        {"post": 404, "title": "Ghost"},  # gone with the task's volume
        {"told": 52.0, "saved_at": OLD, "title": "As it was"},  # the new task does not know of it
    ],
)
def test_what_is_lost_reproduces(what):
    verdict = SCENARIO.judge(observed(**what))
    assert verdict.outcome == "reproduces"
    if "told" in what:
        assert verdict.evidence[1] == "task bbbbbbbb RUNNING beside it for 40.0 s"
        assert verdict.evidence[2] == f"title saved through {OLD}, the old task: HTTP 200"
