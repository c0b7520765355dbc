"""The verdict of task-localhost, from observations as a run makes them."""

from __future__ import annotations

from sandbox import scenario
from sandbox.timeline import Observation

SCENARIO = scenario.load_all()["task-localhost"]
URL = "http://blog.example.com/"
EMERG = '2026/11/26 [emerg] 1#1: host not found in upstream "ghost" in /etc/nginx/conf.d/default.conf:7'


def state(at, task, status, **more):
    fields = {"task": f"arn:aws:ecs:x:task/blog/{task * 32}", "last_status": status, "stop_code": ""}
    return Observation(at, "task.state", {**fields, "stopped_reason": "", **more})


def ended(at, task):
    fields = {"task": f"arn:aws:ecs:x:task/blog/{task * 32}", "container": "nginx", "exit_code": 1, "log": [EMERG]}
    return Observation(at, "container.exited", fields)


def page(status, error=""):
    return Observation(20.0, "http.response", {"url": URL, "status": status, "error": error})


def test_a_site_that_comes_up_holds():
    verdict = SCENARIO.judge([state(1.0, "a", "PROVISIONING"), page(200)])
    assert verdict.outcome == "holds"
    assert verdict.evidence == ("1 task started for a desired count of 1", f"{URL}: HTTP 200")


def test_tasks_that_end_one_after_the_other_reproduce():
    why = {"stop_code": "EssentialContainerExited", "stopped_reason": "Essential container in task exited"}
    seen = [
        state(1.0, "a", "PROVISIONING"),
        ended(2.0, "a"),
        state(2.1, "a", "RUNNING", **why),
        state(3.0, "b", "PROVISIONING"),
        ended(4.0, "b"),
        page(0, "connection refused"),
    ]
    verdict = SCENARIO.judge(seen)
    assert verdict.outcome == "reproduces"
    assert verdict.evidence == (
        "2 tasks started for a desired count of 1",
        "task aaaaaaaa: nginx exited with code 1",
        "task bbbbbbbb: nginx exited with code 1",
        'nginx: 1#1: host not found in upstream "ghost" in /etc/nginx/conf.d/default.conf:7',
        "task aaaaaaaa: EssentialContainerExited: Essential container in task exited",
        f"{URL}: connection refused",
    )
