"""The Lambda Runtime API of one execution environment.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html. Each environment has a listener of its own on 127.0.0.1,
so that no function can see or answer another's invocations.
"""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any

_PREFIX = "/2018-06-01/runtime/"


@dataclass(frozen=True, slots=True)
class Invocation:
    """One event for a function.

    Attributes:
        request_id: Lambda's id of it.
        payload: The event, JSON.
        deadline: When the function's time is up, in seconds since the epoch.
        function_arn: As invoked.
        client_context: JSON, or None.
        trace_id: For X-Ray.
    """

    request_id: str
    payload: bytes
    deadline: float
    function_arn: str
    trace_id: str
    client_context: str | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What the process said.

    Attributes:
        what: "ready" (it asks for its first event), "response", "error", "init/error", or "exit" (it ended).
        request_id: Of the invocation it is about; "" where there is none.
        body: The response or the error.
    """

    what: str
    request_id: str = ""
    body: bytes = b""


class RuntimeApi:
    """Hands out invocations one by one and collects what the process says.

    Attributes:
        address: ``host:port``, for AWS_LAMBDA_RUNTIME_API.
        said: What the process said, in order.
    """

    def __init__(self) -> None:
        self.said: queue.SimpleQueue[Said] = queue.SimpleQueue()
        self._invocations: queue.SimpleQueue[Invocation | None] = queue.SimpleQueue()
        self._current: str | None = None
        self._ready = False
        self._closed = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._address = host, port = self._listener.getsockname()
        self.address = f"{host}:{port}"
        threading.Thread(target=self._serve, name=f"runtime-api-{port}", daemon=True).start()

    def hand_out(self, invocation: Invocation) -> None:
        """Give the process its next event."""
        self._invocations.put(invocation)

    def next(self) -> Invocation | None:
        """Wait for the next event; None when the API is closed."""
        if not self._ready:
            self._ready = True
            self.said.put(Said("ready"))
        invocation = self._invocations.get()
        self._current = invocation.request_id if invocation else None
        return invocation

    def take(self, said: Said, acknowledge: Callable[[], None] = lambda: None) -> bool:
        """Take what the process says; False if it is about an invocation that it has not got.

        It is told so by ``acknowledge`` before anybody else hears of it: it then gets ready for its next event while
        the result of this one is looked at, instead of waiting for its turn among this process's threads.
        """
        if said.what != "init/error" and said.request_id != self._current:
            return False
        self._current = None
        try:
            acknowledge()
        finally:
            self.said.put(said)
        return True

    def close(self) -> None:
        """Stop listening."""
        if self._closed:
            return
        self._closed = True
        self._invocations.put(None)
        with socket.socket() as waker:  # accept() does not notice that its socket is closed
            waker.settimeout(1)
            waker.connect_ex(self._address)

    def _serve(self) -> None:
        with self._listener:
            while True:
                connection, peer = self._listener.accept()
                if self._closed:
                    connection.close()
                    return
                threading.Thread(target=self._talk, args=(connection, peer), name="runtime-api", daemon=True).start()

    def _talk(self, connection: socket.socket, peer: Any) -> None:
        with connection:
            try:
                _Handler(connection, peer, self)  # type: ignore[arg-type]  # it needs no server but as a reference
            except OSError:
                return  # the process was killed while it was being answered


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body in one segment: two would wait for a delayed acknowledgement (40 ms)

    @property
    def api(self) -> RuntimeApi:
        return self.server  # type: ignore[return-value]

    def do_GET(self) -> None:
        if self.path != _PREFIX + "invocation/next":
            self._answer(404)
            return
        invocation = self.api.next()
        if invocation is None:
            self.close_connection = True
            return
        headers = {
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": str(int(invocation.deadline * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": invocation.function_arn,
            "Lambda-Runtime-Trace-Id": invocation.trace_id,
        }
        if invocation.client_context:
            headers["Lambda-Runtime-Client-Context"] = invocation.client_context
        self._answer(200, invocation.payload, headers)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.removeprefix(_PREFIX)
        if path == "init/error":
            said = Said(path, body=body)
        else:
            kind, _, rest = path.partition("/")
            request_id, _, what = rest.partition("/")
            if kind != "invocation" or what not in {"response", "error"}:
                self._answer(404)
                return
            said = Said(what, request_id, body)
        if not self.api.take(said, lambda: self._answer(202, b'{"status":"OK"}')):
            self._answer(400, b'{"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}')

    def _answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the timeline has what matters."""
