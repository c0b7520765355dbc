"""The one HTTP endpoint of the control plane: every AWS client, container and function talks to it.

The gateway finds the service in the request's signature (it never checks the secret), calls the service that we own, or
hands the request to the backend behind it. Listens on the loopback interface and, for containers, on a Unix socket.
"""

from __future__ import annotations

import io
import json
import logging
import re
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs

from sandbox.aws.account import REGION
from sandbox.aws.backends.backend import WsgiApp
from sandbox.aws.backends.errors import backend_refusal
from sandbox.aws.listener import Listener
from sandbox.aws.protocol import (
    AwsError,
    HttpRequest,
    HttpResponse,
    RequestContext,
    ServiceEndpoint,
    error_response,
    regions,
)
from sandbox.aws.repeats import Repeats
from sandbox.errors import SandboxError, log_failure
from sandbox.model import signature
from sandbox.model.s3 import bucket_of

log = logging.getLogger(__name__)

# See `sandbox.aws.authorization.Authorization.check`.
Authorize = Callable[[HttpRequest, str, str, str | None], None]

HEALTH_PATH = "/_sandbox/health"
MAX_BODY = 200 * 2**20
"""Bytes. Larger than Lambda's largest direct upload (50 MB, a third more in base64) and than what S3 tests put."""
_SHUTDOWN = 0.8  # seconds that calls under way get to finish

_SCOPE = re.compile(r"Credential=[^/,\s]+/\d{8}/(?:([^/,\s]+)/)?([^/,\s]+)/aws4_request")
_SIGNER = re.compile(r"Credential=([^/,\s]+)/")
_PRESIGNED_SCOPE = re.compile(r"[^/]+/\d{8}/(?:([^/]+)/)?([^/]+)/aws4_request")
# The links in SNS's messages are visited as they are, without a signature.
_SNS_LINK = re.compile(r"Action=(?:ConfirmSubscription&Topic|Unsubscribe&Subscription)Arn=arn:aws:sns:([a-z0-9-]+):")
_ACTION = re.compile(rb"(?:^|&)Action=(\w+)")
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")


@dataclass(frozen=True, slots=True)
class ApiCall:
    """One API call that succeeded.

    Attributes:
        service: The service's name in the signature ("ecs", "route53", "elasticloadbalancing").
        operation: AWS's name of the operation; None where only the body's XML or the path tells it (S3, Route 53).
        method: The HTTP method.
        path: The path as sent, without the query.
        status: The HTTP status, 200 to 299.
        region: The region of the signature.
        access_key: Who has signed it ("" where nobody has).
    """

    service: str
    operation: str | None
    method: str
    path: str
    status: int
    region: str
    access_key: str = field(default="", compare=False)


class Fallback(Protocol):
    """What answers for the services that we do not own."""

    def wsgi_app(self) -> WsgiApp:
        """The application; asked for at the first request that needs it. It must reuse nothing between threads."""


class Gateway:
    """The endpoint. Also a context manager: entering starts it, leaving closes it.

    Args:
        services: The services that we own, as `sandbox.aws.protocol` describes them; `add` takes more later.
        fallback: The backend for all other services; None refuses them.
        host: The address to listen on; the loopback interface.
        port: The port; 0 takes a free one.
        unix_socket: A second place to listen on, for containers that mount it.
        before_call: Called before each request is looked at, on its thread: time may go on in what it then sees.
        authorize: Raises AwsError for a call that its caller may not make.
        on_call: Told of each call that succeeded, on the caller's thread and before the answer is sent: so whoever sees
            the answer also sees what the call led to. It must be quick; an exception of it is logged, not answered.
    """

    def __init__(
        self,
        services: Sequence[object],
        fallback: Fallback | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        unix_socket: Path | None = None,
        before_call: Callable[[], None] | None = None,
        authorize: Authorize | None = None,
        on_call: Callable[[ApiCall], None] | None = None,
    ) -> None:
        self._endpoints: dict[str, ServiceEndpoint] = {}
        self._later: dict[str, Callable[[], object]] = {}
        self._making = threading.RLock()
        self._paths: dict[tuple[str, str], Callable[[str], HttpResponse]] = {}
        self._receivers: dict[str, Callable[[bytes], None]] = {}
        self._hosts: dict[str, Callable[[HttpRequest], HttpResponse]] = {}
        self._fallback = fallback
        self._fallback_app: WsgiApp | None = None
        self._fallback_lock = threading.Lock()
        self._host = host
        self._port = port
        self._unix_socket = unix_socket
        self._before_call = before_call
        self._authorize = authorize
        self._repeats = Repeats()
        self._on_call = on_call
        self._listeners: list[Listener] = []
        for service in services:
            self.add(service)

    def add(self, service: object) -> None:
        """Serve one more service from now on; one of the same name is replaced."""
        endpoint = ServiceEndpoint(service)
        self._endpoints[endpoint.name] = endpoint

    def add_later(self, signing_name: str, make: Callable[[], object]) -> None:
        """Have ``make`` make one more service at the first request that is signed for ``signing_name``."""
        self._later[signing_name] = make

    def add_path(self, prefix: str, answer: Callable[[str], HttpResponse], *, method: str = "GET") -> None:
        """Have ``answer``, which gets the path, answer unsigned requests for paths that begin with ``prefix``."""
        self._paths[method, prefix] = answer

    def add_receiver(self, path: str, take: Callable[[bytes], None]) -> None:
        """Give ``take`` the body of each unsigned POST to ``path``; the answer is empty."""
        self._receivers[path] = take

    def add_host(self, name: str, answer: Callable[[HttpRequest], HttpResponse]) -> None:
        """Have ``answer`` answer every request whose Host is ``name``, which is none of AWS's."""
        self._hosts[name] = answer

    def start(self) -> Gateway:
        """Listen.

        Raises:
            SandboxError: The port is taken, or the socket's path cannot be bound.
        """
        addresses: list[tuple[str, int] | str] = [(self._host, self._port)]
        if self._unix_socket is not None:
            addresses.append(str(self._unix_socket))
        try:
            for address in addresses:
                self._listeners.append(Listener(address, self))
        except SandboxError:
            self.close()
            raise
        self._port = self._listeners[0].port
        return self

    @property
    def url(self) -> str:
        """What goes into ``AWS_ENDPOINT_URL``; known once the gateway has started."""
        return f"http://{self._host}:{self._port}"

    def close(self) -> None:
        """Stop listening. Calls under way get 0.8 s to finish."""
        listeners, self._listeners = self._listeners, []
        stoppers = [threading.Thread(target=listener.stop, daemon=True) for listener in listeners]
        for stopper in stoppers:
            stopper.start()
        for stopper in stoppers:
            stopper.join(_SHUTDOWN)
        if listeners and self._unix_socket is not None:
            self._unix_socket.unlink(missing_ok=True)

    def __enter__(self) -> Gateway:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """The WSGI application."""
        try:
            request = _read(environ)
            if self._before_call is not None:
                self._before_call()
            if request.path == HEALTH_PATH:
                response = self._health()
            elif (unsigned := self._unsigned(request)) is not None:
                response = unsigned
            else:
                return self._repeats.answer(
                    request, start_response, lambda start: self._answer(request, environ, start)
                )
        except AwsError as error:
            response = error_response(error)
        except Exception as error:
            log_failure(log, error, f"{environ.get('REQUEST_METHOD')} {environ.get('PATH_INFO')} failed")
            response = error_response(AwsError("InternalFailure", f"{type(error).__name__}: {error}", 500))
        return _respond(response, start_response)

    def _unsigned(self, request: HttpRequest) -> HttpResponse | None:
        if (other := self._hosts.get(_host(request))) is not None:
            return other(request)
        if "authorization" in request.headers or request.query:
            return None
        if request.method == "POST" and (take := self._receivers.get(request.path)) is not None:
            take(request.body)
            return HttpResponse(200, {}, b"")
        for (method, prefix), answer in self._paths.items():
            if request.method == method and request.path.startswith(prefix):
                return answer(request.path)
        return None

    def _answer(
        self, request: HttpRequest, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        service, region = self._service_of(request)
        endpoint = self._endpoint(service)
        operation = _operation_of(request)
        try:
            _check_signature(request, service, region)
            if self._authorize is not None:
                self._authorize(request, service, region, operation)
        except AwsError as error:
            refusal = endpoint.refuse(error, None) if endpoint is not None else backend_refusal(error, request, service)
            return _respond(refusal, start_response)
        if endpoint is not None and not self._is_for_fallback(endpoint, request):
            trace_id = request.headers.get("x-amzn-trace-id", "")
            response = endpoint.handle(request, RequestContext(region=region, trace_id=trace_id))
            self._tell(
                request, ApiCall(service, response.operation, request.method, request.path, response.status, region)
            )
            return _respond(response, start_response)
        statuses: list[int] = []

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            statuses.append(int(status[:3]))
            return start_response(status, headers, exc_info)

        environ["sandbox.service"], environ["sandbox.region"] = service, region
        body = self._fallback_application(service)(environ, start)
        self._tell(request, ApiCall(service, operation, request.method, request.path, statuses[0], region))
        return body

    def _service_of(self, request: HttpRequest) -> tuple[str, str]:
        """Service and region: of the signature, else of the X-Amz-Target header, else of the host's name."""
        match = _SCOPE.search(request.headers.get("authorization", ""))
        if match is None and "X-Amz-Credential" in request.query:
            match = _PRESIGNED_SCOPE.fullmatch(parse_qs(request.query).get("X-Amz-Credential", [""])[0])
        if match is not None:
            return match[2], match[1] or REGION
        if "AWSAccessKeyId=" in request.query:  # a URL presigned with signature version 2, which only S3 has
            return "s3", REGION
        prefix = request.headers.get("x-amz-target", "").rpartition(".")[0]
        for endpoint in list(self._endpoints.values()):
            if prefix and endpoint.target_prefix == prefix:
                return endpoint.signing_name, REGION
        link = _SNS_LINK.match(request.query)
        if link is not None:
            return "sns", link[1]
        host = _host(request)
        if (bucket := bucket_of(host)) is not None:  # who reads a public object signs nothing
            return "s3", bucket.region or REGION
        labels = host.split(".")
        service = labels[0].removeprefix("data-")
        if self._endpoint(service) is not None:
            return service, labels[1] if len(labels) > 1 and _REGION.fullmatch(labels[1]) else REGION
        raise AwsError("MissingAuthenticationToken", "the request is not signed, and names no service otherwise", 403)

    def _endpoint(self, service: str) -> ServiceEndpoint | None:
        if service in self._later:
            with self._making:
                if (make := self._later.get(service)) is not None:
                    self.add(make())
                    del self._later[service]  # only now: others wait until it is there
        found = self._endpoints.get(service)
        if found is not None:
            return found
        return next((endpoint for endpoint in list(self._endpoints.values()) if endpoint.signing_name == service), None)

    def _is_for_fallback(self, endpoint: ServiceEndpoint, request: HttpRequest) -> bool:
        if self._fallback is not None and endpoint.is_other_version(request):
            return True
        if not endpoint.falls_back or self._fallback is None:
            return False
        operation = endpoint.operation_name(request)
        return operation is not None and not endpoint.implements(operation)

    def _fallback_application(self, service: str) -> WsgiApp:
        if self._fallback is None:
            raise AwsError("NotImplemented", f"this sandbox has no {service}", 501)
        with self._fallback_lock:
            if self._fallback_app is None:
                self._fallback_app = self._fallback.wsgi_app()
            return self._fallback_app

    def _tell(self, request: HttpRequest, call: ApiCall) -> None:
        if self._on_call is None or not 200 <= call.status < 300:
            return
        signed = _SIGNER.search(request.headers.get("authorization", ""))
        try:
            self._on_call(replace(call, access_key=signed[1] if signed else ""))
        except Exception as error:
            log_failure(log, error, f"after {call.service} {call.operation or call.path}")

    def _health(self) -> HttpResponse:
        health = {
            "status": "ok",
            "services": sorted({*self._endpoints, *self._later}),
            "others": self._fallback is not None,
        }
        return HttpResponse(200, {"Content-Type": "application/json"}, json.dumps(health).encode())


def _check_signature(request: HttpRequest, service: str, region: str) -> None:
    """Refuse a signature whose region there is not, or whose clock is off.

    Of the clock only headers are asked: a presigned URL has a time to live of its own.
    """
    is_form = request.headers["content-type"].startswith("application/x-www-form-urlencoded")
    has_target = "x-amz-target" in request.headers
    found = None
    if region != REGION:  # others are looked up, in a list that has to be read first
        found = signature.region_refusal(service, region, regions(), is_form=is_form, has_target=has_target)
    signed = request.headers.get("x-amz-date")
    if found is None and signed is not None and request.headers.get("authorization", "").startswith("AWS4"):
        found = signature.refusal(service, signed, time.time(), is_form=is_form, has_target=has_target)
    if found is not None:
        raise AwsError(found.code, found.message, found.status)


def _host(request: HttpRequest) -> str:
    return request.headers.get("host", "").partition(":")[0]


def _read(environ: dict[str, Any]) -> HttpRequest:
    """The request; its body is read once and put back for the fallback."""
    try:
        length = int(environ.get("CONTENT_LENGTH") or 0)
    except ValueError:
        raise AwsError("BadRequest", "Content-Length is not a number") from None
    if length < 0:
        raise AwsError("BadRequest", "Content-Length is negative")
    chunked = environ.get("wsgi.input_terminated", False)
    body = b""
    if length <= MAX_BODY and (length or chunked):
        body = environ["wsgi.input"].read(MAX_BODY + 1 if chunked else length)
    if max(length, len(body)) > MAX_BODY:
        raise AwsError("RequestEntityTooLargeException", f"the request body is larger than {MAX_BODY} bytes", 413)
    if not chunked and len(body) < length:
        raise AwsError("IncompleteBody", f"the request has {len(body)} of the {length} bytes that it announces")
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    uri = environ.get("REQUEST_URI") or environ["PATH_INFO"]
    uri = re.sub(r"^https?://[^/]*", "", uri)
    environ["RAW_URI"] = uri
    headers = {key[5:].replace("_", "-").lower(): value for key, value in environ.items() if key.startswith("HTTP_")}
    headers["content-type"] = environ.get("CONTENT_TYPE", "")
    path, _, query = uri.partition("?")
    return HttpRequest(environ["REQUEST_METHOD"], path or "/", query, headers, body)


def _respond(response: HttpResponse, start_response: Callable[..., Any]) -> list[bytes]:
    try:
        phrase = HTTPStatus(response.status).phrase
    except ValueError:
        phrase = "Unknown"
    headers = [*response.headers.items(), ("Content-Length", str(len(response.body)))]
    if response.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        headers.append(("Connection", "close"))
    start_response(f"{response.status} {phrase}", headers)
    return [response.body]


def _operation_of(request: HttpRequest) -> str | None:
    """The operation of a request, where a header or the form names it."""
    target = request.headers.get("x-amz-target", "")
    if target:
        return target.rpartition(".")[2]
    if request.headers["content-type"].startswith("application/x-www-form-urlencoded"):
        match = _ACTION.search(request.body)
        return match[1].decode() if match else None
    return None
