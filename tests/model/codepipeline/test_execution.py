"""Executions as transcripts: what is told when actions end, are stopped, retried and approved."""

from __future__ import annotations

import pytest

from sandbox.model.codepipeline.errors import PipelineError
from tests.model.codepipeline.conftest import DEPLOY, SOURCE, action, pipeline

TWO_SOURCES = [SOURCE, action("Conf", "source", outputs=["conf"])]


def refused(call, *arguments, **more) -> str:
    with pytest.raises(PipelineError) as raised:
        call(*arguments, **more)
    return raised.value.code


def test_a_new_pipeline_runs_at_once_and_goes_from_stage_to_stage(world):
    one = world()
    assert one.take() == ["#1 STARTED", "#1 Source STARTED", "#1 Get STARTED", "#1 run Get"]
    assert one.first.trigger["triggerType"] == "CreatePipeline"
    assert one.ok("Get") == [
        "#1 Get SUCCEEDED",
        "#1 Source SUCCEEDED",
        "#1 Deploy STARTED",
        "#1 Roll STARTED",
        "#1 run Roll",
    ]
    assert one.ok("Roll") == ["#1 Roll SUCCEEDED", "#1 Deploy SUCCEEDED", "#1 SUCCEEDED"]
    assert (one.first.status, one.first.stages) == ("Succeeded", {"Source": "Succeeded", "Deploy": "Succeeded"})


def test_actions_of_one_run_order_run_at_the_same_time_and_the_next_order_after_them(world):
    work = [action("A", "invoke"), action("B", "invoke"), action("C", "invoke", order=2)]
    one = world(("Source", [SOURCE]), ("Work", work))
    one.take()
    assert one.ok("Get")[2:] == ["#1 Work STARTED", "#1 A STARTED", "#1 run A", "#1 B STARTED", "#1 run B"]
    assert one.ok("B") == ["#1 B SUCCEEDED"]
    assert one.ok("A") == ["#1 A SUCCEEDED", "#1 C STARTED", "#1 run C"]


def test_a_stage_has_failed_when_the_actions_beside_the_failed_one_have_ended(world):
    one = world(("Source", [SOURCE]), ("Work", [action("A", "invoke"), action("B", "invoke")]))
    one.ok("Get")
    assert one.fail("A") == ["#1 A FAILED"]
    assert one.first.status == "InProgress"
    assert one.ok("B") == ["#1 B SUCCEEDED", "#1 Work FAILED", "#1 FAILED"]


def test_an_action_that_was_abandoned_can_end_no_more(world):
    one = world()
    execution, run = one.run_of("Get")
    one.stop(execution, abandon=True)
    assert one.model.finish(execution.id, run.id, object(), 9.0) == []
    assert run.status == "Abandoned"


def test_artifacts_and_variables_come_to_the_actions_that_follow(world):
    source = {**SOURCE, "namespace": "Src"}
    build = action("Make", "build", inputs=["code"], outputs=["image"])
    build["configuration"] = {
        "ProjectName": "app",
        "EnvironmentVariables": "#{Src.ETag} #{codepipeline.PipelineExecutionId} #{variables.tag}",
    }
    one = world(
        ("Source", [source]),
        ("Build", [build]),
        pipelineType="V2",
        variables=[{"name": "tag", "defaultValue": "v1"}],
    )
    one.ok("Get", variables={"ETag": "abc"})
    _, run = one.run_of("Make")
    assert run.configuration["EnvironmentVariables"] == f"abc {one.first.id} v1"
    assert [(item.name, item.bucket) for item in run.inputs] == [("code", "artifacts")]
    assert run.outputs[0].key.startswith("release/image/")
    one.ok("Make")
    second = one.start(tag="v2")
    one.ok("Get", variables={"ETag": "def"})
    assert one.run_of("Make")[1].configuration["EnvironmentVariables"] == f"def {second.id} v2"


def test_a_variable_that_there_is_not_fails_its_action(world):
    invoke = action("Call", "invoke", configuration={"FunctionName": "#{Src.Name}"})
    one = world(("Source", [SOURCE]), ("Work", [invoke]))
    assert one.ok("Get")[-3:] == ["#1 Call FAILED", "#1 Work FAILED", "#1 FAILED"]
    assert one.first.runs[-1].error_message == "The variable #{Src.Name} could not be resolved."


def test_who_waits_for_a_locked_stage_is_superseded_by_who_comes_later(world):
    one = world()
    one.ok("Get")
    second = one.start()
    one.take()
    assert one.ok("Get", 2) == ["#2 Get SUCCEEDED", "#2 Source SUCCEEDED"]
    assert second.waits
    third = one.start()
    one.take()
    assert one.ok("Get", 3) == ["#3 Get SUCCEEDED", "#3 Source SUCCEEDED", "#2 SUPERSEDED"]
    assert second.status == "Superseded"
    assert one.ok("Roll", 1)[-3:] == ["#3 Deploy STARTED", "#3 Roll STARTED", "#3 run Roll"]
    assert not third.waits


def test_in_a_queue_nobody_is_superseded(world):
    one = world(pipelineType="V2", executionMode="QUEUED")
    one.start()
    one.start()
    one.take()
    assert one.ok("Get", 1)[-3:] == ["#2 Source STARTED", "#2 Get STARTED", "#2 run Get"]
    one.ok("Get", 2)
    one.ok("Get", 3)
    assert [(one.waits, one.place) for one in one.record.executions] == [(False, 1), (True, 1), (True, 1)]
    assert "#2 run Roll" in one.ok("Roll", 1)
    assert "#3 run Roll" in one.ok("Roll", 2)


def test_stop_and_wait_lets_the_actions_in_progress_end(world):
    one = world(("Source", TWO_SOURCES), ("Deploy", [DEPLOY]))
    one.take()
    assert one.stop(one.first) == ["#1 STOPPING", "#1 Source STOPPING"]
    assert one.ok("Get") == ["#1 Get SUCCEEDED"]
    assert one.fail("Conf") == ["#1 Conf FAILED", "#1 Source STOPPED", "#1 STOPPED"]


def test_stop_and_abandon_does_not(world):
    one = world()
    one.take()
    one.stop(one.first)
    assert refused(one.stop, one.first) == "DuplicatedStopRequestException"
    assert one.stop(one.first, abandon=True) == ["abandon Get", "#1 Get ABANDONED", "#1 Source STOPPED", "#1 STOPPED"]
    assert refused(one.stop, one.first) == "PipelineExecutionNotStoppableException"


def test_an_execution_that_waits_is_stopped_at_once(world):
    one = world()
    one.ok("Get")
    second = one.start()
    one.ok("Get")
    assert one.stop(second) == ["#2 STOPPED"]
    assert "#2 run Roll" not in one.ok("Roll")


def test_a_retry_runs_the_failed_actions_of_the_stage_again(world):
    one = world(("Source", [SOURCE]), ("Work", [action("A", "invoke"), action("B", "invoke")]))
    one.ok("Get")
    one.ok("A")
    one.fail("B")
    assert one.retry("Work", one.first) == ["#1 RESUMED", "#1 Work RESUMED", "#1 B STARTED", "#1 run B"]
    assert one.first.attempt == 2
    assert one.ok("B") == ["#1 B SUCCEEDED", "#1 Work SUCCEEDED", "#1 SUCCEEDED"]
    assert refused(one.retry, "Work", one.first) == "StageNotRetryableException"


def test_a_retry_of_all_actions_begins_with_the_first(world):
    one = world(("Source", [SOURCE]), ("Work", [action("A", "invoke"), action("B", "invoke", order=2)]))
    one.ok("Get")
    one.ok("A")
    one.fail("B")
    assert one.retry("Work", one.first, "ALL_ACTIONS")[-1] == "#1 run A"
    assert one.ok("A") == ["#1 A SUCCEEDED", "#1 B STARTED", "#1 run B"]


def test_a_stopped_execution_can_be_retried_where_it_stopped(world):
    one = world()
    one.ok("Get")
    one.stop(one.first, abandon=True)
    assert one.retry("Deploy", one.first)[-1] == "#1 run Roll"


def test_one_that_was_stopped_between_two_groups_goes_on_with_the_next(world):
    one = world(("Source", [SOURCE]), ("Work", [action("A", "invoke"), action("B", "invoke", order=2)]))
    one.ok("Get")
    one.stop(one.first)
    assert one.ok("A") == ["#1 A SUCCEEDED", "#1 Work STOPPED", "#1 STOPPED"]
    assert one.retry("Work", one.first)[-1] == "#1 run B"


def test_failed_actions_are_retried_while_others_go_on_and_all_are_not(world):
    one = world(("Source", [SOURCE]), ("Work", [action("A", "invoke"), action("B", "invoke")]))
    one.ok("Get")
    one.fail("A")
    assert refused(one.retry, "Work", one.first, "ALL_ACTIONS") == "StageNotRetryableException"
    assert one.retry("Work", one.first)[-1] == "#1 run A"
    one.ok("A")
    assert one.ok("B")[-1] == "#1 SUCCEEDED"


def test_what_a_later_execution_has_entered_cannot_be_retried(world):
    one = world()
    one.ok("Get")
    one.fail("Roll")
    one.start()
    one.ok("Get")
    assert refused(one.retry, "Deploy", one.first) == "NotLatestPipelineExecutionException"


def test_an_approval_needs_its_token_and_is_answered_once(world):
    one = world(("Source", [SOURCE]), ("Gate", [action("Ask", "approve")]), ("Deploy", [DEPLOY]))
    one.ok("Get")
    token = one.run_of("Ask")[1].token
    assert refused(one.approve, "Gate", "Ask", "0" * 36) == "InvalidApprovalTokenException"
    assert refused(one.approve, "Gate", "Roll", token) == "ActionNotFoundException"
    assert refused(one.approve, "Nowhere", "Ask", token) == "StageNotFoundException"
    assert one.approve("Gate", "Ask", token)[-1] == "#1 run Roll"
    assert refused(one.approve, "Gate", "Ask", token) == "ApprovalAlreadyCompletedException"


def test_a_rejected_approval_stops_the_pipeline(world):
    one = world(("Source", [SOURCE]), ("Gate", [action("Ask", "approve")]))
    one.ok("Get")
    token = one.run_of("Ask")[1].token
    assert one.approve("Gate", "Ask", token, approved=False) == ["#1 Ask FAILED", "#1 Gate FAILED", "#1 FAILED"]


def test_a_disabled_transition_holds_back_until_it_is_enabled(world):
    one = world()
    one.take()
    assert one.transition("Deploy", enabled=False) == []
    assert one.ok("Get") == ["#1 Get SUCCEEDED", "#1 Source SUCCEEDED"]
    assert one.transition("Deploy", enabled=True)[-1] == "#1 run Roll"


def test_an_update_cancels_what_is_under_way(world):
    one = world()
    one.ok("Get")
    one.start()
    one.take()
    assert one.update(pipeline()) == [
        *("abandon Roll", "#1 Roll ABANDONED", "#1 Deploy CANCELED", "#1 CANCELED"),
        *("abandon Get", "#2 Get ABANDONED", "#2 Source CANCELED", "#2 CANCELED"),
    ]
    assert one.record.version == 2
    assert one.start().version == 2


def test_a_request_with_the_same_token_starts_nothing_twice(world):
    one = world()
    trigger = {"triggerType": "StartPipelineExecution"}
    first, _ = one.model.start("release", trigger, {}, "token", 5.0)
    again, commands = one.model.start("release", trigger, {}, "token", 6.0)
    assert (again, commands) == (first, [])


def test_a_variable_without_a_value_is_refused(world):
    one = world(pipelineType="V2", variables=[{"name": "tag"}])
    assert one.record.executions == []
    assert refused(one.start) == "InvalidStructureException"
    assert refused(one.start, other="x") == "ValidationException"
    assert one.start(tag="v3").variables["variables"] == {"tag": "v3"}
