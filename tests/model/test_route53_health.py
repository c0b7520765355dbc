"""Health checks of Route 53: requests, verdicts and statuses."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.route53_health import EndpointCheck, HealthCheck

CHECK = EndpointCheck("HTTP", "192.0.2.1", 80, host="www.example.com", path="/up", threshold=3)


@pytest.mark.parametrize(
    ("check", "host"),
    [
        (CHECK, "www.example.com"),
        (replace(CHECK, port=8080), "www.example.com:8080"),
        (replace(CHECK, host=""), "192.0.2.1"),
        (replace(CHECK, type="HTTPS", port=443), "www.example.com"),
        (replace(CHECK, type="HTTPS_STR_MATCH", port=80), "www.example.com:80"),
    ],
)
def test_the_host_header_has_the_port_unless_it_is_the_protocols(check, host):
    first, *headers = check.request().decode().split("\r\n")
    assert first == "GET /up HTTP/1.1"
    assert f"Host: {host}" in headers
    assert headers[-2:] == ["", ""]


def test_how_long_a_connection_may_take():
    assert [replace(CHECK, type=type_).connect_within for type_ in ("HTTP", "HTTPS", "TCP")] == [4, 4, 10]


@pytest.mark.parametrize(("status", "passes"), [(199, False), (200, True), (302, True), (399, True), (400, False)])
def test_statuses_that_pass(status, passes):
    assert (CHECK.failure(status, b"") == "") is passes


def test_a_string_has_to_be_in_the_first_5120_octets():
    check = replace(CHECK, type="HTTP_STR_MATCH", search="fine")
    assert check.failure(200, b"x" * 5116 + b"fine") == ""
    assert check.failure(200, b"x" * 5117 + b"fine")
    assert check.failure(200, b"Fine")
    assert check.failure(500, b"fine")


def statuses(health, found):
    return [(health.found("" if passed else "no"), health.status)[1] for passed in found]


def test_the_status_changes_after_as_many_in_a_row():
    health = HealthCheck(CHECK)
    assert health.status  # a new one is healthy until there is enough to tell
    assert statuses(health, [False, False, True, False, False, False]) == [True] * 5 + [False]
    assert statuses(health, [True, True, False, True, True, True]) == [False] * 5 + [True]


def test_what_is_news():
    health = HealthCheck(CHECK)
    assert [health.found(one) for one in ("", "", "no", "no", "no", "no", "", "", "")] == [
        True, False, False, False, True, False, False, False, True
    ]  # fmt: skip
    assert [health.known, health.last] == [True, ""]


def test_inverted_and_disabled():
    health = HealthCheck(replace(CHECK, inverted=True, threshold=1))
    assert statuses(health, [True, False]) == [False, True]
    health.check = replace(health.check, inverted=False, disabled=True)
    assert health.status


@given(st.lists(st.booleans(), max_size=40), st.integers(1, 10))
def test_a_status_is_what_as_many_checks_in_a_row_have_found_last(found, threshold):
    health = HealthCheck(replace(CHECK, threshold=threshold))
    expected = True
    for number, passed in enumerate(found, 1):
        health.found("" if passed else "no")
        if number >= threshold and len(set(found[number - threshold : number])) == 1:
            expected = passed
        assert health.status is expected
