"""Versions of the Lambda API: what is published of a function, and never changes.

https://docs.aws.amazon.com/lambda/latest/api/API_PublishVersion.html; AWS Lambda Developer Guide, "Manage Lambda
function versions". Lambda@Edge runs versions alone; a version that a distribution is associated with is not deleted.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sandbox.aws.account import REGION
from sandbox.aws.lambda_runtime.function import FunctionConfig
from sandbox.aws.protocol import AwsError, RequestContext
from sandbox.aws.services.lambda_functions import Function, FunctionStore
from sandbox.aws.services.lambda_layers import code_sha256
from sandbox.aws.services.lambda_requests import invalid, parse_name
from sandbox.clock import Clock
from sandbox.timeline import Timeline

Request = dict[str, Any]
Answer = dict[str, Any]


class VersionOperations:
    """The API's operations on versions.

    Args:
        store: The functions.
        timeline: Gets ``lambda.function`` when a version is published.
        clock: Dates the versions.

    Attributes:
        is_replicated: Whether a version, by its ARN, is at edge locations.
    """

    def __init__(self, store: FunctionStore, timeline: Timeline, clock: Clock) -> None:
        self._store = store
        self._timeline = timeline
        self._clock = clock
        self.is_replicated: Callable[[str], bool] = lambda arn: False

    def publish_version(self, request: Request, context: RequestContext) -> Answer:
        """PublishVersion; of what has not changed since the last one, that one is answered."""
        with self._store.lock:
            function = self._store.find(request, context)
            self._check_revision(function, request)
            current = code_sha256(function.config.code)
            given = request.get("CodeSha256", current)
            if given != current:
                raise invalid(
                    f"CodeSHA256 ({given}) is different from current CodeSHA256 in $LATEST ({current}). "
                    "Please try again with the CodeSHA256 in $LATEST."
                )
            return self._publish(function, request.get("Description")).configuration()

    def list_versions_by_function(self, request: Request, context: RequestContext) -> Answer:
        """ListVersionsByFunction; one page, $LATEST first."""
        function = self._store.find(request, context)
        return {"Versions": [one.configuration() for one in (function, *function.versions.values())]}

    def _remove(self, request: Request, context: RequestContext) -> list[Function]:
        """Forget a function with all its versions, or one version of it; what there was of it.

        Raises:
            AwsError: ResourceNotFoundException, or InvalidParameterValueException: a version is at edge locations.
        """
        arn, named = parse_name(request["FunctionName"], context)
        with self._store.lock:
            one = self._store.find_version(request, context)
            function = self._store.get(arn)
            assert function is not None
            if one is function and (request.get("Qualifier") or request["FunctionName"].endswith(f":{named}")):
                raise invalid("$LATEST version cannot be deleted without deleting the function.")
            going = [function, *function.versions.values()] if one is function else [one]
            for each in going:
                if self.is_replicated(each.arn):
                    raise invalid(
                        f"Lambda was unable to delete {each.arn} because it is a replicated function. Please see our "
                        "documentation for Deleting Lambda@Edge Functions and Replicas."
                    )
            if one is function:
                self._store.remove(arn)
            else:
                del function.versions[one.config.version]
        return going

    def _publish(self, function: Function, description: str | None = None) -> Function:
        last = function.versions.get(str(function.last_version))
        if last is not None and function.published == function.config.revision:
            return last
        function.last_version += 1
        number = str(function.last_version)
        config = replace(function.config, version=number, revision=str(uuid.uuid4()))
        shown = {**function.shown, **({"Description": description} if description is not None else {})}
        made = Function(config, shown, self._clock.now(), {})
        function.versions[number] = made
        function.published = function.config.revision
        self._timeline.record("lambda.function", function=config.name, change="published", handler=config.handler)
        return made

    def _check_revision(self, function: Function, request: Request) -> None:
        if request.get("RevisionId", function.config.revision) != function.config.revision:
            raise AwsError(
                "PreconditionFailedException",
                "The RevisionId provided does not match the latest RevisionId. Call the GetFunction/GetAlias API to "
                "retrieve the latest RevisionId",
                412,
            )


def edge_name(config: FunctionConfig) -> str:
    """As a function is called at edge locations, and so in the names of its log groups."""
    return f"{REGION}.{config.name}"
