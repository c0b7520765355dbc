"""HAProxy's configuration for one load balancer: the template beside this module, filled in from the model.

What HAProxy cannot do as an Application Load Balancer does it stands in docs/fidelity.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from sandbox.dataplane.alb import rules, sessions
from sandbox.dataplane.alb.answers import LOG_FORMAT
from sandbox.dataplane.alb.text import word
from sandbox.model.elb.config import Attributes, FixedResponse, Forward, Listener, LoadBalancer, Redirect, TargetGroup
from sandbox.model.elb.target import Target

FOLDER = "/alb"
"""Where HAProxy finds its files."""
CONNECT = 10.0
"""Seconds within which a target must have taken a connection."""
MOST_CHECK = 120.0
"""Seconds: the longest time-out of a health check."""
Policies = Callable[[], Mapping[str, Mapping[str, Sequence[str]]]]
"""Security policies by name: their ``ssl_protocols`` and ``ciphers``."""
MOVED = "Moved Temporarily"
"""What the status line of a 302 says; its page says "Found"."""
TOLD_RATE = 200
"""Requests a second of one listener, up to which each is told of; beyond, only those that fail are."""
ALGORITHMS = {
    "round_robin": "roundrobin",
    "least_outstanding_requests": "leastconn",
    "weighted_random": "random(1)",
}
# Unique is enough: a connection's random number and the time. A random number takes HAProxy longer than all the rest.
_TRACE = "1-%[date,hex,bytes(8),lower]-%[var(sess.trace)]%[date(0,us),hex,lower]"
# HAProxy says 503 of a target that refuses a connection, and of one that does not take it in time.
_ENDED = f"SC 502 {rules.REASONS[502]}\nsC 504 {rules.REASONS[504]}\n"
_SERVER = 'hdr Server awselb/2.0 hdr Date "%[date,http_date]"'


@dataclass(frozen=True)
class Server:
    """A target as HAProxy knows it.

    Attributes:
        target: Whose it is.
        address: HOST:PORT.
        weight: Of what is new; 0: nothing is.
    """

    target: Target
    address: str
    weight: int

    @property
    def name(self) -> str:
        """In the configuration, and in the log."""
        return server_name(self.target)


def server_name(target: Target) -> str:
    """A target's name in the configuration."""
    return str(target)


def backend_name(group: TargetGroup) -> str:
    """A group's name in the configuration."""
    return f"tg-{group.name}"


def server_options(group: TargetGroup) -> str:
    """How HAProxy speaks with a group's servers, beside their address and weight."""
    return "ssl verify none" if group.protocol == "HTTPS" else ""


def map_file(group: TargetGroup) -> str:
    """The map of the servers of a group with which sessions may stay."""
    return f"{FOLDER}/{backend_name(group)}.map"


def files(
    balancer: LoadBalancer,
    servers: Mapping[str, Sequence[Server]],
    certificate: Callable[[str], tuple[str, str]],
    policies: Policies,
    *,
    key: str,
    speed: float = 1.0,
) -> dict[str, str]:
    """What is in HAProxy's folder, by name: its configuration (haproxy.cfg), and what that names.

    Args:
        balancer: What it is to carry out.
        servers: The servers of each group, by its ARN.
        certificate: The chain and the key of a certificate, PEM, by its ARN.
        policies: The security policies.
        key: Of the cookies: 16 bytes, base64.
        speed: Divides every time of AWS's.

    Raises:
        ValueError: Something that the API should have refused.
    """
    made = {f"{status}.html": rules.page(status) for status in (301, 302, 400, 405, 414, 463, 500, 501, 502, 503, 504)}
    made["ended.html"], made["ended.map"] = rules.page("%[txn.sess_term_state,map_beg(/alb/ended.map)]", ""), _ENDED
    for group in balancer.groups.values():
        usable = [one.name for one in servers.get(group.arn, ()) if one.weight]
        made[f"{backend_name(group)}.map"] = "".join(f"{name} {name}\n" for name in usable)
    answers: list[dict[str, Any]] = []
    listeners = [_listener(one, balancer, policies, answers, made, key, speed) for one in balancer.listeners]
    for listener in balancer.listeners:
        if listener.protocol == "HTTPS":
            for number, arn in enumerate(listener.certificates):
                made[f"listener-{listener.port}-{number}.pem"] = "\n".join(certificate(arn))
            names = (f"{FOLDER}/listener-{listener.port}-{n}.pem\n" for n in range(len(listener.certificates)))
            made[f"listener-{listener.port}.certificates"] = "".join(names)
    made["haproxy.cfg"] = _template().render(
        name=balancer.name,
        folder=FOLDER,
        server=_SERVER,
        log_format=LOG_FORMAT,
        connect=milliseconds(CONNECT / speed),
        idle=milliseconds(balancer.attributes.idle_timeout / speed),
        check=milliseconds(MOST_CHECK / speed),
        keep_alive=round(balancer.attributes.client_keep_alive * 1000 / speed),
        told_rate=TOLD_RATE,
        listeners=listeners,
        answers=answers,
        groups=[_group(one, servers.get(one.arn, ()), key, speed) for one in balancer.groups.values()],
    )
    return made


def milliseconds(seconds: float) -> str:
    """A time in the configuration; HAProxy knows none below a millisecond."""
    return f"{max(round(seconds * 1000), 1)}ms"


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("haproxy.cfg.j2")


def _listener(
    listener: Listener,
    balancer: LoadBalancer,
    policies: Policies,
    answers: list[dict[str, Any]],
    made: dict[str, str],
    key: str,
    speed: float,
) -> dict[str, Any]:
    bind = "proto h1"
    if listener.protocol == "HTTPS":
        alpn = "h2,http/1.1" if balancer.attributes.http2 else "http/1.1"
        bind = f"ssl crt-list {FOLDER}/listener-{listener.port}.certificates alpn {alpn}"
        if listener.ssl_policy:
            bind += f" {_security(policies()[listener.ssl_policy])}"
    return {
        "name": f"listener-{listener.port}",
        "port": listener.port,
        "bind": bind,
        "requests": list(_requests(listener, balancer.attributes)),
        "rules": list(_rules(listener, balancer, answers, made, key, speed)),
    }


def _security(policy: Mapping[str, Sequence[str]]) -> str:
    """Versions of TLS and ciphers. OpenSSL takes those from before TLS 1.2 at its lowest level of security alone."""
    versions = sorted("TLSv1.0" if one == "TLSv1" else one for one in policy["ssl_protocols"])
    newest = [one for one in policy["ciphers"] if one.startswith("TLS_")]  # TLS 1.3's
    older = [one for one in policy["ciphers"] if one not in newest]
    options = f"ssl-min-ver {versions[0]} ssl-max-ver {versions[-1]}"
    if older:
        level = ":@SECLEVEL=0" if versions[0] < "TLSv1.2" else ""
        options += f" ciphers {':'.join(older)}{level}"
    return f"{options} ciphersuites {':'.join(newest)}" if newest else options


def _requests(listener: Listener, attributes: Attributes) -> Iterator[str]:
    """What is done to every request."""
    if attributes.drop_invalid_header_fields:
        yield 'http-request del-header "[^A-Za-z0-9-]" -m reg'
    if not attributes.preserve_host_header:
        if listener.port in {80, 443}:
            without_port = word(f"%[{rules.HOST_AS_SENT}]")
            yield f"http-request set-header Host {without_port} if {{ req.hdr(host) -m sub : }}"
        else:
            port = listener.port
            yield f"http-request set-header Host %[req.hdr(host)]:{port} if !{{ req.hdr(host) -m sub : }}"
    yield from _forwarded(attributes)
    yield f"http-request set-header X-Forwarded-Proto {listener.protocol.lower()}"
    yield f"http-request set-header X-Forwarded-Port {listener.port}"
    if attributes.x_amzn_tls_headers:
        yield "http-request del-header x-amzn-tls- -m beg"
        if listener.protocol == "HTTPS":
            yield "http-request set-header x-amzn-tls-version %[ssl_fc_protocol]"
            yield "http-request set-header x-amzn-tls-cipher-suite %[ssl_fc_cipher]"
    trace = "X-Amzn-Trace-Id"
    has_root = f"{{ req.fhdr({trace}) -m sub Root= }}"
    rest = f"%[req.fhdr({trace}),regsub('(^|;)Self=[^;]*','',i),regsub('^;','')]"
    yield f'http-request set-header {trace} "Self={_TRACE};{rest}" if {has_root}'
    yield f"http-request set-header {trace} Root={_TRACE} unless {has_root}"


def _forwarded(attributes: Attributes) -> Iterator[str]:
    client = "%[src]:%[src_port]" if attributes.xff_client_port else "%[src]"
    mode = attributes.xff_header_processing_mode
    if mode == "remove":
        yield "http-request del-header X-Forwarded-For"
    elif mode == "append":
        has_one = "{ req.fhdr(x-forwarded-for) -m found }"
        yield f'http-request replace-header X-Forwarded-For ^(.*)$ "\\1, {client}" if {has_one}'
        if attributes.xff_client_port:
            yield f"http-request set-header X-Forwarded-For {client} unless {has_one}"
        else:
            yield "option forwardfor if-none"


def _rules(
    listener: Listener,
    balancer: LoadBalancer,
    answers: list[dict[str, Any]],
    made: dict[str, str],
    key: str,
    speed: float,
) -> Iterator[str]:
    """To which backend each rule leads: a group's, or one that answers itself."""
    groups = {arn: backend_name(group) for arn, group in balancer.groups.items()}
    forwards = [rule.action for rule in listener.rules if isinstance(rule.action, Forward)]
    sticky = any(forward.stickiness is not None and len(forward.groups) > 1 for forward in forwards)
    if any(len(forward.groups) > 1 for forward in forwards):
        yield f"http-request set-var(txn.draw) rand({sessions.DRAWS})"
    conditions: list[str] = []
    for number, rule in enumerate(listener.rules):
        names = []
        for which, one in enumerate(rule.conditions):
            names.append(f"r{number}c{which}")
            yield from rules.acls(names[-1], one)
        conditions.append(f" if {' '.join(names)}" if names else "")
    if sticky:
        for number, condition in enumerate(conditions):
            first = "!{ var(txn.rule) -m found }"
            yield f"http-request set-var(txn.rule) int({number}){condition or ' if'} {first}"
        yield from sessions.read_group(key)
        conditions = [f" if {{ var(txn.rule) -m int {number} }}" for number in range(len(conditions))]
    for number, (rule, condition) in enumerate(zip(listener.rules, conditions, strict=True)):
        name = f"listener-{listener.port}-rule-{number}-answer"
        match rule.action:
            case Forward() as forward:
                yield from sessions.forward(forward, number, condition, groups, key, speed)
            case Redirect() as redirect:
                answers.append({"name": name, "lines": list(_redirect(redirect, listener))})
                yield f"use_backend {name}{condition}"
            case FixedResponse() as fixed:
                answers.append({"name": name, "lines": [_fixed(fixed, name, made)]})
                yield f"use_backend {name}{condition}"


def _redirect(redirect: Redirect, listener: Listener) -> Iterator[str]:
    for location in rules.locations(redirect, listener):
        condition = f" if {location.condition}" if location.condition else ""
        where = f"hdr Location {word(location.format)}"
        page = f"content-type text/html file {FOLDER}/{redirect.status}.html"
        yield f"http-request return status {redirect.status} {page} {_SERVER} {where}{condition}"
    if redirect.status == 302:
        yield f'http-after-response set-status 302 reason "{MOVED}"'


def _fixed(response: FixedResponse, name: str, made: dict[str, str]) -> str:
    status = f"http-request return status {response.status}"
    if not response.body:
        return f"{status} {_SERVER}"
    content_type, body = rules.body_of(response)
    made[f"{name}.body"] = body
    return f"{status} content-type {word(content_type)} file {FOLDER}/{name}.body {_SERVER}"


def _group(group: TargetGroup, servers: Sequence[Server], key: str, speed: float) -> dict[str, Any]:
    return {
        "name": backend_name(group),
        "balance": ALGORITHMS[group.algorithm],
        "lines": list(sessions.of_targets(group, backend_name(group), map_file(group), key, speed)),
        "servers": servers,
        "options": server_options(group),
    }
