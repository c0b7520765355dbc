"""Which rule a request meets, by the examples of the guide, and where redirects lead."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.elb.config import Condition, FixedResponse, Listener, Redirect, Rule
from sandbox.model.elb.routing import Request, location, matches, matching_rule

NOTHING = FixedResponse(404)


def chosen(request: Request, *rules: tuple[Condition, ...]) -> int | None:
    """The number of the rule that a request meets; None for the default one."""
    made = [Rule(f"rule-{n}", n, conditions, NOTHING) for n, conditions in enumerate(rules, start=1)]
    default = Rule("default", None, (), NOTHING)
    return matching_rule(Listener("arn", 80, "HTTP", (*made, default)), request).priority


def holds(field: str, values: tuple[Any, ...], header: str = "", **request: Any) -> bool:
    return chosen(Request(**request), (Condition(field, values, header),)) == 1


@pytest.mark.parametrize(
    ("value", "host", "expected"),
    [
        ("example.com", "example.com", True),
        ("example.com", "EXAMPLE.com", True),
        ("EXAMPLE.com", "example.com", True),
        ("example.com", "example.com:8080", True),
        ("example.com", "www.example.com", False),
        ("*.example.com", "test.example.com", True),
        ("*.example.com", "a.test.example.com", True),
        ("*.example.com", "example.com", False),
        ("?.example.com", "a.example.com", True),
        ("?.example.com", "ab.example.com", False),
        ("example.com", "exampleXcom", False),
        ("example.com", "", False),
    ],
)
def test_host(value: str, host: str, expected: bool) -> None:
    assert holds("host-header", (value,), host=host) is expected


@pytest.mark.parametrize(
    ("value", "path", "expected"),
    [
        ("/img/*", "/img/picture.jpg", True),
        ("/img/*", "/img/", True),
        ("/img/*", "/img", False),
        ("/img/*", "/IMG/picture.jpg", False),
        ("/img/*", "/a/img/picture.jpg", False),
        ("/img/*/pics", "/img/a/b/pics", True),
        ("/a?c", "/abc", True),
        ("/a?c", "/ac", False),
        ("/a.c", "/abc", False),
        ("*", "/", True),
        ("*.php", "/a/b.php", True),
        ("/%7Ea", "/%7Ea", True),
        ("/~a", "/%7Ea", False),
    ],
)
def test_path(value: str, path: str, expected: bool) -> None:
    assert holds("path-pattern", (value,), path=path) is expected


def test_the_path_is_compared_without_the_query() -> None:
    assert holds("path-pattern", ("/a",), path="/a", query="b=c")
    assert not holds("path-pattern", ("/a*c",), path="/a", query="b=c")


@pytest.mark.parametrize(
    ("values", "header", "headers", "expected"),
    [
        (("*Chrome*", "*Safari*"), "User-Agent", [("user-agent", "Mozilla/5.0 chrome/1")], True),
        (("*Chrome*", "*Safari*"), "User-Agent", [("User-Agent", "curl/8")], False),
        (("b",), "X-A", [("X-A", "a"), ("x-a", "B")], True),
        (("b",), "X-A", [("X-A", "a,b")], False),
        (("",), "X-A", [], False),
        (("*",), "X-A", [("X-A", "")], True),
        ((r"\*",), "X-A", [("X-A", r"\anything")], True),
    ],
)
def test_header(values: tuple[str, ...], header: str, headers: list[tuple[str, str]], expected: bool) -> None:
    assert holds("http-header", values, header, headers=headers) is expected


def test_method() -> None:
    assert holds("http-request-method", ("GET", "HEAD"), method="HEAD")
    assert not holds("http-request-method", ("GET", "HEAD"), method="head")
    assert not holds("http-request-method", ("GET",), method="GETS")


@pytest.mark.parametrize(
    ("pair", "query", "expected"),
    [
        (("version", "v1"), "version=v1", True),
        (("version", "v1"), "a=b&VERSION=V1&c", True),
        (("version", "v1"), "version=v2&other=v1", False),
        (("", "example"), "anything=Example", True),
        (("", "example"), "example", False),
        (("flag", "*"), "flag", True),
        (("flag", "*"), "", False),
        (("v*", "?1"), "version=a1", True),
        (("v", r"\*"), "v=*", True),
        (("v", r"\*"), "v=a", False),
        (("v", r"\?x\\"), "v=?x\\", True),
        (("v", "a=b"), "v=a=b", True),
        (("v", "a b"), "v=a%20b", False),
    ],
)
def test_query(pair: tuple[str, str], query: str, expected: bool) -> None:
    assert holds("query-string", (pair,), query=query) is expected


@pytest.mark.parametrize(
    ("value", "source_ip", "expected"),
    [
        ("192.0.2.0/24", "192.0.2.77", True),
        ("192.0.2.0/24", "192.0.3.1", False),
        ("198.51.100.10/32", "198.51.100.10", True),
        ("198.51.100.10/24", "198.51.100.99", True),
        ("2001:db8::/32", "2001:db8::1", True),
        ("2001:db8::/32", "192.0.2.1", False),
        ("0.0.0.0/0", "10.0.0.1", True),
    ],
)
def test_source_ip(value: str, source_ip: str, expected: bool) -> None:
    assert holds("source-ip", (value,), source_ip=source_ip) is expected
    forwarded = [("X-Forwarded-For", "203.0.113.1")]
    assert not holds("source-ip", ("203.0.113.1/32",), source_ip=source_ip, headers=forwarded)


def test_one_value_of_each_condition_must_hold_and_the_first_rule_wins() -> None:
    get = Condition("http-request-method", ("GET", "POST"))
    api = Condition("path-pattern", ("/api/*", "/v1/*"))
    assert chosen(Request(path="/v1/x"), (get, api)) == 1
    assert chosen(Request(path="/v1/x", method="PUT"), (get, api)) is None
    assert chosen(Request(path="/x"), (get, api)) is None
    assert chosen(Request(path="/api/x"), (get,), (api,)) == 1
    assert chosen(Request(path="/api/x", method="PUT"), (get,), (api,)) == 2
    assert chosen(Request()) is None


letters = st.text("ab*?", max_size=8)


@given(letters, st.text("ab", max_size=12))
def test_wildcards_are_those_of_a_regular_expression(pattern: str, text: str) -> None:
    expression = "".join({"*": ".*", "?": "."}.get(letter, letter) for letter in pattern)
    assert matches(pattern, text) is bool(re.fullmatch(expression, text))


@given(st.text(max_size=20))
def test_an_escaped_text_matches_itself_alone(text: str) -> None:
    escaped = re.sub(r"([*?\\])", r"\\\1", text)
    assert matches(escaped, text, has_escapes=True)
    assert not matches(escaped, text + "x", has_escapes=True)


def test_a_hostile_text_takes_no_time() -> None:
    assert not matches("*a*a*a*a*a*b", "a" * 16_000)


HERE = Request(host="example.com:8080", path="/a/b", query="c=d")


@pytest.mark.parametrize(
    ("redirect", "leads_to"),
    [
        (Redirect(301, protocol="HTTPS", port="443"), "https://example.com:443/a/b?c=d"),
        (Redirect(301, path="/new/#{path}"), "http://example.com:80/new/a/b?c=d"),
        (Redirect(302, host="www.#{host}"), "http://www.example.com:80/a/b?c=d"),
        (Redirect(302, host="other.org", path="/", query=""), "http://other.org:80/"),
        (Redirect(302, path="/x", query="#{query}&value=xyz"), "http://example.com:80/x?c=d&value=xyz"),
        (
            Redirect(302, path="/#{host}/#{port}", query="from=#{protocol}:#{path}"),
            "http://example.com:80/example.com/80?from=http:a/b",
        ),
    ],
)
def test_redirects(redirect: Redirect, leads_to: str) -> None:
    assert location(redirect, HERE, "HTTP", 80) == leads_to


def test_what_the_request_says_is_no_template() -> None:
    request = replace(HERE, path="/#{host}", query="")
    assert location(Redirect(302, port="81"), request, "HTTP", 80) == "http://example.com:81/#{host}"
