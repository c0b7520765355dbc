"""What H2O's lines do to WebSockets."""

from __future__ import annotations

import pytest

from sandbox.checks import proxy_files
from sandbox.model.websocket import h2o, observed
from sandbox.model.websocket.nginx import Asked

SOCKET_IO = Asked()
GOOD = """\
listen: 8080
proxy.preserve-host: ON
hosts:
  "127.0.0.1:8080":
    paths:
      "/":
        proxy.reverse.url: http://127.0.0.1:3000/
        proxy.websocket: ON
"""


@pytest.fixture
def found(tmp_path):
    def find_in(text, asked=SOCKET_IO):
        file = tmp_path / "h2o.conf"
        file.write_text(text)
        findings = h2o.find(proxy_files.h2o(file), asked)
        return {one.rule: [int(place.rpartition(":")[2]) for place in one.where] for one in findings}

    return find_in


@pytest.mark.parametrize(
    ("old", "new", "rules"),
    [
        ("", "", {}),
        ("        proxy.websocket: ON\n", "", {"upgrade-headers": [7]}),
        ("websocket: ON", "websocket: OFF", {"upgrade-headers": [8]}),
        ("        proxy.websocket: ON\n", "proxy.websocket: ON\n", {}),
        ("proxy.preserve-host: ON\n", "", {"host-lost": [6]}),
        ("preserve-host: ON", "preserve-host: OFF", {"host-lost": [2]}),
        ("listen: 8080", "proxy.websocket.timeout: 20000", {"read-timeout": [1]}),
        ("listen: 8080", "proxy.timeout.io: 5000", {"read-timeout": [1]}),
        ("listen: 8080", "proxy.timeout.io: 60000", {}),
        ("http://127.0.0.1:3000/", "[http://a:1/, http://b:1/]", {"no-stickiness": [7]}),
        ('"/":', '"/api":', {"not-proxied": [4]}),
        ("proxy.reverse.url: http://127.0.0.1:3000/", "file.dir: /srv", {"not-proxied": [4]}),
        ('"/":', '"/socket.io": { file.dir: /srv }\n      "/":', {"not-proxied": [4]}),
    ],
)
def test_what_is_wrong_and_where(found, old, new, rules):
    assert found(GOOD.replace(old, new) if old else GOOD) == rules


def test_handlers_in_a_list_and_merged_defaults(found):
    text = """\
defaults: &d
  proxy.websocket: ON
  proxy.preserve-host: ON
hosts:
  default:
    paths:
      /:
        - file.dir: /srv
        - proxy.reverse.url: http://a:1/
          <<: *d
"""
    assert found(text) == {}


def test_plain_websockets(found):
    text = GOOD.replace("http://127.0.0.1:3000/", "[http://a:1/, http://b:1/]").replace(
        "listen: 8080", "proxy.timeout.io: 5"
    )
    assert found(text, Asked("/chat", observed.WEBSOCKET)) == {}
