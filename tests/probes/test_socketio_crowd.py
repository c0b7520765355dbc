"""A crowd at a real Flask-SocketIO server, whose sockets are cut as a network does it."""

from __future__ import annotations

import threading

import pytest
from flask import Flask
from flask_socketio import SocketIO
from werkzeug.serving import make_server

from sandbox.clock import RealClock
from sandbox.errors import SandboxError
from sandbox.probes.socketio_crowd import Crowd
from sandbox.probes.socketio_session import directly
from sandbox.timeline import Timeline


@pytest.fixture(scope="module")
def url():
    """The events of compose/socketio/app that a crowd knows."""
    app = Flask(__name__)
    server = SocketIO(app, async_mode="threading", cors_allowed_origins="*")

    @server.on("post")
    def post(text):
        server.emit("posted", {"text": text})
        return {"error": "no"} if text == "wrong" else {}

    served = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=served.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{served.server_port}"
    served.shutdown()


@pytest.fixture
def timeline():
    clock = RealClock()
    made = Timeline(clock, None)
    yield made
    made.close()
    clock.close()


class Network:
    """Connections that can be cut."""

    def __init__(self):
        self.made = []

    def connect(self, host, port, timeout):
        self.made.append(directly(host, port, timeout))
        return self.made[-1]

    def cut(self):
        made, self.made = self.made, []
        for connection in made:
            connection.shutdown(2)


def crowd(url, timeline, network, *, reconnects):
    return Crowd(url, 3, reconnects=reconnects, connect=network.connect, record=timeline.record)


def wait_all(timeline, kind, number):
    seen = []

    def enough(one):
        seen.extend([one] if one.kind == kind else [])
        return len(seen) == number

    timeline.wait_for(f"{number} times {kind}", enough, within=20)


def test_everybody_hears_a_post(url, timeline):
    with crowd(url, timeline, Network(), reconnects=True) as many:
        many.post("one")
        assert many.hear("one", 10) == 3
        assert many.hear("nobody said this", 0.1) == 0
    end = timeline.since()[-1]
    assert (end.kind, end["clients"], end["connected"], end["cut"], end["heard"]) == ("crowd.end", 3, 3, 0, [1, 1, 1])


def test_who_connects_again_is_back(url, timeline):
    network = Network()
    with crowd(url, timeline, network, reconnects=True):
        network.cut()
        wait_all(timeline, "crowd.back", 3)
    end = timeline.since()[-1]
    assert (end["connected"], end["cut"], end["back"]) == (3, 3, 3)


def test_who_does_not_stays_away(url, timeline):
    network = Network()
    with crowd(url, timeline, network, reconnects=False) as many:
        network.cut()
        wait_all(timeline, "crowd.cut", 3)
        with pytest.raises(SandboxError, match="no client of the crowd is connected"):
            many.post("anybody?")
    end = timeline.since()[-1]
    assert (end["connected"], end["cut"], end["back"]) == (0, 3, 0)


def test_a_post_that_is_refused(url, timeline):
    with (
        crowd(url, timeline, Network(), reconnects=False) as many,
        pytest.raises(SandboxError, match="'wrong' could not be posted") as caught,
    ):
        many.post("wrong")
    assert caught.value.state == "no"


def test_a_server_that_is_not_there(timeline):
    with (
        pytest.raises(SandboxError, match="client 0 of a crowd cannot connect"),
        crowd("http://127.0.0.1:9", timeline, Network(), reconnects=True),
    ):
        pass
