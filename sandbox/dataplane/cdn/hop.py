"""Leads requests through Lambda@Edge functions: a server between Varnish and Varnish, or Varnish and the origins.

Varnish passes a request of a cache behaviour with functions to a Unix socket of ours. On the viewer's side it goes on
to Varnish again, which then looks into its cache; on the origin's side it goes on to the nginx that leads to the
origin. What runs when is the model's (`sandbox.model.cloudfront.lambda_exchange`); requests of other behaviours never
come here.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from typing import ClassVar

from sandbox.model.cloudfront.lambda_edge import Association, Trigger
from sandbox.model.cloudfront.lambda_events import EdgeOrigin, EdgeRequest, EdgeResponse, Pairs, Place
from sandbox.model.cloudfront.lambda_exchange import Answer, Exchange, Failed, Forward, Returned, Run, Step

_CHUNK = 65536
_LONGEST_BODY = 64 << 20
_HOP_BY_HOP = frozenset(("connection", "keep-alive", "transfer-encoding", "proxy-connection", "upgrade", "trailer"))
_FRAMING = _HOP_BY_HOP | {"content-length"}
# Varnish would act on these itself; it is told of them in other headers.
_ACTED_ON = frozenset(("age", "content-range"))
_BODILESS = frozenset((204, 304))

Invoke = Callable[[Association, Mapping[str, object]], Returned | Failed]
Tell = Callable[[Association, EdgeRequest, Step, float], None]


@dataclass(frozen=True)
class Origin:
    """An origin by the protocol with which the viewer has asked, and the socket of the nginx that leads to it."""

    told: Mapping[str, EdgeOrigin]
    socket: Path


@dataclass(frozen=True)
class Way:
    """What is carried out; each deployment makes another one.

    Attributes:
        distribution_id, domain_name: For the events.
        functions: Of each cache behaviour, by its number; one that is gone has none.
        origins: By their numbers.
        viewed: The socket at which Varnish takes what has been through the viewer's functions.
        token: Of the headers in which Varnish tells what it knows.
    """

    distribution_id: str
    domain_name: str
    functions: Mapping[int, Mapping[Trigger, Association]]
    origins: Sequence[Origin]
    viewed: Path
    token: str


class Hop:
    """A server on a Unix socket, from its construction until `close`.

    Args:
        side: "viewer" or "origin".
        path: Of the socket; everybody who can see it may connect.
        way: What to carry out; may be replaced at any time.
        invoke: Runs a function.
        tell: Told of each function that has run: for which request, what followed, and how many seconds it took.
    """

    def __init__(self, side: str, path: Path, way: Way, invoke: Invoke, tell: Tell) -> None:
        self.way = way
        path.unlink(missing_ok=True)
        handler = type("Handler", (_Handler,), {"hop": self, "side": side})
        self.invoke = invoke
        self.tell = tell
        self._server = _Server(str(path), handler)
        path.chmod(0o666)
        self._thread = threading.Thread(target=self._server.serve_forever, name=f"cdn-{side}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take no more connections."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128


class _Onward(HTTPConnection):
    """A connection to a Unix socket."""

    def __init__(self, path: Path, preamble: str = "") -> None:
        super().__init__("localhost")
        self._path = path
        self._preamble = preamble.encode()

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._path))
        self.sock.sendall(self._preamble)


@dataclass
class _Came:
    """An answer whose body is still to be read."""

    response: EdgeResponse
    inner: Mapping[str, str]
    stream: HTTPResponse | None = None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hop: ClassVar[Hop]
    side: ClassVar[str]

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(_CHUNK)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        onward: list[_Onward] = []
        try:
            self._lead(onward)
        except (OSError, HTTPException):  # whoever asked has gone, or an answer broke off within
            self.close_connection = True
        finally:
            for one in onward:
                one.close()

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""

    def _lead(self, onward: list[_Onward]) -> None:
        way = self.hop.way
        inner, headers = _sorted_out(self.headers.items(), way.token)
        uri, _, query = self.requestline.split()[1].partition("?")  # self.path has lost a second slash
        origin = way.origins[int(inner["origin"])].told[inner["scheme"]] if self.side == "origin" else None
        request = EdgeRequest(
            self.command, _text(uri), _text(query), headers, inner["client"], origin, b"".join(self._body())
        )
        place = Place(way.distribution_id, way.domain_name, inner["id"])
        exchange = Exchange(self.side, way.functions.get(int(inner["behavior"]), {}), place, request)
        came: _Came | None = None
        step = exchange.begin()
        while not isinstance(step, Answer):
            if isinstance(step, Run):
                run, started = step, time.monotonic()
                step = exchange.ran(self.hop.invoke(run.association, run.event))
                self.hop.tell(run.association, request, step, time.monotonic() - started)
            else:
                came = self._forward(step, inner, onward)
                x_cache = dict(came.response.headers).get("X-Cache", "").removesuffix(" from cloudfront")
                step = exchange.came(came.response, no_answer="failure" in came.inner, x_cache=x_cache)
        self._say(step, came)

    def _body(self) -> Iterator[bytes]:
        length = int(self.headers.get("content-length") or 0)
        if "chunked" in self.headers.get("transfer-encoding", "").lower():
            length = 0
            while size := int(self.rfile.readline(_CHUNK).partition(b";")[0], 16):
                length += size
                if length > _LONGEST_BODY:
                    raise HTTPException("the body is too long")
                yield self.rfile.read(size)
                self.rfile.readline(_CHUNK)
            while self.rfile.readline(_CHUNK).strip():
                pass
        elif length > _LONGEST_BODY:
            raise HTTPException("the body is too long")
        elif length:
            yield self.rfile.read(length)

    def _forward(self, step: Forward, inner: Mapping[str, str], onward: list[_Onward]) -> _Came:
        way, request = self.hop.way, step.request
        headers = [(name, value) for name, value in request.headers if name.lower() not in _FRAMING]
        told = {"Scheme": inner["scheme"]}
        if request.origin is None:
            told |= {"Behavior": inner["behavior"], "Id": inner["id"]}
            connection = _Onward(way.viewed, f"PROXY TCP4 {request.client} 127.0.0.1 40000 80\r\n")
            uri = request.uri
        else:
            known = way.origins[int(inner["origin"])]
            connection = _Onward(known.socket)
            uri = request.origin.path + request.uri
            ours = {name.lower() for name, _ in request.origin.custom_headers}
            headers = [pair for pair in headers if pair[0].lower() not in ours]
            headers += request.origin.custom_headers
            if (upstream := _upstream(request.origin)) != _upstream(known.told[inner["scheme"]]):
                told["Upstream"] = upstream
        onward.append(connection)
        try:
            target = _target(uri, request.query)
            connection.putrequest(request.method, target, skip_host=True, skip_accept_encoding=True)
            for name, value in (*headers, *((f"X-{way.token}-{name}", value) for name, value in told.items())):
                connection.putheader(name, value.encode())
            if request.body or request.method in {"POST", "PUT", "PATCH"}:
                connection.putheader("Content-Length", str(len(request.body)))
            connection.endheaders(request.body or None)
            answer = connection.getresponse()
        except (OSError, HTTPException):
            return _Came(EdgeResponse(502, "Bad Gateway", (), b""), {"failure": "502"})
        inner_of_answer, shown = _sorted_out(answer.getheaders(), way.token)
        return _Came(EdgeResponse(answer.status, answer.reason, shown), inner_of_answer, answer)

    def _say(self, answer: Answer, came: _Came | None) -> None:
        response, token = answer.response, self.hop.way.token
        self.send_response_only(response.status, response.reason or None)
        replaced = response.body is not None
        inner = {} if came is None else dict(came.inner)
        for name, value in response.headers:
            if name.lower() in _ACTED_ON:
                inner[name.lower()] = value
            elif name.lower() not in _FRAMING:
                self._header(name, value)
        if replaced:
            inner.pop("content-range", None)
        if answer.x_cache:
            inner["lambda"] = answer.x_cache
        for name, value in inner.items():
            self._header(f"X-{token}-{name.title()}", value)
        if replaced or came is None or came.stream is None or came.stream.status in _BODILESS:
            self._say_whole(response)
        else:
            self._say_stream(came.stream, response.status)

    def _say_whole(self, response: EdgeResponse) -> None:
        body = response.body or b""
        if response.status not in _BODILESS:
            self._header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and response.status not in _BODILESS:
            self.wfile.write(body)

    def _say_stream(self, stream: HTTPResponse, status: int) -> None:
        length = stream.headers.get("content-length")
        bodiless = status in _BODILESS  # a function has made it so
        if length is not None and not bodiless:
            self._header("Content-Length", length)
        elif not bodiless and self.command != "HEAD":
            self._header("Transfer-Encoding", "chunked")
        self.end_headers()
        if bodiless or self.command == "HEAD":
            return
        while piece := stream.read1(_CHUNK):
            self.wfile.write(piece if length is not None else b"%x\r\n%b\r\n" % (len(piece), piece))
        if length is None:
            self.wfile.write(b"0\r\n\r\n")
        elif stream.length:  # it broke off
            self.close_connection = True

    def _header(self, name: str, value: str) -> None:
        self.send_header(name, value.encode().decode("latin-1"))


def _sorted_out(headers: Iterable[tuple[str, str]], token: str) -> tuple[dict[str, str], Pairs]:
    """What Varnish or nginx tells, by lower-case names without the token, and all other headers."""
    beginning = f"x-{token.lower()}-"
    inner: dict[str, str] = {}
    others: list[tuple[str, str]] = []
    for name, value in headers:
        if name.lower().startswith(beginning):
            inner[name.lower().removeprefix(beginning)] = value
        else:
            others.append((name, _text(value)))
    return inner, tuple(others)


def _upstream(origin: EdgeOrigin) -> str:
    return f"{origin.protocol}://{origin.domain_name}:{origin.port}"


def _target(uri: str, query: str) -> str:
    """Path and query string, with what is not ASCII percent-encoded."""
    text = f"{uri}?{query}" if query else uri
    return "".join(letter if "!" <= letter <= "~" else _quoted(letter) for letter in text)


def _quoted(letter: str) -> str:
    return "".join(f"%{byte:02X}" for byte in letter.encode("utf-8", "replace"))


def _text(raw: str) -> str:
    """What came as bytes, which Python takes for ISO-8859-1: in UTF-8 where it is that."""
    with contextlib.suppress(UnicodeError):
        return raw.encode("latin-1").decode()
    return raw
