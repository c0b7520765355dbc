"""A stack that comes up in a sandbox that has tasks already."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from sandbox.clock import VirtualClock
from sandbox.controllers.stack import Stack
from sandbox.controllers.stack_file import StackDefinition
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


@pytest.mark.parametrize("code", ["EssentialContainerExited", "TaskFailedToStart"])
def test_the_end_of_a_task_of_its_own_is(begin, state, code):
    stack = begin(lambda: state("new", "DEPROVISIONING", code, "it ended"))
    state("other", "PENDING")
    state("new", "PROVISIONING")
    with pytest.raises(SandboxError) as failed:
        stack.wait_running()
    assert (str(failed.value.message), failed.value.state) == ("stack 'shop': a task stopped", "it ended")
