"""An engine of one's own: the Docker API on a Unix socket, as if there were no containers but some.

Docker's command line client works with it: `docker ps`, `inspect`, `logs`, `exec`, `top`, `stats`, `start`, `stop`,
`restart`, `kill` and `wait`, on those containers alone. Everything else (to create or run, to attach or copy, images,
volumes, networks, privileged execs) is refused. So whoever has the socket has no more than who is in these containers.

Source of the paths: Docker Engine API, 1.41.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import re
import socket
import socketserver
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import parse_qs, quote, urlsplit

import docker

from sandbox.engine.engine_connection import Answer, EngineConnection

log = logging.getLogger(__name__)

_LARGEST_HEAD = 64 * 1024
_LARGEST_BODY = 1024 * 1024
_VERSION = re.compile(r"^/v[0-9.]+(?=/)")
_READ = re.compile(r"/containers/([^/]+)/(logs|top|stats)")
_ACT = re.compile(r"/containers/([^/]+)/(start|stop|restart|kill|wait)")
_HIDDEN = "aws-container-sandbox."


@dataclass(frozen=True)
class _Request:
    """A request; ``path`` is without version and query, ``headers`` have names in lower case."""

    method: str
    version: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    def target(self, path: str) -> str:
        """What the engine is asked for."""
        return f"{self.version}{path}" + (f"?{self.query}" if self.query else "")


class OwnEngine:
    """Serves from `start` until `close`.

    Args:
        client: The engine's.
        socket_path: Where it listens.
        label: ``NAME=VALUE``: the containers that have it are those that there are.
        name_of: A container's name here, by its id and its labels.
    """

    def __init__(
        self,
        client: docker.DockerClient,
        socket_path: Path,
        label: str,
        name_of: Callable[[str, Mapping[str, str]], str],
    ) -> None:
        self._engine = EngineConnection(client)
        self._path = socket_path
        self._label = label
        self._name_of = name_of
        self._execs: set[str] = set()
        self._server: _Server | None = None

    def start(self) -> None:
        """Listen; the folder of the socket is made."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._server = _Server(str(self._path), self._serve)
        threading.Thread(target=self._server.serve_forever, args=(0.1,), name="own-engine", daemon=True).start()

    def close(self) -> None:
        """Listen no more. What is being carried out ends with the containers."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._path.unlink(missing_ok=True)

    # -- requests --

    def _serve(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as reader:
            while True:
                try:
                    request = _read(reader)
                except ValueError as error:
                    connection.sendall(_answer(400, {"message": str(error)}))
                    return
                if request is None or not self._answer(request, connection):
                    return

    def _answer(self, request: _Request, connection: socket.socket) -> bool:
        """Answer a request; whether the connection can have another one."""
        method, path = request.method, request.path
        if path == "/_ping" or (method == "GET" and path == "/version"):
            self._engine.pass_on(connection, _head(request, path))
            return False
        if method == "GET" and path == "/containers/json":
            connection.sendall(self._list(request))
            return True
        if method == "GET" and (match := re.fullmatch(r"/containers/([^/]+)/json", path)):
            connection.sendall(self._inspect(match[1], request))
            return True
        matched = _READ.fullmatch(path) if method == "GET" else _ACT.fullmatch(path) if method == "POST" else None
        if matched is not None:
            found = self._find(matched[1])
            if found is None:
                connection.sendall(_none(matched[1]))
                return True
            self._engine.pass_on(connection, _head(request, f"/containers/{found}/{matched[2]}"))
            return False
        return self._answer_exec(request, connection)

    def _answer_exec(self, request: _Request, connection: socket.socket) -> bool:
        method, path = request.method, request.path
        if method == "POST" and (match := re.fullmatch(r"/containers/([^/]+)/exec", path)):
            connection.sendall(self._create_exec(match[1], request))
            return True
        match = re.fullmatch(r"/exec/([0-9a-f]+)/(start|json|resize)", path)
        if match is not None and match[1] in self._execs:
            # From the start on it is a stream in both directions, the command's input and output.
            self._engine.pass_on(connection, _head(request, path), may_stream=match[2] == "start")
            return False
        connection.sendall(
            _answer(
                403,
                {
                    "message": f"the sandbox does not carry out {method} {path} on an EC2 instance: its docker has ps, "
                    "inspect, logs, exec, top, stats, start, stop, restart, kill and wait, on the containers that ECS "
                    "has placed there"
                },
            )
        )
        return True

    def _create_exec(self, reference: str, request: _Request) -> bytes:
        found = self._find(reference)
        if found is None:
            return _none(reference)
        try:
            wanted = json.loads(request.body)
        except ValueError:
            return _answer(400, {"message": "the body is no JSON"})
        if not isinstance(wanted, dict) or wanted.get("Privileged"):
            return _answer(403, {"message": "the sandbox has no privileged containers, and no privileged exec"})
        made = self._engine.ask("POST", request.target(f"/containers/{found}/exec"), request.body)
        if made.status == 201:
            self._execs.add(str(json.loads(made.body)["Id"]))
        return _raw(made)

    def _list(self, request: _Request) -> bytes:
        query = parse_qs(request.query)
        try:
            filters = {key: _values(given) for key, given in json.loads(query.get("filters", ["{}"])[0]).items()}
        except (ValueError, AttributeError):
            return _answer(400, {"message": "filters are no JSON object"})
        names = filters.pop("name", [])
        filters["label"] = [*filters.get("label", []), self._label]
        asked = f"/containers/json?all={_flag(query, 'all')}&size={_flag(query, 'size')}"
        asked += f"&filters={quote(json.dumps(filters))}"
        listed = self._engine.ask("GET", request.version + asked)
        if listed.status != 200:
            return _raw(listed)
        shown = [self._shown(item) for item in json.loads(listed.body)]
        try:
            found = [one for one in shown if not names or any(re.search(name, one["Names"][0]) for name in names)]
        except re.error as error:
            return _answer(400, {"message": f"a name to filter by is no regular expression: {error}"})
        limit = query.get("limit", ["0"])[0]
        return _answer(200, found[: int(limit)] if limit.isdecimal() and int(limit) else found)

    def _inspect(self, reference: str, request: _Request) -> bytes:
        found = self._find(reference)
        if found is None:
            return _none(reference)
        inspected = self._engine.ask("GET", request.target(f"/containers/{found}/json"))
        if inspected.status != 200:
            return _raw(inspected)
        shown = json.loads(inspected.body)
        labels = shown["Config"].get("Labels") or {}
        shown["Name"] = "/" + self._name_of(shown["Id"], labels)
        shown["Config"]["Labels"] = _public(labels)
        return _answer(200, shown)

    def _find(self, reference: str) -> str | None:
        """The id of a container, by its id, the beginning of that, or its name here."""
        listed = self._engine.ask(
            "GET", f"/containers/json?all=1&filters={quote(json.dumps({'label': [self._label]}))}"
        )
        known = {item["Id"]: self._name_of(item["Id"], item["Labels"]) for item in json.loads(listed.body)}
        by_name: str | None = next((one for one, name in known.items() if name == reference.lstrip("/")), None)
        if by_name is not None:
            return by_name
        begun = [one for one in known if reference and one.startswith(reference)]
        return begun[0] if len(begun) == 1 else None

    def _shown(self, item: dict[str, Any]) -> dict[str, Any]:
        name = self._name_of(item["Id"], item["Labels"])
        return {**item, "Names": [f"/{name}"], "Labels": _public(item["Labels"])}


class _Server(socketserver.ThreadingUnixStreamServer):
    """One thread a connection. A client that goes away in the middle is no error."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, path: str, serve: Callable[[socket.socket], None]) -> None:
        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError):
                    serve(self.request)

        super().__init__(path, Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.exception("the engine of an instance")


def agent_name(container_id: str, labels: Mapping[str, str]) -> str:
    """What the ECS agent calls a container: ``ecs-FAMILY-REVISION-CONTAINER-`` and twenty hexadecimal digits."""
    parts = [labels.get(f"com.amazonaws.ecs.{part}", "") for part in _NAMED]
    digits = hashlib.sha256(container_id.encode()).hexdigest()[:20]
    return "-".join(["ecs", *(part for part in parts if part), digits])


_NAMED = ("task-definition-family", "task-definition-version", "container-name")


def _read(reader: BinaryIO) -> _Request | None:
    """The next request; None at the end.

    Raises:
        ValueError: It is none, or too long.
    """
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = reader.readline(_LARGEST_HEAD)
        if not line:
            return None
        head += line
        if len(head) > _LARGEST_HEAD:
            raise ValueError("the head of the request is too long")
    first, *lines = head.decode("latin-1").strip().split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3:
        raise ValueError(f"no request: {first[:80]}")
    headers = {}
    for line_text in lines:
        name, _, value = line_text.partition(":")
        headers[name.strip().lower()] = value.strip()
    length = headers.get("content-length", "0")
    if "transfer-encoding" in headers or not length.isdecimal() or int(length) > _LARGEST_BODY:
        raise ValueError("a body needs a Content-Length, of 1 MB at most")
    url = urlsplit(parts[1])
    version = _VERSION.match(url.path)
    path = url.path[version.end() :] if version else url.path
    return _Request(parts[0], version[0] if version else "", path, url.query, headers, reader.read(int(length)))


def _head(request: _Request, path: str) -> bytes:
    """The request as it goes on to the engine, on a connection of its own."""
    upgrade = request.headers.get("upgrade") if path.endswith("/start") and path.startswith("/exec/") else None
    lines = [
        f"{request.method} {request.target(path)} HTTP/1.1",
        "Host: docker",
        f"Content-Type: {request.headers.get('content-type', 'application/json')}",
        f"Content-Length: {len(request.body)}",
        f"Connection: {'Upgrade' if upgrade else 'close'}",
        *([f"Upgrade: {upgrade}"] if upgrade else []),
    ]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + request.body


def _values(given: Any) -> list[str]:
    """A filter's values, which clients send as a list or as an object of booleans."""
    if isinstance(given, dict):
        return [str(value) for value, wanted in given.items() if wanted]
    return [str(value) for value in given]


def _flag(query: Mapping[str, list[str]], name: str) -> str:
    return "1" if query.get(name, ["0"])[0] in {"1", "true", "True"} else "0"


def _public(labels: Mapping[str, str]) -> dict[str, str]:
    """Without the labels that the sandbox has put there for itself."""
    return {name: value for name, value in labels.items() if not name.startswith(_HIDDEN)}


def _none(reference: str) -> bytes:
    return _answer(404, {"message": f"No such container: {reference}"})


def _raw(answer: Answer) -> bytes:
    return _bytes(answer.status, answer.body)


def _answer(status: int, value: Any) -> bytes:
    return _bytes(status, json.dumps(value).encode())


def _bytes(status: int, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status} {_REASONS.get(status, 'Status')}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


_REASONS = {200: "OK", 201: "Created", 400: "Bad Request", 403: "Forbidden", 404: "Not Found", 409: "Conflict"}
