"""What a Lambda@Edge function may answer, and what becomes of it.

Amazon CloudFront Developer Guide, "Generate HTTP responses in request triggers", "Update HTTP responses in origin
response triggers", "Restrictions on edge functions". What CloudFront says of an answer that it cannot use stands in its
error page and in the log group ``/aws/cloudfront/LambdaEdge/DISTRIBUTION``; three of these texts have been seen (of
bodies, read-only and disallowed headers: mangum #262, amplify-hosting #2221), the others are made like them.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sandbox.model.cloudfront.lambda_edge import TRIGGERS, Trigger, quota
from sandbox.model.cloudfront.lambda_events import (
    EdgeOrigin,
    EdgeRequest,
    EdgeResponse,
    Pairs,
    disallowed,
    hidden,
    told_headers,
)

LONGEST_URI = 8192
_READ_ONLY = {
    "viewer-request": "content-length host transfer-encoding via",
    "origin-request": "accept-encoding content-length if-modified-since if-none-match if-range if-unmodified-since "
    "transfer-encoding via",
    "origin-response": "transfer-encoding via",
    "viewer-response": "warning via",
}
READ_ONLY: Mapping[Trigger, frozenset[str]] = {name: frozenset(_READ_ONLY[name].split()) for name in TRIGGERS}
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_NOT_IN_A_QUERY = re.compile(r"[\x00-\x20\x7f#]")
_IPV4 = re.compile(r"\d+\.\d+\.\d+\.\d+")
_BODY = "The body is not a string, is not an object, or exceeds the maximum size."


class InvalidResultError(Exception):
    """CloudFront cannot use what a function has returned: the viewer gets 502.

    Attributes:
        words: For the error page.
        detail: For the log.
    """

    def __init__(self, words: str, detail: str = "") -> None:
        super().__init__(words)
        self.words = words
        self.detail = detail or words


def of_request(
    trigger: Trigger, request: EdgeRequest, include_body: bool, returned: object
) -> EdgeRequest | EdgeResponse:
    """What a function of a request trigger has made of a request: another request, or an answer to it.

    Args:
        trigger: "viewer-request" or "origin-request".
        request: What it was told of.
        include_body: Whether it was shown the body.
        returned: Its result.

    Raises:
        InvalidResultError: It is neither.
    """
    result = _object(returned, "The function returned neither a request nor a response.")
    if "status" in result:
        return _generated(trigger, result)
    for name in ("uri", "headers"):
        if name not in result:
            raise InvalidResultError(f"The response object has neither status nor the request's {name}.")
    for name, value in (("method", request.method), ("clientIp", request.client)):
        if result.get(name, value) != value:
            raise InvalidResultError(f"The function tried to change the read-only value {name}.")
    uri, query = result["uri"], result.get("querystring", "")
    if not isinstance(uri, str) or not uri.startswith("/") or _CONTROL.search(uri) or {" ", "?", "#"} & set(uri):
        raise InvalidResultError("The uri is not a path.")
    if not isinstance(query, str) or _NOT_IN_A_QUERY.search(query):
        raise InvalidResultError("The querystring has spaces, control characters or a fragment identifier.")
    if len(uri) + len(query) >= LONGEST_URI:
        raise InvalidResultError(f"The URI with the query string has {LONGEST_URI} characters or more.")
    headers = _headers(result["headers"], request.headers, READ_ONLY[trigger])
    origin = request.origin
    if origin is not None and "origin" in result:
        origin = _origin(result["origin"], origin)
    body = _replaced_body(trigger, result["body"], request.body) if include_body and "body" in result else request.body
    return replace(request, uri=uri, query=query, headers=headers, origin=origin, body=body)


def of_response(trigger: Trigger, response: EdgeResponse, returned: object) -> EdgeResponse:
    """What a function of a response trigger has made of an answer.

    Args:
        trigger: "origin-response" or "viewer-response".
        response: What it was told of.
        returned: Its result.

    Raises:
        InvalidResultError: It is no answer.
    """
    result = _object(returned, "The function returned no response.")
    status = _status(result)
    if trigger == "viewer-response" and status != response.status:
        raise InvalidResultError("The function of a viewer response event tried to change the status.")
    headers = _headers(result.get("headers", {}), response.headers, READ_ONLY[trigger])
    reason = _reason(result, response.reason if status == response.status else "")
    return EdgeResponse(status, reason, headers, _body(trigger, result, headers))


def _generated(trigger: Trigger, result: Mapping[str, Any]) -> EdgeResponse:
    status = _status(result)
    headers = _headers(result.get("headers", {}), (), READ_ONLY[trigger])
    body = _body(trigger, result, headers) or b""
    if trigger == "viewer-request" and status == 204 and body:
        raise InvalidResultError("The response has the status 204 and a body.")
    return EdgeResponse(status, _reason(result, ""), headers, body)


def _object(value: object, otherwise: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidResultError(otherwise)
    return value


def _status(result: Mapping[str, Any]) -> int:
    """Text by the documents, and a number in their examples."""
    status = result.get("status")
    if isinstance(status, bool) or not isinstance(status, int | str) or not re.fullmatch(r"[2-5]\d\d", str(status)):
        raise InvalidResultError("The status is not a number of 200 to 599.")
    return int(status)


def _reason(result: Mapping[str, Any], otherwise: str) -> str:
    reason = result.get("statusDescription", otherwise)
    if not isinstance(reason, str) or _CONTROL.search(reason):
        raise InvalidResultError("The statusDescription is not a line of text.")
    return reason


def _headers(value: object, before: Pairs, read_only: frozenset[str]) -> Pairs:
    """The headers that a function has left, and those that it was not shown."""
    given = _object(value, "The headers are not an object.")
    made: dict[str, list[tuple[str, str]]] = {}
    for name, entries in given.items():
        lower = str(name).lower()
        if not _NAME.fullmatch(lower) or not isinstance(entries, list | tuple) or lower in made:
            raise InvalidResultError(f"The header {name} is not a list of key-value pairs.")
        if disallowed(lower):
            raise InvalidResultError("The function tried to add a blacklisted header.", f"Blacklisted header: {lower}")
        made[lower] = [_entry(lower, one) for one in entries]
    shown = {name: [(one["key"], one["value"]) for one in entries] for name, entries in told_headers(before).items()}
    for name in sorted(read_only):
        if [each for _, each in made.get(name, [])] != [each for _, each in shown.get(name, [])]:
            raise InvalidResultError(
                "The function tried to add, delete, or change a read-only header.", f"Read-only header: {name}"
            )
    return (*(pair for pairs in made.values() for pair in pairs), *hidden(before))


def _entry(name: str, entry: object) -> tuple[str, str]:
    pair = _object(entry, f"The header {name} is not a list of key-value pairs.")
    key = pair.get("key", "-".join(part.capitalize() for part in name.split("-")))
    value = pair.get("value")
    if not isinstance(key, str) or key.lower() != name:
        raise InvalidResultError(f"The key of the header {name} is another name.")
    if not isinstance(value, str) or _CONTROL.search(value):
        raise InvalidResultError(f"The value of the header {name} is not a line of text.")
    return key, value


def _body(trigger: Trigger, result: Mapping[str, Any], headers: Pairs) -> bytes | None:
    """The body that a function has given; its size counts as returned, that is, encoded, and with the headers."""
    given = result.get("body")
    if given is None:
        return None
    if not isinstance(given, str):
        raise InvalidResultError(_BODY)
    size = len(given.encode()) + sum(len(name) + len(value.encode()) + 4 for name, value in headers)
    most = quota(trigger).response
    if size > most:
        raise InvalidResultError(
            _BODY,
            f"The Lambda function returned an invalid response, the length of the body size and header was {size} "
            f"bytes which exceeded the CloudFront limit of {most} bytes on the maximum length of the request "
            "including headers and body.",
        )
    return _decoded(given, result.get("bodyEncoding", "text"))


def _decoded(text: str, encoding: object) -> bytes:
    if encoding == "text":
        return text.encode()
    if encoding != "base64":
        raise InvalidResultError("The encoding of the body is neither text nor base64.")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidResultError("The body is not valid base64.") from None


def _replaced_body(trigger: Trigger, value: object, before: bytes) -> bytes:
    """A request's body as a function has left it; what it gives beyond the quota is cut off."""
    given = _object(value, _BODY)
    action, data = given.get("action", "read-only"), given.get("data", "")
    if action == "read-only":
        return before
    if action != "replace" or not isinstance(data, str):
        raise InvalidResultError(_BODY)
    return _decoded(data, given.get("encoding", "text"))[: quota(trigger).body]


def _origin(value: object, before: EdgeOrigin) -> EdgeOrigin:
    given = _object(value, "The origin is not an object.")
    if len(given) != 1 or not given.keys() <= {"custom", "s3"}:
        raise InvalidResultError("The origin is neither a custom nor an s3 one, or is both.")
    ((kind, members),) = given.items()
    origin = _object(members, f"The {kind} origin is not an object.")
    name, path = origin.get("domainName"), origin.get("path", "")
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9._-]{1,253}", name) or _IPV4.fullmatch(name):
        raise InvalidResultError("The domainName of the origin is not a name.")
    if not isinstance(path, str) or (path and not re.fullmatch(r"/[!-~]{0,253}[!-.0-~]", path)):
        raise InvalidResultError("The path of the origin does not begin with a slash, ends with one, or is too long.")
    headers = _headers(origin.get("customHeaders", {}), (), frozenset())
    if kind == "s3":
        asked = before if before.kind == "s3" else EdgeOrigin("s3", name)
        return replace(asked, domain_name=name, path=path, custom_headers=headers)
    port, protocol = origin.get("port"), origin.get("protocol")
    if not isinstance(port, int) or not (port in {80, 443} or 1024 <= port <= 65535):
        raise InvalidResultError("The port of the origin is none of 80, 443 and 1024 to 65535.")
    if protocol not in {"http", "https"}:
        raise InvalidResultError("The protocol of the origin is neither http nor https.")
    return EdgeOrigin("custom", name, protocol, port, path, headers, before.more)
