"""The functions that the Lambda API holds, shared by the modules of its operations."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sandbox.aws.lambda_runtime.function import FunctionConfig
from sandbox.aws.protocol import AwsError, RequestContext
from sandbox.aws.services.lambda_layers import code_sha256
from sandbox.aws.services.lambda_requests import invalid, not_found, parse_name

Request = dict[str, Any]
Answer = dict[str, Any]

LATEST = "$LATEST"
_UNCHANGED = {
    "PackageType": "Zip",
    "State": "Active",
    "LastUpdateStatus": "Successful",
    "TracingConfig": {"Mode": "PassThrough"},
    "EphemeralStorage": {"Size": 512},
    "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
}


@dataclass
class Function:
    """A function and what only the API knows of it.

    Attributes:
        config: What is run.
        shown: Members of its FunctionConfiguration that change nothing.
        modified: When, in seconds since the epoch.
        tags: Its tags.
        statements: Its resource policy, by statement id.
        event_invoke: Its FunctionEventInvokeConfig, or None.
        recursive_loop: "Terminate" or "Allow".
        versions: Published ones by number, oldest first; they never change.
        last_version: The greatest number that there was.
        published: The revision that the last published version is of.
    """

    config: FunctionConfig
    shown: dict[str, Any]
    modified: float
    tags: dict[str, str]
    statements: dict[str, dict[str, Any]] = field(default_factory=dict)
    event_invoke: dict[str, Any] | None = None
    recursive_loop: str = "Terminate"
    versions: dict[str, Function] = field(default_factory=dict)
    last_version: int = 0
    published: str = ""

    @property
    def arn(self) -> str:
        """With the number of its version, if it is a published one."""
        config = self.config
        return config.arn if config.version == LATEST else f"{config.arn}:{config.version}"

    def configuration(self) -> Answer:
        """The API's FunctionConfiguration."""
        config = self.config
        modified = datetime.fromtimestamp(self.modified, UTC).isoformat(timespec="milliseconds")
        answer = {
            **_UNCHANGED,
            **self.shown,
            "FunctionName": config.name,
            "FunctionArn": self.arn,
            "Version": config.version,
            "Runtime": config.runtime,
            "Handler": config.handler,
            "CodeSize": len(config.code),
            "CodeSha256": code_sha256(config.code),
            "Timeout": config.timeout,
            "MemorySize": config.memory_size,
            "LastModified": modified.replace("+00:00", "+0000"),
            "RevisionId": config.revision,
            "LoggingConfig": {"LogFormat": "Text", "LogGroup": config.log_group or f"/aws/lambda/{config.name}"},
        }
        if config.environment:
            answer["Environment"] = {"Variables": dict(config.environment)}
        if config.dead_letter_target:
            answer["DeadLetterConfig"] = {"TargetArn": config.dead_letter_target}
        if config.layers:
            answer["Layers"] = [{"Arn": layer.arn, "CodeSize": len(layer.code)} for layer in config.layers]
        return answer


class FunctionStore:
    """All functions, by their ARN without a qualifier. Hold `lock` to change one."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._functions: dict[str, Function] = {}

    def add(self, function: Function) -> None:
        """Add a function.

        Raises:
            AwsError: ResourceConflictException: there is one of that name.
        """
        with self.lock:
            if function.config.arn in self._functions:
                raise AwsError("ResourceConflictException", f"Function already exist: {function.config.name}", 409)
            self._functions[function.config.arn] = function

    def remove(self, arn: str) -> None:
        """Forget a function."""
        with self.lock:
            del self._functions[arn]

    def get(self, arn: str) -> Function | None:
        """The function of an ARN, or None."""
        with self.lock:
            return self._functions.get(arn)

    def find(self, request: Request, context: RequestContext) -> Function:
        """The function that a request names, in any of AWS's ways.

        Raises:
            AwsError: ResourceNotFoundException, or it names a published version.
        """
        function = self.find_version(request, context)
        if function.config.version != LATEST:
            raise invalid(f"The sandbox does this with {LATEST} only, not with the version {function.config.version}.")
        return function

    def find_version(self, request: Request, context: RequestContext) -> Function:
        """The function that a request names, or the version of one if it has a qualifier.

        Raises:
            AwsError: ResourceNotFoundException.
        """
        arn, qualifier = parse_name(request["FunctionName"], context)
        qualifier = request.get("Qualifier") or qualifier
        function = self.get(arn)
        if function is not None and qualifier != LATEST:
            function = function.versions.get(qualifier)
        if function is None:
            raise not_found(f"Function not found: {arn}" + (f":{qualifier}" if qualifier != LATEST else ""))
        return function

    def in_region(self, region: str) -> list[Function]:
        """The functions of a region, oldest first."""
        with self.lock:
            return [function for function in self._functions.values() if function.config.region == region]
