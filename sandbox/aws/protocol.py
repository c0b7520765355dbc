"""The AWS protocols, server side: an HTTP request in, one method call on a service of ours, an HTTP response out.

Operations, shapes and errors come from botocore's service models, so that a client sees AWS's own wire format and AWS's
own errors. Four protocols are spoken: ``json`` (https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html),
``rest-json`` (https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html), ``rest-xml``
(https://smithy.io/2.0/aws/protocols/aws-restxml-protocol.html) and ``query``
(https://smithy.io/2.0/aws/protocols/aws-query-protocol.html).

A service is any object with the attribute ``service_name`` (botocore's name) and one method per operation that it
implements, named as botocore names it::

    class Events:
        service_name = "events"
        validation_error_code = "ValidationException"

        def put_rule(self, request: dict[str, Any], context: RequestContext) -> dict[str, Any]: ...

The request is what the model describes: blobs are ``bytes``, timestamps are aware datetimes, members that the model
does not know are gone. The answer has the model's members; a timestamp may be a datetime or seconds since the epoch.
"""

from __future__ import annotations

import json
import logging
import os
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import parse_qs, parse_qsl, unquote
from xml.etree.ElementTree import Element, SubElement

from botocore import xform_name
from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel, Shape

from sandbox.aws import wire, wire_query, wire_xml
from sandbox.aws.account import ACCOUNT_ID, REGION
from sandbox.aws.validation import constraint_errors
from sandbox.errors import log_failure

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RequestContext:
    """Who calls, and where: the account is the sandbox's only one, the region is that of the request's signature.

    ``trace_id`` is the X-Amzn-Trace-Id header, which AWS's SDKs send from within a function; an empty string without.
    """

    account_id: str = ACCOUNT_ID
    region: str = REGION
    trace_id: str = ""


class AwsError(Exception):
    """An error that AWS answers with; a service raises it and the client sees it as its own `ClientError`.

    Args:
        code: AWS's name of the error ("ClusterNotFoundException").
        message: AWS's words where they are known.
        status: The HTTP status, where the model does not state one for this error.
        members: Further members of the error's shape (``{"DuplicateOperationId": "..."}``).
    """

    def __init__(self, code: str, message: str, status: int = 400, *, members: Mapping[str, Any] | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.members = dict(members or {})


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One HTTP request.

    Attributes:
        method: In capitals.
        path: As sent, still percent-encoded, without the query.
        query: As sent, without the question mark.
        headers: Names in lower case.
        body: The whole body.
    """

    method: str
    path: str = "/"
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """One HTTP response, and the operation that it answers (None where the request named none)."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    operation: str | None = None


@cache
def service_model(service_name: str) -> ServiceModel:
    """Botocore's model of a service. Only the models that botocore ships are read, none from the home directory."""
    return ServiceModel(botocore_data().load_service_model(service_name, "service-2"), service_name)


@cache
def botocore_data() -> Loader:
    """Botocore's own data, parsed once for the gateway and its clients; the caller's ``~/.aws/models`` is not read."""
    loader = Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
    with os.scandir(Loader.BUILTIN_DATA_PATH) as found:
        services = sorted(one.name for one in found if one.is_dir())
    # Each folder is a service's. Botocore looks into all of them for a file of the type, which takes 0.01 s each time.
    loader.list_available_services = lambda type_name: services
    return loader


@cache
def regions() -> frozenset[str]:
    """The regions that botocore knows, of all partitions, such as "eu-west-1"; among them "aws-global" and its like."""
    return frozenset(
        region for one in botocore_data().load_data("partitions")["partitions"] for region in one["regions"]
    )


def error_response(error: AwsError, shape: Shape | None = None, operation: str | None = None) -> HttpResponse:
    """The answer of a JSON service to a request that failed.

    Args:
        error: What failed; a status that the error's shape states wins over the error's own.
        shape: The error's shape in the service's model, if it is modelled.
        operation: The operation that failed.
    """
    message_member = "message"
    members: dict[str, Any] = {}
    if shape is not None:
        message_member = next((name for name in shape.members if name.lower() == "message"), message_member)
        members = wire.to_json(error.members, shape)
    body = {"__type": error.code, message_member: error.message, **members}
    headers = _headers({"x-amzn-ErrorType": error.code})
    return HttpResponse(_error_status(error, shape), headers, json.dumps(body).encode(), operation)


def xml_error_response(
    error: AwsError, shape: Shape | None, operation: str | None, namespace: str = ""
) -> HttpResponse:
    """The answer of a service that speaks XML to a request that failed; further members of the error are not sent.

    Args:
        error: What failed; a status that the error's shape states wins over the error's own.
        shape: The error's shape in the service's model, if it is modelled.
        operation: The operation that failed.
        namespace: The service's XML namespace.
    """
    status = _error_status(error, shape)
    headers = _headers({}, "text/xml")
    root = Element("ErrorResponse", {"xmlns": namespace} if namespace else {})
    told = SubElement(root, "Error")
    SubElement(told, "Type").text = "Sender" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "Receiver"
    SubElement(told, "Code").text = error.code
    SubElement(told, "Message").text = error.message
    SubElement(root, "RequestId").text = headers["x-amzn-RequestId"]
    return HttpResponse(status, headers, wire_xml.document(root), operation)


def _error_status(error: AwsError, shape: Shape | None) -> int:
    modelled = shape.metadata.get("error", {}) if shape is not None else {}
    return int(modelled.get("httpStatusCode", error.status))


def _headers(more: Mapping[str, str], content_type: str = "application/json") -> dict[str, str]:
    return {"Content-Type": content_type, "x-amzn-RequestId": str(uuid.uuid4()), **more}


class ServiceEndpoint:
    """Serves one of our services over HTTP. Handlers are called on the caller's thread.

    Args:
        service: An object as this module's docstring describes it. Besides ``service_name`` it may have
            ``validation_error_code``: the code of the error that answers a request which breaks a constraint of the
            model (ECS: ``InvalidParameterException``, Lambda: ``InvalidParameterValueException``), by default
            ``ValidationException``; ``serialization_error_code``: the same for a request that cannot be read, by
            default ``SerializationException``; and ``falls_back``: true if operations that it lacks go to the backend
            behind the gateway (SSM: Run Command is ours, Parameter Store is not) instead of being refused.
    """

    def __init__(self, service: Any) -> None:
        self.service = service
        self.name: str = service.service_name
        self.falls_back: bool = getattr(service, "falls_back", False)

    @cached_property
    def model(self) -> ServiceModel:
        """Botocore's model of the service."""
        return service_model(self.name)

    @property
    def signing_name(self) -> str:
        """The service's name in a signature's scope."""
        return cast("str", self.model.signing_name)

    @property
    def target_prefix(self) -> str | None:
        """What precedes the operation in the X-Amz-Target header; None for a service of a REST protocol."""
        return cast("str | None", self.model.metadata.get("targetPrefix"))

    def is_other_version(self, request: HttpRequest) -> bool:
        """Whether a request is for another API that signs with the same name (ELB's, before version 2 of it)."""
        if self._protocol != "query":
            return False
        try:
            version = wire_query.read_form(request.query, request.body).get("Version", self.model.api_version)
        except wire.SerializationError:
            return False
        return bool(version != self.model.api_version)

    def operation_name(self, request: HttpRequest) -> str | None:
        """The operation that a request asks for, or None if the service's model has no such operation."""
        if self.is_rest:
            route = self._route(request)
            return route[0] if route else None
        if self._protocol == "query":
            name = self._form(request).get("Action", "")
        else:
            name = request.headers.get("x-amz-target", "").rpartition(".")[2]
        return name if name in self.model.operation_names else None

    def parameters(self, request: HttpRequest, operation: str) -> dict[str, Any]:
        """The parameters of a request, as the operation's method gets them.

        Raises:
            AwsError: It cannot be read, or breaks a constraint of the model.
        """
        return self._parse(request, self.model.operation_model(operation))

    @property
    def speaks_json(self) -> bool:
        """Whether answers are JSON; else they are XML."""
        return not self._is_xml

    @property
    def is_rest(self) -> bool:
        """Whether operations are named by method and path."""
        return self._protocol in {"rest-json", "rest-xml"}

    def implements(self, operation: str) -> bool:
        """Whether the service object has a method for the operation."""
        return callable(getattr(self.service, xform_name(operation), None))

    def handle(self, request: HttpRequest, context: RequestContext) -> HttpResponse:
        """Answer one request; whatever goes wrong becomes an AWS error, never an exception."""
        operation = None
        try:
            operation = self.operation_name(request)
            return self._call(request, operation, context)
        except AwsError as error:
            return self.refuse(error, operation)
        except Exception as error:
            log_failure(log, error, f"{self.name} {operation or request.path} failed")
            text = f"{type(error).__name__}: {error}"
            return self.refuse(AwsError("InternalFailure", text, 500), operation)

    def refuse(self, error: AwsError, operation: str | None) -> HttpResponse:
        """The answer to a request that failed."""
        shape = next((shape for shape in self.model.error_shapes if shape.error_code == error.code), None)
        if self._is_xml:
            return xml_error_response(error, shape, operation, self._namespace)
        return error_response(error, shape, operation)

    def _call(self, request: HttpRequest, operation: str | None, context: RequestContext) -> HttpResponse:
        if operation is None:
            raise self._unknown_operation(request)
        if not self.implements(operation):
            raise AwsError("NotImplemented", f"the sandbox does not implement {self.name} {operation}", 501)
        method: Callable[..., dict[str, Any] | None] = getattr(self.service, xform_name(operation))
        model = self.model.operation_model(operation)
        if model.has_event_stream_output or model.has_event_stream_input:
            raise AwsError("NotImplemented", f"the sandbox has no event streams, which {operation} needs", 501)
        parameters = self._parse(request, model)
        answer = method(parameters, context)
        return self._serialize(answer or {}, model)

    def _unknown_operation(self, request: HttpRequest) -> AwsError:
        if self._protocol == "query":
            action = self._form(request).get("Action", "")
            version = self.model.api_version
            return AwsError("InvalidAction", f"Could not find operation {action} for version {version}")
        asked = request.headers.get("x-amz-target") or f"{request.method} {request.path}"
        return AwsError("UnknownOperationException", f"{self.name} has no operation for {asked}")

    def _form(self, request: HttpRequest) -> dict[str, str]:
        try:
            return wire_query.read_form(request.query, request.body)
        except wire.SerializationError as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: wire.SerializationError) -> AwsError:
        return AwsError(getattr(self.service, "serialization_error_code", "SerializationException"), str(error))

    def _parse(self, request: HttpRequest, operation: OperationModel) -> dict[str, Any]:
        shape = operation.input_shape
        if shape is None:
            return {}
        try:
            if self.is_rest:
                parameters = self._parse_rest(request, shape)
            elif self._protocol == "query":
                parameters = wire_query.from_query(self._form(request).items(), shape)
            else:
                parameters = wire.from_json(wire.load_json(request.body), shape)
        except wire.SerializationError as error:
            raise self._unreadable(error) from error
        errors = constraint_errors(parameters, shape)
        if errors:
            code = getattr(self.service, "validation_error_code", "ValidationException")
            plural = "s" if len(errors) > 1 else ""
            raise AwsError(code, f"{len(errors)} validation error{plural} detected: {'; '.join(errors)}")
        return parameters

    def _parse_rest(self, request: HttpRequest, shape: Shape) -> dict[str, Any]:
        route = self._route(request)
        labels = route[1] if route else {}
        return wire.from_rest(
            shape,
            labels=labels,
            query=parse_qs(request.query, keep_blank_values=True),
            headers=request.headers,
            body=request.body,
            read=wire_xml.from_xml if self._is_xml else wire.read_json,
        )

    def _serialize(self, answer: dict[str, Any], operation: OperationModel) -> HttpResponse:
        shape = operation.output_shape
        if self._protocol == "query":
            sent = _headers({}, "text/xml")
            body = wire_query.to_query_answer(answer, operation, self._namespace, sent["x-amzn-RequestId"])
            return HttpResponse(200, sent, body, operation.name)
        if not self.is_rest:
            content = wire.write_json(answer, shape) if shape is not None else b"{}"
            content_type = f"application/x-amz-json-{self.model.metadata.get('jsonVersion', '1.1')}"
            return HttpResponse(200, _headers({}, content_type), content, operation.name)
        write: wire.WriteBody = self._write_xml if self._is_xml else wire.write_json
        content_type = "text/xml" if self._is_xml else "application/json"
        status, headers, body = wire.to_rest(answer, shape, operation.http.get("responseCode", 200), write)
        return HttpResponse(status, _headers(headers, content_type), body, operation.name)

    def _write_xml(self, value: Any, shape: Shape, name: str) -> bytes:
        return wire_xml.to_xml(value, shape, name, self._namespace)

    @property
    def _protocol(self) -> str:
        return str(self.model.metadata["protocol"])

    @property
    def _is_xml(self) -> bool:
        return self._protocol in {"rest-xml", "query"}

    @cached_property
    def _namespace(self) -> str:
        """The XML namespace: the service's own, or what botocore's models state at what is sent to it."""
        if "xmlNamespace" in self.model.metadata:
            return str(self.model.metadata["xmlNamespace"])
        for name in self.model.operation_names:
            shape = self.model.operation_model(name).input_shape
            for one in [] if shape is None else [shape, *shape.members.values()]:
                if "xmlNamespace" in one.serialization:
                    return cast("str", one.serialization["xmlNamespace"]["uri"])
        return ""

    def _route(self, request: HttpRequest) -> tuple[str, dict[str, str]] | None:
        """The operation of a REST request and the path's labels, decoded."""
        path = request.path.rstrip("/") or "/"
        query = _parameters(request.query)
        for route in self._routes:
            match = route.pattern.fullmatch(path) if route.method == request.method else None
            if match and route.query <= query:
                return route.operation, dict(zip(route.labels, map(unquote, match.groups()), strict=True))
        return None

    @cached_property
    def _routes(self) -> list[_Route]:
        """Most specific first: literals beat labels, labels greedy labels, and a fixed query none."""
        routes = []
        for name in self.model.operation_names:
            http = self.model.operation_model(name).http
            template, _, fixed = http["requestUri"].partition("?")
            template = template.rstrip("/") or "/"
            vagueness = [2 if "+}" in part else 1 if "{" in part else 0 for part in template.split("/")]
            query = _parameters(fixed)
            routes.append((vagueness, -len(query), _Route(http["method"], *_path_pattern(template), query, name)))
        return [route for *_, route in sorted(routes, key=lambda item: item[:2])]


@dataclass(frozen=True, slots=True)
class _Route:
    """How the model binds one operation of a REST protocol to a method, a path and fixed parts of a query."""

    method: str
    pattern: re.Pattern[str]
    labels: list[str]
    query: frozenset[tuple[str, str]]
    operation: str


def _parameters(query: str) -> frozenset[tuple[str, str]]:
    """A query's parameters; some clients send one without a value as ``WithTags=``."""
    return frozenset(parse_qsl(query, keep_blank_values=True))


def _path_pattern(template: str) -> tuple[re.Pattern[str], list[str]]:
    """``/functions/{FunctionName}/policy`` as a regular expression and its labels; ``{Key+}`` also matches slashes."""
    parts = re.split(r"\{([^}+]+)(\+?)\}", template)
    literals, labels, greedy = parts[0::3], parts[1::3], parts[2::3]
    groups = ["(.+)" if plus else "([^/]+)" for plus in greedy]
    pattern = "".join(re.escape(text) + group for text, group in zip(literals, [*groups, ""], strict=True))
    return re.compile(pattern), labels
