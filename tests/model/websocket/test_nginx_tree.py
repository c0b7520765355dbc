"""Which server and location serve a request, and what is inherited."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.websocket.nginx_tree import (
    Directive,
    effective,
    effective_all,
    http_of,
    location_of,
    seconds,
    servers_for,
    value,
)

LOCATIONS = """
server {
    location = /exact { }
    location / { }
    location /socket.io { }
    location /socket.io/deep/ { }
    location ^~ /files/ { }
    location ~ \\.io$ { }
    location ~* \\.JS$ { location ~ min { } }
    location /api/ { location /api/v1/ { } location ~ /secret { } }
    location @app { }
}
"""


@pytest.mark.parametrize(
    ("path", "labels"),
    [
        ("/exact", ["location = /exact"]),
        ("/exact/", ["location /"]),
        ("/socket.io/", ["location /socket.io"]),
        ("/socket.io/deep/er", ["location /socket.io/deep/"]),
        ("/socket.io", [r"location ~ \.io$"]),
        ("/files/x.io", ["location ^~ /files/"]),
        ("/x.js", [r"location ~* \.JS$"]),
        ("/x.min.js", [r"location ~* \.JS$", "location ~ min"]),
        ("/api/v1/x", ["location /api/", "location /api/v1/"]),
        ("/api/v1/secret", ["location /api/", "location ~ /secret"]),
        ("/api/v1/x.js", [r"location ~* \.JS$"]),
    ],
)
def test_the_location_is_the_one_that_nginx_chooses(tree, path, labels):
    (server,), _ = tree(LOCATIONS)
    assert [one.label for one in location_of(server, path)] == labels


def test_nothing_fits(tree):
    (server,), _ = tree("server { location /a { } }")
    assert location_of(server, "/b") == ()


SERVERS = """
http {
    server { listen 80; server_name one.example.org; }
    server { listen 80 default_server; server_name *.example.org; }
    server { listen 80; server_name www.*; }
    server { listen [::]:8080; server_name ~^re.+$; }
    server { listen 127.0.0.1:8080; server_name .dot.org; }
}
"""


@pytest.mark.parametrize(
    ("host", "port", "line"),
    [
        ("one.example.org", 80, 3),
        ("ONE.example.org", 80, 3),
        ("two.example.org", 80, 4),
        ("www.other.net", 80, 5),
        ("nobody.net", 80, 4),
        ("regexp", 8080, 6),
        ("dot.org", 8080, 7),
        ("a.dot.org", 8080, 7),
        ("nobody.net", 8080, 6),
        ("one.example.org", 12345, 3),
        ("nobody.net", 12345, 4),
    ],
)
def test_the_server_is_the_one_that_nginx_chooses(tree, host, port, line):
    parsed, file = tree(SERVERS)
    assert [one.line for one in servers_for(http_of(parsed, file), host, port)] == [line]


def test_without_a_host_all_servers_count(tree):
    parsed, file = tree(SERVERS)
    assert len(servers_for(http_of(parsed, file), None, None)) == 5


def test_repeated_directives_are_inherited_only_where_there_is_none(tree):
    (http,), _ = tree("http { proxy_set_header A 1; proxy_read_timeout 5s; server { location / { gzip on; } } }")
    chain = (http, http.block[2], http.block[2].block[0])
    assert [one.args for one in effective_all(chain, "proxy_set_header")[0]] == [("A", "1")]
    assert effective(chain, "proxy_read_timeout").args == ("5s",)
    (http,), _ = tree("http { proxy_set_header A 1; server { location / { proxy_set_header B 2; } } }")
    chain = (http, http.block[1], http.block[1].block[0])
    own, lost = effective_all(chain, "proxy_set_header")
    assert [one.args for one in own] == [("B", "2")]
    assert [one.args for one in lost] == [("A", "1")]


MAPS = """
map $http_upgrade $connection_upgrade { default upgrade; '' close; }
map $http_upgrade $by_pattern { ~*^web yes; default no; }
map $connection_upgrade $twice { upgrade "$connection_upgrade!"; }
map $loop $loop { default $loop; }
map $unknowable $x { default 1; }
"""


@pytest.mark.parametrize(
    ("text", "upgrade", "becomes"),
    [
        ("plain", "", "plain"),
        ("$http_upgrade", "websocket", "websocket"),
        ("$connection_upgrade", "websocket", "upgrade"),
        ("$connection_upgrade", "", "close"),
        ("a-${connection_upgrade}-b", "x", "a-upgrade-b"),
        ("$by_pattern", "WebSocket", "yes"),
        ("$by_pattern", "", "no"),
        ("$twice", "x", "upgrade!"),
        ("$twice", "", ""),
        ("$loop", "x", None),
        ("$x", "x", None),
        ("$remote_addr", "x", None),
    ],
)
def test_values(tree, text, upgrade, becomes):
    parsed, file = tree(MAPS)
    assert value(text, http_of(parsed, file), (), {"http_upgrade": upgrade}) == becomes


def test_set_makes_a_variable(tree):
    (location,), file = tree("location / { set $c upgrade; }")
    assert value("$c", http_of((), file), (location,), {}) == "upgrade"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("5", 5),
        ("5s", 5),
        ("1m", 60),
        ("1h 30m", 5400),
        ("1h30m", 5400),
        ("500ms", 0.5),
        ("1d", 86_400),
        ("x", None),
        ("", None),
    ],
)
def test_times(text, number):
    assert seconds(text) == number


BLOCKS = st.recursive(
    st.builds(
        Directive,
        st.sampled_from(["location", "server_name", "listen", "set", "map"]),
        st.lists(st.text("/a.~*^@=$:{}()[]01", max_size=6), max_size=3).map(tuple),
        st.just("f"),
        st.just(1),
    ),
    lambda inner: st.builds(
        Directive,
        st.sampled_from(["location", "server", "map"]),
        st.lists(st.text("/a.~*^@=$:()[]01", max_size=6), max_size=3).map(tuple),
        st.just("f"),
        st.just(1),
        st.lists(inner, max_size=4).map(tuple),
    ),
    max_leaves=12,
)


@given(st.lists(BLOCKS, max_size=5), st.text("/a.01", min_size=1), st.text("a.*", min_size=1))
def test_any_tree_is_looked_at_to_the_end(blocks, path, host):
    http = http_of(blocks, "f")
    for server in servers_for(http, host, 80):
        chain = location_of(server, path)
        assert all(one.name == "location" for one in chain)
        value("$a$0", http, (http, server, *chain), {})
