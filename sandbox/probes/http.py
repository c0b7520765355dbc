"""HTTP as a viewer sees it: `curl` in the viewer container resolves the name through the sandbox's DNS and connects.

Everything is measured by curl itself, so the numbers are of the request alone and not of `docker exec`. Only waiting,
which asks many times and measures nothing, is done from this process (`get_until`).
"""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, RemoteDisconnected
from typing import Any
from urllib.parse import urlsplit

Execute = Callable[[Sequence[str]], tuple[int, str, str]]
Connect = Callable[[str, int, float], socket.socket]

# curl's exit codes, in words ("man curl", EXIT CODES)
_ERRORS = {
    6: "the name does not resolve",
    7: "connection refused",
    28: "timed out",
    52: "the server closed the connection without an answer",
    56: "the connection was reset",
}
# The same for our own client; the first that fits.
_FAILURES: dict[type[Exception], str] = {
    socket.gaierror: _ERRORS[6],
    ConnectionRefusedError: _ERRORS[7],
    TimeoutError: _ERRORS[28],
    RemoteDisconnected: _ERRORS[52],
    ConnectionResetError: _ERRORS[56],
}
# Whom curl is to trust comes with the command: the viewer is there before the run has an authority.
_TRUSTING = 'printf %s "$0" >/tmp/authority.pem && exec curl --cacert /tmp/authority.pem "$@"'
_ASK_AGAIN = 0.1  # seconds
_BODY_LIMIT = 65536
_MARK = "\x1e"  # between body and report; curl writes the report after the body


@dataclass(frozen=True)
class HttpResult:
    """One request's outcome.

    Attributes:
        url: What was asked for.
        status: The HTTP status (0: none came).
        headers: Names in lower case; of a repeated header the last value.
        body: The first 64 KiB, decoded.
        remote_ip: The address that the name led to ("": none).
        seconds: From the start to the last byte.
        error: Why there was no answer ("" where there was one).
        cookies: What Set-Cookie headers set, each as ``NAME=VALUE``.
        content: The body's bytes, where this process has asked.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: str
    remote_ip: str
    seconds: float
    error: str
    cookies: tuple[str, ...] = ()
    content: bytes = field(default=b"", repr=False)

    def __str__(self) -> str:
        if self.error:
            return f"{self.url}: {self.error}" + (f" ({self.remote_ip})" if self.remote_ip else "")
        return f"{self.url}: HTTP {self.status} from {self.remote_ip}"

    def facts(self) -> dict[str, Any]:
        """What goes to the timeline; ``x_cache`` ("Hit", "Miss", ...) where CloudFront has answered."""
        facts = {
            "url": self.url,
            "status": self.status,
            "remote_ip": self.remote_ip,
            "seconds": round(self.seconds, 4),
            "error": self.error,
        }
        if "x-cache" in self.headers:
            facts["x_cache"] = self.headers["x-cache"].removesuffix(" from cloudfront")
        return facts


def get(
    execute: Execute, url: str, *, timeout: float = 10.0, headers: Mapping[str, str] | None = None, authority: str = ""
) -> HttpResult:
    """GET ``url`` once; redirects are not followed.

    Args:
        execute: Runs a command where the viewer is: (exit code, standard output, standard error).
        url: http://NAME/PATH, or with https.
        timeout: Seconds for the whole request, 3 of them for the connection at most.
        headers: Request headers.
        authority: The certificate (PEM) of the authority that is trusted for https ("": those of the viewer's system).
    """
    command = _curl(url, timeout, headers or {})
    code, out, err = execute(["sh", "-c", _TRUSTING, authority, *command[1:]] if authority else command)
    return _result(url, code, out, err)


def get_until(connect: Connect, url: str, *, status: int, within: float, stop: threading.Event) -> HttpResult:
    """GET ``url`` again and again, until it answers ``status``; the last result is returned.

    It asks from this process, so that waiting costs the machine next to nothing: a viewer's `curl` would be a new
    process each time.

    Args:
        connect: Gives a connection to a name (host, port, seconds), TLS included where the URL's scheme is https;
            raises OSError, gaierror for an unknown name.
        url: http://NAME/PATH, or with https.
        status: The HTTP status that ends it.
        within: The bound in seconds of the wall clock.
        stop: Ends it early.
    """
    deadline = time.monotonic() + within
    while True:
        result = request(connect, url, max(min(5.0, deadline - time.monotonic()), 0.1))
        if result.status == status or time.monotonic() >= deadline or stop.wait(_ASK_AGAIN):
            return result


def request(
    connect: Connect,
    url: str,
    timeout: float,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    limit: int = _BODY_LIMIT,
) -> HttpResult:
    """One request from this process.

    Args:
        connect: Gives a connection to the URL's name (host, port, seconds), TLS included where its scheme is https.
        url: http://NAME/PATH, or with https.
        timeout: Seconds to connect, and for each read.
        method: "GET", "POST", ...
        headers: Beside Host, which is the URL's.
        body: What is sent.
        limit: Bytes of the answer's body that are read.
    """
    parts = urlsplit(url)
    usual = 443 if parts.scheme == "https" else 80
    host, port = parts.hostname or "", parts.port or usual
    begun = time.monotonic()
    client = HTTPConnection(host, port)
    client.default_port = usual  # which Host does not have
    remote_ip, status, error = "", 0, ""
    received: dict[str, str] = {}
    cookies: list[str] = []
    content = b""
    try:
        client.sock = connect(host, port, timeout)
        remote_ip = client.sock.getpeername()[0]
        path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        client.request(method, path, body=body, headers=dict(headers or {}))
        answer = client.getresponse()
        content = answer.read(limit)
        status, received = answer.status, {name.lower(): value for name, value in answer.getheaders()}
        cookies = answer.headers.get_all("set-cookie", [])
    except (OSError, HTTPException) as failure:
        error = _said(failure)
    finally:
        client.close()
    text, seconds = content[:_BODY_LIMIT].decode(errors="replace"), time.monotonic() - begun
    return HttpResult(url, status, received, text, remote_ip, seconds, error, _pairs(cookies), content)


def _said(failure: Exception) -> str:
    if isinstance(failure, ssl.SSLCertVerificationError):
        return f"the certificate is refused: {failure.verify_message}"
    return next((text for kind, text in _FAILURES.items() if isinstance(failure, kind)), str(failure))


def _curl(url: str, timeout: float, headers: Mapping[str, str]) -> list[str]:
    sent = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    report = f"{_MARK}%{{json}}{_MARK}%{{header_json}}"
    connect = f"{min(timeout, 3.0):g}"
    return ["curl", "-sS", "-m", f"{timeout:g}", "--connect-timeout", connect, *sent, "-w", report, url]


def _result(url: str, code: int, out: str, err: str) -> HttpResult:
    body, _, rest = out.rpartition(_MARK)
    body, _, report_text = body.rpartition(_MARK)
    try:
        report, headers = json.loads(report_text), json.loads(rest)
    except json.JSONDecodeError:
        return HttpResult(url, 0, {}, "", "", 0.0, err.strip() or f"curl exited with code {code}")
    error = "" if code == 0 else _ERRORS.get(code, err.strip() or f"curl exited with code {code}")
    return HttpResult(
        url,
        int(report["http_code"]),
        {name.lower(): values[-1] for name, values in headers.items()},
        body[:_BODY_LIMIT],
        report.get("remote_ip", ""),
        float(report["time_total"]),
        error,
        _pairs(value for name, values in headers.items() if name.lower() == "set-cookie" for value in values),
    )


def _pairs(cookies: Iterable[str]) -> tuple[str, ...]:
    return tuple(cookie.partition(";")[0] for cookie in cookies)
