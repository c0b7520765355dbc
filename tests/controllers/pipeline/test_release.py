"""Whole releases on Docker: source, build, registry, migration, approval, deployment; and what each failure ends in."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from sandbox.errors import SandboxError
from tests.conftest import REPOSITORY
from tests.controllers.pipeline.conftest import (
    BUILDSPEC,
    DOCKERFILE,
    ROLE,
    action,
    build,
    definitions,
    deploy,
    page,
    source,
    zipped,
)

pytestmark = pytest.mark.docker

FILES = {"Dockerfile": DOCKERFILE, "buildspec.yml": BUILDSPEC, "page.conf": page("version one")}


@pytest.fixture(scope="module")
def repository(made):
    return made.repository()


@pytest.fixture(scope="module")
def project(made, repository):
    return made.project(repository)


def migrate(made, service, command):
    """An action that runs a command with the new image, by the function that comes with the sandbox."""
    parameters = {
        "cluster": "c",
        "taskDefinition": service,
        "container": "web",
        "command": ["sh", "-c", command],
        "subnets": made.sandbox.subnets,
        "assignPublicIp": "ENABLED",
    }
    configuration = {"FunctionName": "run-task", "UserParameters": json.dumps(parameters)}
    return action("Migrate", "Invoke", "Lambda", configuration, ["image"])


@pytest.fixture(scope="module")
def run_task(made):
    code = (REPOSITORY / "compose" / "release" / "lambda" / "run_task.py").read_text()
    made.aws("lambda").create_function(
        FunctionName="run-task",
        Runtime="python3.12",
        Role=ROLE,
        Handler="run_task.handler",
        Timeout=30,
        Code={"ZipFile": zipped({"run_task.py": code})},
    )


def test_a_release_from_source_to_service(made, repository, project, run_task):
    service = made.service()
    version = made.put_source("whole.zip", FILES)
    name, execution = made.create(
        ("Source", [source("whole.zip")]),
        ("Build", [build(project, namespace="Built")]),
        ("Migrate", [migrate(made, service, "echo migrated")]),
        ("Gate", [action("Ask", "Approval", "Manual", {"CustomData": "tag #{Built.TAG}"})]),
        ("Deploy", [deploy(service)]),
    )
    asked = made.sandbox.wait_action(name, "Ask")
    assert asked["status"] == "InProgress"
    state = made.pipelines.get_pipeline_state(name=name)["stageStates"][3]["actionStates"][0]["latestExecution"]
    made.pipelines.put_approval_result(
        pipelineName=name,
        stageName="Gate",
        actionName="Ask",
        token=state["token"],
        result={"status": "Approved", "summary": "go"},
    )
    made.sandbox.wait_pipeline(name, execution)
    assert set(made.states(name).values()) == {"Succeeded"}
    assert made.current(service)["image"] == f"{repository}:{version[:7]}"
    details = made.pipelines.list_action_executions(pipelineName=name)["actionExecutionDetails"]
    by_name = {one["actionName"]: one for one in details}
    assert by_name["Ask"]["input"]["resolvedConfiguration"]["CustomData"] == f"tag {version[:7]}"
    assert "exited with code 0" in by_name["Migrate"]["output"]["executionResult"]["externalExecutionSummary"]
    (described,) = made.aws("ecr").describe_images(repositoryName=repository.rpartition("/")[2])["imageDetails"]
    assert described["imageTags"] == [version[:7]]
    build_id = by_name["Make"]["output"]["executionResult"]["externalExecutionId"]
    (built,) = made.aws("codebuild").batch_get_builds(ids=[build_id])["builds"]
    assert (built["buildStatus"], built["initiator"]) == ("SUCCEEDED", f"codepipeline/{name}")


def test_a_migration_that_fails_stops_the_pipeline(made, project, run_task):
    service = made.service()
    before = made.current(service)["arn"]
    made.put_source("migration.zip", FILES)
    name, execution = made.create(
        ("Source", [source("migration.zip")]),
        ("Build", [build(project)]),
        ("Migrate", [migrate(made, service, "echo column is missing; exit 3")]),
        ("Deploy", [deploy(service)]),
    )
    made.sandbox.wait_pipeline(name, execution, "Failed")
    assert made.states(name) == {"Source": "Succeeded", "Build": "Succeeded", "Migrate": "Failed", "Deploy": ""}
    ((failed, why),) = made.failures(name, execution)
    assert failed == "Migrate"
    assert "exited with code 3" in why
    assert made.current(service)["arn"] == before
    with pytest.raises(SandboxError, match="is Failed, not Succeeded") as raised:
        made.sandbox.wait_pipeline(name, execution)
    assert "column is missing" in str(raised.value)


def test_a_build_that_fails_says_which_command_and_shows_its_log(made, project):
    made.put_source("broken.zip", {**FILES, "Dockerfile": DOCKERFILE + "RUN echo no such package >&2; exit 7\n"})
    name, execution = made.create(("Source", [source("broken.zip")]), ("Build", [build(project)]))
    with pytest.raises(SandboxError) as raised:
        made.sandbox.wait_pipeline(name, execution)
    assert "no such package" in raised.value.log
    ((_, why),) = made.failures(name, execution)
    assert why == (
        "Build terminated with state: FAILED. Phase: BUILD, Code: COMMAND_EXECUTION_ERROR, Message: Error while "
        "executing command: docker build -t web .. Reason: exit status 1"
    )
    (told,) = [s for s in made.timeline.since() if s.kind == "codebuild.build" and s["status"] == "FAILED"]
    assert made.logs_of(told["build"])[-1].startswith("[Container] Phase context status code")


def test_a_repository_that_there_is_not_and_a_registry_that_is_down(made, repository):
    made.put_source("unknown.zip", FILES)
    lost = made.project(repository.rpartition("/")[0] + "/nowhere")
    name, execution = made.create(("Source", [source("unknown.zip")]), ("Build", [build(lost)]))
    with pytest.raises(SandboxError) as raised:
        made.sandbox.wait_pipeline(name, execution)
    assert any("name unknown: The repository with name 'nowhere' does not exist" in line for line in raised.value.log)
    made.sandbox.set_registry_down()
    try:
        project = made.project(repository)
        name, execution = made.create(("Source", [source("unknown.zip")]), ("Build", [build(project)]))
        with pytest.raises(SandboxError) as raised:
            made.sandbox.wait_pipeline(name, execution)
        assert any("connection refused" in line for line in raised.value.log)
    finally:
        made.sandbox.set_registry_down(False)
    second = made.sandbox.timeline.mark()
    made.pipelines.retry_stage_execution(
        pipelineName=name, stageName="Build", pipelineExecutionId=execution, retryMode="FAILED_ACTIONS"
    )
    made.sandbox.wait_pipeline(name, execution, since=second)


def test_a_release_that_crashes_is_rolled_back_and_its_action_fails_at_its_time_out(made, repository):
    made.sandbox.push_image("nginx:1.27", f"{repository}:good")
    service = made.service(f"{repository}:good")
    before = made.current(service)["arn"]
    made.put_source("crash.zip", {"imagedefinitions.json": definitions(("web", f"{repository}:missing"))})
    mark = made.timeline.mark()
    name, execution = made.create(
        ("Source", [source("crash.zip")]), ("Deploy", [deploy(service, "code", DeploymentTimeout="10")])
    )
    made.said(mark, "deployment failed: tasks failed to start.")
    made.said(mark, "rolling back to deployment")
    made.sandbox.wait_pipeline(name, execution, "Failed")
    assert made.states(name)["Deploy"] == "Failed"
    ((_, why),) = made.failures(name, execution)
    assert "did not complete within 10 minutes: the service has gone back to another deployment" in why
    assert made.current(service)["arn"] == before
    reasons = [s["stopped_reason"] for s in made.timeline.since(mark) if s.kind == "task.state" and s["stopped_reason"]]
    assert f"{repository}:missing: not found" in reasons[0]


def test_the_release_of_the_documentation(made, tmp_path, monkeypatch):
    document = (REPOSITORY / "docs" / "pipeline.md").read_text()
    (buildspec,), (code,) = (
        re.findall(rf"^```{language}\n(.*?)^```", document, re.MULTILINE | re.DOTALL) for language in ("yaml", "python")
    )
    app = tmp_path / "app"
    app.mkdir()
    (app / "Dockerfile").write_text(DOCKERFILE + "COPY page.html /usr/share/nginx/html/\n")
    for name, text in {"page.conf": page("documented"), "page.html": "one", "buildspec.yml": buildspec}.items():
        (app / name).write_text(text)
    made.aws("ecs").create_cluster(clusterName="shop")
    service = made.service(name="web", cluster="shop")
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "docs/pipeline.md", "exec"), {"sandbox": made.sandbox, "Path": Path})
    images = made.aws("ecr").describe_images(repositoryName="web")["imageDetails"]
    assert len(images) == 2
    assert made.current(service, "shop")["arn"].endswith("web:3")
