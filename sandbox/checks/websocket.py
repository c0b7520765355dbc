"""``sandbox check websocket``: why WebSockets and Socket.IO fail behind proxies, which hop it is, what mends it."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

from sandbox.checks import proxy_files
from sandbox.errors import SandboxError
from sandbox.model.foreign import from_json
from sandbox.model.websocket import finding, h2o, nginx, observed, packets
from sandbox.model.websocket.finding import Finding
from sandbox.model.websocket.findings import conclude
from sandbox.model.websocket.observed import Seen, Session, Step
from sandbox.probes import websocket as probes
from sandbox.probes.engineio import Wishes
from sandbox.probes.websocket_wire import Place, explain

PROTOCOLS = (observed.SOCKET_IO, observed.ENGINE_IO, observed.WEBSOCKET)
SOCKET_IO_PATH = "/socket.io/"
_SCHEMES = {"http": False, "ws": False, "https": True, "wss": True}
_LONGER = 2.0  # seconds by which the next URL has to outlive one that was cut


@dataclass(frozen=True)
class Request:
    """What was asked for; see the command's options."""

    url: str
    behind: tuple[str, ...] = ()
    protocol: str = ""
    path: str = ""
    engine: int | None = None
    origin: str = ""
    host: str = ""
    headers: Mapping[str, str] | None = None
    idle: float | None = None
    emit: str = ""
    data: str = '""'
    expect: str = ""
    clients: int = 4
    timeout: float = 10.0
    nginx: Path | None = None
    h2o: Path | None = None
    # Trusts the run's own authority, for a ``url`` that leads to ``host`` in a sandbox; None: this machine's.
    context: ssl.SSLContext | None = None


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Attributes:
        seen: Of each URL, from outside inwards.
        files: The configurations that were read.
    """

    seen: list[Seen]
    findings: list[Finding]
    files: list[str]

    def exit_code(self, severity: str) -> int:
        """1 where a finding is as severe; "never": 0."""
        return int(severity != "never" and finding.at_least(self.findings, severity))

    def as_json(self) -> dict[str, Any]:
        """The format of ``--json``, without the exit code."""
        return {
            "version": 1,
            "urls": [_url(one) for one in self.seen],
            "files": self.files,
            "findings": [
                {
                    "rule": one.rule,
                    "severity": one.severity,
                    "text": one.text,
                    "fix": one.fix,
                    "why": one.why,
                    "hop": one.hop or None,
                    "known_by": one.known_by,
                    "where": list(one.where),
                    "clients": list(one.clients),
                }
                for one in self.findings
            ],
        }


def carry_out(request: Request, progress: Callable[[str], None]) -> Outcome:
    """Probe what is named, read what is given, and judge both.

    Raises:
        SandboxError: An option or a file is wrong, or a URL cannot be reached.
    """
    request = _of_a_stack(request)
    files = [str(file) for file in (request.nginx, request.h2o) if file is not None]
    tree = proxy_files.nginx(request.nginx) if request.nginx is not None else None
    yaml = proxy_files.h2o(request.h2o) if request.h2o is not None else None
    if not request.url and not files:
        raise SandboxError("nothing to check", hint="a URL, --nginx FILE or --h2o FILE; sandbox check websocket --help")
    if request.behind and not request.url:
        raise SandboxError("--behind needs the URL that it is behind")
    public = _parts(request.url) if request.url else None
    protocol = _protocol(request.protocol, public)
    seen = _look(request, public, protocol, progress) if public is not None else []
    asked = _asked(request, public, protocol, seen)
    configured = nginx.find(tree, str(request.nginx), asked) if tree is not None else []
    configured += h2o.find(yaml, asked) if yaml is not None else []
    return Outcome(seen, _in_a_sandbox(request, conclude(seen, configured)), files)


def _in_a_sandbox(request: Request, found: list[Finding]) -> list[Finding]:
    """Say what helps where the run's own authority is trusted: not that this machine trusts another one."""
    if request.context is None:
        return found
    name = urlsplit(f"//{request.host}").hostname
    fix = f"its listener wants a certificate for {name}: one that is requested of ACM is by the run's own authority"
    return [replace(one, fix=fix) if one.rule == "certificate" else one for one in found]


def _of_a_stack(request: Request) -> Request:
    """A stack that is up stands for the host of its first URL, by HTTPS if it has that, asked at its door."""
    if not request.url.replace("-", "").isalnum():
        return request
    from sandbox.controllers import up

    state = up.find(request.url)
    if state is None or not state.sites:
        return request
    url, door = next(iter(state.sites.items()))
    host = request.host or urlsplit(url).netloc
    return replace(request, url=urljoin(door, "/"), host=host, context=state.trust())


def _look(request: Request, public: SplitResult, protocol: str, progress: Callable[[str], None]) -> list[Seen]:
    wishes = _wishes(request, protocol)
    seen: list[Seen] = []
    for url in (request.url, *request.behind):
        parts = _parts(url)
        path = _path(request, protocol, parts if parts.path.strip("/") else public)
        place, why = _place(request, public, parts, inner=bool(seen))
        wanted = replace(wishes, path=path)
        if seen:
            wanted = replace(wanted, idle=_idle_behind(seen[-1]))
        one = probes.probe(url, place, wanted, progress, why)
        _check_http(one)
        seen.append(one)
    return seen


def _idle_behind(outer: Seen) -> float:
    """For how long the next URL is to be idle: only where the outer one was cut, and a little longer."""
    idle = outer.session(observed.IDLE)
    return idle.lived + _LONGER if idle is not None and not idle.ok and idle.waited else 0.0


def _asked(request: Request, public: SplitResult | None, protocol: str, seen: Sequence[Seen]) -> nginx.Asked:
    name, port = (public.hostname, _port(public)) if public is not None else (None, None)
    if request.host:
        given = urlsplit(f"//{request.host}")
        name, port = given.hostname, given.port or port or 80
    told = [session.opened for one in seen for session in one.sessions if session.opened]
    interval = packets.ping_interval(dict(told[0])) if told else None
    path = _path(request, protocol, public).partition("?")[0]
    return nginx.Asked(path, protocol, name, port, interval or nginx.PING_INTERVAL)


def _wishes(request: Request, protocol: str) -> Wishes:
    if request.expect and not request.emit:
        raise SandboxError("--expect needs --emit: something has to lead to it")
    try:
        data = from_json(request.data)
    except ValueError as error:
        raise SandboxError(f"--data {request.data}: it is no JSON", state=str(error)) from error
    if request.emit and protocol == observed.ENGINE_IO:
        raise SandboxError("--emit: bare Engine.IO has no events", hint="leave --protocol out, for Socket.IO")
    expect = request.expect or (request.emit if protocol == observed.SOCKET_IO else "")
    return Wishes(protocol, "", request.engine, request.idle, request.emit, data, expect, request.clients)


def _protocol(given: str, public: SplitResult | None) -> str:
    if given and given not in PROTOCOLS:
        raise SandboxError(f"--protocol {given}: there is no such protocol", hint=", ".join(PROTOCOLS))
    if given:
        return given
    return observed.WEBSOCKET if public is not None and public.scheme in {"ws", "wss"} else observed.SOCKET_IO


def _path(request: Request, protocol: str, parts: SplitResult | None) -> str:
    path = request.path or (parts.path if parts is not None and parts.path.strip("/") else "")
    if path and (not path.startswith("/") or not _visible(path)):
        raise SandboxError(f"--path {path}: it is no path", hint=f"such as {SOCKET_IO_PATH}")
    query = f"?{parts.query}" if parts is not None and parts.query else ""
    if protocol == observed.WEBSOCKET:
        return (path or "/") + query
    path = path or SOCKET_IO_PATH
    return (path if path.endswith("/") else f"{path}/") + query


def _parts(url: str) -> SplitResult:
    text = url if "://" in url else f"http://{url}"
    try:
        parts = urlsplit(text)
        valid = parts.scheme in _SCHEMES and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        valid = False
    if not valid or not _visible(text):
        hint = "such as http://127.0.0.1:8080/ (Socket.IO) or ws://127.0.0.1:8080/chat (a plain WebSocket)"
        raise SandboxError(f"{url} is no URL to check", hint=hint)
    if "@" in parts.netloc:
        hint = "--header 'Authorization: Basic ...'"
        raise SandboxError(f"{parts.hostname}: no name and password in a URL", hint=hint)
    return parts


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if _SCHEMES[parts.scheme] else 80)


def _place(request: Request, public: SplitResult, parts: SplitResult, *, inner: bool) -> tuple[Place, str]:
    """Where to connect; and why its certificate is not trusted.

    A URL behind a proxy is asked as by a proxy that is right: with the public Host and Origin, and X-Forwarded-Proto.
    """
    scheme = "https" if _SCHEMES[public.scheme] else "http"
    host = request.host or public.netloc
    _check_host(request)
    headers = dict(request.headers or {})
    if inner:
        headers = {"X-Forwarded-Proto": scheme, **headers}
    secure = _SCHEMES[parts.scheme]
    name = (urlsplit(f"//{host}").hostname or "") if not inner else (parts.hostname or "")
    origin = request.origin or f"{scheme}://{host}"
    place = Place(
        secure, (parts.hostname or "", _port(parts)), name, host.lower(), origin.lower(), headers, request.timeout
    )
    return _reached(place, parts.geturl(), request.context if not inner else None)


def _check_host(request: Request) -> None:
    try:
        parts = urlsplit(f"//{request.host or 'x'}")
        valid = bool(parts.hostname) and (parts.port or 1) > 0 and parts.netloc == (request.host or "x")
    except ValueError:
        valid = False
    if not valid or not _visible(request.host):
        raise SandboxError(f"--host {request.host}: it is no name", hint="such as board.example.org, or with a port")
    if not _visible(request.origin):
        raise SandboxError(f"--origin {request.origin}: it is no origin", hint="such as https://board.example.org")


def _visible(text: str) -> bool:
    return text.isascii() and all(letter > " " for letter in text)


def _reached(place: Place, url: str, trusted: ssl.SSLContext | None) -> tuple[Place, str]:
    why = ""
    if place.secure:
        place = replace(place, context=trusted or ssl.create_default_context())
    try:
        place.connect().close()
    except ssl.SSLCertVerificationError as error:
        why = error.verify_message
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        place = replace(place, context=context)
    except OSError as error:
        hint = "is it running, and is that its address and port?"
        if isinstance(error, ssl.SSLError):
            hint = "does it speak TLS at this port? if not: http: or ws:"
        raise SandboxError(f"{url} cannot be reached", state=explain(error), hint=hint) from error
    return place, why


def _check_http(seen: Seen) -> None:
    """A place that answers nothing at all is no server to judge."""
    answers = [step.answer for session in seen.sessions for step in session.steps if step.answer is not None]
    if not any(answer.status for answer in answers):
        hint = "is that its port, and does it speak HTTP there (http:), or TLS (https:)?"
        raise SandboxError(f"{seen.url} gives no answer of HTTP", state=answers[0].error, hint=hint)


def _url(seen: Seen) -> dict[str, Any]:
    told = seen.broadcast
    return {
        "url": seen.url,
        "protocol": seen.protocol,
        "engine": seen.engine if seen.protocol != observed.WEBSOCKET else None,
        "path": seen.path,
        "host": seen.host,
        "origin": seen.origin,
        "certificate": seen.tls or None,
        "clients": [_client(one) for one in seen.sessions],
        "origins": {origin: step.ok for origin, step in seen.origins.items()},
        "broadcast": {"listeners": told.listeners, "received": told.received} if told is not None else None,
    }


def _client(session: Session) -> dict[str, Any]:
    return {
        "client": session.client,
        "ok": session.ok,
        "ping_interval": packets.ping_interval(dict(session.opened)) if session.opened else None,
        "waited": round(session.waited, 3),
        "lived": round(session.lived, 3),
        "pings": session.pings,
        "steps": [_step(one) for one in session.steps],
    }


def _step(step: Step) -> dict[str, Any]:
    answer, ending = step.answer, step.ending
    return {
        "name": step.name,
        "ok": step.ok,
        "status": answer.status if answer is not None else None,
        "headers": [list(header) for header in answer.headers] if answer is not None else [],
        "body": answer.body if answer is not None else "",
        "error": answer.error if answer is not None else "",
        "seconds": round(answer.seconds, 4) if answer is not None else None,
        "got": step.got,
        "ended": {"how": ending.how, "code": ending.code, "reason": ending.reason} if ending is not None else None,
    }
