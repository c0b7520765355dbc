"""What a Lambda@Edge function is told: requests, origins and answers, and the events made of them.

Amazon CloudFront Developer Guide, "Lambda@Edge event structure", "Restrictions on edge functions" (disallowed and
read-only headers).
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.model.cloudfront.lambda_edge import REGION, Trigger, quota

Pairs = tuple[tuple[str, str], ...]
"""Headers as they came: names in their own case, in order, one that came twice twice."""

_NAMES = """
connection expect keep-alive proxy-authenticate proxy-authorization proxy-connection trailer upgrade x-accel-buffering
x-accel-charset x-accel-limit-rate x-accel-redirect x-amzn-auth x-amzn-cf-billing x-amzn-cf-id x-amzn-cf-xff
x-amzn-errortype x-amzn-fle-profile x-amzn-header-count x-amzn-header-order x-amzn-lambda-integration-tag
x-amzn-requestid x-cache x-forwarded-proto x-real-ip
"""
_DISALLOWED = frozenset(_NAMES.split())
_DISALLOWED_BEGINNINGS = ("x-amz-cf-", "x-edge-")


@dataclass(frozen=True, slots=True)
class EdgeOrigin:
    """Whom an origin request goes to; a function may change it.

    Attributes:
        kind: "custom" or "s3".
        protocol: "http" or "https".
        path: What comes before the request's.
        custom_headers: What is added to the request.
        more: Other members of the event's object, as they are told.
    """

    kind: str
    domain_name: str
    protocol: str = "http"
    port: int = 80
    path: str = ""
    custom_headers: Pairs = ()
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EdgeRequest:
    """A request on its way.

    Attributes:
        uri: The path, without query string, and without the origin's own path.
        client: The viewer's address.
        origin: Of origin events.
        body: As it came, or as the function has replaced it.
    """

    method: str
    uri: str
    query: str
    headers: Pairs
    client: str
    origin: EdgeOrigin | None = None
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class EdgeResponse:
    """An answer on its way back.

    Attributes:
        body: What a function has put there; None where the body is the one that came.
    """

    status: int
    reason: str
    headers: Pairs
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Of which distribution and request an event tells."""

    distribution_id: str
    domain_name: str
    request_id: str


def request_event(place: Place, trigger: Trigger, request: EdgeRequest, include_body: bool = False) -> dict[str, Any]:
    """The event of a viewer request or an origin request."""
    told = _request(request)
    if include_body:
        shown = request.body[: quota(trigger).body]
        told["body"] = {
            "inputTruncated": len(shown) < len(request.body),
            "action": "read-only",
            "encoding": "base64",
            "data": base64.b64encode(shown).decode(),
        }
    return _event(place, trigger, request=told)


def response_event(place: Place, trigger: Trigger, request: EdgeRequest, response: EdgeResponse) -> dict[str, Any]:
    """The event of an origin response or a viewer response. It has no body: functions do not see those of answers."""
    told = {
        "status": str(response.status),
        "statusDescription": response.reason,
        "headers": told_headers(response.headers),
    }
    return _event(place, trigger, request=_request(request), response=told)


def disallowed(name: str) -> bool:
    """Whether functions neither see nor add a header, named in lower case."""
    return name in _DISALLOWED or name.startswith(_DISALLOWED_BEGINNINGS)


def told_headers(pairs: Iterable[tuple[str, str]]) -> dict[str, list[dict[str, str]]]:
    """Headers as events have them."""
    told: dict[str, list[dict[str, str]]] = {}
    for name, value in pairs:
        if not disallowed(name.lower()):
            told.setdefault(name.lower(), []).append({"key": name, "value": value})
    return told


def hidden(pairs: Iterable[tuple[str, str]]) -> Pairs:
    """Those of the headers that functions do not see; they stay as they are."""
    return tuple((name, value) for name, value in pairs if disallowed(name.lower()))


def _event(place: Place, trigger: Trigger, **told: Any) -> dict[str, Any]:
    config = {
        "distributionDomainName": place.domain_name,
        "distributionId": place.distribution_id,
        "eventType": trigger,
        "requestId": place.request_id,
    }
    return {"Records": [{"cf": {"config": config, **told}}]}


def _request(request: EdgeRequest) -> dict[str, Any]:
    told: dict[str, Any] = {
        "clientIp": request.client,
        "headers": told_headers(request.headers),
        "method": request.method,
    }
    if request.origin is not None:
        told["origin"] = _origin(request.origin)
    return told | {"querystring": request.query, "uri": request.uri}


def _origin(origin: EdgeOrigin) -> dict[str, Any]:
    told: dict[str, Any] = {
        "customHeaders": told_headers(origin.custom_headers),
        "domainName": origin.domain_name,
        "path": origin.path,
    }
    if origin.kind == "custom":
        told |= {"port": origin.port, "protocol": origin.protocol}
    else:
        told |= {"authMethod": "none", "region": REGION}
    return {origin.kind: {**origin.more, **told}}
