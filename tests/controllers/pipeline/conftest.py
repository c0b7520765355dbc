"""A sandbox in which an application is released: a bucket, a repository, a project, a service, and pipelines."""

from __future__ import annotations

import io
import itertools
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from sandbox.controllers.sandbox import Sandbox

SPEED = 20
HOST = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
ROLE = "arn:aws:iam::123456789012:role/release"
_NUMBERS = itertools.count(1)

DOCKERFILE = """\
FROM nginx:1.27
COPY page.conf /etc/nginx/conf.d/default.conf
"""
BUILDSPEC = """\
version: 0.2
env:
  exported-variables: [TAG]
phases:
  pre_build:
    commands:
      - aws ecr get-login-password | docker login --username AWS --password-stdin $REPOSITORY
      - TAG=$(echo $CODEBUILD_RESOLVED_SOURCE_VERSION | cut -c 1-7)
  build:
    commands:
      - docker build -t web .
      - docker tag web $REPOSITORY:$TAG
  post_build:
    commands:
      - docker push $REPOSITORY:$TAG
      - printf '[{"name":"web","imageUri":"%s"}]' $REPOSITORY:$TAG > imagedefinitions.json
artifacts:
  files: [imagedefinitions.json]
"""


def page(text: str) -> str:
    """Configuration of nginx: every request is answered with a text."""
    return f"server {{ listen 80; location / {{ return 200 '{text}'; }} }}\n"


def zipped(files: dict[str, str]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return made.getvalue()


class Factory:
    """Makes what a release needs; each thing has a name of its own."""

    def __init__(self, sandbox: Sandbox, empty: Path) -> None:
        self.sandbox = sandbox
        self.empty = empty
        self.aws = sandbox.aws
        self.pipelines = sandbox.aws("codepipeline")
        self.timeline = sandbox.timeline
        self.bucket = "artifacts"
        self.aws("s3").create_bucket(Bucket=self.bucket)
        self.aws("s3").put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"})
        self.aws("ecs").create_cluster(clusterName="c")

    def put_source(self, key: str, files: dict[str, str]) -> str:
        return self.sandbox.put_source(self.bucket, key, self.empty, files)

    def repository(self) -> str:
        name = f"web-{next(_NUMBERS)}"
        return self.aws("ecr").create_repository(repositoryName=name)["repository"]["repositoryUri"]

    def project(self, repository: str, **more: Any) -> str:
        name = f"build-{next(_NUMBERS)}"
        self.aws("codebuild").create_project(
            name=name,
            source={"type": "CODEPIPELINE", **more},
            artifacts={"type": "CODEPIPELINE"},
            environment={
                "type": "LINUX_CONTAINER",
                "image": "aws/codebuild/standard:7.0",
                "computeType": "BUILD_GENERAL1_SMALL",
                "privilegedMode": True,
                "environmentVariables": [{"name": "REPOSITORY", "value": repository}],
            },
            serviceRole=ROLE,
        )
        return name

    def service(self, image: str = "nginx:1.27", name: str = "", cluster: str = "c") -> str:
        name = name or f"svc-{next(_NUMBERS)}"
        mark = self.timeline.mark()
        self.aws("ecs").register_task_definition(
            family=name,
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            containerDefinitions=[{"name": "web", "image": image, "stopTimeout": 2}],
        )
        self.aws("ecs").create_service(
            cluster=cluster,
            serviceName=name,
            taskDefinition=name,
            desiredCount=1,
            launchType="FARGATE",
            networkConfiguration={
                "awsvpcConfiguration": {"subnets": self.sandbox.subnets, "assignPublicIp": "ENABLED"}
            },
            deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": True}},
        )
        self.said(mark, f"(service {name}) has reached a steady state")
        return name

    def said(self, mark: int, words: str, within: float = 60) -> None:
        self.timeline.wait_for(
            f"a service to say: {words}",
            lambda seen: seen.kind == "service.event" and words in seen["message"],
            within=within,
            since=mark,
        )

    def current(self, service: str, cluster: str = "c") -> dict[str, Any]:
        """The container definition that a service runs, and its task definition's ARN."""
        (found,) = self.aws("ecs").describe_services(cluster=cluster, services=[service])["services"]
        definition = self.aws("ecs").describe_task_definition(taskDefinition=found["taskDefinition"])["taskDefinition"]
        return {"arn": found["taskDefinition"], **definition["containerDefinitions"][0]}

    def create(self, *stages: tuple[str, list[dict[str, Any]]], **more: Any) -> tuple[str, str]:
        """A pipeline and its first execution."""
        name = f"release-{next(_NUMBERS)}"
        self.pipelines.create_pipeline(
            pipeline={
                "name": name,
                "roleArn": ROLE,
                "artifactStore": {"type": "S3", "location": self.bucket},
                "stages": [{"name": stage, "actions": actions} for stage, actions in stages],
                **more,
            }
        )
        (first,) = self.pipelines.list_pipeline_executions(pipelineName=name)["pipelineExecutionSummaries"]
        return name, first["pipelineExecutionId"]

    def start(self, name: str, **more: Any) -> str:
        return self.pipelines.start_pipeline_execution(name=name, **more)["pipelineExecutionId"]

    def failures(self, name: str, execution: str) -> list[tuple[str, str]]:
        """Action and error of what has failed in an execution."""
        found = self.pipelines.list_action_executions(pipelineName=name, filter={"pipelineExecutionId": execution})[
            "actionExecutionDetails"
        ]
        return [
            (one["actionName"], one["output"]["executionResult"]["errorDetails"]["message"])
            for one in found
            if one["status"] == "Failed"
        ]

    def logs_of(self, build: str) -> list[str]:
        """The log of a build, as CloudWatch Logs has it."""
        (found,) = self.aws("codebuild").batch_get_builds(ids=[build])["builds"]
        self.sandbox._control_plane.logs.flush()
        where = {"logGroupName": found["logs"]["groupName"], "logStreamName": found["logs"]["streamName"]}
        return [event["message"] for event in self.aws("logs").get_log_events(**where)["events"]]

    def states(self, name: str) -> dict[str, str]:
        """The status of each stage's latest execution."""
        stages = self.pipelines.get_pipeline_state(name=name)["stageStates"]
        return {one["stageName"]: one.get("latestExecution", {}).get("status", "") for one in stages}


def action(name: str, category: str, provider: str, configuration=(), inputs=(), outputs=(), **more: Any):
    """An ActionDeclaration."""
    return {
        "name": name,
        "actionTypeId": {"category": category, "owner": "AWS", "provider": provider, "version": "1"},
        "configuration": dict(configuration),
        "inputArtifacts": [{"name": item} for item in inputs],
        "outputArtifacts": [{"name": item} for item in outputs],
        **more,
    }


def source(key: str, bucket: str = "artifacts", output: str = "code", **more: Any):
    configuration = {"S3Bucket": bucket, "S3ObjectKey": key, "PollForSourceChanges": "false"}
    return action("Get", "Source", "S3", configuration, outputs=[output], **more)


def build(project: str, **more: Any):
    return action("Make", "Build", "CodeBuild", {"ProjectName": project}, ["code"], ["image"], **more)


def deploy(service: str, artifact: str = "image", **configuration: str):
    return action("Roll", "Deploy", "ECS", {"ClusterName": "c", "ServiceName": service, **configuration}, [artifact])


def definitions(*pairs: tuple[str, str]) -> str:
    return json.dumps([{"name": name, "imageUri": uri} for name, uri in pairs])


@pytest.fixture(scope="module")
def made(request, tmp_path_factory):
    with Sandbox(
        site=request.getfixturevalue("sandbox_site"), images=request.config.getoption("--sandbox-images"), speed=SPEED
    ) as sandbox:
        yield Factory(sandbox, tmp_path_factory.mktemp("empty"))
