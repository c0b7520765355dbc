"""Varnish decides as the model does: the same requests, answers and failures at the same times, the same results."""

from __future__ import annotations

import time
from email.utils import formatdate

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from sandbox.model.cloudfront import config, policies
from sandbox.model.cloudfront.edge import Edge, conditions
from sandbox.model.cloudfront.managed import CACHE, ORIGIN_REQUEST, RESPONSE_HEADERS
from sandbox.model.cloudfront.messages import Failure, Request, Response
from tests.dataplane.cdn.varnish_edge import VarnishEdge

pytestmark = pytest.mark.docker

HOST = "d111111abcdef8.cloudfront.net"


def listed(*items):
    return {"Quantity": len(items), "Items": list(items)}


def origin(name, **more):
    custom = {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only"}
    return {"Id": name, "DomainName": f"{name}.example.org", "CustomOriginConfig": custom, **more}


def behavior(pattern, target="site", **more):
    return {"PathPattern": pattern, "TargetOriginId": target, "ViewerProtocolPolicy": "allow-all", **more}


def forwarded(least, default, most, **more):
    values = {"QueryString": True, "Cookies": {"Forward": "whitelist", "WhitelistedNames": listed("s")}, **more}
    return {"ForwardedValues": values, "MinTTL": least, "DefaultTTL": default, "MaxTTL": most}


ALL = listed("GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE")
OWN = policies.Policies(
    {
        **CACHE,
        "own": policies.CachePolicy(
            "own",
            policies.Ttl(0, 20, 100),
            policies.Selection("whitelist", ("q", "w*")),
            ("accept-language", "cloudfront-forwarded-proto"),
            policies.Selection("allExcept", ("ad", "t?")),
            gzip=True,
            brotli=True,
        ),
    },
    {**ORIGIN_REQUEST, "own": policies.OriginRequestPolicy("own", policies.Selection("allExcept", ("q", "x")))},
    RESPONSE_HEADERS,
)
DISTRIBUTION = {
    "CallerReference": "1",
    "Comment": "",
    "Enabled": True,
    "DefaultRootObject": "index.html",
    "Origins": listed(
        origin("site"),
        origin("spare", OriginPath="/spare", CustomHeaders=listed({"HeaderName": "X-Key", "HeaderValue": "1"})),
    ),
    "OriginGroups": listed(
        {
            "Id": "both",
            "FailoverCriteria": {"StatusCodes": listed(404, 503)},
            "Members": listed({"OriginId": "site"}, {"OriginId": "spare"}),
        }
    ),
    "CacheBehaviors": listed(
        behavior("/*/min/*", **forwarded(5, 20, 50, Headers=listed("Host", "X-Version"))),
        behavior(
            "/*/own/*",
            CachePolicyId="own",
            OriginRequestPolicyId="own",
            ResponseHeadersPolicyId="67f7725c-6f97-4210-82d7-5512b31e9d03",
        ),
        behavior(
            "/*/off/*",
            CachePolicyId="4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
            OriginRequestPolicyId="216adef6-5c7f-47e4-b989-5492eafa07d3",
            AllowedMethods={**ALL, "CachedMethods": listed("GET", "HEAD")},
        ),
        behavior("/*/both/*", "both", **forwarded(0, 20, 100)),
        behavior("/pages/*", **forwarded(0, 20, 100)),
        behavior("/*/tls/*", **{**forwarded(0, 20, 100), "ViewerProtocolPolicy": "redirect-to-https"}),
    ),
    "DefaultCacheBehavior": behavior("*", **forwarded(0, 20, 100)),
    "CustomErrorResponses": listed(
        {"ErrorCode": 404, "ResponsePagePath": "/pages/404.html", "ResponseCode": "200", "ErrorCachingMinTTL": 15},
        {"ErrorCode": 503, "ErrorCachingMinTTL": 5},
        {"ErrorCode": 500, "ErrorCachingMinTTL": 0},
    ),
}

SAID = st.sampled_from(
    [
        "",
        "max-age=0",
        "max-age=10",
        'max-age="10", public',
        "max-age=999",
        "no-store",
        "no-cache",
        'no-cache="Set-Cookie", max-age=10',
        'no-cache="a, private", max-age=10',
        "private",
        "PRIVATE, max-age=10",
        "s-maxage=5 , max-age=1",
        "public, max-age=0, s-maxage=10",
        'a="b, max-age=1", public, max-age=10',
        "max-age=5, stale-if-error=0",
        "max-age=5, stale-if-error=20",
        "max-age=5, stale-while-revalidate=10",
        "max-age=5,stale-while-revalidate=1000, stale-if-error=10",
        "max-age=oops",
    ]
)
DRIFT = 1.5
"""Seconds that an example may take: no two times of it differ by so little."""
NOT_COMPARED = {"age", "date", "x-amz-cf-id", "connection", "accept-ranges", "server", "content-type", "content-length"}


def brief(answer):
    return f"expected: {answer.status} {answer.x_cache} age {answer.age} encode {answer.encode!r} {answer.response}"


class ModelAndVarnish(RuleBasedStateMachine):
    varnish: VarnishEdge
    examples = 0
    offset = 0

    def __init__(self):
        super().__init__()
        type(self).examples += 1
        self.edge = Edge(config.parse(DISTRIBUTION, HOST, OWN))
        self.varnish.forget()
        self.began = time.time() + self.offset
        self.started = time.monotonic()
        self.elapsed = 0
        self.number = 0

    @rule(seconds=st.sampled_from([0, 5, 10, 25, 105]))
    def time_goes_by(self, seconds):
        type(self).offset += seconds
        self.elapsed += seconds
        self.varnish.at(self.offset)

    @rule(
        method=st.sampled_from(["GET", "GET", "GET", "HEAD", "OPTIONS", "POST"]),
        place=st.sampled_from(["a", "min/a", "own/a", "off/a", "both/a", "tls/a"]),
        query=st.sampled_from(["", "", "q=1", "x=1&&q=1&w1=2", "w2"]),
        cookie=st.sampled_from(["", "", "s=1", "other=1; s=1", "t1=2;  b=2&3; a=1; ad=4"]),
        headers=st.fixed_dictionaries(
            {},
            optional={
                "accept-encoding": st.sampled_from(["gzip", "gzip;q=0, identity", "deflate, gzip;q=0.5"]),
                "accept-language": st.sampled_from(["de", "en"]),
                "x-version": st.just("1"),
                "user-agent": st.just("curl"),
                "cache-control": st.just("no-cache"),
            },
        ),
        asked=st.sampled_from([{}, {}, {}, {"range": "bytes=0-1"}, {"range": "bytes=500-"}, {"if-none-match": '"v"'}]),
        scheme=st.sampled_from(["http", "https"]),
        data=st.data(),
    )
    def a_viewer_asks(self, method, place, query, cookie, headers, asked, scheme, data):
        if time.monotonic() - self.started > DRIFT:
            return  # the model's clock stands still meanwhile
        sent = {"host": HOST, **headers, **asked} | ({"cookie": cookie} if cookie else {})
        path = f"/{self.examples}/{place}"
        request = Request(method, path, query, sent, scheme, has_body=method == "POST")
        now = self.began + self.elapsed
        decision = self.edge.handle(request, now)
        answers, fetches = [], []
        background = decision.fetch if decision.answer is not None else None
        answer = decision.answer
        while answer is None or background is not None:
            fetch = background or decision.fetch
            fetches.append(fetch)
            answers.append(self.outcome(data, fetch, now))
            decision = self.edge.answered(fetch, answers[-1], now)
            if background is not None:
                background = decision.fetch  # of the other origin of a group
            else:
                answer = decision.answer
        told = f"{self.elapsed} s, {time.monotonic() - self.started:.1f} s in fact: {request}\n{answers}\n"
        self.varnish.script.asked.clear()
        got = self.varnish.ask(request, *answers)
        for _ in answers:
            assert self.varnish.script.over.acquire(timeout=5), f"{told}an origin is not asked: {got}"
        self.compare(told, answer, got)
        self.compare_fetches(told, fetches)

    def outcome(self, data, fetch, now):
        self.number += 1
        status = data.draw(
            st.sampled_from([200, 200, 200, 304, 301, 307, 404, 403, 410, 500, 501, 503, "timeout", "refused"])
        )
        if isinstance(status, str):
            return Failure(status)
        if status == 304 and (fetch.stored is None or not conditions(fetch.stored)):
            status = 200
        control = data.draw(SAID)
        headers = {"cache-control": control} if control else {}
        if status != 304 and data.draw(st.booleans()):
            headers["expires"] = formatdate(now + data.draw(st.sampled_from([-10, 12])), usegmt=True)
        if status == 200 and data.draw(st.booleans()):
            headers["etag"] = data.draw(st.sampled_from(['"v"', f'"{self.number}"']))
        if data.draw(st.integers(0, 3)) == 0:
            headers["vary"] = data.draw(st.sampled_from(["*", "Accept-Encoding", "X-Version, Cookie, Foo"]))
        if status != 304 and data.draw(st.integers(0, 5)) == 0:
            headers["age"] = "5"
        if status == 200 and fetch.request.headers.get("range") == "bytes=0-1" and data.draw(st.booleans()):
            return Response(206, {**headers, "content-range": "bytes 0-1/7"}, (), "bo", 2)
        if status in {301, 307}:
            headers["location"] = "/elsewhere"
        body = "" if status == 304 else f"body {self.number} "
        if status == 200 and data.draw(st.integers(0, 4)) == 0:
            headers["content-type"] = "text/html; charset=utf-8"
            headers["content-length"] = "1200"
            body = body.ljust(1200, ".")
        cookies = ("a=1; Path=/", "b=2") if data.draw(st.integers(0, 4)) == 0 else ()
        return Response(status, headers, cookies, body, len(body))

    def compare(self, told, answer, got):
        assert got.status == answer.status, f"{told}{got}\n{brief(answer)}"
        assert got.headers["x-cache"] == answer.x_cache, f"{told}{got}\n{brief(answer)}"
        expected = answer.headers("", HOST.partition(".")[0], "SBX50-P1")
        expected = {name: value for name, value in expected.items() if name not in NOT_COMPARED}
        shown = {name: value for name, value in got.headers.items() if name not in NOT_COMPARED}
        assert shown == expected, f"{told}{got}\n{brief(answer)}"
        assert got.cookies == answer.cookies, f"{told}{got}\n{brief(answer)}"
        if answer.age is None and answer.x_cache.startswith("Error"):
            return  # an error that comes now, or the custom page for one, which may have an age of its own
        if answer.age is None:
            assert got.headers.get("age") == answer.response.headers.get("age"), f"{told}{got}"
        else:
            assert 0 <= int(got.headers["age"]) - answer.age <= 3, f"{told}{got}\n{brief(answer)}"
        if (
            answer.response.body
            and answer.request.method == "GET"
            and answer.status in {200, 206}
            and not answer.encode
        ):
            body = answer.response.body.encode()
            first, last = answer.span or (0, len(body) - 1)
            assert got.body == body[first : last + 1], f"{told}{got}\n{brief(answer)}"

    def compare_fetches(self, told, fetches):
        asked = self.varnish.script.asked
        assert [(one.origin, one.method, one.uri) for one in asked] == [
            (one.request.origin, one.request.method, one.request.uri) for one in fetches
        ], told
        for one, fetch in zip(asked, fetches, strict=True):
            if fetch.is_page:
                continue  # of the viewer's headers, it gets those alone that the first origin got, and all cookies
            sent = {
                name: value
                for name, value in one.headers.items()
                if name not in {"via", "content-length", "x-amz-cf-id"}
            }
            expected = {name: value for name, value in fetch.request.headers.items() if name != "content-length"}
            confirmed = fetch.stored.response.headers.get("etag") if fetch.stored else None
            if fetch.key is not None and expected.get("if-none-match") != confirmed:
                expected.pop(
                    "if-none-match", None
                )  # Varnish asks for the whole object, and answers the condition itself
            assert sent == expected, f"{told}{one}\n{fetch.request}"


@pytest.fixture(scope="module")
def varnish(varnish_edge):
    varnish_edge.serve(config.parse(DISTRIBUTION, HOST, OWN))
    return varnish_edge


def test_the_same_requests_have_the_same_results(varnish):
    ModelAndVarnish.varnish = varnish
    run_state_machine_as_test(
        ModelAndVarnish,
        settings=settings(
            max_examples=60,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.explicit, Phase.generate],  # a smaller example would take minutes to find
            report_multiple_bugs=False,
            database=None,
        ),
    )
