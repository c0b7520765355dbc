"""What the configuration says; that HAProxy does it is in tests/controllers/test_load_balancer*.py."""

from __future__ import annotations

import pytest

from sandbox.dataplane.alb.config import Server, files
from sandbox.model.elb.config import (
    Attributes,
    Condition,
    FixedResponse,
    Forward,
    Listener,
    LoadBalancer,
    Rule,
    Stickiness,
    TargetGroup,
)
from sandbox.model.elb.target import Target

TARGET = Target("10.0.0.4", 80)


def made(*, rules=(), speed=1.0, protocol="HTTP", **group):
    web = TargetGroup("arn:web", "web", "HTTP", 80, "ip", "vpc", **group)
    default = Rule("default", None, (), Forward(((web.arn, 1),)))
    listener = Listener("arn:l", 80, protocol, (*rules, default), ("arn:one", "arn:two") if protocol == "HTTPS" else ())
    balancer = LoadBalancer(
        "arn:lb", "site", "site.elb", "internet-facing", "vpc", (), (), Attributes(), (listener,), {web.arn: web}
    )
    servers = {web.arn: [Server(TARGET, "10.0.0.4:80", 100), Server(Target("10.0.0.5", 80), "10.0.0.5:80", 0)]}
    return files(balancer, servers, lambda arn: (f"chain of {arn}", f"key of {arn}"), dict, key="a2V5", speed=speed)


def test_times_are_divided_by_speed_and_never_nothing():
    assert "timeout tunnel 60000ms" in made()["haproxy.cfg"]
    assert "timeout tunnel 600ms" in made(speed=100)["haproxy.cfg"]
    assert "timeout connect 100ms" in made(speed=100)["haproxy.cfg"]
    assert "timeout tunnel 1ms" in made(speed=1e9)["haproxy.cfg"]


def test_a_server_that_may_get_no_requests_has_no_weight_and_no_sessions():
    files_ = made(stickiness=Stickiness(True))
    assert "server 10.0.0.5:80 10.0.0.5:80 weight 0" in files_["haproxy.cfg"]
    assert files_["tg-web.map"] == "10.0.0.4:80 10.0.0.4:80\n"


@pytest.mark.parametrize(
    ("algorithm", "balance"),
    [
        ("round_robin", "roundrobin"),
        ("least_outstanding_requests", "leastconn"),
        ("weighted_random", "random(1)"),
    ],
)
def test_algorithms(algorithm, balance):
    assert f"balance {balance}\n" in made(algorithm=algorithm)["haproxy.cfg"]


def test_certificates_the_default_one_first():
    files_ = made(protocol="HTTPS")
    assert files_["listener-80-0.pem"] == "chain of arn:one\nkey of arn:one"
    assert files_["listener-80.certificates"] == "/alb/listener-80-0.pem\n/alb/listener-80-1.pem\n"


def test_only_what_is_configured_costs_a_request_something():
    plain = made()["haproxy.cfg"]
    assert "aes_gcm" not in plain
    assert "rand(1000000)" not in plain
    assert "del-header" not in plain


def test_a_condition_of_another_kind_is_refused():
    rule = Rule("r", 1, (Condition("moon-phase", ("full",)),), FixedResponse(200))
    with pytest.raises(ValueError, match="moon-phase"):
        made(rules=(rule,))
