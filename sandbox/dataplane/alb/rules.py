"""The conditions of a listener's rules as ACLs, and what its actions answer.

Rules: Application Load Balancer guide, "Condition types for listener rules", "Action types for listener rules".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sandbox.dataplane.alb.text import expression, is_plain, literal, word
from sandbox.model.elb.config import Condition, FixedResponse, Listener, Redirect

HOST = "req.hdr(host),host_only"
"""In lower case."""
HOST_AS_SENT = "req.hdr(host),regsub(':[0-9]*$','')"


def acls(name: str, condition: Condition) -> Iterator[str]:
    """ACLs of one name: it holds where one of them does."""
    for value in condition.values:
        yield f"acl {name} {_criterion(condition, value)}"


def _criterion(condition: Condition, value: str | tuple[str, str]) -> str:
    if isinstance(value, tuple):
        return f"query -m reg -i -- {word(_parameter(*value))}"
    match condition.field:
        case "host-header":
            return _matches(HOST, value, "-i ")
        case "path-pattern":
            return _matches("path", value)
        case "http-header":
            return _matches(f"req.fhdr({condition.header})", value, "-i ")
        case "http-request-method":
            return f"method -m str -- {word(value)}"
        case "source-ip":
            return f"src -- {word(value)}"
    raise ValueError(f"a condition on {condition.field!r} cannot be carried out")


def _matches(sample: str, pattern: str, flags: str = "") -> str:
    if is_plain(pattern):
        return f"{sample} -m str {flags}-- {word(pattern)}"
    if pattern.endswith("*") and is_plain(pattern[:-1]) and pattern != "*":
        return f"{sample} -m beg {flags}-- {word(pattern[:-1])}"
    return f"{sample} -m reg {flags}-- {word(f'^{expression(pattern)}$')}"


def _parameter(key: str, value: str) -> str:
    """Where a query string has a parameter; without a key, any parameter with the value.

    A parameter without an equals sign has an empty value.
    """
    if "&" in key + value or "=" in key:
        return "(?!)"  # no parameter has that
    name = expression(key or "*", several="[^&=]*", one="[^&=]", has_escapes=True)
    shown = expression(value, several="[^&]*", one="[^&]", has_escapes=True)
    given = f"(={shown})?" if not value.strip("*") else f"={shown}"
    return f"(^|&)(?=[^&]){name}{given}(&|$)"


@dataclass(frozen=True)
class Location:
    """Where a redirect leads, as a log format, and under which condition ("": always)."""

    format: str
    condition: str = ""


def locations(redirect: Redirect, listener: Listener) -> list[Location]:
    """The Location header of a redirect."""
    parts = {
        "#{protocol}": listener.protocol.lower(),
        "#{host}": f"%[{HOST_AS_SENT}]",
        "#{port}": str(listener.port),
        "#{path}": "%[path,bytes(1)]",
        "#{query}": "%[query]",
    }

    def filled(template: str) -> str:
        made = literal(template)
        for placeholder, value in parts.items():
            made = made.replace(placeholder, value)
        return made

    start = f"{filled(redirect.protocol.lower())}://{filled(redirect.host)}:{filled(redirect.port)}"
    start += filled(redirect.path)
    if not redirect.query:
        return [Location(start)]
    whole = f"{start}?{filled(redirect.query)}"
    if redirect.query == "#{query}":
        return [Location(whole, "{ query -m found }"), Location(start)]
    return [Location(whole)]


REASONS = {
    400: "Bad Request",
    404: "Not Found",
    403: "Forbidden",
    405: "Method Not Allowed",
    408: "Request Time-out",
    414: "Request-URI Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Temporarily Unavailable",
    504: "Gateway Time-out",
    301: "Moved Permanently",
    302: "Found",
}
"""The words in the pages that the load balancer answers itself."""


def page(status: int | str, reason: str | None = None) -> str:
    """The page of an answer that the load balancer gives itself."""
    shown = f"{status} {REASONS.get(int(status), '') if reason is None else reason}".rstrip()
    lines = ("<html>", f"<head><title>{shown}</title></head>", "<body>", f"<center><h1>{shown}</h1></center>")
    return "\r\n".join((*lines, "</body>", "</html>", ""))


def body_of(response: FixedResponse) -> tuple[str, str]:
    """Content type and body of a fixed response."""
    return response.content_type or "text/plain; charset=utf-8", response.body
