"""The verdict of negative-cache, from observations as a run makes them."""

from __future__ import annotations

from sandbox import scenario
from sandbox.timeline import Observation

SCENARIO = scenario.load_all()["negative-cache"]
SOA = Observation(1.0, "negative_ttl", {"soa_ttl": 15})


def change(at, task, what):
    return Observation(at, "cloudmap.instance", {"service": "back", "instance": task * 32, "change": what})


def outcome(at, status):
    return Observation(at, "visitor.outcome", {"status": status})


def end(failed):
    return Observation(40.0, "visitor.end", {"requests": 100, "failed": failed})


EMPTIED = (
    SOA,
    outcome(5.0, 200),
    change(10.0, "a", "deregistered"),
    change(10.1, "b", "deregistered"),
    Observation(11.0, "dns.answer", {"name": "back.shop.local", "type": "A", "rcode": "NXDOMAIN"}),
    outcome(11.0, 502),
    change(15.0, "c", "registered"),
    Observation(16.0, "container.health", {"container": "back", "health": "HEALTHY"}),
)


def test_requests_that_fail_with_the_name_back_reproduce():
    verdict = SCENARIO.judge([*EMPTIED, outcome(24.5, 200), end(90)])
    assert verdict.outcome == "reproduces"
    assert verdict.evidence == (
        "back.shop.local was NXDOMAIN for 4.9 s; the SOA's TTL is 15 s",
        "90 of 100 requests during the deployment failed",
        "1.0 s later a new task was healthy; 8.5 s after that requests succeeded",
    )


def test_requests_that_never_succeed_again_reproduce():
    verdict = SCENARIO.judge([*EMPTIED, end(90)])
    assert verdict.outcome == "reproduces"
    assert verdict.evidence[-1] == "1.0 s later a new task was healthy; 24.0 s after that requests failed still"


def test_requests_that_succeed_soon_hold():
    assert SCENARIO.judge([*EMPTIED, outcome(17.0, 200), end(50)]).outcome == "holds"


def test_a_name_that_is_never_empty_holds_unless_requests_fail():
    rolled = [SOA, outcome(5.0, 200), change(8.0, "c", "registered"), change(10.0, "a", "deregistered")]
    verdict = SCENARIO.judge([*rolled, end(0)])
    assert verdict.outcome == "holds"
    assert verdict.evidence[0] == "back.shop.local had an address all the time"
    assert SCENARIO.judge([*rolled, end(1)]).outcome == "reproduces"
