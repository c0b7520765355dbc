"""Loops of rules: how far they go."""

from __future__ import annotations

from typing import Any

from sandbox.model.eventbridge_recursion import FREE_STEPS, Lineage, Recursion

EVENT = {"id": "first", "source": "shop", "detail": {}}
TRACE = "Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=0;"


def put(number: int) -> dict[str, Any]:
    return {**EVENT, "id": f"event-{number}"}


def task_event(started_by: str) -> dict[str, Any]:
    return {"id": "task-event", "source": "aws.ecs", "detail": {"lastStatus": "STOPPED", "startedBy": started_by}}


def turns(recursion: Recursion, most: int, event: dict[str, Any] = EVENT) -> int:
    """How often a function that puts one event for each that it gets is called."""
    trace_id = ""
    for turn in range(most):
        lineage = recursion.admit(event, trace_id, "r", "lambda")
        if lineage is None:
            return turn
        trace_id = TRACE + lineage.header()
    return most


def test_a_function_that_puts_events_for_itself_is_stopped() -> None:
    assert turns(Recursion(budget=50), 1000) == FREE_STEPS + 1 + 50


def test_so_is_one_that_puts_ever_more() -> None:
    recursion = Recursion(budget=500)
    generation, called = [""], 0
    for _ in range(40):
        admitted = [recursion.admit(EVENT, trace_id, "r", "lambda") for trace_id in generation]
        going_on = [lineage for lineage in admitted if lineage is not None]
        called += len(going_on)
        generation = [TRACE + lineage.header() for lineage in going_on for _ in range(2)]
    assert generation == []
    assert called == 2 ** (FREE_STEPS + 1) - 1 + 500


def test_each_event_of_one_s_own_has_its_own_budget() -> None:
    recursion = Recursion(budget=1)
    for number in range(100):
        assert turns(recursion, FREE_STEPS + 2, put(number)) == FREE_STEPS + 2


def test_a_workflow_of_some_steps_is_no_loop() -> None:
    assert turns(Recursion(budget=0), FREE_STEPS + 1) == FREE_STEPS + 1


def test_many_events_from_one_function_are_no_loop() -> None:
    recursion = Recursion(budget=0)
    first = recursion.admit(EVENT, "", "r", "lambda")
    assert first == Lineage("first", 0)
    for number in range(10_000):
        assert recursion.admit(put(number), TRACE + first.header(), "other", "lambda") == Lineage("first", 1)


def test_queues_and_the_like_cause_nothing() -> None:
    recursion = Recursion(budget=0)
    deep = TRACE + Lineage("first", 10_000).header()
    for service in ("sqs", "sns", "logs", "events"):
        assert recursion.admit(EVENT, deep, "r", service) is not None


def test_a_rule_that_runs_a_task_for_each_event_of_its_tasks_is_stopped_after_ten() -> None:
    recursion = Recursion()
    assert recursion.admit(EVENT, "", "r", "ecs") == Lineage("first", 0)
    ran = 0
    while recursion.admit(task_event("events-rule/r"), "", "r", "ecs") is not None:
        ran += 1
    assert ran == 10


def test_a_task_after_a_scheduled_task_is_no_loop() -> None:
    recursion = Recursion()
    for number in range(1000):
        assert recursion.admit(put(number), "", "scheduled", "ecs") is not None
        assert recursion.admit(task_event("events-rule/scheduled"), "", "clean-up", "ecs") is not None


def test_tasks_of_services_are_nobody_s() -> None:
    recursion = Recursion(budget=0)
    for _ in range(100):
        assert recursion.admit(task_event("ecs-svc/1"), "", "r", "ecs") is not None
