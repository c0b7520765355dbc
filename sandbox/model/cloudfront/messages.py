"""Requests and answers as the model has them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from sandbox.model.cloudfront.headers import Headers

Failing = Literal["dns", "refused", "timeout", "tls", "reset", "malformed"]

FAILURE_STATUS: dict[Failing, int] = {
    "dns": 502,
    "refused": 502,
    "tls": 502,
    "reset": 502,
    "malformed": 502,
    "timeout": 504,
}
"""What a viewer gets where an origin gives no answer: "HTTP 502 status code", "HTTP 504 status code"."""


@dataclass(slots=True)
class Request:
    """A viewer's request.

    Attributes:
        path: As it was sent, without query string.
        query: What stands after the question mark.
        headers: Lower case; "host" is one of them.
        scheme: "http" or "https".
        version: Of HTTP: "1.0", "1.1", "2.0", "3.0".
        has_body: Whether a body comes with it.
        client: The viewer's address.
    """

    method: str = "GET"
    path: str = "/"
    query: str = ""
    headers: Headers = field(default_factory=dict)
    scheme: str = "https"
    version: str = "1.1"
    has_body: bool = False
    client: str = "192.0.2.1"


@dataclass(slots=True)
class Response:
    """An origin's answer.

    Attributes:
        headers: Lower case, without Set-Cookie.
        cookies: The values of Set-Cookie headers.
        body: Anything: the model passes it on and does not look into it.
        length: Bytes of the body where that is known.
        complete: False where the connection broke before the end: it is passed on and not kept.
    """

    status: int = 200
    headers: Headers = field(default_factory=dict)
    cookies: tuple[str, ...] = ()
    body: object = None
    length: int | None = None
    complete: bool = True


@dataclass(slots=True)
class Failure:
    """No answer, after all attempts."""

    kind: Failing


@dataclass(slots=True)
class OriginRequest:
    """What is sent to an origin.

    Attributes:
        origin: Its id.
        uri: Path with query string, the origin's own path before it.
        headers: With "host"; "via" and "x-amz-cf-id" are the sender's to add.
    """

    origin: str
    method: str
    scheme: str
    uri: str
    headers: dict[str, str]
