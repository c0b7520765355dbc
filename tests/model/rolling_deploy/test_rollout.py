"""A deployment in virtual time: transcripts of who gets requests when. All times can be reckoned by hand."""

from __future__ import annotations

import pytest

from sandbox.model.rolling_deploy.fleet import Fleet
from sandbox.model.rolling_deploy.rollout import roll

ALIKE = {"spread": 0.0, "start": 20.0, "boot": 8.0, "health_interval": 5, "unhealthy_threshold": 5, "stop": 1.0}


def fleet(**changes):
    return Fleet(**{"tasks": 2, "rps": 10.0, "deregistration_delay": 30, **ALIKE, **changes})


def transcript(rollout):
    """``20:2+1``: from second 20 on, two old targets and a new one answer."""
    return " ".join("{:g}:{}+{}".format(step.at, *rollout.answering(step)) for step in rollout.steps)


def test_one_after_the_other():
    """A new task runs after 20 s; the third check, 10 s later, is the first to pass after 8 s of boot. Its old one
    drains for 30 s and ends a second later: only then is there room for the next.
    """
    rollout = roll(fleet(minimum_healthy_percent=100, maximum_percent=150))
    assert transcript(rollout) == "0:2+0 30:1+1 91:0+2"
    assert (rollout.ending, rollout.ended_at, rollout.started, rollout.failed_tasks) == ("completed", 122.0, 2, 0)


def test_all_at_once():
    assert transcript(roll(fleet())) == "0:2+0 30:0+2"


def test_the_old_ones_first():
    """Nobody answers while the old tasks drain and new ones boot; from 51 s on requests come to tasks that boot still,
    because none is healthy; from 59 s on they answer, and at 61 s they are found healthy.
    """
    rollout = roll(fleet(minimum_healthy_percent=0, maximum_percent=100))
    assert transcript(rollout) == "0:0+0 51:0+0 59:0+2 61:0+2"
    assert [len(step.rotation) for step in rollout.steps] == [0, 2, 2, 2]


@pytest.mark.parametrize(
    "limits",
    [
        {"minimum_healthy_percent": 100, "maximum_percent": 100},
        {"tasks": 1, "minimum_healthy_percent": 100, "maximum_percent": 150},
        {"tasks": 3, "minimum_healthy_percent": 90, "maximum_percent": 110},
    ],
)
def test_limits_without_room_are_stuck(limits):
    rollout = roll(fleet(**limits))
    assert (rollout.ending, rollout.ended_at, rollout.started) == ("stuck", 0.0, 0)
    assert len(rollout.steps) == 1


BOOTS_TOO_LONG = {"boot": 60.0, "unhealthy_threshold": 2, "grace_period": 0}


def test_a_grace_period_too_short_replaces_good_tasks_for_ever():
    rollout = roll(fleet(**BOOTS_TOO_LONG))
    assert rollout.ending == "unfinished"
    assert rollout.ended_at is None
    assert rollout.failed_tasks > 10
    assert transcript(rollout) == "0:2+0"


def test_the_circuit_breaker_ends_that():
    rollout = roll(fleet(**BOOTS_TOO_LONG, circuit_breaker=True))
    assert (rollout.ending, rollout.failed_tasks) == ("rolled-back", 3)


def test_a_rollback_waits_for_what_drains():
    """At 200 percent the old tasks that drain leave no room: they end at 61 s."""
    rollout = roll(fleet(rollback_at=40.0))
    assert transcript(rollout) == "0:2+0 30:0+2 91:2+0"
    assert (rollout.ending, rollout.started) == ("completed", 4)


def test_fargate_launches_a_hundred_tasks_at_once_and_then_twenty_a_second():
    fast = {"boot": 0.0, "start": 0.0, "tasks": 141, "deregistration_delay": 0, "health_interval": 5}
    first, *_, last = roll(fleet(**fast)).steps
    assert (first.at, last.at) == (0.0, pytest.approx(41 / 20))
    assert len(roll(fleet(**fast, launch_quota=False)).steps) == 1


def test_tasks_are_unlike_and_the_seed_decides_how():
    one = roll(fleet(spread=0.2, seed=1))
    assert len(one.steps) > 2
    assert roll(fleet(spread=0.2, seed=1)) == one
    assert roll(fleet(spread=0.2, seed=2)) != one
