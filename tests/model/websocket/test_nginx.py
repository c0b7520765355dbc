"""What nginx's lines do to WebSockets: each rule with the line that it points at."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.websocket import observed
from sandbox.model.websocket.nginx import Asked, find
from sandbox.model.websocket.nginx_tree import Directive

SOCKET_IO = Asked()
GOOD = """\
http {
    map $http_upgrade $connection_upgrade { default upgrade; '' close; }
    upstream app {
        ip_hash;
        server app1:5000;
        server app2:5000;
    }
    server {
        listen 80;
        location / {
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_set_header Host $http_host;
        }
    }
}
"""
LOCATION = GOOD.partition("location / {\n")[2].partition("        }\n")[0]
BLOCK = "location / {\n            proxy_pass http://app;"
PLAIN = Asked("/chat", observed.WEBSOCKET)


def without(line):
    return "\n".join("" if line in one else one for one in GOOD.split("\n"))


def instead(line, other):
    assert line in GOOD
    return GOOD.replace(line, other)


@pytest.fixture
def found(tree):
    """The rules that are broken, each with the lines it points at."""

    def find_in(text, asked=SOCKET_IO):
        parsed, file = tree(text)
        return {one.rule: [int(place.rpartition(":")[2]) for place in one.where] for one in find(parsed, file, asked)}

    return find_in


def test_nothing_is_wrong(found):
    assert found(GOOD) == {}
    assert found(instead("$connection_upgrade;\n", "upgrade;\n")) == {}
    assert found(instead("$connection_upgrade;\n", "$http_connection;\n")) == {}


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        (without("Upgrade $http"), {"upgrade-headers": [10]}),
        (without("Connection $"), {"upgrade-headers": [10]}),
        (instead("Connection $connection_upgrade", 'Connection ""'), {"upgrade-headers": [14]}),
        (instead("Connection $connection_upgrade", "Connection keep-alive"), {"upgrade-headers": [14]}),
        (instead("default upgrade; '' close;", "default close;"), {"upgrade-headers": [14]}),
        (instead("Upgrade $http_upgrade", 'Upgrade ""'), {"upgrade-headers": [13]}),
        (without("proxy_http_version"), {"http-version": [10]}),
        (instead("proxy_http_version 1.1", "proxy_http_version 1.0"), {"http-version": [12]}),
        (without("Host $http_host"), {"host-lost": [10]}),
        (instead("Host $http_host", "Host $proxy_host"), {"host-lost": [15]}),
        (instead("Host $http_host", "Host $host"), {"host-without-port": [15]}),
        (without("ip_hash"), {"no-stickiness": [3]}),
        (instead("ip_hash;", "least_conn;"), {"no-stickiness": [3]}),
        (instead("ip_hash;", "hash $request_uri;"), {"no-stickiness": [4]}),
        (instead("ip_hash;", "hash $arg_sid;"), {"no-stickiness": [4]}),
        (instead("ip_hash;", "hash $remote_addr consistent;"), {}),
        (instead("ip_hash;", "hash $cookie_route;"), {}),
        (instead("ip_hash;", "sticky cookie route;"), {}),
        (instead("ip_hash;\n        server app1:5000;", ""), {}),
        (instead("ip_hash;\n        server app1:5000;", "server app1:5000 backup;"), {}),
        (instead("listen 80;", "listen 80; proxy_read_timeout 5s;"), {"read-timeout": [9]}),
        (instead("listen 80;", "listen 80; proxy_read_timeout 25s;"), {"read-timeout": [9]}),
        (instead("listen 80;", "listen 80; proxy_read_timeout 26s;"), {}),
        (instead("listen 80;", "listen 80; proxy_send_timeout 5s; proxy_buffering on; keepalive_timeout 1s;"), {}),
        (instead("proxy_pass http://app;", "proxy_pass http://app/;"), {}),
        (instead(BLOCK, "location /socket.io/ { proxy_pass http://app/;"), {"path-changed": [10]}),
        (instead(BLOCK, "location /socket.io/ { proxy_pass http://app/socket.io/;"), {}),
        (instead(BLOCK, "location /socket.io { proxy_pass http://app/x;"), {"path-changed": [10]}),
        (instead("listen 80;", "listen 80; proxy_cache c;"), {"polling-cached": [9]}),
        (instead("listen 80;", "listen 80; proxy_pass_request_headers off;"), {"request-headers-off": [9]}),
        (instead("location / {", "location / { limit_except GET { deny all; }"), {"post-refused": [10]}),
        (instead("location / {", "location / { limit_except GET POST { deny all; }"), {}),
        (instead("listen 80;", "listen 80; limit_req zone=z;"), {"limited": [9]}),
        (instead("location / {", "location /api/ {"), {"not-proxied": [8]}),
        (instead("location / {", "location / { root /srv; } location /api/ {"), {"not-proxied": [10]}),
        (instead("location / {", "location ~ \\.io { root /srv; } location / {"), {"not-proxied": [10]}),
        (
            instead("listen 80;", "listen 80; location /socket.io/ { return 301 https://$host$request_uri; }"),
            {"redirected": [9]},
        ),
        (without("map $http_upgrade"), {"unknown-variable": [14]}),
        (instead("Host $http_host", "X-Forwarded-Host $http_host"), {}),
    ],
)
def test_what_is_wrong_and_where(found, text, rules):
    assert found(text) == rules


def test_headers_of_a_location_lose_those_of_the_level_above(tree):
    """The asobann author's case: Upgrade is set in the location, and Host no longer reaches the application."""
    text = instead("            proxy_set_header Host $http_host;\n", "").replace(
        "    server {", "    proxy_set_header Host $http_host;\n    server {"
    )
    parsed, file = tree(text)
    (one,) = find(parsed, file, Asked())
    assert (one.rule, one.severity) == ("host-lost", "error")
    assert f"'proxy_set_header Host $http_host' ({file}:8) is not inherited, because {file}:14 sets headers" in one.text
    assert one.fix == f"in location / ({file}:11): proxy_set_header Host $http_host;"


def test_a_first_header_of_a_location_has_to_bring_the_inherited_ones_along(tree):
    text = GOOD.replace(LOCATION, "            proxy_pass http://app; proxy_http_version 1.1;\n").replace(
        "    server {", "    proxy_set_header Host $http_host;\n    server {"
    )
    parsed, file = tree(text)
    (one,) = find(parsed, file, Asked())
    assert one.rule == "upgrade-headers"
    assert one.fix.endswith("and repeat there what it then no longer inherits: proxy_set_header Host $http_host;")


def test_the_map_is_part_of_the_fix_where_there_is_none(tree):
    for text, words in (
        ("server { location / { proxy_pass http://a; } }", "and in http: map $http_upgrade $connection_upgrade {"),
        (
            "map $http_upgrade $up { default upgrade; } server { location / { proxy_pass http://a; } }",
            "Connection $up;",
        ),
    ):
        parsed, file = tree(text)
        (one,) = [one for one in find(parsed, file, Asked()) if one.rule == "upgrade-headers"]
        assert words in one.fix


@pytest.mark.parametrize(
    ("port", "rules"),
    [(8080, {"host-without-port": "error"}), (80, {}), (443, {}), (None, {"host-without-port": "warning"})],
)
def test_a_host_without_port_matters_where_the_public_url_has_one(tree, port, rules):
    parsed, file = tree(instead("Host $http_host", "Host $host"))
    host = None if port is None else "example.org"
    assert {one.rule: one.severity for one in find(parsed, file, Asked(host=host, port=port))} == rules


def test_a_fixed_host_is_right_where_it_is_the_public_one(found):
    text = instead("Host $http_host", "Host board.example.org")
    assert found(text) == {}, "nobody knows the public one"
    assert found(text, Asked(host="board.example.org", port=443)) == {}
    assert found(text, Asked(host="board.example.org", port=8080)) == {"host-lost": [15]}
    assert found(text, Asked(host="other.example.org", port=80)) == {"host-lost": [15]}


def test_the_ping_interval_decides_about_the_timeout(found):
    text = instead("listen 80;", "listen 80; proxy_read_timeout 30s;")
    assert found(text) == {}
    assert found(text, Asked(ping_interval=40.0)) == {"read-timeout": [9]}


def test_plain_websockets_need_no_stickiness_and_may_be_silent(found):
    text = GOOD.replace("ip_hash;", "")
    assert found(text, PLAIN) == {"read-timeout": [10]}
    assert found(text.replace("listen 80;", "listen 80; proxy_read_timeout 1h;"), PLAIN) == {}


def test_fragments_are_what_stands_inside_http_or_inside_a_server(found):
    inside = GOOD.partition("{\n")[2].rpartition("}")[0]
    assert found(inside) == {}
    assert found(inside.replace(inside.partition("\n")[0], "")) == {}, "the map may stand in another file"
    assert found("location / {\n" + LOCATION + "}") == {}
    assert found("location /x/ {\n" + LOCATION + "}") == {"not-proxied": [1]}
    assert "not-proxied" in found("")


def test_a_server_that_redirects_is_no_fault_of_one_that_serves(found):
    text = instead("    server {", "    server { listen 80; return 301 https://$host$request_uri; }\n    server {")
    assert found(text) == {}


def test_try_files_leads_to_a_named_location(found):
    text = instead("location / {", "location / { try_files $uri @app; }\n        location @app {")
    assert found(text) == {}


def test_proxy_pass_in_an_if_is_judged_too(found):
    text = instead("proxy_pass http://app;", "if ($http_upgrade) { proxy_pass http://app; } root /srv;")
    assert found(text) == {}
    assert found(text.replace("proxy_http_version 1.1;", "")) == {"http-version": [10]}


def test_only_the_server_of_the_host_is_judged(found):
    text = instead("        listen 80;", "        listen 80; server_name good.example.org;").replace(
        "    server {",
        "    server { listen 80; server_name bad.example.org; location / { proxy_pass http://x; } }\n    server {",
    )
    assert found(text, Asked(host="good.example.org", port=80)) == {}
    assert "http-version" in found(text, Asked(host="bad.example.org", port=80))


NAMES = ["http", "server", "location", "upstream", "map", "if", "limit_except", "try_files", "return", "set", "deny"]
NAMES += ["proxy_pass", "proxy_set_header", "proxy_http_version", "proxy_read_timeout", "proxy_cache", "limit_req"]
NAMES += ["server_name", "listen", "hash"]
VALUES = ["/", "=", "~", "^~", "@app", "http://app/", "http://app", "app", "(", "default", "all", "80", "5s", "301"]
VALUES += ["Upgrade", "Connection", "Host", "$http_upgrade", "$connection_upgrade", "$host"]
WORDS = st.sampled_from(NAMES + VALUES)
BLOCKS = st.recursive(
    st.builds(Directive, WORDS, st.lists(WORDS, max_size=3).map(tuple), st.just("f"), st.just(1)),
    lambda inner: st.builds(
        Directive,
        WORDS,
        st.lists(WORDS, max_size=3).map(tuple),
        st.just("f"),
        st.just(1),
        st.lists(inner, max_size=5).map(tuple),
    ),
    max_leaves=20,
)


@given(st.lists(BLOCKS, max_size=6), st.sampled_from([SOCKET_IO, PLAIN, Asked(host="app", port=80)]))
def test_any_tree_is_judged(blocks, asked):
    location = Directive("location", ("/",), "f", 1, (Directive("proxy_pass", ("http://app",), "f", 1), *blocks))
    for one in find([Directive("server", (), "f", 1, (location, *blocks)), *blocks], "f", asked):
        assert one.text
        assert one.fix
        assert one.where
