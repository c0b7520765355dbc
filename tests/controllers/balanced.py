"""A load balancer in a sandbox, targets that do what a path says, and clients that see every byte."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import itertools
import json
import socket
import socketserver
import ssl
import struct
import threading
import time
from dataclasses import dataclass, field, replace

from sandbox.model.elb.config import Attributes, Forward, HealthCheck, Listener, LoadBalancer, Rule, TargetGroup
from sandbox.model.elb.target import Target

ARN = "arn:aws:elasticloadbalancing:us-east-1:123456789012"
PATIENCE = 15.0
_NUMBERS = itertools.count(1)


class Backend:
    """A target on this machine. The first part of a request's path says what it does.

    Attributes:
        asked: The requests it got, health checks left out.
        healthy: What the health check at /health gets: a status, or "silence" or "garbage".
    """

    def __init__(self, address: str, name: str, tls: ssl.SSLContext | None = None) -> None:
        self.name = name
        self.asked: list[str] = []
        self.checked: list[str] = []
        self.healthy: int | str = 200
        self.release = threading.Event()
        self.arrived = threading.Semaphore(0)
        backend = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError):
                    request = tls.wrap_socket(self.request, server_side=True) if tls else self.request
                    while backend._serve(request):
                        pass

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = daemon_threads = True
            request_queue_size = 128

        self._server = Server((address, 0), Handler)
        self.target = Target(address, self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        self.release.set()
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, connection: socket.socket) -> bool:
        head = b""
        while b"\r\n\r\n" not in head:
            piece = connection.recv(65536)
            if not piece:
                return False
            head += piece
        head, _, body = head.partition(b"\r\n\r\n")
        text = head.decode("latin-1")
        path = text.split(" ")[1]
        if path == "/health":
            self.checked.append(text)
            return self._answer_check(connection)
        self.asked.append(text)
        self.arrived.release()
        return self._answer(connection, path.strip("/").partition("/")[0].partition("?")[0], text, body)

    def _answer_check(self, connection: socket.socket) -> bool:
        if self.healthy == "silence":
            self.release.wait(PATIENCE)
        elif self.healthy == "garbage":
            connection.sendall(b"hello\r\n\r\n")
        else:
            connection.sendall(f"HTTP/1.1 {self.healthy} x\r\nContent-Length: 0\r\n\r\n".encode())
        return False

    def _answer(self, connection: socket.socket, what: str, text: str, body: bytes) -> bool:
        match what:
            case "reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return False
            case "close":
                return False
            case "garbage":
                connection.sendall(b"gar bage\r\n\r\n")
                return False
            case "half":
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
                return False
            case "wait":
                self.release.wait(PATIENCE)
            case "socket":
                return self._tunnel(connection, text)
        more = "Set-Cookie: session=1\r\n" if what == "login" else ""
        said = json.dumps({"name": self.name, "request": text}).encode()
        status = int(what) if what.isdigit() else 200
        head = f"HTTP/1.1 {status} Fine\r\n{more}Content-Type: application/json\r\nContent-Length: {len(said)}\r\n\r\n"
        connection.sendall(head.encode() + said)
        return True

    def _tunnel(self, connection: socket.socket, text: str) -> bool:
        """A WebSocket, as far as a proxy can see: an upgrade, then bytes both ways, echoed with this target's name."""
        key = header(text, "sec-websocket-key")
        accept = base64.b64encode(hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()).decode()
        connection.sendall(
            f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
        )
        while said := connection.recv(65536):
            connection.sendall(f"{self.name}:".encode() + said)
        return False


def header(text: str, name: str) -> str | None:
    """A header of a request as a target saw it."""
    found = [line.partition(":")[2].strip() for line in text.split("\r\n")[1:] if line.lower().startswith(f"{name}:")]
    return ", ".join(found) if found else None


@dataclass
class Got:
    """What a client got."""

    status: int
    reason: str
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def name(self) -> str:
        """The target that answered."""
        return self.json["name"]

    def sent(self, name: str) -> str | None:
        """A header as the target saw it."""
        return header(self.json["request"], name)

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies that were set, with their attributes."""
        return dict(line.split("=", 1) for line in self.headers.get_all("set-cookie", ()))


@dataclass
class Site:
    """One load balancer with one group, "web", and as many targets as the test wants."""

    sandbox: object
    group: TargetGroup
    balancer: LoadBalancer
    backends: list[Backend] = field(default_factory=list)

    @property
    def elb(self):
        return self.sandbox.load_balancers

    @property
    def address(self) -> str:
        (address,) = self.sandbox._control_plane.addresses(self.balancer.dns_name)
        return address

    def backend(self, *, register: bool = True, wait: str = "healthy", tls: ssl.SSLContext | None = None) -> Backend:
        """One more target, registered and healthy unless the test wants another state."""
        gateway = self.sandbox._network.vpc.address(1)
        made = Backend(gateway, "abcdefgh"[len(self.backends)], tls)
        self.backends.append(made)
        if register:
            self.register(made, wait=wait)
        return made

    def register(self, backend: Backend, *, wait: str = "healthy") -> None:
        mark = self.sandbox.timeline.mark()
        self.elb.register(self.group.arn, [backend.target])
        if wait:
            self.wait_health(backend.target, wait, mark)

    def wait_health(self, target: Target, state: str, mark: int = 0, **facts):
        """Wait until a target's health is told of as ``state``."""
        return self.sandbox.timeline.wait_for(
            f"{target} to be {state} {facts}",
            lambda seen: (
                seen.kind == "target.health"
                and (seen["group"], seen["target"], seen["state"]) == (self.group.name, str(target), state)
                and all(seen[name] == value for name, value in facts.items())
            ),
            within=PATIENCE,
            since=mark,
        )

    def wait_response(self, mark: int, **facts):
        """Wait until an answer is told of."""
        return self.sandbox.timeline.wait_for(
            f"alb.response {facts}",
            lambda seen: (
                seen.kind == "alb.response"
                and seen["balancer"] == self.balancer.name
                and all(seen[name] == value for name, value in facts.items())
            ),
            within=PATIENCE,
            since=mark,
        )

    def update(self, **changes) -> None:
        """Change the load balancer."""
        self.balancer = replace(self.balancer, **changes)
        self.elb.deploy(self.balancer)

    def attributes(self, **changes) -> None:
        self.update(attributes=replace(self.balancer.attributes, **changes))

    def change_group(self, **changes) -> None:
        self.group = replace(self.group, **changes)
        self.balancer = replace(self.balancer, groups={**self.balancer.groups, self.group.arn: self.group})
        self.elb.put_group(self.group)

    def connect(self, port: int = 80) -> socket.socket:
        """A client's connection."""
        return connect_to(self.address, port)

    def get(self, path: str = "/", *, method="GET", headers=(), port: int = 80, secure=None, body=None) -> Got:
        """One request on a connection of its own."""
        name = self.balancer.dns_name
        return ask_at(
            self.address, path, port=port, secure=secure, host=name, method=method, headers=headers, body=body
        )

    def raw(self, request: bytes, port: int = 80) -> bytes:
        """All that comes back for some bytes."""
        with self.connect(port) as connection:
            with contextlib.suppress(BrokenPipeError):  # it may have answered before it had all
                connection.sendall(request)
            return read_all(connection)

    def close(self) -> None:
        for backend in self.backends:
            backend.close()
        self.elb.remove(self.balancer.arn)
        self.elb.remove_group(self.group.arn)


def connect_to(address: str, port: int = 80) -> socket.socket:
    """A client's connection."""
    made = socket.create_connection((address, port), timeout=PATIENCE)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def ask_at(address: str, path: str = "/", *, port: int = 80, secure=None, host="", **request) -> Got:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection(address, port, timeout=PATIENCE)
    connection.sock = connect_to(address, port)
    if secure:
        connection.sock = secure.wrap_socket(connection.sock, server_hostname=host)
    return ask(connection, path, host=host, **request)


def ask(connection, path="/", *, method="GET", headers=(), host="site.example.org", body=None) -> Got:
    """One request on a connection."""
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    given = dict(headers)
    connection.putheader("Host", given.pop("Host", host))
    for name, value in given.items():
        for one in value if isinstance(value, list) else [value]:
            connection.putheader(name, one)
    if body is not None:
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    answer = connection.getresponse()
    return Got(answer.status, answer.reason, answer.headers, answer.read())


def read_all(connection: socket.socket) -> bytes:
    """Until the other side closes."""
    pieces = []
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            pieces.append(piece)
    return b"".join(pieces)


def upgrade(connection: socket.socket, path: str = "/socket", more: str = "") -> bytes:
    """Open a WebSocket; returns the answer's head."""
    connection.sendall(
        f"GET {path} HTTP/1.1\r\nHost: site.example.org\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{more}\r\n".encode()
    )
    head = b""
    while b"\r\n\r\n" not in head:
        piece = connection.recv(65536)
        if not piece:
            break
        head += piece
    return head


def make_site(sandbox, *, rules=None, attributes=None, more_groups=(), **group) -> Site:
    """A load balancer with one HTTP listener whose default rule forwards to one group."""
    number = next(_NUMBERS)
    check = HealthCheck(path="/health", interval=5, timeout=2, healthy_threshold=2, unhealthy_threshold=2)
    web = TargetGroup(
        **{
            "arn": f"{ARN}:targetgroup/web-{number}/{number:016x}",
            "name": f"web-{number}",
            "protocol": "HTTP",
            "port": 80,
            "target_type": "ip",
            "vpc_id": "vpc-1",
            "health_check": check,
            **group,
        }
    )
    name = f"site-{number}"
    default = Rule(f"{ARN}:listener-rule/1", None, (), Forward(((web.arn, 1),)))
    balancer = LoadBalancer(
        arn=f"{ARN}:loadbalancer/app/{name}/{number:016x}",
        name=name,
        dns_name=f"{name}-{number}.us-east-1.elb.amazonaws.com",
        scheme="internet-facing",
        vpc_id="vpc-1",
        subnets=sandbox.subnets,
        security_groups=[sandbox.security_group],
        attributes=attributes or Attributes(),
        listeners=[
            Listener(f"{ARN}:listener/app/{name}/1/1", 80, "HTTP", (*(rules or (lambda arn: ()))(web.arn), default))
        ],
        groups={one.arn: one for one in (web, *more_groups)},
    )
    site = Site(sandbox, web, balancer)
    site.elb.deploy(balancer)
    return site


def trusting(sandbox) -> ssl.SSLContext:
    """A client's context for HTTPS listeners."""
    context = ssl.create_default_context(cadata=sandbox.authority.certificate.decode())
    context.check_hostname = False
    return context


def until(condition, within: float = PATIENCE) -> None:
    """Wait for what nothing tells of: what a target has seen."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        threading.Event().wait(0.01)
