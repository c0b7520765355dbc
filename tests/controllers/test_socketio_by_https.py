"""Socket.IO clients of a site that is there by HTTPS alone: each trusts the run's authority, and looks for the name."""

from __future__ import annotations

import pytest

from sandbox.controllers.sandbox import Sandbox
from sandbox.probes.socketio_session import GOOD, NO_OPEN, NOT_TRIED, STEPS, outcomes
from tests import secure_chat

pytestmark = pytest.mark.docker

CLIENTS = ("python", "javascript", "javascript-2")


@pytest.fixture(scope="module")
def sandbox(request, tmp_path_factory):
    folder = secure_chat.make(tmp_path_factory.mktemp("stacks") / "chat")
    with Sandbox(images=request.config.getoption("--sandbox-images"), speed=10) as sandbox:
        sandbox.stack(f"{folder}/")
        yield sandbox


@pytest.mark.parametrize("client", CLIENTS[:2])
def test_clients_of_today_have_a_session(sandbox, client):
    said = outcomes(sandbox.socketio_session("https://chat.example.com", client=client, idle=0.1))
    assert said == {**GOOD, "broadcast": "heard, one process"}


def test_a_client_of_2020_reaches_the_server_which_does_not_speak_with_it(sandbox):
    said = outcomes(sandbox.socketio_session("https://chat.example.com", client="javascript-2"))
    assert (said["polling"], said["websocket-only"]) == ("HTTP 400", NO_OPEN)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_certificate_for_another_name_is_refused_in_the_same_words(sandbox, client):
    refused = "the certificate is refused: Hostname mismatch, certificate is not valid for 'uncertified.example.com'."
    assert outcomes(sandbox.socketio_session("https://uncertified.example.com", client=client)) == {
        **dict.fromkeys(STEPS[1:8], NOT_TRIED),
        "polling": refused,
        "websocket-only": refused,
    }


def test_a_crowd_is_connected_hears_and_comes_back(sandbox):
    mark = sandbox.timeline.mark()
    with sandbox.crowd("https://chat.example.com", 3, reconnects=True) as crowd:
        crowd.post("hello")
        assert crowd.hear("hello", 10) == 3
    (end,) = [one for one in sandbox.timeline.since(mark) if one.kind == "crowd.end"]
    assert (end["connected"], end["cut"]) == (3, 0)
