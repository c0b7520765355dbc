"""The verdict of unhealthy-member, from observations as a run makes them."""

from __future__ import annotations

from sandbox import scenario
from sandbox.timeline import Observation

SCENARIO = scenario.load_all()["unhealthy-member"]
BROKEN = "arn:aws:ecs:x:task/store/" + "a" * 32


def told(at, task, change, health):
    address = {"AWS_INSTANCE_IPV4": f"10.0.0.{ord(task)}"}
    facts = {"service": "back", "instance": task * 32, "change": change, "health": health, "attributes": address}
    return Observation(at, "cloudmap.instance", facts)


def judge(*seen, answers, failed):
    return SCENARIO.judge(
        [
            told(1.0, "a", "registered", "UNHEALTHY"),
            told(2.0, "a", "health", "HEALTHY"),
            told(2.0, "b", "health", "HEALTHY"),
            Observation(3.0, "dns.probe", {"answers": ["10.0.0.97", "10.0.0.98"], "rcode": "NOERROR"}),
            Observation(4.0, "broken", {"task": BROKEN, "speed": 10}),
            *seen,
            Observation(20.0, "dns.probe", {"answers": answers, "rcode": "NOERROR"}),
            Observation(21.0, "http.burst", {"requests": 60, "failed": failed}),
        ]
    )


def test_a_broken_task_in_the_answers_reproduces():
    verdict = judge(
        told(9.0, "a", "health", "UNHEALTHY"),
        told(9.1, "b", "health", "UNHEALTHY"),
        answers=["10.0.0.98", "10.0.0.97"],
        failed=30,
    )
    assert verdict.outcome == "reproduces"
    assert verdict.evidence == (
        "task aaaaaaaa at 10.0.0.97 is broken; 50 s later (AWS's) Cloud Map has it as UNHEALTHY",
        "instances then: 10.0.0.97 UNHEALTHY, 10.0.0.98 UNHEALTHY",
        "back.shop.local is 10.0.0.98, 10.0.0.97: with it",
        "30 of 60 requests failed",
    )


def test_a_broken_task_that_has_left_holds():
    verdict = judge(told(9.0, "a", "deregistered", "HEALTHY"), answers=["10.0.0.98"], failed=0)
    assert verdict.outcome == "holds"
    assert verdict.evidence[0].endswith("Cloud Map has it as gone")
    assert verdict.evidence[1:3] == ("instances then: 10.0.0.98 HEALTHY", "back.shop.local is 10.0.0.98: without it")
