"""Which rule a request meets, and where a redirect leads.

Guide: "Listener rules for your Application Load Balancer", "Condition types for listener rules", "Action types for
listener rules"; API reference: "HostHeaderConditionConfig" and its siblings, "RedirectActionConfig".
"""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.model.elb.config import Condition, Listener, Redirect, Rule


@dataclass(frozen=True)
class Request:
    """A request as it arrives at a listener.

    Attributes:
        method: As sent.
        host: The Host header, or HTTP/2's authority; with a port or without.
        path: As sent, percent-encoding and all, without the query.
        query: As sent, without the question mark.
        headers: Names and values in their order.
        source_ip: Who is connected to the load balancer, not whom X-Forwarded-For tells of.
    """

    method: str = "GET"
    host: str = ""
    path: str = "/"
    query: str = ""
    headers: Sequence[tuple[str, str]] = ()
    source_ip: str = "127.0.0.1"

    @property
    def host_name(self) -> str:
        """The host without its port."""
        return re.sub(r":\d*$", "", self.host)


def matching_rule(listener: Listener, request: Request) -> Rule:
    """The first rule all of whose conditions hold; the default rule has none."""
    return next(rule for rule in listener.rules if all(_holds(one, request) for one in rule.conditions))


def location(redirect: Redirect, request: Request, protocol: str, port: int) -> str:
    """The Location header of a redirect; the port is always in it (seen: Internet.nl #1291).

    Args:
        redirect: The action.
        request: What is redirected.
        protocol: The listener's, HTTP or HTTPS.
        port: The listener's.
    """
    original = {
        "protocol": protocol.lower(),
        "host": request.host_name,
        "port": str(port),
        "path": request.path.removeprefix("/"),
        "query": request.query,
    }

    def expanded(template: str) -> str:
        return re.sub(r"#\{(protocol|host|port|path|query)\}", lambda found: original[found[1]], template)

    query = expanded(redirect.query)
    where = f"{expanded(redirect.protocol).lower()}://{expanded(redirect.host)}:{expanded(redirect.port)}"
    return f"{where}{expanded(redirect.path)}{'?' if query else ''}{query}"


def _holds(condition: Condition, request: Request) -> bool:
    return any(_FIELDS[condition.field](value, condition, request) for value in condition.values)


def _host(value: str, condition: Condition, request: Request) -> bool:
    return matches(value.lower(), request.host_name.lower())


def _path(value: str, condition: Condition, request: Request) -> bool:
    return matches(value, request.path)


def _header(value: str, condition: Condition, request: Request) -> bool:
    return any(matches(value.lower(), one.lower()) for one in _values_of(condition.header, request.headers))


def _values_of(name: str, headers: Iterable[tuple[str, str]]) -> Iterator[str]:
    return (value for one, value in headers if one.lower() == name.lower())


def _method(value: str, condition: Condition, request: Request) -> bool:
    return request.method == value


def _query(pair: tuple[str, str], condition: Condition, request: Request) -> bool:
    """A key without a value has an empty one; keys and values are compared as they were sent."""
    key, value = (text.lower() for text in pair)
    for part in request.query.lower().split("&"):
        name, _, text = part.partition("=")
        if part and matches(value, text, has_escapes=True) and (not key or matches(key, name, has_escapes=True)):
            return True
    return False


def _source_ip(value: str, condition: Condition, request: Request) -> bool:
    return ipaddress.ip_address(request.source_ip) in ipaddress.ip_network(value, strict=False)


_FIELDS: Mapping[str, Callable[[Any, Condition, Request], bool]] = {
    "host-header": _host,
    "http-header": _header,
    "http-request-method": _method,
    "path-pattern": _path,
    "query-string": _query,
    "source-ip": _source_ip,
}


def matches(pattern: str, text: str, *, has_escapes: bool = False) -> bool:
    """Whether a pattern matches the whole of a text; case counts.

    Args:
        pattern: ``*`` is any number of characters, ``?`` exactly one.
        text: At most as many steps are taken as the lengths of both multiplied.
        has_escapes: A backslash before a wildcard or a backslash makes it an ordinary character.
    """
    tokens = _tokens(pattern, has_escapes)
    at, token, after_star, resume = 0, 0, -1, 0
    while at < len(text):
        if token < len(tokens) and tokens[token] == _MANY:
            after_star, resume = token + 1, at
            token += 1
        elif token < len(tokens) and tokens[token] in (_ONE, text[at]):
            at, token = at + 1, token + 1
        elif after_star >= 0:  # the last star takes one character more
            resume += 1
            at, token = resume, after_star
        else:
            return False
    return all(one == _MANY for one in tokens[token:])


_MANY, _ONE = "**", "??"  # no single character


@functools.lru_cache(maxsize=4096)
def _tokens(pattern: str, has_escapes: bool) -> tuple[str, ...]:
    wildcards = {"*": _MANY, "?": _ONE}
    found = re.findall(r"\\[*?\\]|.", pattern, re.DOTALL) if has_escapes else pattern
    return tuple(wildcards.get(token, token[-1]) for token in found)
