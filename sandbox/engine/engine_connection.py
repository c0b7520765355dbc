"""Connections to the engine below docker's client: requests passed on as they are, streams in both directions."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from dataclasses import dataclass
from urllib.parse import urlsplit

import docker

from sandbox.errors import SandboxError

_CHUNK = 65536
_TIMEOUT = 60.0


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

    def pass_on(self, connection: socket.socket, request: bytes, *, is_stream: bool = False) -> None:
        """Send a request to the engine and its answer back; returns at the end of both.

        Args:
            connection: The client's.
            request: Head and body.
            is_stream: What the client goes on to send is for the engine; else its end ends the answer, too.
        """
        with self._open() as engine:
            engine.sendall(request)
            sender = threading.Thread(
                target=_copy, args=(connection, engine, is_stream), name="own-engine-input", daemon=True
            )
            sender.start()
            _copy(engine, connection, True)
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


def _copy(source: socket.socket, sink: socket.socket, half: bool) -> None:
    """Copy until the end of ``source``; then ``sink`` gets no more (``half``), or is shut down altogether."""
    with contextlib.suppress(OSError):
        while data := source.recv(_CHUNK):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR if half else socket.SHUT_RDWR)
