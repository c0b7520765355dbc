"""The Lambda API: functions as ZIP files for Python, their invocation and their policies.

https://docs.aws.amazon.com/lambda/latest/api/. What the sandbox would have to ignore (images and aliases) is
refused. Policies are stored and shown, and may allow a call to the session of a role (`sandbox.aws.authorization`).
The API's other matters have modules of their own, whose operations the service inherits.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sandbox.aws.clients import Clients
from sandbox.aws.lambda_runtime.function import FunctionConfig, Result
from sandbox.aws.lambda_runtime.runtime import FunctionRuntime
from sandbox.aws.protocol import AwsError, RequestContext
from sandbox.aws.services.lambda_code import CodeSource
from sandbox.aws.services.lambda_destinations import DEAD_LETTER_SERVICES, check_target
from sandbox.aws.services.lambda_event_sources import EventSourceOperations
from sandbox.aws.services.lambda_functions import LATEST, Function, FunctionStore
from sandbox.aws.services.lambda_layers import LayerOperations, check_size
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
from sandbox.aws.services.lambda_versions import VersionOperations, edge_name
from sandbox.clock import Clock
from sandbox.timeline import Timeline

Request = dict[str, Any]
Answer = dict[str, Any]

_LOG_TAIL = 4096


class LambdaService(LayerOperations, VersionOperations, EventSourceOperations):
    """Functions of one account, by region. `close` ends what waits and polls for them.

    Args:
        runtime: Runs them.
        timeline: Gets ``lambda.function`` when one is created, changed or deleted.
        clock: Dates the changes.
        clients: Of the sandbox's endpoint: for code in S3, destinations and event sources. Without them such code and
            event sources are refused.

    Attributes:
        may_assume: Whether a service ("lambda.amazonaws.com") may assume the role of an ARN.
    """

    service_name = "lambda"
    validation_error_code = "ValidationException"

    def __init__(
        self, runtime: FunctionRuntime, timeline: Timeline, clock: Clock, clients: Clients | None = None
    ) -> None:
        LayerOperations.__init__(self, CodeSource(clients), clock)
        EventSourceOperations.__init__(self, FunctionStore(), runtime, timeline, clock, clients)
        VersionOperations.__init__(self, self._store, timeline, clock)
        self.may_assume: Callable[[str, str], bool] = lambda role, service: True

    # -- functions --

    def create_function(self, request: Request, context: RequestContext) -> Answer:
        """CreateFunction; the function is Active at once. The ARN has no version, also with Publish."""
        if "Runtime" not in request or "Handler" not in request:
            raise invalid(
                "Runtime and Handler are mandatory parameters for functions created with deployment packages."
            )
        if request.get("PackageType", "Zip") != "Zip":
            raise invalid("The sandbox has no container images of functions yet.")
        arn, _ = parse_name(request["FunctionName"], context)
        name = arn.rpartition(":")[2]
        code = self._code_source.fetch(request["Code"], context.region)
        config = self._configured(
            FunctionConfig(name, arn, "", request["Handler"], request["Runtime"], code, region=context.region), request
        )
        shown = {"Architectures": request.get("Architectures", ["x86_64"]), "Description": "", **shown_only(request)}
        function = Function(config, shown, self._clock.now(), dict(request.get("Tags", {})))
        self._store.add(function)
        self._timeline.record("lambda.function", function=name, change="created", handler=config.handler)
        return {**self._published_if(request, function), "FunctionArn": arn}

    def update_function_code(self, request: Request, context: RequestContext) -> Answer:
        """UpdateFunctionCode; takes effect with the next invocation."""
        code = self._code_source.fetch(request, context.region)
        with self._store.lock:
            function = self._store.find(request, context)
            check_size(code, function.config.layers)
            answer = self._change(function, replace(function.config, code=code), request)
            return answer if request.get("DryRun") else self._published_if(request, function)

    def update_function_configuration(self, request: Request, context: RequestContext) -> Answer:
        """UpdateFunctionConfiguration; takes effect with the next invocation."""
        with self._store.lock:
            function = self._store.find(request, context)
            config = self._configured(function.config, request)
            answer = self._change(function, config, request)
            function.shown.update(shown_only(request))
            return {**answer, **function.shown}

    def get_function(self, request: Request, context: RequestContext) -> Answer:
        """GetFunction. The code has no location: there is no bucket that holds it."""
        function = self._store.find_version(request, context)
        answer: Answer = {"Configuration": function.configuration(), "Code": {"RepositoryType": "S3"}}
        if function.tags:
            answer["Tags"] = function.tags
        reserved = self._reserved(function.config)
        if reserved is not None:
            answer["Concurrency"] = {"ReservedConcurrentExecutions": reserved}
        return answer

    def get_function_configuration(self, request: Request, context: RequestContext) -> Answer:
        """GetFunctionConfiguration."""
        return self._store.find_version(request, context).configuration()

    def get_function_code_signing_config(self, request: Request, context: RequestContext) -> Answer:
        """GetFunctionCodeSigningConfig: no function has one, and Terraform asks for it."""
        return {"CodeSigningConfigArn": "", "FunctionName": self._store.find(request, context).config.name}

    def list_functions(self, request: Request, context: RequestContext) -> Answer:
        """ListFunctions; one page."""
        return {"Functions": [function.configuration() for function in self._store.in_region(context.region)]}

    def delete_function(self, request: Request, context: RequestContext) -> Answer:
        """DeleteFunction, or one version of it. Invocations under way end as they would have."""
        for one in self._remove(request, context):
            config = one.config
            if config.version == LATEST:
                self._unreserve(config)
                self._timeline.record("lambda.function", function=config.name, change="deleted")
            for name in (config.name, edge_name(config)):
                self._runtime.retire(name, config.version)
        return {}

    # -- invocation --

    def invoke(self, request: Request, context: RequestContext) -> Answer:
        """Invoke: RequestResponse, Event or DryRun; a published version by RequestResponse and DryRun."""
        payload = request.get("Payload") or b"{}"
        kind = request.get("InvocationType", "RequestResponse")
        find = self._store.find if kind == "Event" else self._store.find_version
        function = find(request, context)
        check_event(payload, kind)
        if kind == "DryRun":
            return {"StatusCode": 204}
        if kind == "Event":
            self.accept(function.config.arn, payload, trigger="invoke", trace_id=context.trace_id)
            return {"StatusCode": 202, "Payload": b""}
        lineage = self._entered(function, context.trace_id)
        with self._admitted(function.config):
            result = self._runtime.invoke(
                function.config, payload, client_context=client_context(request), lineage=lineage
            )
        answer: Answer = {"StatusCode": 200, "Payload": result.payload, "ExecutedVersion": function.config.version}
        if result.failed:
            answer["FunctionError"] = "Unhandled"
        if request.get("LogType") == "Tail":
            answer["LogResult"] = base64.b64encode(result.log.encode()[-_LOG_TAIL:]).decode()
        return answer

    def run_at_edge(self, arn: str, payload: bytes, trigger: str) -> Result:
        """Run a published version as Lambda@Edge does, and wait for its result.

        Args:
            arn: Of the version.
            payload: The event, JSON.
            trigger: "viewer-request" and the like.

        Raises:
            AwsError: It is throttled, or there is no such version, or this machine cannot run it now.
        """
        function = self._store.find_version({"FunctionName": arn}, RequestContext())
        name = edge_name(function.config)
        replica = replace(function.config, name=name, log_group=f"/aws/lambda/{name}")
        with self._admitted(function.config):
            return self._runtime.invoke(replica, payload, trigger=trigger)

    def edge_function(self, arn: str) -> Answer | None:
        """The FunctionConfiguration of a published version by its ARN; None where there is none."""
        try:
            return self._store.find_version({"FunctionName": arn}, RequestContext()).configuration()
        except AwsError:
            return None

    # -- policies --

    def add_permission(self, request: Request, context: RequestContext) -> Answer:
        """AddPermission."""
        sid = request["StatementId"]
        with self._store.lock:
            function = self._store.find(request, context)
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
        with self._store.lock:
            function = self._store.find(request, context)
            if function.statements.pop(request["StatementId"], None) is None:
                raise not_found(f"Statement {request['StatementId']} is not found in resource policy.")
        return {}

    def policy(self, arn: str) -> str | None:
        """The policy of a function or of one of its versions; None where there is none."""
        try:
            return str(self.get_policy({"FunctionName": arn}, RequestContext(region=arn.split(":")[3]))["Policy"])
        except AwsError:
            return None

    def get_policy(self, request: Request, context: RequestContext) -> Answer:
        """GetPolicy."""
        function = self._store.find(request, context)
        if not function.statements:
            raise not_found("The resource you requested does not exist.")
        policy = {"Version": "2012-10-17", "Id": "default", "Statement": list(function.statements.values())}
        return {"Policy": json.dumps(policy), "RevisionId": function.config.revision}

    # -- inside --

    def _configured(self, config: FunctionConfig, request: Request) -> FunctionConfig:
        config = configured(config, request)
        if "Role" in request and not self.may_assume(config.role, "lambda.amazonaws.com"):
            raise invalid("The role defined for the function cannot be assumed by Lambda.")
        if config.dead_letter_target:
            check_target(config.dead_letter_target, DEAD_LETTER_SERVICES, config.arn)
        if "Layers" in request:
            config = replace(config, layers=self._layers_named(request["Layers"]))
            check_size(config.code, config.layers)
        return config

    def _published_if(self, request: Request, function: Function) -> Answer:
        return (self._publish(function) if request.get("Publish") else function).configuration()

    def _change(self, function: Function, config: FunctionConfig, request: Request) -> Answer:
        self._check_revision(function, request)
        if request.get("DryRun"):
            return function.configuration()
        function.config = replace(config, revision=str(uuid.uuid4()))
        function.modified = self._clock.now()
        self._runtime.retire(config.name)
        self._timeline.record("lambda.function", function=config.name, change="updated", handler=config.handler)
        return function.configuration()
