"""The Lambda invoke action: a function gets a job, and says by the API what became of it.

Sources: user guide "AWS Lambda invoke action reference" and "Invoke an AWS Lambda function in a pipeline" (the event,
and continuation tokens); "Quotas in AWS CodePipeline" (20 minutes without an answer, 24 hours in all). How long
CodePipeline waits before it invokes the function again after a continuation token is not documented; 30 seconds are
ours.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from sandbox.aws.account import ACCOUNT_ID
from sandbox.aws.clients import ACCESS_KEY, SECRET_KEY, Clients
from sandbox.aws.protocol import AwsError
from sandbox.clock import Clock
from sandbox.controllers.pipeline.job import ActionFailedError, Job
from sandbox.model.codepipeline.execution import Artifact, Failure, Success

ANSWER_WITHIN = 20 * 60.0
INVOKED_AGAIN_AFTER = 30.0


@dataclass
class _Asked:
    """A job that a function has; ``ended`` once it has answered."""

    job: Job
    token: str = ""
    ended: bool = False


class LambdaInvoke:
    """Invokes functions and takes their answers.

    Args:
        aws: Clients of the sandbox's endpoint.
        clock: Times the answers.
    """

    def __init__(self, aws: Clients, clock: Clock) -> None:
        self._aws = aws
        self._clock = clock
        self._lock = threading.Lock()
        self._asked: dict[str, _Asked] = {}

    def run(self, job: Job) -> None:
        """See `Runner`."""
        self._ask(job, "")

    def abandon(self, job: Job) -> None:
        """The function goes on; its answer comes too late."""

    def succeeded(self, job_id: str, request: Mapping[str, Any]) -> None:
        """PutJobSuccessResult.

        Raises:
            AwsError: There is no such job, or it has been answered.
        """
        asked = self._answered(job_id)
        details = request.get("executionDetails") or {}
        token = request.get("continuationToken", "")
        facts = {
            "external_id": details.get("externalExecutionId"),
            "summary": details.get("summary"),
            "percent": details.get("percentComplete"),
        }
        asked.job.progress(**{name: fact for name, fact in facts.items() if fact is not None})
        if not token:
            asked.job.finish(
                Success(
                    details.get("summary", ""),
                    details.get("externalExecutionId", ""),
                    {name: str(value) for name, value in (request.get("outputVariables") or {}).items()},
                )
            )
            return
        self._clock.call_later(INVOKED_AGAIN_AFTER, lambda: self._ask_again(asked.job, token))

    def failed(self, job_id: str, details: Mapping[str, Any]) -> None:
        """PutJobFailureResult.

        Raises:
            AwsError: There is no such job, or it has been answered.
        """
        asked = self._answered(job_id)
        asked.job.finish(Failure(details["type"], details["message"], details.get("externalExecutionId", "")))

    def details(self, job_id: str) -> dict[str, Any]:
        """GetJobDetails.

        Raises:
            AwsError: There is no such job.
        """
        asked = self._find(job_id)
        return {"id": job_id, "accountId": ACCOUNT_ID, "data": self._data(asked.job, asked.token)}

    def _ask_again(self, job: Job, token: str) -> None:
        def ask() -> None:
            try:
                self._ask(job, token)
            except ActionFailedError as error:
                job.finish(Failure(error.code, str(error)))

        if not job.abandoned.is_set():
            threading.Thread(target=ask, name="pipeline-lambda", daemon=True).start()

    def _ask(self, job: Job, token: str) -> None:
        job_id = str(uuid.uuid4())
        with self._lock:
            self._asked[job_id] = asked = _Asked(job, token)
        event = {"CodePipeline.job": {"id": job_id, "accountId": ACCOUNT_ID, "data": self._data(job, token)}}
        name = job.setting("FunctionName")
        try:
            self._aws("lambda").invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps(event))
        except ClientError as error:
            refusal = error.response["Error"]
            raise ActionFailedError(
                "ConfigurationError", f"The AWS Lambda function {name} could not be invoked: {refusal['Message']}"
            ) from error
        self._clock.call_later(ANSWER_WITHIN, lambda: self._late(asked, name))

    def _late(self, asked: _Asked, name: str) -> None:
        with self._lock:
            late, asked.ended = not asked.ended, True
        if late:
            asked.job.finish(
                Failure(
                    "JobFailed",
                    f"The AWS Lambda function {name} failed to return a result. Check the function to verify that it "
                    "has permission to call the PutJobSuccessResult action and that it made a call to "
                    "PutJobSuccessResult or PutJobFailureResult.",
                )
            )

    def _find(self, job_id: str) -> _Asked:
        with self._lock:
            if job_id not in self._asked:
                raise AwsError("JobNotFoundException", f"There is no job {job_id}")
            return self._asked[job_id]

    def _answered(self, job_id: str) -> _Asked:
        asked = self._find(job_id)
        with self._lock:
            before, asked.ended = asked.ended, True
        if before or asked.job.abandoned.is_set():
            raise AwsError("InvalidJobStateException", f"The job {job_id} is not in progress any more")
        return asked

    @staticmethod
    def _data(job: Job, token: str) -> dict[str, Any]:
        data: dict[str, Any] = {
            "actionConfiguration": {"configuration": dict(job.run.configuration)},
            "inputArtifacts": [_artifact(item) for item in job.run.inputs],
            "outputArtifacts": [_artifact(item) for item in job.run.outputs],
            "artifactCredentials": {
                "accessKeyId": ACCESS_KEY,
                "secretAccessKey": SECRET_KEY,
                "sessionToken": "sandbox",
            },
        }
        return {**data, "continuationToken": token} if token else data


def _artifact(item: Artifact) -> dict[str, Any]:
    location = {"bucketName": item.bucket, "objectKey": item.key}
    return {
        "name": item.name,
        "revision": item.revision or None,
        "location": {"type": "S3", "s3Location": location},
    }
