"""Varnish as the CDN runs it, alone: asked through sockets, with an origin that says what a test says, at any time.

The test moves Varnish's clock, so that a day goes by in no time: a library that is loaded before all others adds to
what the system says (libfaketime does the same, and hangs with Varnish's memory allocator).
"""

from __future__ import annotations

import contextlib
import http.client
import queue
import socket
import struct
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer

from docker.types import Mount

from sandbox.dataplane.cdn.vcl import Place, vcl
from sandbox.engine.containers import Containers, Spec
from sandbox.model.cloudfront.config import Distribution
from sandbox.model.cloudfront.headers import join
from sandbox.model.cloudfront.messages import FAILURE_STATUS, Failure, Request, Response

CLOCK = """
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static volatile double *ahead;

__attribute__((constructor)) static void begin(void) {
    int file = open("/cdn/ahead", O_RDONLY);
    ahead = mmap(0, sizeof *ahead, PROT_READ, MAP_SHARED, file, 0);
    close(file);
}

int clock_gettime(clockid_t id, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, id, now);
    if (!failed && (id == CLOCK_REALTIME || id == CLOCK_MONOTONIC)) {
        now->tv_sec += (time_t)*ahead;
    }
    return failed;
}
"""
PATIENCE = 20.0
TOKEN = "5ecre7"
RENAMED = {"age": f"x-{TOKEN}-age", "content-range": f"x-{TOKEN}-content-range"}
"""As nginx does it."""


@dataclass(frozen=True)
class Asked:
    """What an origin was asked."""

    origin: str
    method: str
    uri: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Got:
    """What a viewer got."""

    status: int
    headers: Mapping[str, str]
    cookies: tuple[str, ...]
    body: bytes


@dataclass
class Script:
    """What the origins say next, and what they were asked."""

    answers: queue.SimpleQueue[Response | Failure] = field(default_factory=queue.SimpleQueue)
    asked: list[Asked] = field(default_factory=list)
    over: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    """Released once for each answer that Varnish has taken whole."""
    taken: int = 0


class _Server(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True


class VarnishEdge:
    """One container; `close` removes nothing, the run does."""

    def __init__(self, containers: Containers, image: str, folder: Path) -> None:
        self._containers = containers
        self._folder = folder
        folder.chmod(0o777)
        self.script = Script()
        self._servers: list[_Server] = []
        self._number = 0
        (folder / "empty.vcl").write_text("vcl 4.1; backend none none;")
        (folder / "clock.c").write_text(CLOCK)
        (folder / "ahead").write_bytes(struct.pack("d", 0))
        self._container = containers.run_new(
            Spec(
                "varnish-edge",
                image,
                entrypoint=["sh", "-ec"],
                command=[
                    "$(command -v gcc || ls /usr/bin/*-gcc | head -1) -shared -fPIC -o /tmp/clock.so /cdn/clock.c;"
                    "LD_PRELOAD=/tmp/clock.so exec varnishd -F -f /cdn/empty.vcl -s malloc,64m -p http_max_hdr=128"
                    " -a http=/cdn/http.sock,PROXY,mode=666 -a https=/cdn/https.sock,PROXY,mode=666"
                    " -a self=/cdn/self.sock,mode=600"
                ],
                mounts=[Mount("/cdn", str(folder), type="bind")],
            )
        )

        deadline = time.monotonic() + PATIENCE
        while containers.execute(self._container, ["varnishadm", "status"])[0]:
            assert time.monotonic() < deadline, containers.log_tail(self._container)
            time.sleep(0.05)  # varnishd tells nobody when it listens

    def at(self, seconds: float) -> None:
        """Let Varnish's clock be so many seconds ahead, whole ones."""
        with (self._folder / "ahead").open("r+b") as file:
            file.write(struct.pack("d", seconds))

    def serve(self, distribution: Distribution, speed: float = 1.0) -> None:
        """Carry out a distribution from now on; what is kept stays."""
        self._number += 1
        places = {}
        for name in distribution.origins:
            path = self._folder / f"{self._number}-{name}.sock"
            self._servers.append(_Server(str(path), _handler(name, self)))
            path.chmod(0o777)
            threading.Thread(target=self._servers[-1].serve_forever, daemon=True).start()
            places[name] = Place(f"/cdn/{path.name}")
        text = vcl(distribution, places, Place("/cdn/self.sock"), token=TOKEN, speed=speed)
        name = f"v{self._number}"
        (self._folder / f"{name}.vcl").write_text(text)
        for command in (["vcl.load", name, f"/cdn/{name}.vcl"], ["vcl.use", name]):
            self.admin(*command)

    def admin(self, *command: str) -> str:
        """A command of varnishadm."""
        code, out, err = self._containers.execute(self._container, ["varnishadm", "-t", f"{PATIENCE:g}", *command])
        assert code == 0, f"{command}: {out} {err}"
        return out

    def forget(self) -> None:
        """Let the origins and what is kept be as at the beginning."""
        self.script = Script()
        self.admin("ban", "obj.status", "!=", "0")

    def await_origin(self, count: int) -> None:
        """Until the origins have been asked so often since `forget`, and Varnish has taken the last answer."""
        assert self.has_asked(count, PATIENCE), f"the origin was asked {self.script.taken} times"

    def has_asked(self, count: int, within: float) -> bool:
        """Whether that comes within so many seconds after the last time that the origins were asked."""
        while self.script.taken < count:
            if not self.script.over.acquire(timeout=within):
                return False
            self.script.taken += 1
        return True

    def ask(self, request: Request, *answers: Response | Failure) -> Got:
        """A viewer's request. The origins give these answers to what they are asked, one after the other."""
        for one in answers:
            self.script.answers.put(one)
        connection = http.client.HTTPConnection("unix")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(PATIENCE)
        connection.sock.connect(str(self._folder / f"{request.scheme}.sock"))
        connection.sock.sendall(f"PROXY TCP4 {request.client} 192.0.2.99 40000 80\r\n".encode())
        connection._http_vsn_str = f"HTTP/{request.version}"
        target = f"{request.path}{'?' if request.query else ''}{request.query}"
        try:
            connection.putrequest(request.method, target, skip_host=True, skip_accept_encoding=True)
            for name, value in request.headers.items():
                connection.putheader(name, value)
            if request.has_body:
                connection.putheader("content-length", "4")
            connection.putheader("connection", "close")
            with contextlib.suppress(BrokenPipeError):  # refused before the body came
                connection.endheaders(b"body" if request.has_body else None)
            answer = connection.getresponse()
            body = answer.read()
            headers = join((name, value) for name, value in answer.getheaders() if name.lower() != "set-cookie")
            return Got(answer.status, headers, tuple(answer.headers.get_all("set-cookie", ())), body)
        finally:
            connection.close()

    def close(self) -> None:
        """End the origins."""
        for server in self._servers:
            server.shutdown()
            server.server_close()


def _handler(name: str, edge: VarnishEdge) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline()
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            self.close_connection = True
            if self.headers.get("content-length"):
                self.rfile.read(int(self.headers["content-length"]))
            script = edge.script
            headers = join(
                (key, value) for key, value in self.headers.items() if not key.lower().startswith(f"x-{TOKEN}-")
            )
            script.asked.append(Asked(name, self.command, self.path, headers))
            try:
                outcome = script.answers.get(timeout=2)
            except queue.Empty:
                outcome = Response(599, {}, body="nothing was to be asked here")
            with contextlib.suppress(OSError):  # an answer that is not taken
                self._say(outcome)
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_WR)
                self.connection.settimeout(PATIENCE)
                self.connection.recv(1)  # until Varnish has taken it all and closes
            script.over.release()

        def _say(self, outcome: Response | Failure) -> None:
            if isinstance(outcome, Failure):
                outcome = Response(FAILURE_STATUS[outcome.kind], {f"x-{TOKEN}-failure": outcome.kind})
            self.send_response_only(outcome.status)
            body = str(outcome.body or "").encode()
            for key, value in outcome.headers.items():
                self.send_header(RENAMED.get(key, key), value)
            for value in outcome.cookies:
                self.send_header("set-cookie", value)
            if outcome.status not in {304, 204} and "content-length" not in outcome.headers:
                self.send_header("content-length", str(len(body)))
            self.send_header("connection", "close")
            self.end_headers()
            if self.command != "HEAD" and outcome.status not in {304, 204}:
                self.wfile.write(body)

        def address_string(self) -> str:
            return "unix"

    return Handler
