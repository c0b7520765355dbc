"""The stack's compose.yaml by itself: plain Docker Compose, no sandbox."""

from __future__ import annotations

import time
from unittest.mock import ANY

import pytest
import requests
import socketio

from sandbox import paths
from sandbox.probes import socketio_session
from sandbox.probes.socketio_session import GOOD, outcomes

pytestmark = pytest.mark.docker

FOLDER = paths.share() / "compose" / "socketio"
EVERYTHING = {step: outcome for step, outcome in GOOD.items() if step != "idle"}
H2O = "compose-h2o.yaml"
HOSTILE = "<img src=x onerror=alert(1)> & \"quotes\" 'and' <script>1</script> \u202e\u0000"


@pytest.fixture(params=["compose.yaml", H2O])
def site(request, compose):
    """The project, and its URL on 127.0.0.1."""
    proxy = "h2o" if request.param == H2O else "nginx"
    images = {
        "APP_IMAGE": "flask-socketio",
        f"{proxy.upper()}_IMAGE": proxy,
        "REDIS_IMAGE": "redis",
        "MONGO_IMAGE": "mongo",
    }
    with compose(FOLDER, images, request.param, SOCKETIO_PORT="0") as running:  # any free one
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
