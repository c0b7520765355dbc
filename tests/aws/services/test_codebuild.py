"""Projects of CodeBuild: what is taken, and what is refused. Builds are in tests/controllers/codebuild."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from sandbox.aws.clients import Clients
from sandbox.aws.gateway import Gateway
from sandbox.aws.services.codebuild import CodeBuildService
from sandbox.clock import VirtualClock

PROJECT = {
    "name": "app",
    "source": {"type": "CODEPIPELINE"},
    "artifacts": {"type": "CODEPIPELINE"},
    "environment": {
        "type": "LINUX_CONTAINER",
        "image": "aws/codebuild/standard:7.0",
        "computeType": "BUILD_GENERAL1_SMALL",
    },
    "serviceRole": "arn:aws:iam::123456789012:role/build",
}


@pytest.fixture
def codebuild():
    with Gateway([CodeBuildService(None, VirtualClock())]) as gateway:
        clients = Clients(gateway.url)
        yield clients("codebuild")
        clients.close()


def code_of(operation, **parameters):
    with pytest.raises(ClientError) as raised:
        operation(**parameters)
    return raised.value.response["Error"]["Code"], raised.value.response["Error"]["Message"]


def test_a_project_is_created_shown_updated_and_deleted(codebuild):
    made = codebuild.create_project(**PROJECT)["project"]
    assert (made["arn"], made["timeoutInMinutes"]) == (
        "arn:aws:codebuild:us-east-1:123456789012:project/app",
        60,
    )
    assert code_of(codebuild.create_project, **PROJECT)[0] == "ResourceAlreadyExistsException"
    codebuild.update_project(name="app", timeoutInMinutes=5)
    found = codebuild.batch_get_projects(names=["app", "other"])
    assert (found["projects"][0]["timeoutInMinutes"], found["projectsNotFound"]) == (5, ["other"])
    assert codebuild.list_projects()["projects"] == ["app"]
    codebuild.delete_project(name="app")
    assert codebuild.list_projects()["projects"] == []
    assert code_of(codebuild.update_project, name="app")[0] == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"vpcConfig": {"vpcId": "vpc-1"}}, "vpcConfig"),
        ({"cache": {"type": "NO_CACHE"}}, "cache"),
        ({"source": {"type": "GITHUB", "location": "https://github.com/a/b"}}, "source.location"),
        ({"source": {"type": "GITHUB"}}, "source.type GITHUB"),
        ({"artifacts": {"type": "S3"}}, "artifacts.type S3"),
        ({"logsConfig": {"s3Logs": {"status": "ENABLED", "location": "b"}}}, "logsConfig.s3Logs"),
        ({"logsConfig": {"cloudWatchLogs": {"status": "DISABLED"}}}, "a project without logs"),
        ({"environment": {**PROJECT["environment"], "type": "ARM_CONTAINER"}}, "environment.type ARM_CONTAINER"),
        (
            {
                "environment": {
                    **PROJECT["environment"],
                    "environmentVariables": [{"name": "A", "value": "b", "type": "SECRETS_MANAGER"}],
                }
            },
            "environment variables of type SECRETS_MANAGER",
        ),
    ],
)
def test_what_would_have_to_be_ignored_is_refused(codebuild, changes, named):
    code, message = code_of(codebuild.create_project, **{**PROJECT, **changes})
    assert code == "InvalidInputException"
    assert message.startswith(f"The sandbox does not carry out {named}")


def test_builds_that_cannot_be_started_or_found(codebuild):
    codebuild.create_project(**PROJECT)
    assert code_of(codebuild.start_build, projectName="app")[0] == "InvalidInputException"
    assert code_of(codebuild.start_build, projectName="other")[0] == "ResourceNotFoundException"
    assert code_of(codebuild.start_build, projectName="app", debugSessionEnabled=True)[1].startswith(
        "The sandbox does not carry out debugSessionEnabled"
    )
    assert code_of(codebuild.stop_build, id="app:1")[0] == "ResourceNotFoundException"
    assert codebuild.batch_get_builds(ids=["app:1"])["buildsNotFound"] == ["app:1"]
    assert (codebuild.list_builds()["ids"], codebuild.list_builds_for_project(projectName="app")["ids"]) == ([], [])
    without = {**PROJECT, "name": "no-source", "source": {"type": "NO_SOURCE"}, "artifacts": {"type": "NO_ARTIFACTS"}}
    assert "needs a buildspec" in code_of(codebuild.create_project, **without)[1]
