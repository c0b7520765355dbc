"""CodePipeline put together: its model, its controller with a runner for each provider, and its API."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from sandbox.aws.account import REGION
from sandbox.aws.clients import Clients
from sandbox.aws.services.codebuild import CodeBuildService
from sandbox.aws.services.codepipeline import CodePipelineService
from sandbox.clock import Clock
from sandbox.controllers.pipeline.approval import Approval
from sandbox.controllers.pipeline.artifacts import BucketArtifacts
from sandbox.controllers.pipeline.codebuild_action import CodeBuildAction
from sandbox.controllers.pipeline.controller import PipelineController
from sandbox.controllers.pipeline.ecs_deploy import EcsDeploy
from sandbox.controllers.pipeline.job import Runner
from sandbox.controllers.pipeline.lambda_invoke import LambdaInvoke
from sandbox.controllers.pipeline.sources import GitSource, S3Source
from sandbox.model.codepipeline.control import CodePipeline
from sandbox.timeline import Timeline


def make(
    aws: Clients,
    codebuild: CodeBuildService,
    publish: Callable[[dict[str, Any]], None],
    clock: Clock,
    timeline: Timeline,
) -> tuple[CodePipelineService, PipelineController]:
    """The service, and what carries its actions out, to be closed at the end.

    Args:
        aws: Clients of the sandbox's endpoint: all but builds is done by AWS's APIs.
        codebuild: Runs builds.
        publish: Puts an event on EventBridge's default bus.
        clock: Times everything.
        timeline: Gets every observation.
    """
    model = CodePipeline(REGION, lambda: str(uuid.uuid4()))
    artifacts = BucketArtifacts(aws)
    functions = LambdaInvoke(aws, clock)
    git = GitSource(aws, artifacts)
    runners: dict[str, Runner] = {
        "S3": S3Source(aws, artifacts),
        "CodeCommit": git,
        "CodeStarSourceConnection": git,
        "CodeBuild": CodeBuildAction(codebuild, artifacts),
        "Manual": Approval(aws, clock),
        "Lambda": functions,
        "ECS": EcsDeploy(aws, artifacts, clock, timeline),
    }
    controller = PipelineController(model, runners, publish, timeline, clock)
    return CodePipelineService(model, controller.apply, functions), controller
