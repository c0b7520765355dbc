"""HAProxy decides as the model does: the same rules and requests, the same rule, the same Location."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from sandbox.model.elb.config import Condition, FixedResponse, Forward, Listener, Redirect, Rule
from sandbox.model.elb.routing import Request, location, matching_rule
from tests.dataplane.alb.haproxy import GROUPS, ask

pytestmark = pytest.mark.docker

# Few letters, so that patterns and requests often meet; what means something to regular expressions, to HAProxy's
# configuration or to its log formats is among them.
PATHS = st.text("aAb/.$+~'\"%", max_size=6)
PATTERNS = st.text("aAb/.$+~'\"*?", max_size=5)
QUERIES = st.text("aAb=&.\\*?%", max_size=8)
HEADERS = st.text("aAb,.\\*?$[(#\"'%", max_size=5)
HOSTS = st.sampled_from(["a.b", "A.b", "www.a.b", "a.b:8080", "ab.b", "b.a", "a-b.b"])
METHODS = ["GET", "PUT", "POST", "get", "A_B"]
NAME = "X-Any"


def conditions():
    several = {"min_size": 1, "max_size": 2}
    host = st.lists(st.sampled_from(["a.b", "A.B", "*.a.b", "?.b", "*.*", "*b.b", "a?b.b"]), **several)
    header = st.lists(HEADERS.filter(bool), **several)
    query = st.lists(
        st.tuples(st.text("aAb=&.\\*?", max_size=3), st.text("aAb=&.\\*?", min_size=1, max_size=4)), **several
    )
    fields = {
        "host-header": host,
        "path-pattern": st.lists(PATTERNS.filter(bool) | PATTERNS.map("/{}".format), **several),
        "query-string": query,
        "http-request-method": st.lists(st.sampled_from(["GET", "PUT", "A_B"]), **several),
        "source-ip": st.lists(st.sampled_from(["192.0.2.0/24", "0.0.0.0/0", "2001:db8::/32"]), **several),
    }
    made = [values.map(lambda given, field=field: Condition(field, tuple(given))) for field, values in fields.items()]
    return st.one_of(*made, header.map(lambda given: Condition("http-header", tuple(given), NAME)))


def actions():
    weights = st.lists(st.sampled_from([0, 0, 1, 999]), min_size=1, max_size=3)
    parts = st.sampled_from
    redirect = st.builds(
        Redirect,
        status=parts([301, 302]),
        protocol=parts(["#{protocol}", "HTTPS", "HTTP"]),
        host=parts(["#{host}", "www.#{host}", "100%.example.org"]),
        port=parts(["#{port}", "443"]),
        path=parts(["/#{path}", "/x/#{path}/#{host}:#{port}", "/'%[src]\"\\"]),
        query=parts(["#{query}", "", "a=#{path}&#{query}&#{protocol}", "x #{nothing}"]),
    )
    forward = weights.map(
        lambda given: Forward(tuple((group.arn, weight) for group, weight in zip(GROUPS, given, strict=False)))
    )
    return redirect | forward | st.none()


RULES = st.lists(st.tuples(st.lists(conditions(), min_size=1, max_size=3), actions()), min_size=1, max_size=10)
REQUESTS = st.builds(
    Request,
    method=st.sampled_from(METHODS),
    host=HOSTS,
    path=PATHS.map("/{}".format),
    query=QUERIES,
    headers=st.lists(st.tuples(st.sampled_from([NAME, NAME.lower(), "X-Other"]), HEADERS), max_size=2),
)


def listener_of(rules) -> Listener:
    """A listener whose rules have fixed responses with their numbers where they have no other action."""
    made = [
        Rule(str(number), number, tuple(given), action or FixedResponse(200, "text/plain", str(number)))
        for number, (given, action) in enumerate(rules, start=1)
    ]
    return Listener("arn:l", 80, "HTTP", (*made, Rule("default", None, (), FixedResponse(404, "", "default"))))


def with_query(key, value, queries):
    rules = [([Condition("query-string", ((key, value),))], None)]
    return example(rules, [Request(host="a.b", query=query) for query in queries])


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],  # a smaller example would take minutes to find
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@with_query("flag", "*", ["flag", "flag=", "flag=1", "flags", "a&flag", "flag&a", "=flag"])
@with_query("", "*", ["", "&", "a", "=", "a=b"])
@with_query("", "x*", ["x", "=x", "a=xy", "a=b&c=x", "xx"])
@with_query("a=b", "c", ["a=b=c"])
@with_query("a", "b&c", ["a=b&c"])
@with_query("a", r"\*x", ["a=*x", "a=yx", "a=%2Ax"])
@given(RULES, st.lists(REQUESTS, min_size=15, max_size=25))
def test_the_same_rule_and_location(haproxy, rules, requests):
    listener = listener_of(rules)
    haproxy.serve(listener)
    connection = haproxy.connect()
    for request in requests:
        status, body, where = ask(connection, request)
        rule = matching_rule(listener, request)
        match rule.action:
            case FixedResponse(expected, _, text):
                assert (status, body, where) == (expected, text, None), (rule, request)
            case Redirect() as redirect:
                assert (status, where) == (redirect.status, location(redirect, request, "HTTP", 80)), (rule, request)
            case Forward(groups):
                wanted = {arn.removeprefix("arn:") for arn, weight in groups if weight}
                assert (body in wanted) if wanted else status == 503, (rule, request)
    connection.close()
