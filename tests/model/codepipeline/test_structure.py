"""Definitions that AWS refuses, and those that the sandbox would have to ignore something of."""

from __future__ import annotations

import pytest

from sandbox.model.codepipeline.errors import PipelineError
from sandbox.model.codepipeline.structure import parse
from tests.model.codepipeline.conftest import DEPLOY, SOURCE, action, pipeline


def refusal(declaration) -> tuple[str, str]:
    with pytest.raises(PipelineError) as raised:
        parse(declaration, "us-east-1")
    return raised.value.code.removesuffix("Exception"), raised.value.message


def of(*actions, source=SOURCE, **more):
    return pipeline(("Source", [source]), ("Work", list(actions)), **more)


def test_what_is_taken_is_as_it_was_declared():
    made = parse(of(DEPLOY), "us-east-1")
    assert [stage.name for stage in made.stages] == ["Source", "Work"]
    assert (made.mode, made.bucket, made.raw["pipelineType"]) == ("SUPERSEDED", "artifacts", "V1")


@pytest.mark.parametrize(
    ("declaration", "code", "words"),
    [
        (pipeline(("Source", [SOURCE])), "InvalidStructure", "Pipeline has only 1 stage(s)"),
        (pipeline(("S", [SOURCE]), ("S", [DEPLOY])), "InvalidStageDeclaration", "more than one stage"),
        (pipeline(("S", [SOURCE]), ("W", [])), "InvalidStageDeclaration", "contains no actions"),
        (of(DEPLOY, {**DEPLOY, "runOrder": 2}), "InvalidStageDeclaration", "more than one action with the name 'Roll'"),
        (pipeline(("S", [action("A", "approve")]), ("W", [DEPLOY])), "InvalidStructure", "only Source actions"),
        (of({**SOURCE, "name": "Again", "outputArtifacts": [{"name": "x"}]}), "InvalidStructure", "Only the first"),
        (
            pipeline(("S", [SOURCE, {**SOURCE, "name": "Too"}]), ("W", [DEPLOY])),
            *("InvalidActionDeclaration", "must be unique"),
        ),
        (of(action("R", "deploy", inputs=["nothing"])), "InvalidActionDeclaration", "nothing in action R"),
        (of(action("R", "deploy")), "InvalidActionDeclaration", "declares 0 input artifacts which is less"),
        (
            of(action("R", "deploy", inputs=["code"], outputs=["o"])),
            *("InvalidActionDeclaration", "declares 1 output artifacts which is more"),
        ),
        (
            of(action("R", "deploy", inputs=["code"], configuration={"ClusterName": "c"})),
            *("InvalidActionDeclaration", "missing required configuration 'ServiceName'"),
        ),
        (
            of(action("A", "approve", configuration={"Colour": "red"})),
            *("InvalidActionDeclaration", "unknown configuration 'Colour'"),
        ),
        (
            of(action("A", "approve", actionTypeId={**DEPLOY["actionTypeId"], "provider": "Heroku"})),
            *("InvalidActionDeclaration", "provider: 'Heroku'"),
        ),
        (of(action("B", "build", inputs=["code"], commands=["ls"])), "InvalidActionDeclaration", "commands field"),
        (
            of(action("B", "invoke", outputArtifacts=[{"name": "x", "files": ["a"]}])),
            *("InvalidActionDeclaration", "only compute actions name the files"),
        ),
        (of(action("B", "invoke", timeoutInMinutes=9)), "InvalidActionDeclaration", "timeoutInMinutes"),
        (
            of(DEPLOY, action("I", "invoke", namespace="N"), action("J", "invoke", namespace="N")),
            *("InvalidActionDeclaration", "Namespace 'N'"),
        ),
        (of(action("I", "invoke", namespace="variables")), "InvalidActionDeclaration", "reserved"),
        (of(DEPLOY, executionMode="QUEUED"), "InvalidStructure", "type V2"),
        (of(DEPLOY, artifactStore=None), "InvalidStructure", "either an artifactStore or artifactStores"),
    ],
)
def test_what_aws_refuses(declaration, code, words):
    found, message = refusal(declaration)
    assert found == code
    assert words in message


@pytest.mark.parametrize(
    ("declaration", "named"),
    [
        (of(DEPLOY, pipelineType="V2", executionMode="PARALLEL"), "executionMode PARALLEL"),
        (of(DEPLOY, pipelineType="V2", triggers=[{}]), "triggers"),
        (
            of(action("B", "build", inputs=["code"], configuration={"ProjectName": "p", "BatchEnabled": "true"})),
            "BatchEnabled of action B",
        ),
        (of(action("B", "build", inputs=["code"], outputs=["x", "y"])), "secondary artifacts of CodeBuild (action B)"),
        (of(action("R", "deploy", inputs=["code"], region="eu-west-1")), "actions of another region (action R)"),
        (
            of(DEPLOY, artifactStore={"type": "S3", "location": "b", "encryptionKey": {"id": "k", "type": "KMS"}}),
            "artifactStore.encryptionKey",
        ),
        (
            of(action("A", "approve", actionTypeId={**DEPLOY["actionTypeId"], "provider": "CodeDeployToECS"})),
            "CodeDeployToECS actions of category Deploy (action A)",
        ),
        (
            of(
                DEPLOY,
                source=action(
                    "Git",
                    "source",
                    outputs=["code"],
                    actionTypeId={**SOURCE["actionTypeId"], "provider": "CodeCommit"},
                    configuration={"RepositoryName": "r", "BranchName": "main"},
                ),
            ),
            "PollForSourceChanges left out of action Git",
        ),
    ],
)
def test_what_the_sandbox_would_have_to_ignore(declaration, named):
    code, message = refusal(declaration)
    assert code == "InvalidStructure"
    assert message.startswith(f"The sandbox does not carry out {named}")


@pytest.mark.parametrize("member", ["blockers", "beforeEntry", "onSuccess", "onFailure"])
def test_conditions_of_stages_are_not_carried_out(member):
    declaration = of(DEPLOY)
    declaration["stages"][1][member] = {"conditions": []}
    assert f"{member} of stage Work" in refusal(declaration)[1]


@pytest.mark.parametrize("minutes", ["0", "61", "ten"])
def test_the_time_out_of_a_deployment_is_an_hour_at_most(minutes):
    wrong = {**DEPLOY, "configuration": {**DEPLOY["configuration"], "DeploymentTimeout": minutes}}
    assert "1 to 60" in refusal(of(wrong))[1]


def test_an_input_of_an_earlier_run_order_in_the_same_stage_is_known():
    build = action("B", "build", inputs=["code"], outputs=["image"])
    assert parse(of(build, action("R", "deploy", inputs=["image"], order=2)), "us-east-1")
    assert refusal(of(build, action("R", "deploy", inputs=["image"])))[0] == "InvalidActionDeclaration"
