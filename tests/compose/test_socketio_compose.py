"""The stack's compose.yaml by itself: plain Docker Compose, no sandbox."""

from __future__ import annotations

import secrets
import time
from unittest.mock import ANY

import pytest
import requests
import socketio
from testcontainers.compose import DockerCompose

from sandbox import paths
from sandbox.engine import compose_plugin, daemon
from sandbox.engine.images import Images
from sandbox.probes import socketio_session
from sandbox.probes.socketio_session import GOOD, outcomes

pytestmark = pytest.mark.docker

FOLDER = paths.share() / "compose" / "socketio"
EVERYTHING = {step: outcome for step, outcome in GOOD.items() if step != "idle"}
H2O = "compose-h2o.yaml"
HOSTILE = "<img src=x onerror=alert(1)> & \"quotes\" 'and' <script>1</script> \u202e\u0000"


@pytest.fixture(params=["compose.yaml", H2O])
def site(request, tmp_path):
    """The project, and its URL on 127.0.0.1."""
    client = daemon.connect()
    images = Images(client, request.config.getoption("--sandbox-images"), lambda text: None)
    if compose_plugin.find() is None:
        compose_plugin.extract(client, images.ensure("compose-plugin"))
    command = compose_plugin.find()
    assert command is not None
    proxy = "h2o" if request.param == H2O else "nginx"
    settings = {
        "COMPOSE_PROJECT_NAME": f"socketio-{secrets.token_hex(4)}",
        "APP_IMAGE": images.ensure("flask-socketio"),
        f"{proxy.upper()}_IMAGE": images.ensure(proxy),
        "REDIS_IMAGE": images.ensure("redis"),
        "MONGO_IMAGE": images.ensure("mongo"),
        "SOCKETIO_PORT": "0",  # any free one
    }
    client.close()
    env_file = tmp_path / "env"
    env_file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    with DockerCompose(
        FOLDER, request.param, env_file=str(env_file), docker_command_path=command[0], wait=True
    ) as running:
        publisher = running.get_container(proxy).get_publisher(by_port=80)
        assert publisher.URL == "127.0.0.1"
        end = time.monotonic() + 90
        while requests.get(f"http://127.0.0.1:{publisher.PublishedPort}/board", timeout=30).status_code != 200:
            assert time.monotonic() < end, running.get_logs("mongo")
        yield running, f"http://{publisher.URL}:{publisher.PublishedPort}"


def test_the_session_of_a_client_and_the_board_that_all_processes_share(site):
    compose, url = site
    processes = 3 if any("nginx" in container.Service for container in compose.get_containers()) else 1
    session = outcomes(socketio_session.run(url))
    assert session == EVERYTHING | ({} if processes > 1 else {"broadcast": "heard, one process"})

    with socketio.SimpleClient() as client:
        client.connect(url)
        answer = client.call("post", HOSTILE)
        assert answer.get("stored") is True, answer
        event, posted = client.receive(timeout=10)
        assert (event, posted["text"]) == ("posted", HOSTILE)
    seen = {}
    end = time.monotonic() + 20
    while len(seen) < processes and time.monotonic() < end:  # without a cookie each request is anybody's
        board = requests.get(f"{url}/board", timeout=10)
        assert board.headers["X-Process"] == board.json()["process"]
        seen[board.json()["process"]] = board.json()
    assert len(seen) == processes
    assert all(board["posts"] == [posted] and board["stored"] for board in seen.values())


def test_what_is_no_text_is_refused_and_disturbs_nobody(site):
    _, url = site
    with socketio.SimpleClient() as client:
        client.connect(url)
        for event, value in [("join", None), ("join", 7), ("say", ("a",)), ("post", "x" * 2001), ("post", " ")]:
            assert "is wanted" in client.call(event, value)["error"]
        assert client.call("shout", "\ud800") == {"error": "text: this is no text", "process": ANY}
        assert "error" not in client.call("where")
    assert requests.get(f"{url}/board", timeout=10).json()["posts"] == []
