"""The verdict of client-dns-cache, from observations as a run makes them."""

from __future__ import annotations

from sandbox import scenario
from sandbox.timeline import Observation

SCENARIO = scenario.load_all()["client-dns-cache"]


def burst(at, requests, statuses, errors=None):
    failed = requests - statuses.get("200", 0)
    facts = {"requests": requests, "failed": failed, "statuses": statuses, "errors": errors or {}, "slowest": 1.2}
    return Observation(at, "http.burst", facts)


def judge(after):
    shares = {f"arn:aws:ecs:x:task/store/{task * 32}": count for task, count in (("a", 30), ("b", 0))}
    left = {"service": "back", "change": "deregistered", "health": "HEALTHY"}
    return SCENARIO.judge(
        [
            Observation(1.0, "dns.probe", {"answers": ["10.0.0.4", "10.0.0.5"], "rcode": "NOERROR"}),
            burst(2.0, 30, {"200": 30}),
            Observation(3.0, "shares", {"group": "/store/back", "shares": shares}),
            Observation(9.0, "cloudmap.instance", {**left, "instance": "a" * 32}),
            Observation(10.0, "cloudmap.instance", {**left, "instance": "b" * 32}),
            Observation(14.0, "dns.probe", {"answers": ["10.0.0.6", "10.0.0.7"], "rcode": "NOERROR"}),
            after,
        ]
    )


def test_requests_that_fail_after_the_ttl_reproduce():
    verdict = judge(burst(15.0, 12, {"200": 1, "502": 10}, {"timed out": 1}))
    assert verdict.outcome == "reproduces"
    assert verdict.evidence == (
        "back.shop.local is 10.0.0.4, 10.0.0.5; 30 requests, 0 failed; by the log group /store/back: 30 by aaaaaaaa "
        "and 0 by bbbbbbbb",
        "after the deployment back.shop.local is 10.0.0.6, 10.0.0.7",
        "5.0 s after the last old task has left, with a TTL of 2 s: 11 of 12 requests failed (HTTP 200: 1, "
        "HTTP 502: 10, timed out: 1), the slowest took 1.2 s",
    )


def test_requests_that_succeed_hold():
    assert judge(burst(15.0, 12, {"200": 12})).outcome == "holds"
