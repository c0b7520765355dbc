"""What holds however actions end and whatever is asked for in between."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.codepipeline.errors import PipelineError
from sandbox.model.codepipeline.events import Changed
from sandbox.model.codepipeline.execution import Failure, Success
from sandbox.model.codepipeline.record import RunAction
from tests.model.codepipeline.conftest import SOURCE, World, action, pipeline

STAGES = (
    ("Source", [SOURCE]),
    ("Work", [action("A", "invoke"), action("B", "invoke"), action("C", "invoke", order=2)]),
    ("Gate", [action("Ask", "approve")]),
    ("Deploy", [action("Roll", "deploy", inputs=["code"])]),
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["ok", "ok", "ok", "fail", "start", "stop", "abandon", "retry", "retry all", "off", "on", "new"]
        ),
        st.integers(0, 9),
    ),
    max_size=60,
)


def play(world: World, step: str, number: int) -> None:
    """One thing that happens, or that somebody asks for; what AWS would refuse is refused."""
    executions = world.record.executions
    chosen = executions[number % len(executions)]
    stage = STAGES[number % len(STAGES)][0]
    running = [(one, run) for one in executions for run in one.in_progress()]
    try:
        if step in {"ok", "fail"} and running:
            execution, run = running[number % len(running)]
            result = Success() if step == "ok" else Failure("JobFailed", "no")
            world._take(world.model.finish(execution.id, run.id, result, world.tick()))
        elif step == "start":
            world.start()
        elif step in {"stop", "abandon"}:
            world.stop(chosen, abandon=step == "abandon")
        elif step in {"retry", "retry all"}:
            world.retry(stage, chosen, "ALL_ACTIONS" if step == "retry all" else "FAILED_ACTIONS")
        elif step in {"off", "on"}:
            world.transition(stage, enabled=step == "on")
        elif step == "new":
            world.update(world.record.pipeline.raw)
    except PipelineError:
        pass


def check(world: World) -> None:
    record = world.record
    for stage in record.pipeline.stages:
        inside = [one for one in record.executions if not one.ended and not one.waits and one.stage.name == stage.name]
        assert len(inside) <= 1, "two executions are in one stage"
        assert inside == ([record.occupants[stage.name]] if stage.name in record.occupants else [])
        waiting = record.waiting.get(stage.name, [])
        assert all(one.waits and one.status == "InProgress" for one in waiting)
        assert record.pipeline.mode == "QUEUED" or len(waiting) <= 1
        if waiting:
            assert stage.name in record.occupants or not record.transition(stage.name).enabled, "nobody lets it in"
    for one in record.executions:
        if one.ended or one.waits:
            assert not one.in_progress(), f"{one.status} and something of it runs"
        else:
            assert one.in_progress(), f"{one.status} in a stage, and nothing of it runs"
        if one.status == "Succeeded":
            assert set(one.stages.values()) == {"Succeeded"}
            assert len(one.stages) == len(one.pipeline.stages)
        orders = {run.action.run_order for run in one.in_progress()}
        assert len(orders) <= 1, "two run orders at the same time"


@given(STEPS, st.sampled_from(["SUPERSEDED", "QUEUED"]))
def test_stages_are_locked_and_nothing_is_stuck(steps, mode):
    world = World(pipeline(*STAGES, pipelineType="V2", executionMode=mode))
    check(world)
    for step, number in steps:
        play(world, step, number)
        check(world)


@given(STEPS)
def test_each_run_is_started_once_and_ends_once(steps):
    world = World(pipeline(*STAGES))
    for step, number in steps:
        play(world, step, number)
    started = [command.run.id for command in world.commands if isinstance(command, RunAction)]
    assert len(started) == len(set(started))
    told = [(c.run.id, c.status) for c in world.commands if isinstance(c, Changed) and c.run]
    assert len(told) == len(set(told))
    for execution in world.record.executions:
        for run in execution.runs:
            assert next(status for run_id, status in told if run_id == run.id) == "InProgress"


@given(STEPS)
def test_when_everything_succeeds_from_now_on_every_execution_ends(steps):
    world = World(pipeline(*STAGES))
    for step, number in steps:
        play(world, step, number)
    for stage, _ in STAGES:
        world.transition(stage, enabled=True)
    for _ in range(200):
        play(world, "ok", 0)
    assert all(one.ended for one in world.record.executions)
