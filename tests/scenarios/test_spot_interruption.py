"""The verdict of spot-interruption, from observations as a run makes them."""

from __future__ import annotations

import pytest

from sandbox import scenario
from sandbox.timeline import Observation

SCENARIO = scenario.load_all()["spot-interruption"]
OLD, NEW = "198.51.100.16", "198.51.100.17"
URL = "http://blog.example.com/"


def state(at, task, status, desired="RUNNING", ip=NEW, **more):
    fields = {"task": f"arn:aws:ecs:x:task/blog/{task * 32}", "last_status": status, "desired_status": desired}
    return Observation(at, "task.state", {**fields, "public_ip": ip, "stop_code": "", "stopped_reason": "", **more})


def visit(at, status, ip, error=""):
    return Observation(at, "visitor.outcome", {"url": URL, "status": status, "error": error, "remote_ip": ip})


def observed(*outcomes, failed=0, ended=()):
    told = {"stop_code": "SpotInterruption", "stopped_reason": "Your Spot Task was interrupted."}
    return [
        state(1.0, "a", "RUNNING", ip=OLD),
        visit(2.0, 200, OLD),
        state(10.0, "a", "RUNNING", "STOPPED", OLD, **told),
        *(
            Observation(at, "container.exited", {"task": f"arn:aws:ecs:x:task/blog/{'a' * 32}", "container": name})
            for at, name in ended
        ),
        state(10.1, "b", "PROVISIONING", ip=""),
        state(10.6, "b", "RUNNING"),
        Observation(11.0, "dns.change", {"name": "blog.example.com", "old": [OLD], "new": [NEW]}),
        Observation(13.0, "http.response", {"url": f"http://{NEW}/", "status": 200, "error": ""}),
        *outcomes,
        Observation(22.0, "visitor.end", {"url": URL, "requests": 50, "failed": failed}),
    ]


def test_a_visitor_who_is_always_served_holds():
    verdict = SCENARIO.judge(observed(visit(21.0, 200, NEW)))
    assert verdict.outcome == "holds"
    assert verdict.evidence == (
        f"task aaaaaaaa at {OLD}: Your Spot Task was interrupted. Its containers go on serving",
        "replacement bbbbbbbb: placed after 0.1 s, RUNNING after 0.6 s, Ghost serves after 3.0 s",
        f"blog.example.com is {NEW} after 1.0 s, to the visitor, who keeps an answer for its TTL, after 11.0 s",
        "visitor served all the time",
        "0 of 50 requests failed",
    )


@pytest.mark.parametrize("how", [(0, "timed out"), (502, "")])
def test_one_who_is_not_served_for_a_while_reproduces(how):
    outcomes = (visit(11.0, how[0], OLD, how[1]), visit(21.0, 200, NEW))
    verdict = SCENARIO.judge(observed(*outcomes, failed=9, ended=[(10.2, "nginx"), (30.0, "ghost")]))
    assert verdict.outcome == "reproduces"
    assert verdict.evidence[0].endswith("interrupted. nginx ended after 0.2 s")
    assert verdict.evidence[3].startswith("visitor not served from 1.0 s on: 198.51.100.16: ")
    assert verdict.evidence[4] == "9 of 50 requests failed"
