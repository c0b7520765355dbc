"""The CodeBuild action: a build of the project with the input artifacts, whose files are the output artifact.

Source: user guide "AWS CodeBuild build and test action reference".
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

from sandbox.aws.account import ACCOUNT_ID, REGION
from sandbox.aws.protocol import AwsError
from sandbox.aws.services.codebuild import CodeBuildService
from sandbox.controllers.pipeline.job import ActionFailedError, Artifacts, Job
from sandbox.model.codebuild.build import Build
from sandbox.model.codepipeline.execution import Failure, Success


class CodeBuildAction:
    """Starts builds.

    Args:
        codebuild: Has the projects.
        artifacts: Where sources and results are.
    """

    def __init__(self, codebuild: CodeBuildService, artifacts: Artifacts) -> None:
        self._codebuild = codebuild
        self._artifacts = artifacts
        self._lock = threading.Lock()
        self._builds: dict[str, Build] = {}

    def run(self, job: Job) -> None:
        """See `Runner`."""
        variables = job.json_setting("EnvironmentVariables") or []
        if not isinstance(variables, list) or not all(
            isinstance(item, Mapping) and {"name", "value"} <= set(item) for item in variables
        ):
            raise ActionFailedError(
                "ConfigurationError", 'EnvironmentVariables is to be a list of {"name": ..., "value": ...}'
            )
        primary = job.setting("PrimarySource", job.run.inputs[0].name)
        inputs = sorted(job.run.inputs, key=lambda item: item.name != primary)
        sources = {item.name: self._artifacts.get(item) for item in inputs}
        try:
            build = self._codebuild.begin(
                job.setting("ProjectName"),
                sources,
                variables,
                f"codepipeline/{job.pipeline}",
                inputs[0].revision,
                lambda build: self._ended(job, build),
            )
        except AwsError as error:
            raise ActionFailedError("ConfigurationError", f"Error calling startBuild: {error.message}") from error
        with self._lock:
            self._builds[job.run.id] = build
        stream = f"arn:aws:logs:{REGION}:{ACCOUNT_ID}:log-group:{build.log_group}:log-stream:{build.log_stream}"
        job.progress(external_id=build.id, log_stream_arn=stream[:250])
        if job.abandoned.is_set():
            self.abandon(job)

    def abandon(self, job: Job) -> None:
        """The build is stopped: nobody waits for its container any more."""
        with self._lock:
            build = self._builds.get(job.run.id)
        if build is not None:
            threading.Thread(target=self._codebuild.end, args=(build,), name="stop build", daemon=True).start()

    def _ended(self, job: Job, build: Build) -> None:
        try:
            result = self._result(job, build)
        except ActionFailedError as error:
            result = Failure(error.code, str(error), build.id)
        job.finish(result)

    def _result(self, job: Job, build: Build) -> Success | Failure:
        if build.status != "SUCCEEDED":
            phase = build.failure()
            where = f" Phase: {phase.type}, Code: {phase.code}, Message: {phase.message}" if phase else ""
            return Failure("JobFailed", f"Build terminated with state: {build.status}.{where}", build.id)
        for output in job.run.outputs:
            if build.artifact is None:
                raise ActionFailedError(
                    "ConfigurationError",
                    f"The action has the output artifact {output.name}, and the buildspec names no artifacts",
                )
            self._artifacts.put(output, build.artifact)
        return Success("", build.id, build.exported)
