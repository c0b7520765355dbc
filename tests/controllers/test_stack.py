"""A stack that comes up in a sandbox that has tasks already."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from sandbox.clock import VirtualClock
from sandbox.controllers import readiness
from sandbox.controllers.stack import Stack
from sandbox.controllers.stack_file import Ready, StackDefinition
from sandbox.errors import SandboxError
from sandbox.timeline import Timeline


@pytest.fixture
def timeline():
    return Timeline(VirtualClock())


@pytest.fixture
def begin(timeline):
    """Begin a stack at this moment; ``meanwhile`` is called when it begins to wait."""

    def begin(meanwhile: Callable[[], object]) -> Stack:
        definition = StackDefinition("shop", Path(), "", {}, (), {}, (), ())
        sandbox = SimpleNamespace(timeline=timeline, progress=lambda text: meanwhile())
        return Stack(sandbox, definition, {}, timeline.mark())

    return begin


@pytest.fixture
def state(timeline):
    """Record a state of a task."""

    def record(task: str, last_status: str, stop_code: str = "", stopped_reason: str = "") -> None:
        timeline.record(
            "task.state", task=task, last_status=last_status, stop_code=stop_code, stopped_reason=stopped_reason
        )

    return record


def test_the_end_of_a_task_that_was_there_before_is_not_the_stack_s(begin, state):
    state("old", "PENDING")
    state("old", "RUNNING")
    stack = begin(lambda: state("new", "RUNNING"))
    state("old", "DEPROVISIONING", "EssentialContainerExited", "Essential container in task exited")
    state("new", "PENDING")
    stack.wait_running()


def test_tasks_that_do_not_run_in_time_are_named_with_their_last_lines(begin, state, monkeypatch):
    monkeypatch.setattr("sandbox.controllers.stack.RUNNING_WITHIN", 0.05)
    stack = begin(lambda: None)
    stack._sandbox.task_logs = lambda task: {"web": [f"{task} waits for redis"]}
    state("arn:aws:ecs:us-east-1:1:task/shop/new", "PENDING")
    with pytest.raises(SandboxError) as failed:
        stack.wait_running()
    assert failed.value.message == "stack 'shop': tasks did not run within 0.05 s"
    assert failed.value.state == "task new is PENDING"
    assert failed.value.log == ("[web] arn:aws:ecs:us-east-1:1:task/shop/new waits for redis",)
    assert "dependsOn" in failed.value.hint


@pytest.mark.parametrize("code", ["EssentialContainerExited", "TaskFailedToStart"])
def test_the_end_of_a_task_of_its_own_is(begin, state, code):
    stack = begin(lambda: state("new", "DEPROVISIONING", code, "it ended"))
    state("other", "PENDING")
    state("new", "PROVISIONING")
    with pytest.raises(SandboxError) as failed:
        stack.wait_running()
    assert (str(failed.value.message), failed.value.state) == ("stack 'shop': a task stopped", "it ended")


def test_a_url_that_does_not_answer_is_told_with_what_aws_says(timeline):
    for target, state in (("10.0.0.1:80", "unhealthy"), ("10.0.0.2:80", "unhealthy"), ("10.0.0.2:80", "healthy")):
        timeline.record("target.health", group="web", target=target, state=state, description=f"{state} it is")
    for message in ("(service web) was unable to place a task.", "(service web) has reached a steady state."):
        timeline.record("service.event", service="web", message=message)
    timeline.record("service.event", service="db", message="(service db) was unable to place a task.")
    item = Ready("http://shop.example.com/", 200, 5)
    told = readiness.not_ready("shop", item, "HTTP 502", timeline.since(), {})
    unhealthy = "target 10.0.0.1:80 of group web is unhealthy: unhealthy it is"
    assert told.state == f"HTTP 502; (service db) was unable to place a task.; {unhealthy}"
