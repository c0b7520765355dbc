"""The engine that an instance has: which requests pass, on which containers, and what hostile ones come to."""

from __future__ import annotations

import contextlib
import json
import socket
import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.engine.containers import Containers, Spec
from sandbox.engine.daemon import connect
from sandbox.engine.images import Images
from sandbox.engine.own_engine import OwnEngine, agent_name
from sandbox.engine.run import Run
from sandbox.engine.sweep import remove_run

pytestmark = pytest.mark.docker

LABEL = "aws-container-sandbox.on-instance"


class Side:
    """Two containers, one of which belongs to the engine, and a client of it."""

    def __init__(self, folder, images):
        self.client = connect()
        self.run = Run.begin()
        self.containers = Containers(self.client, self.run)
        toolbox = Images(self.client, images, lambda text: None).ensure("toolbox")
        mine = f"i-{uuid.uuid4().hex[:8]}"
        self.own, self.other = (
            self.containers.run_new(
                Spec(
                    f"side-{name}",
                    toolbox,
                    entrypoint=["tini", "--"],
                    command=["sh", "-c", "echo hello; exec sleep infinity"],
                    labels={LABEL: name, "com.amazonaws.ecs.container-name": "web"},
                )
            )
            for name in (mine, "i-other")
        )
        self.path = folder / "docker.sock"
        self.engine = OwnEngine(self.client, self.path, f"{LABEL}={mine}", agent_name)
        self.engine.start()

    def raw(self, request):
        """Send bytes, and read until the end of the answer's head and what has come with it."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(str(self.path))
            answer = b""
            with contextlib.suppress(ConnectionError):  # what it did not want to read
                connection.sendall(request)
                connection.shutdown(socket.SHUT_WR)
                while data := connection.recv(65536):
                    answer += data
            return answer

    def ask(self, method, path, body=None):
        """The status, and the body's JSON or its text."""
        content = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: docker\r\nContent-Length: {len(content)}\r\n\r\n".encode()
        head, _, answer = self.raw(head + content).partition(b"\r\n\r\n")
        text = answer.decode(errors="replace")
        try:
            return int(head.split()[1]), json.loads(text)
        except ValueError:
            return int(head.split()[1]), text

    def close(self):
        self.engine.close()
        remove_run(self.client, self.run.id)
        self.run.end()
        self.client.close()


@pytest.fixture(scope="module")
def side(request, tmp_path_factory):
    made = Side(tmp_path_factory.mktemp("own"), request.config.getoption("--sandbox-images"))
    yield made
    made.close()


def test_only_its_own_containers_are_there(side):
    status, (one,) = side.ask("GET", "/v1.41/containers/json")
    assert (status, one["Id"]) == (200, side.own)
    assert one["Names"] == ["/" + agent_name(side.own, {"com.amazonaws.ecs.container-name": "web"})]
    assert not any(name.startswith("aws-container-sandbox") for name in one["Labels"])
    assert side.ask("GET", f"/containers/{side.own}/json")[1]["State"]["Status"] == "running"
    for reference in (side.other, side.other[:12], "side-i-other", side.run.name("side-i-other"), ""):
        assert side.ask("GET", f"/containers/{reference}/json")[0] in {403, 404}


def test_filters(side):
    def ids(**filters):
        status, found = side.ask("GET", f"/containers/json?filters={json.dumps(filters).replace(' ', '')}")
        assert status == 200
        return [one["Id"] for one in found]

    assert ids(name={"web": True}) == [side.own]
    assert ids(name={"^/ecs-web-": True}) == [side.own]
    assert ids(name=["nginx"]) == []
    assert ids(status=["exited"]) == []
    assert ids(label=[f"{LABEL}=i-other"]) == []  # no filter lets others in
    assert side.ask("GET", "/containers/json?filters=[]")[0] == 400
    assert side.ask("GET", '/containers/json?filters={"name":["("]}')[0] == 400


def test_a_command_runs_and_its_output_comes(side):
    status, made = side.ask(
        "POST", f"/containers/{side.own[:12]}/exec", {"Cmd": ["echo", "from within"], "AttachStdout": True}
    )
    assert status == 201
    status, said = side.ask("POST", f"/exec/{made['Id']}/start", {"Detach": False, "Tty": False})
    assert "from within" in said
    assert side.ask("GET", f"/exec/{made['Id']}/json")[1]["ExitCode"] == 0


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/containers/create"),
        ("POST", "/v1.41/images/create"),
        ("GET", "/info"),
        ("GET", "/images/json"),
        ("GET", "/events"),
        ("POST", "/build"),
        ("POST", "/containers/{own}/attach"),
        ("GET", "/containers/{own}/archive"),
        ("PUT", "/containers/{own}/archive"),
        ("POST", "/containers/{own}/update"),
        ("DELETE", "/containers/{own}"),
        ("POST", "/containers/{own}/../{other}/kill"),
        ("GET", "/containers/{own}/../../info"),
        ("GET", "//containers/{other}/json"),
        ("POST", "/containers/{own}%2F..%2F{other}/kill"),
        ("POST", "/volumes/create"),
        ("POST", "/exec/0123456789abcdef/start"),
    ],
)
def test_everything_else_is_refused(side, method, path):
    status, said = side.ask(method, path.format(own=side.own, other=side.other), {})
    assert status in {403, 404}
    assert "message" in said
    assert {one["Id"] for one in side.client.api.containers() if one["Id"] in {side.own, side.other}} == {
        side.own,
        side.other,
    }


def test_the_exec_of_somebody_else_and_a_privileged_one(side):
    theirs = side.client.api.exec_create(side.other, ["id"])["Id"]
    assert side.ask("POST", f"/exec/{theirs}/start", {})[0] == 403
    assert side.ask("GET", f"/exec/{theirs}/json")[0] == 403
    status, said = side.ask("POST", f"/containers/{side.own}/exec", {"Cmd": ["id"], "Privileged": True})
    assert (status, "privileged" in said["message"]) == (403, True)
    assert side.ask("POST", f"/containers/{side.own}/exec", [])[0] == 403
    assert side.ask("POST", f"/containers/{side.other}/exec", {"Cmd": ["id"]})[0] == 404


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"",
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /containers/json HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /_ping HTTP/1.1\r\nX: " + b"b" * 100_000 + b"\r\n\r\n",
        b"\x00\xff\xfe\r\n\r\n",
    ],
)
def test_what_is_no_request_is_dropped(side, request_bytes):
    answer = side.raw(request_bytes)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400")
    assert side.ask("GET", "/containers/json")[0] == 200


def test_one_request_cannot_hide_in_another(side):
    """What comes behind a request, at once or later, is another request to us, and never one to the engine."""
    hidden = f"POST /containers/{side.other}/kill HTTP/1.1\r\nHost: docker\r\nContent-Length: 0\r\n\r\n".encode()
    upgrade = "Upgrade: tcp\r\nConnection: Upgrade\r\n"

    def start(body):
        made = side.ask("POST", f"/containers/{side.own}/exec", {"Cmd": ["true"]})[1]["Id"]
        return f"POST /exec/{made}/start HTTP/1.1\r\n{upgrade}Content-Length: {len(body)}\r\n\r\n{body}"

    ended = side.ask("POST", f"/containers/{side.own}/exec", {"Cmd": ["true"]})[1]["Id"]
    side.ask("POST", f"/exec/{ended}/start", {})
    for request in (
        "GET /containers/json HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
        "GET /_ping HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
        f"GET /_ping HTTP/1.1\r\n{upgrade}Content-Length: 0\r\n\r\n",
        f"GET /containers/{side.own}/logs?stdout=1&follow=1 HTTP/1.1\r\n{upgrade}Content-Length: 0\r\n\r\n",
        start('{"Detach": true}'),
        start("{}"),
        f"POST /exec/{ended}/start HTTP/1.1\r\n{upgrade}Content-Length: 2\r\n\r\n{{}}",
    ):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(str(side.path))
            connection.sendall(request.encode())
            assert connection.recv(65536).startswith(b"HTTP/1.1 ")
            try:
                connection.sendall(hidden)
                connection.settimeout(0.5)
                while connection.recv(65536):
                    pass
            except OSError:
                pass  # nothing more comes, or it is closed: what counts is what has become of the other one
        assert side.client.api.inspect_container(side.other)["State"]["Running"], request


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_any_bytes_leave_it_serving(side, junk):
    side.raw(junk + b"\r\n\r\n")
    assert side.ask("GET", "/containers/json")[0] == 200
