"""Connections to the engine below docker's client: requests passed on as they are, streams in both directions."""

from __future__ import annotations

import contextlib
import http.client
import select
import socket
import threading
from dataclasses import dataclass
from urllib.parse import urlsplit

import docker

from sandbox.errors import SandboxError

_CHUNK = 65536
_TIMEOUT = 60.0
_STREAM = b"content-type: application/vnd.docker."


@dataclass(frozen=True)
class Answer:
    """An answer of the engine."""

    status: int
    body: bytes


class EngineConnection:
    """Opens connections to the engine that a client talks to.

    Args:
        client: docker's client, of a local socket or plain TCP.
    """

    def __init__(self, client: docker.DockerClient) -> None:
        api = client.api
        self._socket_path = getattr(api.get_adapter(api.base_url), "socket_path", None)
        self._url = urlsplit(api.base_url)

    def ask(self, method: str, target: str, body: bytes = b"") -> Answer:
        """One request and the whole answer."""
        connection = http.client.HTTPConnection("docker")
        connection.sock = self._open()
        try:
            connection.sock.settimeout(_TIMEOUT)
            connection.request(method, target, body or None, {"Content-Type": "application/json"})
            response = connection.getresponse()
            return Answer(response.status, response.read())
        finally:
            connection.close()

    def pass_on(self, connection: socket.socket, request: bytes, *, may_stream: bool = False) -> None:
        """Send a request to the engine and its answer back; returns at the end of both.

        What the client sends after its request goes to the engine only where that has made a stream of the connection:
        else it would be one more request, which nobody has looked at.

        Args:
            connection: The client's.
            request: Head and body.
            may_stream: Whether the engine may make a stream of it.
        """
        with self._open() as engine:
            engine.sendall(request)
            head = _head(engine)
            connection.sendall(head)
            is_stream = may_stream and _is_stream(head)
            follow = _copy if is_stream else _until_gone
            threading.Thread(target=follow, args=(connection, engine), name="own-engine-input", daemon=True).start()
            _copy(engine, connection)
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _open(self) -> socket.socket:
        if self._socket_path is not None:
            opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                opened.connect(self._socket_path)
            except OSError:
                opened.close()
                raise
            return opened
        if self._url.scheme != "http" or not self._url.hostname:
            raise SandboxError(
                "the engine of an instance needs a Docker engine on a local socket, or on plain TCP",
                state=f"DOCKER_HOST leads to {self._url.geturl()}",
            )
        return socket.create_connection((self._url.hostname, self._url.port or 2375))


def _head(engine: socket.socket) -> bytes:
    """The beginning of an answer, all of its head in it."""
    head = b""
    while b"\r\n\r\n" not in head and len(head) < _CHUNK and (data := engine.recv(_CHUNK)):
        head += data
    return head


def _is_stream(head: bytes) -> bool:
    """Whether the engine has made a stream of the connection, with or without an upgrade."""
    first, _, rest = head.partition(b"\r\n\r\n")[0].partition(b"\r\n")
    status = first.split(b" ")[1:2]
    return status == [b"101"] or (status == [b"200"] and _STREAM in rest.lower())


def _copy(source: socket.socket, sink: socket.socket) -> None:
    """Copy until the end of ``source``, which is that of what ``sink`` gets."""
    with contextlib.suppress(OSError):
        while data := source.recv(_CHUNK):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def _until_gone(client: socket.socket, engine: socket.socket) -> None:
    """Wait until the client is gone: then nobody wants the rest of the engine's answer."""
    gone = select.poll()
    with contextlib.suppress(OSError, ValueError):  # closed at the end of the answer
        gone.register(client, 0)  # hang-ups and errors are always told
        gone.poll()
        engine.shutdown(socket.SHUT_RDWR)
