from __future__ import annotations

import pytest

from sandbox.model.elb.config import Forward, Stickiness, TargetGroup
from sandbox.model.elb.stickiness import Session, bound_group, bound_target, choose_group, cookies_set
from sandbox.model.elb.target import Target

A, B = (Target(f"10.0.0.{number}", 80) for number in (4, 5))
LB = Stickiness(True, "lb_cookie", 60)
APP = Stickiness(True, "app_cookie", 60, "session")
ROUTE = {A: 100, B: 100}


def group(stickiness):
    return TargetGroup("arn:tg", "web", "HTTP", 80, "ip", "vpc-1", stickiness=stickiness)


def test_a_session_stays_with_its_target():
    assert bound_target(Session("arn:tg", A, 0), group(LB), ROUTE, 59) == A


@pytest.mark.parametrize(
    ("session", "route", "now", "why"),
    [
        (None, ROUTE, 0, "no cookie, or one that cannot be decrypted"),
        (Session("arn:tg", A, 0), ROUTE, 60, "over"),
        (Session("arn:tg", A, 0), {B: 100}, 1, "its target is unhealthy or drains"),
        (Session("arn:other", A, 0), ROUTE, 1, "of another group"),
        (Session("arn:tg", None, 0), ROUTE, 1, "binds to the group alone"),
    ],
)
def test_a_session_that_binds_to_none(session, route, now, why):
    assert bound_target(session, group(LB), route, now) is None, why


def test_without_stickiness_a_cookie_says_nothing():
    assert bound_target(Session("arn:tg", A, 0), group(Stickiness()), ROUTE, 1) is None
    assert cookies_set(Stickiness()) == ()


def test_every_answer_has_both_cookies():
    assert cookies_set(LB) == ("AWSALB", "AWSALBCORS")


def test_an_application_s_cookie():
    session = Session("arn:tg", A, 0)
    assert bound_target(session, group(APP), ROUTE, 1) is None, "both cookies are needed"
    assert bound_target(session, group(APP), ROUTE, 1, has_app_cookie=True) == A
    assert cookies_set(APP) == ()
    assert cookies_set(APP, app_cookie_set=True) == cookies_set(APP, had_session=True) == ("AWSALBAPP-0",)


def test_groups_by_weight():
    forward = Forward((("blue", 3), ("green", 1)))
    assert [choose_group(forward, draw) for draw in (0, 0.74, 0.76)] == ["blue", "blue", "green"]
    assert choose_group(Forward((("blue", 0), ("green", 0))), 0.5) is None


def test_a_session_stays_with_its_group():
    forward = Forward((("blue", 3), ("green", 0)), stickiness=60)
    assert bound_group(Session("green", None, 0), forward, 59) == "green"
    assert bound_group(Session("green", None, 0), forward, 60) is None
    assert bound_group(Session("red", None, 0), forward, 1) is None
    assert bound_group(Session("green", None, 0), Forward(forward.groups), 1) is None
