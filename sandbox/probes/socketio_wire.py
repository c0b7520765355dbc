"""What is under a python-socketio client: its sockets come from a callable, and can be cut as a network does it.

Where a URL's scheme is https, they come with TLS (`sandbox.probes.shared_tls`), and their certificates have been looked
at.
"""

from __future__ import annotations

import functools
import socket
from typing import Any
from urllib.parse import urlsplit

import requests
import websocket
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from sandbox.probes import http


class Wire:
    """What is under a client: its sockets come from ``connect``, and the last refusal (HTTP 4xx, 5xx) is kept.

    Attributes:
        refused: Its status (0: none).
        said: Its body.
        switched: A WebSocket was answered 101.
    """

    def __init__(self, connect: http.Connect, timeout: float) -> None:
        self.refused = 0
        self.said = ""
        self.switched = False
        self._open: list[socket.socket] = []
        self._connect = connect
        self.session = requests.Session()
        self.session.trust_env = False  # no proxy of this machine's
        for scheme in ("http://", "https://"):
            self.session.mount(scheme, _adapter(self.connect, timeout))
        self.session.hooks["response"].append(self._answered)
        self.websocket_class = functools.partial(_WebSocket, self, timeout)

    def connect(self, host: str, port: int, timeout: float) -> socket.socket:
        """A connection, which `cut` knows of."""
        made = self._connect(host, port, timeout)
        self._open.append(made)
        return made

    def cut(self) -> None:
        """End every connection there is."""
        for connection in self._open:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:  # it has ended already
                continue
        self._open.clear()

    def _answered(self, response: requests.Response, **_: object) -> None:
        if response.status_code >= 400:
            self.refused, self.said = response.status_code, response.text


class _WebSocket(websocket.WebSocket):
    """websocket-client's, over a socket of the wire's."""

    def __init__(self, wire: Wire, timeout: float, **options: Any) -> None:
        super().__init__(**options)
        self._wire = wire
        self._timeout = timeout

    def connect(self, url: str, **options: Any) -> None:
        parts = urlsplit(url)
        usual = 443 if parts.scheme == "wss" else 80
        options["socket"] = self._wire.connect(parts.hostname or "", parts.port or usual, self._timeout)
        try:
            super().connect(url, **options)  # type: ignore[no-untyped-call]
        except websocket.WebSocketBadStatusException as error:
            self._wire.refused = error.status_code
            raise
        self._wire.switched = True

    def close(self, *_: Any, **__: Any) -> None:
        # It would wait 3 s for the server's goodbye, which the client's own reader has taken.
        super().close(timeout=0)


def _adapter(connect: http.Connect, timeout: float) -> HTTPAdapter:
    class Connection(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return connect(self.host, self.port, timeout)

    class Pool(HTTPConnectionPool):
        ConnectionCls = Connection

    class SecureConnection(HTTPSConnection):
        def connect(self) -> None:
            self.sock = connect(self.host, self.port, timeout)
            self.is_verified = True

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = SecureConnection

    adapter = HTTPAdapter()
    adapter.poolmanager.pool_classes_by_scheme = {"http": Pool, "https": SecurePool}
    return adapter
