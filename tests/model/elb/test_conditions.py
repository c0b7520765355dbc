"""Conditions of rules, as the API's users write them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.elb.conditions import parse_conditions, shown_condition
from sandbox.model.elb.config import Condition
from sandbox.model.elb.errors import ElbError


def path(*values: str) -> dict[str, Any]:
    return {"Field": "path-pattern", "PathPatternConfig": {"Values": list(values)}}


def host(*values: str) -> dict[str, Any]:
    return {"Field": "host-header", "HostHeaderConfig": {"Values": list(values)}}


def header(name: str, *values: str) -> dict[str, Any]:
    return {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": name, "Values": list(values)}}


def query(*pairs: dict[str, str]) -> dict[str, Any]:
    return {"Field": "query-string", "QueryStringConfig": {"Values": list(pairs)}}


def method(*values: str) -> dict[str, Any]:
    return {"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": list(values)}}


def source(*values: str) -> dict[str, Any]:
    return {"Field": "source-ip", "SourceIpConfig": {"Values": list(values)}}


def refused(*given: dict[str, Any]) -> tuple[str, str]:
    with pytest.raises(ElbError) as caught:
        parse_conditions(given)
    return caught.value.code, caught.value.message


def test_every_field_is_read_and_shown_again() -> None:
    given = [
        path("/img/*"),
        host("*.example.com"),
        method("GET"),
        source("192.0.2.0/24"),
        query({"Key": "version", "Value": "v1"}),
    ]
    conditions = parse_conditions(given)
    assert conditions == (
        Condition("path-pattern", ("/img/*",)),
        Condition("host-header", ("*.example.com",)),
        Condition("http-request-method", ("GET",)),
        Condition("source-ip", ("192.0.2.0/24",)),
        Condition("query-string", (("version", "v1"),)),
    )
    shown = [shown_condition(condition) for condition in conditions]
    assert shown == [{**given[0], "Values": ["/img/*"]}, {**given[1], "Values": ["*.example.com"]}, *given[2:]]


def test_headers_and_values_without_a_key() -> None:
    conditions = parse_conditions([header("User-Agent", "*Chrome*"), header("X-A", "b"), query({"Value": "example"})])
    assert conditions == (
        Condition("http-header", ("*Chrome*",), "User-Agent"),
        Condition("http-header", ("b",), "X-A"),
        Condition("query-string", (("", "example"),)),
    )
    assert shown_condition(conditions[0]) == header("User-Agent", "*Chrome*")
    assert shown_condition(conditions[2])["QueryStringConfig"] == {"Values": [{"Key": None, "Value": "example"}]}


def test_the_old_way_to_give_one_value() -> None:
    assert parse_conditions([{"Field": "path-pattern", "Values": ["/a"]}]) == (Condition("path-pattern", ("/a",)),)
    assert refused({"Field": "path-pattern", "Values": ["/a", "/b"]})[1] == (
        "The 'path-pattern' field contains too many values; the limit is '1'"
    )
    assert refused({**path("/a"), "Values": ["/b"]})[1] == (
        "You cannot provide both Values and 'PathPatternConfig' for a condition of type 'path-pattern'"
    )
    assert refused({"Field": "source-ip", "Values": ["10.0.0.0/8"]})[1] == (
        "The 'Values' field is not compatible with 'source-ip'"
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "A condition must be specified"),
        ([path()], "A condition value must be specified"),
        ([path("")], "A condition value must be specified"),
        ([{"PathPatternConfig": {"Values": ["/a"]}}], "A condition field must be specified"),
        ([{"Field": "colour"}], "Condition field 'colour' must be one of"),
        ([{"Field": "source-ip"}], "A 'SourceIpConfig' must be specified with 'source-ip'"),
        ([{**path("/a"), "HostHeaderConfig": {}}], "The 'HostHeaderConfig' field is not compatible with"),
        ([path("/a"), path("/b")], "A rule can only have one 'path-pattern' condition"),
        ([path("/a", "/b", "/c"), host("a.b", "c.d", "e.f")], "A rule can only have '5' condition values"),
        ([path("/*/*/*/*/*/*/*")], "A rule can only have '6' condition wildcards"),
        ([path("/" + "a" * 128)], "The 'path-pattern' value is too long; the limit is '128'"),
        ([path("/ä")], "Condition value '/ä' contains a character that is not valid"),
        ([path("/a b")], "Condition value '/a b' contains a character that is not valid"),
        ([host("localhost")], "Condition value 'localhost' must contain at least one '.'"),
        ([host("10.0.0.1")], "Condition value '1' contains a character that is not valid"),
        ([host("example.com:8080")], "Condition value 'example.com:8080' contains a character that is not valid"),
        ([host("a" * 128 + ".de")], "The 'host-header' value is too long; the limit is '128'"),
        ([header("", "a")], "A 'HttpHeaderName' must be specified in 'HttpHeaderConfig'"),
        ([header("X-*", "a")], "The 'HttpHeaderName' value 'X-*' is not valid"),
        ([header("Host", "a.b")], "The 'HttpHeaderName' value 'Host' is not valid"),
        ([header("X" * 41, "a")], "The 'HttpHeaderName' value is too long; the limit is '40'"),
        ([method("get")], "The 'http-request-method' value is invalid"),
        ([query({"Key": "a"})], "A 'Value' must be specified in 'QueryStringKeyValuePair'"),
        ([query({"Key": "a" * 129, "Value": "b"})], "The 'Key' value is too long; the limit is '128'"),
        ([source("192.0.2.1")], "Condition value '192.0.2.1' is not a valid CIDR block"),
        ([source("192.0.2.0/33")], "Condition value '192.0.2.0/33' is not a valid CIDR block"),
    ],
)
def test_what_is_no_condition_is_refused(given: list[dict[str, Any]], message: str) -> None:
    code, told = refused(*given)
    assert code == "ValidationError"
    assert told.startswith(message)


def test_regular_expressions_are_not_carried_out() -> None:
    code, message = refused({"Field": "path-pattern", "RegexValues": ["^/a"]})
    assert code == "InvalidConfigurationRequest"
    assert "RegexValues of a 'path-pattern' condition" in message


def test_wildcards_that_are_escaped_in_a_query_string_do_not_count() -> None:
    assert parse_conditions([query({"Value": r"\*\*\*\*\*\*\*\?"})])
    assert refused(query({"Value": "*******"}))[1] == "A rule can only have '6' condition wildcards"
    assert parse_conditions([query({"Value": "***", "Key": "***"})])


@given(st.lists(st.text(max_size=20), max_size=6), st.sampled_from(["host-header", "path-pattern", "source-ip"]))
def test_whatever_is_given_is_taken_or_refused(values: list[str], field: str) -> None:
    config = {"host-header": host, "path-pattern": path, "source-ip": source}[field](*values)
    try:
        (condition,) = parse_conditions([config])
    except ElbError:
        return
    assert condition == Condition(field, tuple(values))
