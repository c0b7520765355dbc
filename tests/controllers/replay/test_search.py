"""An order that fails is shortened to the fewest events, the nearest to the recorded order."""

from __future__ import annotations

import pytest

from sandbox.controllers.replay.search import Budget, Shrinker
from sandbox.model.ecs.events import SEEN_2024
from sandbox.model.eventbridge import compile_pattern
from sandbox.model.replay.compose import Composer
from sandbox.model.replay.plan import Delivery, Perturbation, draw_plan, recorded_plan
from sandbox.model.replay.state import record_points_at_running_task

RUNNING = compile_pattern('{"detail": {"lastStatus": ["RUNNING"], "desiredStatus": ["RUNNING"]}}')
POINTS = {"points": record_points_at_running_task()}


@pytest.fixture(scope="module")
def replacements():
    """Two tasks, of which four are replaced: six RUNNING events, of which the last two are of tasks that run on."""
    return Composer(count=2).start().replace().replace().replace().replace().recording().matching(RUNNING.matches)


def failing(runner, recording, perturbation):
    for seed in range(200):
        report = runner.run(draw_plan(recording, perturbation, seed), POINTS)
        if not report.held:
            return report
    raise AssertionError("no order fails")


@pytest.mark.parametrize(
    ("perturbation", "shortest"),
    [
        (Perturbation("shuffled"), (Delivery(4), Delivery(3))),
        (Perturbation("reversed"), (Delivery(4), Delivery(3))),
        (Perturbation(duplicate=0.3), (Delivery(3), Delivery(4), Delivery(3))),
        (Perturbation(drop=0.3), (Delivery(4, lost=True),)),
    ],
    ids=["shuffled", "reversed", "duplicates", "loss"],
)
def test_the_shortest_order(replacements, ghost, replayer, perturbation, shortest):
    runner = replayer(replacements, ghost("by_name"))
    report = failing(runner, replacements, perturbation)
    found = [
        Shrinker(runner, POINTS, "end", perturbation, Budget(500, 120)).shrink(report, seed=1).plan for _ in range(2)
    ]
    assert found[0] == found[1]
    assert len(found[0]) == len(shortest)
    assert [one.lost for one in found[0]] == [one.lost for one in shortest]
    # Whichever events: the last one told is of a task that is gone, and one of a task that runs came before it.
    if perturbation.order != "recorded" or perturbation.duplicate:
        assert found[0][-1].event <= 3 < found[0][-2].event
    if perturbation.duplicate:
        assert found[0][0].event == found[0][-1].event


def test_what_fails_as_recorded_keeps_the_events_that_did_something(ghost, replayer):
    recording = Composer(shape=SEEN_2024).start().recording()
    runner = replayer(recording, ghost("by_position"), retries=0)
    report = runner.run(None, POINTS)
    assert not report.held
    shrinker = Shrinker(runner, POINTS, "end", Perturbation(), Budget(100, 60))
    assert shrinker.shrink(report, 0).plan == recorded_plan(recording)  # each of them fails, so each did something


def test_a_spent_budget_ends_the_search(replacements, ghost, replayer):
    runner = replayer(replacements, ghost("by_name"))
    shuffled = Perturbation("shuffled")
    report = failing(runner, replacements, shuffled)
    for budget in (Budget(0, 60), Budget(100, 0)):
        assert Shrinker(runner, POINTS, "end", shuffled, budget).shrink(report, 0) is report
