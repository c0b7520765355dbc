"""The model of rules and HAProxy decide alike, whatever the rules and the requests are."""

from __future__ import annotations

import http.client
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sandbox.controllers.sandbox import Sandbox
from sandbox.model.elb.config import Condition, FixedResponse, Redirect, Rule
from tests.controllers.balanced import ARN, ask, make_site

routing = pytest.importorskip("sandbox.model.elb.routing")
pytestmark = pytest.mark.docker


def some(*pieces, least=1, most=6):
    return st.lists(st.sampled_from(pieces), min_size=least, max_size=most).map("".join)


PATHS = some("/", "a", "b", "A", ".", "-", "'").map(lambda text: f"/{text}")
HOSTS = some("a", "B", "-", ".example.org", "www.", most=4)
QUERIES = st.lists(
    st.tuples(some("a", "B", "c", least=0, most=2), some("x", "=", "Y", "+", least=0, most=3)), min_size=0, max_size=3
).map(lambda pairs: "&".join(key + ("=" + value if value else "") for key, value in pairs))
VALUES = some("a", "b", " ", ",", "C", "'", '"', least=1).map(str.strip).filter(bool)

PARAMETERS = st.tuples(
    some("a", "b", "C", "*", "?", "=", least=0, most=2), some("x", "y", "=", "*", "?", "\\*", "&", least=0, most=3)
).filter(any)


def condition(field, values, header=""):
    return st.lists(values, min_size=1, max_size=2).map(lambda some: Condition(field, tuple(some), header))


CONDITIONS = st.one_of(
    condition("path-pattern", some("/", "a", "b", "*", "?", ".", "'", "\\").map(lambda text: f"/{text}")),
    condition("host-header", some("a", "b", "*", "?", ".example.org", "WWW.", most=4)),
    condition("http-header", some("a", "B", "*", "?", " ", ",", "'", '"', "$", "\\", "#"), "X-Some"),
    condition("http-request-method", st.sampled_from(["GET", "POST", "PUT"])),
    condition("query-string", PARAMETERS),
    condition("source-ip", st.sampled_from(["192.0.2.0/24", "0.0.0.0/0", "198.0.0.0/8"])),
)
REQUESTS = st.builds(
    routing.Request,
    method=st.sampled_from(["GET", "POST"]),
    host=st.tuples(HOSTS, st.sampled_from(["", ":80"])).map("".join),
    path=PATHS,
    query=QUERIES,
    headers=st.lists(VALUES, max_size=2).map(lambda values: [("X-Some", value) for value in values]),
)
REDIRECTS = st.builds(
    Redirect,
    status=st.sampled_from([301, 302]),
    protocol=st.sampled_from(["#{protocol}", "HTTPS"]),
    host=st.sampled_from(["#{host}", "www.#{host}", "other.example"]),
    port=st.sampled_from(["#{port}", "443"]),
    path=st.sampled_from(["/#{path}", "/x/#{path}/y", "/100%25"]),
    query=st.sampled_from(["#{query}", "", "a=b&#{query}", "a=%41"]),
)


@pytest.fixture(scope="module")
def site(request):
    with Sandbox(images=request.config.getoption("--sandbox-images")) as sandbox:
        made = make_site(sandbox)
        yield made
        made.close()


# A reload an example: to shrink one would take minutes.
@settings(max_examples=40, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.lists(CONDITIONS, min_size=1, max_size=2), st.none() | REDIRECTS), max_size=6), st.data())
def test_model_and_haproxy_decide_alike(site, rules, data):
    (listener,) = site.balancer.listeners
    made = [
        Rule(
            f"{ARN}:rule/{number}", number, tuple(conditions), redirect or FixedResponse(200, "text/plain", str(number))
        )
        for number, (conditions, redirect) in enumerate(rules)
    ]
    changed = replace(listener, rules=(*made, Rule("default", None, (), FixedResponse(200, "text/plain", "default"))))
    site.elb.deploy(replace(site.balancer, listeners=[changed]))
    connection = http.client.HTTPConnection(site.address, timeout=15)
    client = site.sandbox._network.internet.address(1)
    for drawn in data.draw(st.lists(REQUESTS, min_size=10, max_size=20)):
        request = replace(drawn, source_ip=client)
        rule = routing.matching_rule(changed, request)
        uri = f"{request.path}?{request.query}" if request.query else request.path
        values = [value for _, value in request.headers]
        got = ask(connection, uri, method=request.method, host=request.host, headers={"X-Some": values}, body=b"")
        if isinstance(rule.action, Redirect):
            expected = rule.action.status, routing.location(rule.action, request, "HTTP", 80)
            assert (got.status, got.headers["location"]) == expected, request
        else:
            assert (got.status, got.body.decode()) == (200, rule.action.body), request
