"""moto as a WSGI application. Importing this imports moto: only `embedded` does, when moto is needed.

Requests are routed as moto's own server routes them, without Flask.
"""

from __future__ import annotations

import contextlib
import functools
import io
import logging
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import boto3
import moto.backends
from botocore.regions import EndpointResolver
from moto.backend_index import backend_url_patterns
from moto.core.base_backend import BackendDict
from moto.core.model_instances import reset_model_data
from moto.core.request import Request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from sandbox.aws.account import ACCOUNT_ID, REGION
from sandbox.aws.backends.certificates import correct_certificates
from sandbox.aws.backends.early_zones import ZONES
from sandbox.aws.backends.errors import error_answer
from sandbox.aws.backends.health_checks import correct_health_checks
from sandbox.aws.backends.identities import correct_caller_identity, correct_identities
from sandbox.aws.backends.moto_core import spare_first_requests
from sandbox.aws.backends.moto_tables import read_tables_when_asked, without_offerings
from sandbox.aws.backends.public_reads import is_refused
from sandbox.aws.backends.queues import correct_queues
from sandbox.aws.backends.scaling import correct_groups
from sandbox.aws.backends.scaling_targets import correct_targets
from sandbox.aws.backends.topics import correct_subscriptions
from sandbox.aws.backends.trace import TRACE_ID
from sandbox.aws.backends.zone_changes import enforce_change_rules
from sandbox.aws.protocol import botocore_data

if TYPE_CHECKING:
    from sandbox.aws.backends.moto_instances import MotoInstances
    from sandbox.aws.backends.moto_network import MotoNetwork

log = logging.getLogger(__name__)

Handler = Callable[[Any, str, Any], Any]

spare_first_requests()

_load_lock = threading.RLock()
_loaded: dict[str, Any] = {}

_READS = {"route53": "/2013-04-01/hostedzone"}


def load(service: str) -> Any:
    """Import one of moto's services (by moto's name: "ec2", "route53"); its backends by account and region."""
    if service in _loaded:
        return _loaded[service]
    with _load_lock, _regions_without_models():
        if service in _loaded:  # by another thread meanwhile: what is corrected must not be corrected twice
            return _loaded[service]
        with without_offerings():
            backends = moto.backends.get_backend(service)  # type: ignore[call-overload]
        if service == "route53":
            enforce_change_rules()
            correct_health_checks()
            ZONES.enter(backends)
        elif service == "sqs":
            correct_queues()
        elif service == "acm":
            correct_certificates()
        elif service == "sns":
            correct_subscriptions()
        elif service == "iam":
            correct_identities()
        elif service == "sts":
            correct_caller_identity()
        elif service == "autoscaling":
            correct_groups()
        elif service == "applicationautoscaling":
            correct_targets()
        elif service == "ec2":
            from sandbox.aws.backends.moto_groups import correct_security_groups
            from sandbox.aws.backends.moto_instances import correct_instances
            from sandbox.aws.backends.moto_network import protect_interfaces_in_use

            read_tables_when_asked()
            protect_interfaces_in_use()
            correct_security_groups()
            correct_instances()
        with contextlib.suppress(KeyError):  # global services have no regions
            backends[ACCOUNT_ID][REGION]
        _loaded[service] = backends
        return backends


def loaded(service: str) -> Any:
    """The backends of a service that somebody has used; None while nobody has, so that nothing is in it."""
    return _loaded.get(service)


@contextlib.contextmanager
def _regions_without_models() -> Iterator[None]:
    """EC2's regions come from botocore's endpoints alone while a service of moto is imported.

    moto asks several boto3 sessions for them, and each would parse the endpoints anew and EC2's model, botocore's
    biggest, only to learn that EC2's endpoint prefix is "ec2": 0.5 s of CPU in all.
    """
    available = boto3.Session.get_available_regions

    def regions(self: Any, service_name: str, partition_name: str = "aws", allow_non_regional: bool = False) -> Any:
        if service_name != "ec2":
            return available(self, service_name, partition_name, allow_non_regional)
        return _endpoint_resolver().get_available_endpoints("ec2", partition_name, allow_non_regional)

    boto3.Session.get_available_regions = regions
    try:
        yield
    finally:
        boto3.Session.get_available_regions = available


@functools.cache
def _endpoint_resolver() -> EndpointResolver:
    return EndpointResolver(botocore_data().load_data("endpoints"))


def warm(service: str) -> None:
    """Load a service and, where we know a request that only reads, have it answer once.

    At the first request moto imports IAM and makes the service's routes: 0.1 s.
    """
    load(service)
    if service in _READS:
        environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": _READS[service],
            "RAW_URI": _READS[service],
            "QUERY_STRING": "",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(),
            "sandbox.service": service,
            "sandbox.region": REGION,
        }
        application(environ, lambda status, headers, exc_info=None: None)


def reset() -> None:
    """Forget everything that was created, in every service, account and region."""
    BackendDict.reset()
    reset_model_data()


def network(account_id: str, region: str) -> MotoNetwork:
    """EC2's network of one account and region."""
    backend = load("ec2")[account_id][region]
    from sandbox.aws.backends.moto_network import MotoNetwork  # imports moto's EC2, the slowest of its services

    return MotoNetwork(backend)


def instances(account_id: str, region: str) -> MotoInstances:
    """EC2's instances of one account and region."""
    backend = load("ec2")[account_id][region]
    from sandbox.aws.backends.moto_instances import MotoInstances

    def other(service: str) -> Any:
        backends = load(service)[account_id]
        return backends["aws" if service == "iam" else region]  # IAM has no regions

    return MotoInstances(backend, other)


class _ServedRequest(Request):
    """Tells moto that a server of ours writes the Date header."""

    from_wsgi_server = True


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer one request.

    The gateway has put service, region and the raw URI into the environment. The request keeps the Host that the client
    used, so that URLs in answers (SQS queues) lead back here.
    """
    TRACE_ID.set(environ.get("HTTP_X_AMZN_TRACE_ID", ""))
    path = environ["RAW_URI"].partition("?")[0]
    try:
        status, headers, body = _call(environ, path)
    except Exception as error:
        log.exception("moto failed on %s %s", environ["sandbox.service"], path)
        status, code = (501, "NotImplemented") if isinstance(error, NotImplementedError) else (500, "InternalFailure")
        headers, body = _error(environ, code, f"{type(error).__name__}: {error}")
    response = Response(body, status, headers)
    answer: Iterable[bytes] = response(environ, start_response)
    return answer


def _call(environ: dict[str, Any], path: str) -> tuple[int, Any, Any]:
    service, region = environ["sandbox.service"], environ["sandbox.region"]
    url = f"https://{_host(service, region, path, environ)}"
    handler = _handler(_backend_name(url), url + path)
    if handler is None:
        return 501, *_error(environ, "NotImplemented", f"the embedded backend has no {service} at {path}")
    if service == "s3" and is_refused(environ, path, _buckets()):
        return 403, *_error(environ, "AccessDenied", "Access Denied")
    if service == "s3" and environ["REQUEST_METHOD"] == "HEAD":
        # moto would want "s3:HeadObject", which is no action, of who signs nothing.
        environ.setdefault("HTTP_AUTHORIZATION", "everybody")
    request = _ServedRequest(environ)
    try:
        result = handler(request, request.raw_url, dict(request.headers))
    except HTTPException as error:
        return error.code or 500, error.get_headers(), error.get_body()
    return result if len(result) == 3 else (200, {}, result)


def _buckets() -> dict[str, Any]:
    buckets: dict[str, Any] = load("s3")[ACCOUNT_ID]["aws"].buckets
    return buckets


def _host(service: str, region: str, path: str, environ: dict[str, Any]) -> str:
    """The host that AWS would serve the request at; moto's handlers are found by it."""
    if service == "dynamodb" and environ.get("HTTP_X_AMZ_TARGET", "").startswith("DynamoDBStreams"):
        service = "streams.dynamodb"
    elif service == "s3" and path.startswith("/v20180820/"):
        service = "s3-control"
    return f"{service}.{region}.amazonaws.com"


@functools.lru_cache(maxsize=256)
def _backend_name(url: str) -> str | None:
    return next((name for name, pattern in backend_url_patterns if pattern.match(url)), None)


def _handler(backend_name: str | None, url: str) -> Handler | None:
    if backend_name is None:
        return None
    return next((handler for pattern, handler in _handlers(backend_name) if pattern.match(url)), None)


@functools.cache
def _handlers(backend_name: str) -> list[tuple[re.Pattern[str], Handler]]:
    backends = load(backend_name)
    regions = backends[ACCOUNT_ID]
    # Global services have one backend, under the name of their partition.
    backend = regions[REGION] if REGION in regions else regions["aws"]
    return [(re.compile(url), handler) for url, handler in backend.urls.items()]


def _error(environ: dict[str, Any], code: str, message: str) -> tuple[dict[str, str], str]:
    """Headers and body of an error in the protocol of the request."""
    as_json = "HTTP_X_AMZ_TARGET" in environ or "json" in environ.get("CONTENT_TYPE", "")
    return error_answer(environ["sandbox.service"], code, message, as_json=as_json)
