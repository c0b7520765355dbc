"""Pipelines as boto3 has them, without an engine: sources, functions and approvals run, nothing is built."""

from __future__ import annotations

import io
import json
import subprocess
import zipfile

import pytest
from botocore.exceptions import ClientError

from sandbox.aws.backends.embedded import Embedded
from sandbox.aws.services.codebuild import CodeBuildService
from sandbox.clock import RealClock
from sandbox.controllers import release_services
from sandbox.controllers.control_plane import ControlPlane
from sandbox.controllers.pipeline import assembly
from sandbox.errors import SandboxError
from sandbox.timeline import Timeline
from tests.conftest import REPOSITORY
from tests.controllers.pipeline.conftest import ROLE, action, definitions, deploy, source, zipped

SPEED = 60  # a function has 20 s to answer, on a machine that may be busy

ANSWERS = """
import boto3, json
def handler(event, context):
    job = event["CodePipeline.job"]
    asked = job["data"]["actionConfiguration"]["configuration"].get("UserParameters", "")
    client = boto3.client("codepipeline")
    if asked == "again" and "continuationToken" not in job["data"]:
        client.put_job_success_result(jobId=job["id"], continuationToken="more",
            executionDetails={"summary": "half", "percentComplete": 50})
    elif asked == "fail":
        failure = {"type": "JobFailed", "message": "column is missing"}
        client.put_job_failure_result(jobId=job["id"], failureDetails=failure)
    elif asked == "silent":
        return
    else:
        details = client.get_job_details(jobId=job["id"])["jobDetails"]["data"]
        client.put_job_success_result(jobId=job["id"],
            executionDetails={"summary": "done", "externalExecutionId": "42"},
            outputVariables={"Token": details.get("continuationToken", "none")})
"""


class Plane:
    """CodePipeline on a control plane."""

    def __init__(self, folder, speed):
        (folder / "sockets").mkdir()
        self.clock = RealClock(speed)
        self.timeline = Timeline(self.clock)
        backend = Embedded()
        self.plane = ControlPlane(backend, folder, self.clock, self.timeline, None, lambda here: self.plane.gateway.url)
        self.aws = self.plane.aws
        service, self.controller = assembly.make(
            self.aws, CodeBuildService(None, self.clock), self.plane.events.publish, self.clock, self.timeline
        )
        self.plane.gateway.add(service)
        self.plane.gateway.add(CodeBuildService(None, self.clock))
        self._closers = [self.controller.close, self.plane.close, backend.reset, self.clock.close]
        self.pipelines = self.aws("codepipeline")
        self.aws("s3").create_bucket(Bucket="artifacts")
        self.aws("s3").put_bucket_versioning(Bucket="artifacts", VersioningConfiguration={"Status": "Enabled"})
        self.put("app.zip", zipped({"page": "one"}))

    def close(self):
        for close in self._closers:
            close()

    def put(self, key, content):
        return self.aws("s3").put_object(Bucket="artifacts", Key=key, Body=content)["VersionId"]

    def function(self, source=ANSWERS):
        self.aws("lambda").create_function(
            FunctionName="f",
            Runtime="python3.12",
            Role=ROLE,
            Handler="app.handler",
            Timeout=20,
            Code={"ZipFile": zipped({"app.py": source})},
        )

    def create(self, *stages, name="release", **more):
        declaration = {
            "name": name,
            "roleArn": ROLE,
            "artifactStore": {"type": "S3", "location": "artifacts"},
            "stages": [{"name": stage, "actions": actions} for stage, actions in stages],
            **more,
        }
        self.pipelines.create_pipeline(pipeline=declaration)
        (first,) = self.pipelines.list_pipeline_executions(pipelineName=name)["pipelineExecutionSummaries"]
        return first["pipelineExecutionId"]

    def wait(self, execution, status="Succeeded", since=0, within=20):
        return release_services.wait(self.timeline, ("release", execution), status, within=within, since=since)

    def wait_told(self, kind, **facts):
        return self.timeline.wait_for(
            f"{kind} {facts}",
            lambda seen: seen.kind == kind and all(seen[name] == fact for name, fact in facts.items()),
            within=20,
        )

    def error(self, execution):
        """The error of the execution's latest action."""
        found = self.pipelines.list_action_executions(
            pipelineName="release", filter={"pipelineExecutionId": execution}
        )["actionExecutionDetails"]
        return found[0]["output"]["executionResult"]["errorDetails"]


@pytest.fixture
def start(tmp_path_factory):
    made = []

    def start(speed=SPEED):
        made.append(Plane(tmp_path_factory.mktemp("p"), speed))
        return made[-1]

    yield start
    for one in made:
        one.close()


@pytest.fixture
def plane(start):
    return start()


ASK = action("Ask", "Approval", "Manual")


def call(parameters="", name="Call", **more):
    return action(name, "Invoke", "Lambda", {"FunctionName": "f", "UserParameters": parameters or "-"}, **more)


def code_of(operation, **parameters):
    with pytest.raises(ClientError) as raised:
        operation(**parameters)
    return raised.value.response["Error"]["Code"]


def test_an_s3_source_becomes_an_artifact_with_its_version(plane):
    plane.function()
    version = plane.put("app.zip", zipped({"page": "two"}))
    execution = plane.create(("Source", [source("app.zip")]), ("Call", [call(inputs=["code"])]))
    plane.wait(execution)
    shown = plane.pipelines.get_pipeline_execution(pipelineName="release", pipelineExecutionId=execution)
    (revision,) = shown["pipelineExecution"]["artifactRevisions"]
    assert (revision["name"], revision["revisionId"]) == ("code", version)
    details = plane.pipelines.list_action_executions(pipelineName="release")["actionExecutionDetails"]
    assert [one["actionName"] for one in details] == ["Call", "Get"]
    place = details[0]["input"]["inputArtifacts"][0]["s3location"]
    content = plane.aws("s3").get_object(Bucket=place["bucket"], Key=place["key"])["Body"].read()
    assert zipfile.ZipFile(io.BytesIO(content)).read("page") == b"two"
    assert details[1]["output"]["outputVariables"]["VersionId"] == version


@pytest.mark.parametrize(
    ("key", "bucket", "words"),
    [
        ("missing.zip", "artifacts", "NoSuchKey"),
        ("app.zip", "plain", "has no versioning"),
        ("app.zip", "nowhere", "NoSuchBucket"),
    ],
)
def test_a_source_that_cannot_be_had(plane, key, bucket, words):
    plane.aws("s3").create_bucket(Bucket="plain")
    plane.aws("s3").put_object(Bucket="plain", Key="app.zip", Body=b"x")
    execution = plane.create(("Source", [source(key, bucket)]), ("Gate", [ASK]))
    plane.wait(execution, "Failed")
    error = plane.error(execution)
    assert error["code"] == "ConfigurationError"
    assert words in error["message"]


def git(folder, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    return subprocess.run(
        ["git", *identity, "-C", folder, *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def checkout(tmp_path):
    folder = tmp_path / "app"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / "page").write_text("one")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "Say one")
    (folder / "untracked").write_text("not released")
    return folder


@pytest.mark.parametrize("provider", ["CodeCommit", "CodeStarSourceConnection"])
def test_a_git_source_is_the_head_of_a_branch(plane, checkout, provider):
    plane.aws("codecommit").create_repository(repositoryName="app", repositoryDescription=f"file://{checkout}")
    configuration = {
        "CodeCommit": {"RepositoryName": "app", "BranchName": "main", "PollForSourceChanges": "false"},
        "CodeStarSourceConnection": {
            "ConnectionArn": "arn:aws:codeconnections:us-east-1:123456789012:connection/1",
            "FullRepositoryId": "us/app",
            "BranchName": "main",
            "DetectChanges": "false",
        },
    }[provider]
    get = action("Git", "Source", provider, configuration, outputs=["code"], namespace="Src")
    gate = action("Ask", "Approval", "Manual", {"CustomData": "#{Src.CommitMessage} #{Src.CommitId}"})
    plane.create(("Source", [get]), ("Gate", [gate]))
    plane.wait_told("pipeline.action", action="Ask", status="InProgress")
    git_details, ask = reversed(
        plane.pipelines.list_action_executions(pipelineName="release")["actionExecutionDetails"]
    )
    commit = git(checkout, "rev-parse", "HEAD")
    assert ask["input"]["resolvedConfiguration"]["CustomData"] == f"Say one {commit}"
    place = git_details["output"]["outputArtifacts"][0]["s3location"]
    content = plane.aws("s3").get_object(Bucket=place["bucket"], Key=place["key"])["Body"].read()
    assert zipfile.ZipFile(io.BytesIO(content)).namelist() == ["page"]


@pytest.mark.parametrize(
    ("description", "branch", "words"),
    [
        ("file:///nowhere", "main", "is to be file:///PATH"),
        ("a repository", "main", "is to be file:///PATH"),
        ("file://{checkout}", "other", "has no branch 'other'"),
        ("", "main", "app"),
    ],
)
def test_a_git_source_that_cannot_be_had(plane, checkout, description, branch, words):
    if description:
        text = description.format(checkout=checkout)
        plane.aws("codecommit").create_repository(repositoryName="app", repositoryDescription=text)
    configuration = {"RepositoryName": "app", "BranchName": branch, "PollForSourceChanges": "false"}
    get = action("Git", "Source", "CodeCommit", configuration, outputs=["code"])
    execution = plane.create(("Source", [get]), ("Gate", [ASK]))
    plane.wait(execution, "Failed")
    assert words in plane.error(execution)["message"]


@pytest.mark.parametrize(
    ("asked", "status", "told"),
    [("-", "Succeeded", "none"), ("again", "Succeeded", "more"), ("fail", "Failed", "column is missing")],
)
def test_a_function_says_what_becomes_of_its_action(plane, asked, status, told):
    plane.function()
    execution = plane.create(("Source", [source("app.zip")]), ("Call", [call(asked)]))
    plane.wait(execution, status)
    (details, _) = plane.pipelines.list_action_executions(pipelineName="release")["actionExecutionDetails"]
    if status == "Succeeded":
        assert details["output"]["outputVariables"] == {"Token": told}
        assert details["output"]["executionResult"]["externalExecutionId"] == "42"
    else:
        assert details["output"]["executionResult"]["errorDetails"] == {"code": "JobFailed", "message": told}


def test_a_function_that_does_not_answer_in_20_minutes_has_failed(start):
    plane = start(speed=1200)
    plane.function()
    execution = plane.create(("Source", [source("app.zip")]), ("Call", [call("silent")]))
    plane.wait(execution, "Failed")
    assert "failed to return a result" in plane.error(execution)["message"]


def test_a_function_that_there_is_not_fails_its_action(plane):
    execution = plane.create(("Source", [source("app.zip")]), ("Call", [call()]))
    plane.wait(execution, "Failed")
    assert "could not be invoked" in plane.error(execution)["message"]


@pytest.mark.parametrize(
    ("files", "parameters", "words"),
    [
        ({}, "{", "JSONDecodeError"),
        ({}, '{"container": "web", "taskDefinition": "none"}', "no item named 'imagedefinitions.json'"),
        (
            {"imagedefinitions.json": definitions(("web", "x"))},
            '{"container": "web", "taskDefinition": "none", "cluster": "c", "command": ["migrate"]}',
            "Unable to describe task definition",
        ),
    ],
)
def test_the_function_that_runs_a_task_says_what_is_wrong_with_its_parameters(plane, files, parameters, words):
    plane.function((REPOSITORY / "compose" / "release" / "lambda" / "run_task.py").read_text())
    plane.put("app.zip", zipped({"readme": "", **files}))
    execution = plane.create(("Source", [source("app.zip")]), ("Call", [call(parameters, inputs=["code"])]))
    plane.wait(execution, "Failed")
    assert words in plane.error(execution)["message"]


def test_jobs_are_answered_once(plane):
    unknown = {"jobId": "0" * 8 + "-0000-0000-0000-" + "0" * 12}
    assert code_of(plane.pipelines.put_job_success_result, **unknown) == "JobNotFoundException"
    details = {"type": "JobFailed", "message": "x"}
    assert code_of(plane.pipelines.put_job_failure_result, failureDetails=details, **unknown) == "JobNotFoundException"
    assert code_of(plane.pipelines.get_job_details, **unknown) == "JobNotFoundException"


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"other.json": "[]"}, "Did not find the image definition file imagedefinitions.json"),
        ({"imagedefinitions.json": "{"}, "imagedefinitions.json is not valid JSON"),
        ({"imagedefinitions.json": "[]"}, "imagedefinitions.json is not a list"),
        ({"imagedefinitions.json": definitions(("web", "x"))}, "ClusterNotFoundException"),
    ],
)
def test_image_definitions_that_cannot_be_deployed(plane, files, words):
    plane.put("images.zip", zipped(files))
    execution = plane.create(("Source", [source("images.zip")]), ("Deploy", [deploy("svc", "code")]))
    plane.wait(execution, "Failed")
    error = plane.error(execution)
    assert error["code"] == "ConfigurationError"
    assert words in error["message"]


def test_an_artifact_that_is_no_archive_and_a_service_that_there_is_not(plane):
    plane.aws("ecs").create_cluster(clusterName="c")
    plane.put("text.zip", b"text")
    execution = plane.create(("Source", [source("text.zip")]), ("Deploy", [deploy("svc", "code")]))
    plane.wait(execution, "Failed")
    assert "is not a ZIP file" in plane.error(execution)["message"]
    plane.put("text.zip", zipped({"imagedefinitions.json": definitions(("web", "x"))}))
    execution = plane.pipelines.start_pipeline_execution(name="release")["pipelineExecutionId"]
    plane.wait(execution, "Failed")
    assert "has no active service svc" in plane.error(execution)["message"]


def test_an_approval_asks_by_a_topic_and_its_token_is_shown(plane):
    queue = plane.aws("sqs").create_queue(QueueName="asked")["QueueUrl"]
    topic = plane.aws("sns").create_topic(Name="gate")["TopicArn"]
    plane.aws("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:123456789012:asked")
    gate = action("Ask", "Approval", "Manual", {"NotificationArn": topic, "CustomData": "look"})
    execution = plane.create(("Source", [source("app.zip")]), ("Gate", [gate]))
    (message,) = plane.aws("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=10)["Messages"]
    asked = json.loads(json.loads(message["Body"])["Message"])["approval"]
    (state,) = plane.pipelines.get_pipeline_state(name="release")["stageStates"][1]["actionStates"]
    assert asked["token"] == state["latestExecution"]["token"]
    assert (asked["stageName"], asked["customData"]) == ("Gate", "look")
    answer = {"pipelineName": "release", "stageName": "Gate", "actionName": "Ask", "token": asked["token"]}
    plane.pipelines.put_approval_result(**answer, result={"status": "Rejected", "summary": "not today"})
    with pytest.raises(SandboxError, match="is Failed, not Succeeded") as raised:
        plane.wait(execution)
    assert "not today" in raised.value.state
    assert (
        code_of(plane.pipelines.put_approval_result, **answer, result={"status": "Approved", "summary": ""})
        == "ApprovalAlreadyCompletedException"
    )


def test_an_approval_that_nobody_answers_has_failed_after_its_time_out(start):
    plane = start(speed=600)
    gate = action("Ask", "Approval", "Manual", timeoutInMinutes=5)
    execution = plane.create(("Source", [source("app.zip")]), ("Gate", [gate]), pipelineType="V2")
    plane.wait(execution, "Failed")
    assert plane.error(execution)["message"] == "The action timed out after 5 minutes"


def test_stop_and_retry(plane):
    execution = plane.create(("Source", [source("app.zip")]), ("Gate", [ASK]))
    plane.wait_told("pipeline.action", action="Ask", status="InProgress")
    which = {"pipelineName": "release", "pipelineExecutionId": execution}
    plane.pipelines.stop_pipeline_execution(**which, reason="wait", abandon=False)
    states = plane.pipelines.get_pipeline_state(name="release")["stageStates"]
    assert states[1]["latestExecution"]["status"] == "Stopping"
    plane.pipelines.stop_pipeline_execution(**which, abandon=True, reason="now")
    plane.wait(execution, "Stopped")
    (summary,) = plane.pipelines.list_pipeline_executions(pipelineName="release")["pipelineExecutionSummaries"]
    assert (summary["status"], summary["stopTrigger"]) == ("Stopped", {"reason": "now"})
    assert code_of(plane.pipelines.stop_pipeline_execution, **which) == "PipelineExecutionNotStoppableException"
    plane.pipelines.retry_stage_execution(**which, stageName="Gate", retryMode="FAILED_ACTIONS")
    asked = plane.pipelines.get_pipeline_state(name="release")["stageStates"][1]["actionStates"][0]
    assert asked["latestExecution"]["status"] == "InProgress"
    assert (
        code_of(plane.pipelines.retry_stage_execution, **which, stageName="Nowhere", retryMode="FAILED_ACTIONS")
        == "StageNotFoundException"
    )


def test_a_disabled_transition_is_shown_and_holds_back(plane):
    plane.put("late.zip", zipped({"a": "b"}))
    first = plane.create(("Source", [source("late.zip")]), ("Gate", [ASK]))
    plane.wait_told("pipeline.action", action="Ask", status="InProgress")
    where = {"pipelineName": "release", "stageName": "Gate", "transitionType": "Inbound"}
    plane.pipelines.disable_stage_transition(**where, reason="freeze")
    second = plane.pipelines.start_pipeline_execution(name="release")["pipelineExecutionId"]
    plane.wait_told("pipeline.stage", execution=second, stage="Source", status="Succeeded")
    gate = plane.pipelines.get_pipeline_state(name="release")["stageStates"][1]
    assert gate["inboundExecution"]["pipelineExecutionId"] == second
    assert gate["latestExecution"]["pipelineExecutionId"] == first
    assert (gate["inboundTransitionState"]["enabled"], gate["inboundTransitionState"]["disabledReason"]) == (
        False,
        "freeze",
    )
    plane.pipelines.stop_pipeline_execution(pipelineName="release", pipelineExecutionId=first, abandon=True)
    plane.pipelines.enable_stage_transition(**where)
    plane.wait_told("pipeline.action", action="Ask", status="InProgress", execution=second)
    assert code_of(plane.pipelines.enable_stage_transition, **{**where, "transitionType": "Outbound"}) == (
        "ValidationException"
    )


def test_a_source_that_changes_starts_the_pipeline(plane):
    polled = source("app.zip")
    del polled["configuration"]["PollForSourceChanges"]
    plane.create(("Source", [polled]), ("Gate", [ASK]))
    plane.plane.on_object_put = plane.controller.object_put
    plane.put("other.zip", b"")
    version = plane.put("app.zip", zipped({"page": "new"}))
    told = plane.wait_told("pipeline.stage", stage="Source", status="Succeeded", state="SUCCEEDED")
    assert told
    latest, _ = plane.pipelines.list_pipeline_executions(pipelineName="release")["pipelineExecutionSummaries"]
    assert latest["trigger"] == {"triggerType": "PollForSourceChanges", "triggerDetail": "Get"}
    plane.wait_told(
        "pipeline.action",
        action="Get",
        execution=latest["pipelineExecutionId"],
        external_id=version,
        status="Succeeded",
    )


def test_events_tell_of_pipelines_stages_and_actions(plane):
    plane.create(("Source", [source("missing.zip")]), ("Gate", [ASK]))
    plane.timeline.wait_for(
        "the event of the pipeline's failure",
        lambda seen: (
            seen.kind == "event.published"
            and seen["detail_type"] == "CodePipeline Pipeline Execution State Change"
            and seen["event"]["detail"]["state"] == "FAILED"
        ),
        within=20,
    )
    told = [seen["event"] for seen in plane.timeline.since() if seen.kind == "event.published"]
    told = [event for event in told if event["source"] == "aws.codepipeline"]
    assert [(event["detail-type"].split()[1], event["detail"]["state"]) for event in told] == [
        *(("Pipeline", "STARTED"), ("Stage", "STARTED"), ("Action", "STARTED")),
        *(("Action", "FAILED"), ("Stage", "FAILED"), ("Pipeline", "FAILED")),
    ]
    failed = told[3]
    assert failed["resources"] == ["arn:aws:codepipeline:us-east-1:123456789012:release"]
    assert failed["detail"]["type"] == {"category": "Source", "owner": "AWS", "provider": "S3", "version": "1"}
    assert failed["detail"]["execution-result"]["error-code"] == "ConfigurationError"
    assert told[4]["detail"]["failure"]["failed-actions"][0]["action"] == "Get"


def test_a_rule_starts_a_pipeline(plane):
    execution = plane.create(("Source", [source("missing.zip")]), ("Gate", [ASK]))
    plane.wait(execution, "Failed")
    mark = plane.timeline.mark()
    pattern = {"source": ["shop"]}
    plane.aws("events").put_rule(Name="release", EventPattern=json.dumps(pattern))
    target = {"Id": "p", "Arn": "arn:aws:codepipeline:us-east-1:123456789012:release", "RoleArn": ROLE}
    plane.aws("events").put_targets(Rule="release", Targets=[target])
    plane.aws("events").put_events(Entries=[{"Source": "shop", "DetailType": "Order", "Detail": "{}"}])
    plane.timeline.wait_for(
        "the pipeline to run again",
        lambda seen: seen.kind == "pipeline.execution" and seen["execution"] != execution,
        within=20,
        since=mark,
    )


def test_the_definition_is_shown_updated_listed_and_deleted(plane):
    plane.create(("Source", [source("app.zip")]), ("Gate", [ASK]))
    shown = plane.pipelines.get_pipeline(name="release")
    assert shown["metadata"]["pipelineArn"].endswith(":release")
    assert (shown["pipeline"]["version"], shown["pipeline"]["executionMode"]) == (1, "SUPERSEDED")
    updated = plane.pipelines.update_pipeline(pipeline=shown["pipeline"])["pipeline"]
    assert updated["version"] == 2
    assert [one["version"] for one in plane.pipelines.list_pipelines()["pipelines"]] == [2]
    assert code_of(plane.pipelines.get_pipeline, name="release", version=1) == "PipelineVersionNotFoundException"
    assert code_of(plane.pipelines.create_pipeline, pipeline=updated) == "PipelineNameInUseException"
    plane.pipelines.delete_pipeline(name="release")
    assert code_of(plane.pipelines.get_pipeline, name="release") == "PipelineNotFoundException"
    assert code_of(plane.pipelines.start_pipeline_execution, name="release") == "PipelineNotFoundException"


def test_lists_come_in_pages(plane):
    plane.create(("Source", [source("app.zip")]), ("Gate", [ASK]))
    for _ in range(2):
        plane.pipelines.start_pipeline_execution(name="release")
    first = plane.pipelines.list_pipeline_executions(pipelineName="release", maxResults=2)
    assert len(first["pipelineExecutionSummaries"]) == 2
    rest = plane.pipelines.list_pipeline_executions(pipelineName="release", nextToken=first["nextToken"])
    assert len(rest["pipelineExecutionSummaries"]) == 1
    assert "nextToken" not in rest
    assert code_of(plane.pipelines.list_pipelines, nextToken="x") == "InvalidNextTokenException"


def test_what_aws_refuses_is_refused_with_its_errors(plane):
    def create(**changes):
        stages = [
            {"name": "Source", "actions": [source("app.zip")]},
            {"name": "Gate", "actions": [ASK]},
        ]
        pipeline = {
            "name": "refused",
            "roleArn": ROLE,
            "artifactStore": {"type": "S3", "location": "artifacts"},
            "stages": stages,
            **changes,
        }
        return code_of(plane.pipelines.create_pipeline, pipeline=pipeline)

    assert create(stages=[{"name": "Source", "actions": [source("app.zip")]}]) == "InvalidStructureException"
    assert create(roleArn="role") == "ValidationException"
    assert create(name="a b") == "ValidationException"
    assert code_of(plane.pipelines.start_pipeline_execution, name="refused", sourceRevisions=[]) == (
        "PipelineNotFoundException"
    )
    assert (
        code_of(
            plane.pipelines.rollback_stage,
            pipelineName="refused",
            stageName="Gate",
            targetPipelineExecutionId="0" * 8 + "-0000-0000-0000-" + "0" * 12,
        )
        == "NotImplemented"
    )
