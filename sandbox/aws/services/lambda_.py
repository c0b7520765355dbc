"""The Lambda API: functions as ZIP files for Python, their invocation and their policies.

https://docs.aws.amazon.com/lambda/latest/api/. What the sandbox would have to ignore (images, versions and aliases) is
refused. Policies are stored and shown; nobody is refused by them. The API's other matters have modules of their own,
whose operations the service inherits.
"""

from __future__ import annotations

import base64
import json
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from sandbox.aws.clients import Clients
from sandbox.aws.lambda_runtime.function import FunctionConfig
from sandbox.aws.lambda_runtime.runtime import FunctionRuntime
from sandbox.aws.protocol import AwsError, RequestContext
from sandbox.aws.services.lambda_code import CodeSource
from sandbox.aws.services.lambda_layers import LayerOperations, check_size, code_sha256
from sandbox.aws.services.lambda_requests import (
    check_event,
    client_context,
    configured,
    invalid,
    not_found,
    parse_name,
    policy_statement,
    shown_only,
)
from sandbox.clock import Clock
from sandbox.timeline import Timeline

Request = dict[str, Any]
Answer = dict[str, Any]

_LOG_TAIL = 4096
_UNCHANGED = {
    "Version": "$LATEST",
    "PackageType": "Zip",
    "State": "Active",
    "LastUpdateStatus": "Successful",
    "TracingConfig": {"Mode": "PassThrough"},
    "EphemeralStorage": {"Size": 512},
    "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
}


@dataclass
class _Function:
    """A function and what only the API shows of it."""

    config: FunctionConfig
    shown: dict[str, Any]
    modified: float
    tags: dict[str, str]
    statements: dict[str, dict[str, Any]] = field(default_factory=dict)

    def configuration(self) -> Answer:
        """The API's FunctionConfiguration."""
        config = self.config
        modified = datetime.fromtimestamp(self.modified, UTC).isoformat(timespec="milliseconds")
        answer = {
            **_UNCHANGED,
            **self.shown,
            "FunctionName": config.name,
            "FunctionArn": config.arn,
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
        if config.layers:
            answer["Layers"] = [{"Arn": layer.arn, "CodeSize": len(layer.code)} for layer in config.layers]
        return answer


class LambdaService(LayerOperations):
    """Functions of one account, by region.

    Args:
        runtime: Runs them.
        timeline: Gets ``lambda.function`` when one is created, changed or deleted.
        clock: Dates the changes.
        clients: Of the sandbox's endpoint: for code in S3. Without them such code is refused.
    """

    service_name = "lambda"
    validation_error_code = "ValidationException"

    def __init__(
        self, runtime: FunctionRuntime, timeline: Timeline, clock: Clock, clients: Clients | None = None
    ) -> None:
        LayerOperations.__init__(self, CodeSource(clients), clock)
        self._runtime = runtime
        self._timeline = timeline
        self._clock = clock
        self._functions: dict[str, _Function] = {}
        self._lock = threading.RLock()

    # -- functions --

    def create_function(self, request: Request, context: RequestContext) -> Answer:
        """CreateFunction; the function is Active at once."""
        if "Runtime" not in request or "Handler" not in request:
            raise invalid(
                "Runtime and Handler are mandatory parameters for functions created with deployment packages."
            )
        if request.get("PackageType", "Zip") != "Zip" or request.get("Publish"):
            raise invalid("The sandbox has neither container images nor versions of functions yet.")
        arn, _ = parse_name(request["FunctionName"], context)
        name = arn.rpartition(":")[2]
        code = self._code_source.fetch(request["Code"], context.region)
        config = self._configured(
            FunctionConfig(name, arn, "", request["Handler"], request["Runtime"], code, region=context.region), request
        )
        with self._lock:
            if arn in self._functions:
                raise AwsError("ResourceConflictException", f"Function already exist: {name}", 409)
            shown = {
                "Architectures": request.get("Architectures", ["x86_64"]),
                "Description": "",
                **shown_only(request),
            }
            function = _Function(config, shown, self._clock.now(), dict(request.get("Tags", {})))
            self._functions[arn] = function
            self._timeline.record("lambda.function", function=name, change="created", handler=config.handler)
            return function.configuration()

    def update_function_code(self, request: Request, context: RequestContext) -> Answer:
        """UpdateFunctionCode; takes effect with the next invocation."""
        if request.get("Publish"):
            raise invalid("The sandbox has no versions of functions yet.")
        code = self._code_source.fetch(request, context.region)
        with self._lock:
            function = self._find(request, context)
            check_size(code, function.config.layers)
            return self._change(function, replace(function.config, code=code), request)

    def update_function_configuration(self, request: Request, context: RequestContext) -> Answer:
        """UpdateFunctionConfiguration; takes effect with the next invocation."""
        with self._lock:
            function = self._find(request, context)
            config = self._configured(function.config, request)
            answer = self._change(function, config, request)
            function.shown.update(shown_only(request))
            return {**answer, **function.shown}

    def get_function(self, request: Request, context: RequestContext) -> Answer:
        """GetFunction. The code has no location: there is no bucket that holds it."""
        function = self._find(request, context)
        answer: Answer = {"Configuration": function.configuration(), "Code": {"RepositoryType": "S3"}}
        if function.tags:
            answer["Tags"] = function.tags
        return answer

    def get_function_configuration(self, request: Request, context: RequestContext) -> Answer:
        """GetFunctionConfiguration."""
        return self._find(request, context).configuration()

    def list_functions(self, request: Request, context: RequestContext) -> Answer:
        """ListFunctions; one page."""
        with self._lock:
            return {
                "Functions": [f.configuration() for f in self._functions.values() if f.config.region == context.region]
            }

    def delete_function(self, request: Request, context: RequestContext) -> Answer:
        """DeleteFunction. Invocations under way end as they would have."""
        with self._lock:
            function = self._find(request, context)
            del self._functions[function.config.arn]
        self._runtime.retire(function.config.name)
        self._timeline.record("lambda.function", function=function.config.name, change="deleted")
        return {}

    # -- invocation --

    def invoke(self, request: Request, context: RequestContext) -> Answer:
        """Invoke: RequestResponse, Event or DryRun."""
        function = self._find(request, context)
        payload = request.get("Payload") or b"{}"
        check_event(payload)
        kind = request.get("InvocationType", "RequestResponse")
        if kind == "DryRun":
            return {"StatusCode": 204}
        name = function.config.name
        if kind == "Event":
            self._runtime.invoke_asynchronously(self._lookup(function.config.arn), name, payload, trigger="invoke")
            return {"StatusCode": 202, "Payload": b""}
        result = self._runtime.invoke(function.config, payload, client_context=client_context(request))
        answer: Answer = {"StatusCode": 200, "Payload": result.payload, "ExecutedVersion": "$LATEST"}
        if result.failed:
            answer["FunctionError"] = "Unhandled"
        if request.get("LogType") == "Tail":
            answer["LogResult"] = base64.b64encode(result.log.encode()[-_LOG_TAIL:]).decode()
        return answer

    def deliver(
        self,
        function_arn: str,
        payload: bytes,
        *,
        trigger: str,
        accepted: Callable[[], object],
        submit: Callable[[Callable[[], None]], None],
    ) -> None:
        """An asynchronous invocation by another service, whose first attempt runs on the caller's thread.

        Args:
            function_arn: The function.
            payload: The event, JSON.
            trigger: Who invokes, for the timeline.
            accepted: Called once Lambda has taken the event, before it runs.
            submit: Is given the retries when they are due, to be run on a thread of the caller's.

        Raises:
            AwsError: ResourceNotFoundException: there is no such function.
        """
        region = function_arn.split(":")[3] if function_arn.startswith("arn:") else RequestContext().region
        function = self._find({"FunctionName": function_arn}, RequestContext(region=region))
        request_id = str(uuid.uuid4())
        lookup = self._lookup(function.config.arn)

        def attempt(number: int) -> None:
            self._runtime.attempt(lookup, payload, trigger, request_id, number, again)

        def again(number: int) -> None:
            submit(lambda: attempt(number))

        accepted()
        attempt(1)

    # -- policies --

    def add_permission(self, request: Request, context: RequestContext) -> Answer:
        """AddPermission."""
        sid = request["StatementId"]
        with self._lock:
            function = self._find(request, context)
            if sid in function.statements:
                raise AwsError(
                    "ResourceConflictException",
                    f"The statement id ({sid}) provided already exists. Please provide a new statement id, "
                    "or remove the existing statement.",
                    409,
                )
            function.statements[sid] = statement = policy_statement(request, function.config.arn)
        return {"Statement": json.dumps(statement)}

    def remove_permission(self, request: Request, context: RequestContext) -> Answer:
        """RemovePermission."""
        with self._lock:
            function = self._find(request, context)
            if function.statements.pop(request["StatementId"], None) is None:
                raise not_found(f"Statement {request['StatementId']} is not found in resource policy.")
        return {}

    def get_policy(self, request: Request, context: RequestContext) -> Answer:
        """GetPolicy."""
        function = self._find(request, context)
        if not function.statements:
            raise not_found("The resource you requested does not exist.")
        policy = {"Version": "2012-10-17", "Id": "default", "Statement": list(function.statements.values())}
        return {"Policy": json.dumps(policy), "RevisionId": function.config.revision}

    # -- inside --

    def _configured(self, config: FunctionConfig, request: Request) -> FunctionConfig:
        config = configured(config, request)
        if "Layers" in request:
            config = replace(config, layers=self._layers_named(request["Layers"]))
            check_size(config.code, config.layers)
        return config

    def _find(self, request: Request, context: RequestContext) -> _Function:
        arn, qualifier = parse_name(request["FunctionName"], context)
        qualifier = request.get("Qualifier") or qualifier
        with self._lock:
            function = self._functions.get(arn)
        if function is None or qualifier != "$LATEST":
            raise not_found(f"Function not found: {arn}" + (f":{qualifier}" if qualifier != "$LATEST" else ""))
        return function

    def _lookup(self, arn: str) -> Callable[[], FunctionConfig | None]:
        def lookup() -> FunctionConfig | None:
            with self._lock:
                function = self._functions.get(arn)
                return function.config if function else None

        return lookup

    def _change(self, function: _Function, config: FunctionConfig, request: Request) -> Answer:
        if request.get("RevisionId", function.config.revision) != function.config.revision:
            raise AwsError(
                "PreconditionFailedException",
                "The RevisionId provided does not match the latest RevisionId. Call the GetFunction/GetAlias API to "
                "retrieve the latest RevisionId",
                412,
            )
        if request.get("DryRun"):
            return function.configuration()
        function.config = replace(config, revision=str(uuid.uuid4()))
        function.modified = self._clock.now()
        self._runtime.retire(config.name)
        self._timeline.record("lambda.function", function=config.name, change="updated", handler=config.handler)
        return function.configuration()
