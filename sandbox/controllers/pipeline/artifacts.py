"""The artifacts of pipelines, in their S3 buckets."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from sandbox.aws.clients import Clients
from sandbox.controllers.pipeline.job import ActionFailedError
from sandbox.model.codepipeline.execution import Artifact


class BucketArtifacts:
    """Artifacts as objects.

    Args:
        aws: Clients of the sandbox's endpoint.
    """

    def __init__(self, aws: Clients) -> None:
        self._aws = aws

    def get(self, artifact: Artifact) -> bytes:
        """The content of an artifact.

        Raises:
            ActionFailedError: It is not there.
        """
        content: bytes = read_object(self._aws, artifact.bucket, artifact.key, f"artifact {artifact.name}")["Body"]
        return content

    def put(self, artifact: Artifact, content: bytes) -> None:
        """Store an artifact.

        Raises:
            ActionFailedError: The bucket does not take it.
        """
        try:
            self._aws("s3").put_object(Bucket=artifact.bucket, Key=artifact.key, Body=content)
        except ClientError as error:
            raise _refused(
                f"artifact {artifact.name} could not be stored", artifact.bucket, artifact.key, error
            ) from error


def read_object(aws: Clients, bucket: str, key: str, what: str) -> dict[str, Any]:
    """An object as GetObject answers, its ``Body`` read.

    Raises:
        ActionFailedError: There is none.
    """
    try:
        answer: dict[str, Any] = aws("s3").get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        raise _refused(f"{what} could not be read", bucket, key, error) from error
    return {**answer, "Body": answer["Body"].read()}


def _refused(what: str, bucket: str, key: str, error: ClientError) -> ActionFailedError:
    refusal = error.response["Error"]
    message = f"{what}: {refusal['Code']}: {refusal['Message']} (bucket: {bucket}, key: {key})"
    return ActionFailedError("PermissionError" if refusal["Code"] == "AccessDenied" else "ConfigurationError", message)
