"""`sandbox check websocket` with servers that this environment does not hold: versions of 2020, H2O, Redis."""

from __future__ import annotations

import pytest

from tests.checks.websocket_command import HOST, RIGHT, UPGRADE, VERSION, gets, result, rules, text_of
from tests.checks.websocket_servers import free_port

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def of_2020(on_this_network):
    """Flask-SocketIO 4.3 (Engine.IO 3) with gevent."""
    return on_this_network.app("flask-socketio-2020", "gevent")


def test_engine_io_3(of_2020):
    found = result(f"http://127.0.0.1:{of_2020}/", "--emit", "say", "--expect", "said", "--idle", 1)
    (one,) = found["urls"]
    assert (found["findings"], one["engine"], one["broadcast"]) == ([], 3, {"listeners": 3, "received": 3})
    assert all(client["ok"] for client in one["clients"])
    assert rules(result(f"http://127.0.0.1:{of_2020}/", "--eio", 4, "--idle", 0)) == {"wrong-version": "error"}


def test_the_asobann_author_s_case_and_its_fix_on_the_versions_of_2020(of_2020, nginx):
    origin = f"http://127.0.0.1:{of_2020}/"
    text = text_of(f"{VERSION}\n{UPGRADE}", "", [of_2020]).replace("server {", f"{HOST}\nserver {{", 1)
    url, file = nginx.serve("asobann-2020", text)
    found = result(url, "--nginx", file, "--behind", origin, "--idle", 0)
    assert gets(found, "polling, then upgrade") == "400 bad request", "it does not say why"
    assert gets(found, "websocket only") == "101, then broken"
    (one,) = found["findings"]
    assert (one["rule"], one["hop"]) == ("origin-refused", url)
    assert "is not inherited, because" in one["why"]
    url, file = nginx.serve("asobann-2020-mended", text.replace(UPGRADE, f"{UPGRADE}\n{HOST}"))
    assert result(url, "--nginx", file, "--behind", origin, "--idle", 0)["findings"] == []


PRESERVE = "        proxy.preserve-host: ON\n"
WEBSOCKET = "        proxy.websocket: ON\n"


@pytest.mark.parametrize(
    ("directives", "polls", "only", "expected"),
    [
        (PRESERVE + WEBSOCKET, "works", "works", {}),
        (PRESERVE, "400 invalid transport", "400 invalid websocket upgrade", {"upgrade-lost": "error"}),
        (WEBSOCKET, "400 not an accepted origin.", "101, then broken", {"origin-refused": "error"}),
    ],
    ids=["right", "no proxy.websocket", "no proxy.preserve-host"],
)
def test_h2o(on_this_network, apps, directives, polls, only, expected):
    port = apps.start("gevent")
    url, file = on_this_network.h2o(port, directives)
    found = result(url, "--h2o", file, "--behind", f"http://127.0.0.1:{port}/", "--idle", 0)
    assert (gets(found, "polling, then upgrade"), gets(found, "websocket only")) == (polls, only)
    assert rules(found) == expected
    for one in found["findings"]:
        assert (one["hop"], one["where"]) == (url, [f"{file}:7"])
    assert not expected or "ON" in found["findings"][0]["fix"]


def test_a_broadcast_reaches_other_processes_through_redis(on_this_network, nginx):
    redis = free_port()
    on_this_network.run("redis", ["redis-server", "--bind", "127.0.0.1", "--port", str(redis)], redis)
    queue = f'message_queue="redis://127.0.0.1:{redis}/0"'
    for options, complete in (((queue,), True), ((), False)):
        ports = [on_this_network.app("flask-socketio", "threading", *options) for _ in range(2)]
        url, _ = nginx.serve(f"redis-{complete}", text_of(RIGHT, "hash $remote_port;", ports))
        event = ("--emit", "say", "--expect", "said", "--clients", 12, "--idle", 0, "--timeout", 2)
        broadcast = result(url, *event)["urls"][0]["broadcast"]
        assert (broadcast["received"] == broadcast["listeners"]) == complete, broadcast
