"""The crawl, against real servers that behave and that do not."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from sandbox.dataplane.cdn.certificates import Authority
from sandbox.errors import SandboxError
from sandbox.probes.http_cache import Limits, crawl
from tests.secure import serving, trusting

HTML = {"Content-Type": "text/html; charset=utf-8"}
QUICK = Limits(seconds=20, answer=1)


@contextlib.contextmanager
def raw_server(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that reads a request's beginning and does as it is told."""
    listening = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def serve() -> None:
        while not ended.is_set():
            with contextlib.suppress(OSError):
                connection, _ = listening.accept()
                with connection:
                    connection.recv(65_536)
                    answer(connection)

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    ended.set()
    listening.close()


def paths(found):
    return [one.path for one in found.seen]


def test_a_site_is_followed_from_its_page_to_what_it_needs_and_where_it_leads(web_site):
    site = web_site(
        {
            "/": (200, HTML, '<link rel=stylesheet href="/a.css?v=1"><a href="/b">b</a>'),
            "/a.css?v=1": (200, {"Content-Type": "text/css"}, "a{background:url(i.png)}"),
            "/i.png": (200, {"Content-Type": "image/png"}, "png"),
            "/b": (200, HTML, '<a href="/">back</a><a href="/gone">gone</a>'),
        }
    )
    found = crawl([site.url])
    assert [(one.path, one.query, one.first.status) for one in found.seen] == [
        ("/", "", 200),
        ("/a.css", "v=1", 200),
        ("/b", "", 200),
        ("/i.png", "", 200),
        ("/gone", "", 404),
    ]
    assert (found.failures, found.left) == ({}, 0)


def test_what_is_asked_is_what_cloudfront_asks(web_site):
    site = web_site({"/": (200, HTML | {"Set-Cookie": ["a=1", "b=2; Path=/"], "ETag": '"1"'}, "hello")})
    (one,) = crawl([site.url], headers={"X-Forwarded-Proto": "https"}).seen
    assert one.first.cookies == ("a=1", "b=2; Path=/")
    assert "set-cookie" not in one.first.headers
    assert one.again == one.first
    assert one.confirms is True
    for _, headers in site.asked:
        assert headers["user-agent"] == "Amazon CloudFront"
        assert headers["accept-encoding"] == "gzip"
        assert headers["x-forwarded-proto"] == "https"
        assert "cookie" not in headers, "each request is a new viewer's"


def test_bodies_that_change_are_told_apart(web_site):
    number = iter(range(100))
    (one,) = crawl([web_site({"/": (200, HTML, lambda: str(next(number)))}).url]).seen
    assert one.first.body != one.again.body
    assert one.confirms is None


def test_only_hosts_that_were_named_are_asked(web_site):
    other = web_site({})
    site = web_site({"/": (200, HTML, f'<a href="{other.url}/x">x</a><img src="http://no.invalid/i.png">')})
    assert paths(crawl([site.url])) == ["/"]
    assert other.asked == []
    assert paths(crawl([site.url, other.url])) == ["/", "/", "/x"]


def test_redirects_are_followed_on_the_same_host_and_told_elsewhere(web_site):
    site = web_site(
        {
            "/": (301, {"Location": "/new"}, ""),
            "/new": (302, {"Location": "https://elsewhere.invalid/"}, ""),
        }
    )
    found = crawl([site.url])
    assert paths(found) == ["/", "/new"]
    assert found.elsewhere == {f"{site.url}/new": "https://elsewhere.invalid/"}
    assert found.loops == []


def test_links_to_the_site_s_public_name_lead_to_its_origin(web_site):
    site = web_site(
        {
            "/": (200, HTML, '<a href="https://www.example.invalid/b">b</a><img src="//cdn.invalid/i.png">'),
            "/b": (302, {"Location": "https://WWW.example.invalid/c"}, ""),
            "/c": (200, HTML, ""),
        }
    )
    found = crawl([site.url], headers={"Host": "www.example.invalid"}, names={"www.example.invalid": site.url})
    assert paths(found) == ["/", "/b", "/c"]
    assert found.elsewhere == {}
    assert {headers["host"] for _, headers in site.asked} == {"www.example.invalid"}


def test_a_loop_of_redirects_ends_and_is_told(web_site):
    site = web_site({"/": (302, {"Location": "/a"}, ""), "/a": (302, {"Location": "/"}, "")})
    found = crawl([site.url])
    assert paths(found) == ["/", "/a"]
    assert found.loops == [f"{site.url}/", f"{site.url}/a"]


def test_the_bounds(web_site):
    site = web_site({f"/{n}": (200, HTML, f'<a href="/{n + 1}">next</a>') for n in range(100)})
    assert paths(crawl([f"{site.url}/0"], Limits(depth=3))) == ["/0", "/1", "/2", "/3"]
    found = crawl([f"{site.url}/0"], Limits(count=5, depth=50))
    assert (paths(found), found.left) == (["/0", "/1", "/2", "/3", "/4"], 1)


def test_an_endless_body_is_left(web_site):
    def endless(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
        with contextlib.suppress(OSError):
            while True:
                connection.sendall(b"x" * 65_536)

    with raw_server(endless) as url:
        found = crawl([url], Limits(body=1_000_000))
    assert found.cut == [url]
    assert not found.seen[0].first.complete


def test_a_body_that_trickles_is_left():
    def trickle(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
        with contextlib.suppress(OSError):
            for _ in range(100):
                connection.sendall(b"x")
                time.sleep(0.05)

    begun = time.monotonic()
    with raw_server(trickle) as url:
        found = crawl([url], QUICK)
    assert found.cut == [url]
    assert time.monotonic() - begun < 4


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda connection: None, "Remote end closed connection without response"),
        (lambda connection: connection.sendall(b"nonsense\r\n\r\n"), "nonsense"),
        (lambda connection: time.sleep(1.5), "no answer in time"),
    ],
    ids=["closes", "malformed", "silent"],
)
def test_a_named_url_that_does_not_answer_is_an_error(answer, words):
    with raw_server(answer) as url, pytest.raises(SandboxError) as error:
        crawl([url], QUICK)
    assert error.value.message == f"{url} cannot be reached (http)"
    assert words in error.value.state


def test_a_port_where_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(SandboxError) as error:
        crawl([f"http://127.0.0.1:{port}/"])
    assert error.value.state == "connection refused"


def test_a_name_that_does_not_resolve():
    with pytest.raises(SandboxError) as error:
        crawl(["http://no-such-host.invalid/"], QUICK)
    assert error.value.state == "its name does not resolve"


def test_https_to_a_server_that_does_not_speak_it(web_site):
    site = web_site({})
    with pytest.raises(SandboxError) as error:
        crawl([site.url.replace("http:", "https:")], QUICK)
    assert error.value.state.startswith("TLS fails: ")
    assert "REQUESTS_CA_BUNDLE" in error.value.hint


@pytest.mark.parametrize("certified", [True, False])
def test_https_at_a_door_by_the_name_that_its_certificate_is_for(web_site, certified):
    authority = Authority()
    site = web_site({"/": (200, HTML, '<a href="https://shop.example.org:443/next">'), "/next": (200, HTML, "")})
    names = ("shop.example.org",) if certified else ("other.example.org",)
    site.socket = serving(authority, *names).wrap_socket(site.socket, server_side=True)
    url = site.url.replace("http:", "https:")
    name = "shop.example.org"
    asked = partial(
        crawl,
        [url],
        QUICK,
        {"Host": name},
        {name: url},
        doors={url.removeprefix("https://"): (trusting(authority), name)},
    )
    if certified:
        assert paths(asked()) == ["/", "/next"]
        return
    with pytest.raises(SandboxError) as error:
        asked()
    assert "Hostname mismatch" in error.value.state
    assert error.value.hint == "its listener wants a certificate for shop.example.org"


def test_a_link_that_does_not_answer_is_told_and_the_rest_goes_on(web_site):
    site = web_site({"/": (200, HTML, '<a href="/bad">bad</a><a href="/good">good</a>'), "/good": (200, HTML, "")})
    site.pages["/bad"] = (200, {"Content-Encoding": "gzip"}, "this is not gzip")
    found = crawl([site.url])
    assert paths(found) == ["/", "/good"]
    assert list(found.failures) == [f"{site.url}/bad"]


def test_a_password_in_a_url_is_refused_and_not_repeated():
    with pytest.raises(SandboxError) as error:
        crawl(["http://me:secret@127.0.0.1/"])
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("url", ["ftp://example.org/", "http://", "", "http://x:99999/", "http://["])
def test_what_is_no_url(url):
    with pytest.raises(SandboxError, match="is no URL to check"):
        crawl([url])
