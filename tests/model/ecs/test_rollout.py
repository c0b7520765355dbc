"""The next step of a rolling update: the limits hold whatever the fleet looks like, and it always comes to an end."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.ecs.rollout import Fleet, Limits, Plan, Standing, plan

STARTING, RUNNING, HEALTHY, UNHEALTHY = Standing.STARTING, Standing.RUNNING, Standing.HEALTHY, Standing.UNHEALTHY
LIVE = (STARTING, RUNNING, HEALTHY, UNHEALTHY)


def members(name: str, *standings: Standing) -> list[tuple[Any, Standing]]:
    """Tasks that are only names: a plan says which, and looks into none."""
    return [(f"{name}{number}", worth) for number, worth in enumerate(standings, 1)]


@pytest.mark.parametrize(
    ("desired", "minimum", "maximum", "limits"),
    [
        (4, 100, 200, (4, 8)),
        (4, 50, 200, (2, 8)),
        (2, 75, 100, (2, 2)),  # "can't stop any tasks due to the resulting value also being two"
        (3, 50, 125, (2, 3)),  # the minimum rounds up, the maximum rounds down
        (1, 0, 100, (0, 1)),
        (1, 50, 150, (1, 1)),
        (0, 100, 200, (0, 0)),
    ],
)
def test_the_minimum_rounds_up_and_the_maximum_down(
    desired: int, minimum: int, maximum: int, limits: tuple[int, int]
) -> None:
    found = Limits.of(desired, minimum, maximum)
    assert (found.minimum, found.maximum) == limits


@pytest.mark.parametrize(
    ("new", "old", "leaving", "expected"),
    [
        ([], [HEALTHY], 0, Plan(1, 0, (), stuck=False)),
        ([STARTING], [HEALTHY], 0, Plan(0, 0, (), stuck=False)),
        ([RUNNING], [HEALTHY], 0, Plan(0, 0, (), stuck=False)),
        ([HEALTHY], [HEALTHY], 0, Plan(0, 0, ("old1",), stuck=False)),
        ([HEALTHY], [], 1, Plan(0, 0, (), stuck=False)),
        ([HEALTHY], [], 0, Plan(0, 0, (), stuck=False)),
        # An old task that has not been counted yet stays too: without it nothing would serve.
        ([STARTING], [RUNNING], 0, Plan(0, 0, (), stuck=False)),
        # An unhealthy task goes at once while the old one is healthy, else when its replacement is.
        ([UNHEALTHY], [HEALTHY], 0, Plan(0, 0, ("new1",), stuck=False)),
        ([UNHEALTHY], [], 0, Plan(1, 0, (), stuck=False)),
        ([UNHEALTHY, RUNNING], [], 0, Plan(0, 0, (), stuck=False)),
        ([UNHEALTHY, HEALTHY], [], 0, Plan(0, 0, ("new1",), stuck=False)),
        # Both are unhealthy and there is no room: one goes.
        ([UNHEALTHY, UNHEALTHY], [], 0, Plan(0, 0, ("new1",), stuck=False)),
    ],
)
def test_one_task_under_100_200(new: list[Standing], old: list[Standing], leaving: int, expected: Plan) -> None:
    fleet = Fleet(members("new", *new), members("old", *old), leaving=leaving)
    assert plan(fleet, Limits.of(1, 100, 200)) == expected


def test_unhealthy_tasks_are_stopped_one_by_one_where_the_maximum_lets_none_start() -> None:
    limits = Limits.of(3, 100, 100)
    fleet = Fleet(members("new", UNHEALTHY, HEALTHY, UNHEALTHY))
    assert plan(fleet, limits) == Plan(0, 0, ("new1",), stuck=False)
    fleet = Fleet(members("new", HEALTHY, UNHEALTHY), leaving=1)
    assert plan(fleet, limits) == Plan(0, 0, (), stuck=False)


def test_surplus_tasks_that_have_proved_least_go_first() -> None:
    fleet = Fleet(members("new", RUNNING, HEALTHY, STARTING, HEALTHY))
    assert plan(fleet, Limits.of(2, 100, 200)).stop == ("new1", "new3")
    assert plan(fleet, Limits.of(1, 100, 200)).stop == ("new4", "new1", "new3")


def test_of_none_all_stop() -> None:
    fleet = Fleet(members("new", HEALTHY), members("old", STARTING), members("older", UNHEALTHY), may_replace=False)
    assert plan(fleet, Limits.of(0, 100, 200)).stop == ("new1", "old1", "older1")


def test_what_was_superseded_before_it_ran_goes_at_once() -> None:
    fleet = Fleet([], members("old", HEALTHY), members("older", STARTING))
    assert plan(fleet, Limits.of(1, 100, 200)) == Plan(0, 0, ("older1",), stuck=False)


groups = st.lists(st.sampled_from(LIVE), max_size=6)
percents = st.tuples(st.sampled_from([0, 25, 50, 75, 100]), st.sampled_from([100, 110, 150, 200]))


@given(
    new=groups,
    old=groups,
    superseded=groups,
    leaving=st.integers(0, 3),
    desired=st.integers(0, 6),
    percent=percents,
    flags=st.tuples(st.booleans(), st.booleans(), st.booleans()),
)
def test_no_step_breaks_the_limits(
    new: list[Standing],
    old: list[Standing],
    superseded: list[Standing],
    leaving: int,
    desired: int,
    percent: tuple[int, int],
    flags: tuple[bool, bool, bool],
) -> None:
    limits = Limits.of(desired, *percent)
    fleet = Fleet(members("new", *new), members("old", *old), members("older", *superseded), leaving, *flags)
    step = plan(fleet, limits)
    live = dict([*fleet.new, *fleet.old, *fleet.superseded])
    assert len(set(step.stop)) == len(step.stop)
    started = step.start + step.start_old
    assert started == 0 or len(live) + leaving + started <= limits.maximum
    stopped_new = [task for task in step.stop if task in dict(fleet.new)]
    replaced = [task for task in step.stop if task not in stopped_new]
    healthy = [task for task, worth in live.items() if worth is HEALTHY]
    if any(task in healthy for task in replaced):
        assert len([task for task in healthy if task not in step.stop]) >= limits.minimum
    good_new = [task for task, worth in fleet.new if worth is not UNHEALTHY]
    kept = [task for task in good_new if task not in step.stop]
    assert len(kept) == min(len(good_new), desired)


@given(old=groups, new=groups, leaving=st.integers(0, 3), desired=st.integers(0, 6), percent=percents, data=st.data())
def test_every_rollout_ends(
    old: list[Standing],
    new: list[Standing],
    leaving: int,
    desired: int,
    percent: tuple[int, int],
    data: st.DataObject,
) -> None:
    """Whatever the order in which tasks come up and go, unless the limits leave no room (which is said)."""
    limits = Limits.of(desired, *percent)
    fleet_new, fleet_old = dict(members("new", *new)), dict(members("old", *old))
    number = 100
    for _ in range(200):
        step = plan(Fleet(list(fleet_new.items()), list(fleet_old.items()), leaving=leaving), limits)
        if step.stuck:
            assert limits.minimum >= limits.maximum or desired > limits.maximum
            return
        for task in step.stop:
            fleet_new.pop(task, None)
            fleet_old.pop(task, None)
        leaving += len(step.stop)
        for _ in range(step.start):
            number += 1
            fleet_new[f"new{number}"] = STARTING
        moving = [(fleet, task) for fleet in (fleet_new, fleet_old) for task, w in fleet.items() if w in LIVE[:2]]
        choices = len(moving) + leaving
        if not choices:
            break
        pick = data.draw(st.integers(0, choices - 1), label="what happens next")
        if pick < len(moving):
            fleet, task = moving[pick]
            fleet[task] = RUNNING if fleet[task] is STARTING else HEALTHY
        else:
            leaving -= 1
    assert not fleet_old
    assert list(fleet_new.values()) == [HEALTHY] * desired
