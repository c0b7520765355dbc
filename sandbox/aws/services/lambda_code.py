"""Where the code of functions and layers comes from: in the request, or an object in S3."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from sandbox.aws.clients import Clients
from sandbox.aws.lambda_runtime.archive import unpacked_size
from sandbox.aws.services.lambda_requests import invalid

# "Lambda quotas": the deployment package, unzipped, with all layers.
UNPACKED_LIMIT = 262_144_000

Request = dict[str, Any]


class CodeSource:
    """Fetches packages.

    Args:
        clients: Of the sandbox's endpoint, where S3 is; None refuses code in S3.
    """

    def __init__(self, clients: Clients | None) -> None:
        self._clients = clients

    def fetch(self, source: Request, region: str) -> bytes:
        """The package that a function's Code or a layer's Content names.

        Raises:
            AwsError: InvalidParameterValueException: there is none, it is no ZIP file, or it is too large.
        """
        if source.get("ImageUri"):
            raise invalid("ImageUri is not implemented by the sandbox yet.")
        if source.get("ZipFile") is not None:
            if source.get("S3Bucket"):
                raise invalid("Please do not provide other FunctionCode parameters when providing a ZipFile.")
            package = bytes(source["ZipFile"])
        elif source.get("S3Bucket") and source.get("S3Key"):
            package = self._from_s3(source, region)
        else:
            raise invalid("Please provide a source for function code.")
        try:
            size = unpacked_size(package)
        except ValueError as error:
            raise invalid("Could not unzip uploaded file. Please check your file, then try to upload again.") from error
        if size > UNPACKED_LIMIT:
            raise invalid(f"Unzipped size must be smaller than {UNPACKED_LIMIT} bytes")
        return package

    def _from_s3(self, source: Request, region: str) -> bytes:
        if self._clients is None:
            raise invalid("This endpoint has no S3 to take the code from.")
        where = {"Bucket": source["S3Bucket"], "Key": source["S3Key"]}
        if source.get("S3ObjectVersion"):
            where["VersionId"] = source["S3ObjectVersion"]
        try:
            answer = self._clients("s3", region).get_object(**where)
        except ClientError as error:
            refusal = error.response["Error"]
            raise invalid(
                f"Error occurred while GetObject. S3 Error Code: {refusal['Code']}. "
                f"S3 Error Message: {refusal['Message']}"
            ) from error
        return bytes(answer["Body"].read())
