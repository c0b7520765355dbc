"""What must hold of an edge cache whatever is asked and whatever origins say."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from sandbox.model.cloudfront import config
from sandbox.model.cloudfront.edge import Edge
from sandbox.model.cloudfront.messages import Failure, Request, Response
from tests.conftest import examples

SAID = {
    "": (20, 20),
    "max-age=0": (0, 5),
    "max-age=10": (10, 10),
    "max-age=999": (100, 50),
    "no-store": (0, 5),
    "no-cache": (0, 5),
    "private": (0, 5),
    "s-maxage=7, max-age=1": (7, 7),
    "max-age=5, stale-if-error=0": (5, 5),
    "max-age=5, stale-while-revalidate=10": (5, 5),
}
"""What the origin says, and for how long it may be served then: with times of 0, 20, 100 s and of 5, 20, 50 s."""


class AnyEdge(RuleBasedStateMachine):
    """Random requests, answers, failures and invalidations: what is served is what the rules allow, and no other's."""

    def __init__(self):
        super().__init__()
        values = {"QueryString": True, "Cookies": {"Forward": "whitelist", "WhitelistedNames": {"Items": ["s"]}}}
        default = {"TargetOriginId": "site", "ViewerProtocolPolicy": "allow-all", "ForwardedValues": values}
        custom = {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only"}
        default |= {"DefaultTTL": 20}
        described = {
            "Origins": {"Items": [{"Id": "site", "DomainName": "site.example.org", "CustomOriginConfig": custom}]},
            "DefaultCacheBehavior": {**default, "MinTTL": 0, "MaxTTL": 100},
            "CacheBehaviors": {"Items": [{**default, "PathPattern": "/min/*", "MinTTL": 5, "MaxTTL": 50}]},
        }
        self.edge = Edge(config.parse(described))
        self.now = 0.0
        self.number = 0
        self.waiting = []
        self.sent = {}
        """When each body came or was last confirmed, for which request, and what the origin said then."""

    @rule(seconds=st.sampled_from([0.0, 1.0, 4.0, 10.0, 21.0, 101.0]))
    def time_goes_by(self, seconds):
        self.now += seconds

    @rule(
        path=st.sampled_from(["/", "/min/a"]),
        query=st.sampled_from(["", "q=1"]),
        cookie=st.sampled_from(["", "s=1", "other=1; s=1", "other=2"]),
        method=st.sampled_from(["GET", "HEAD"]),
    )
    def a_viewer_asks(self, path, query, cookie, method):
        request = Request(method, path, query, {"cookie": cookie} if cookie else {})
        decision = self.edge.handle(request, self.now)
        if decision.fetch is not None:
            self.waiting.append(decision.fetch)
        if decision.answer is not None:
            self.check(decision.answer, request)

    @precondition(lambda self: self.waiting)
    @rule(
        data=st.data(),
        status=st.sampled_from([200, 200, 304, 301, 404, 503]),
        control=st.sampled_from(list(SAID)),
        validator=st.booleans(),
    )
    def the_origin_answers(self, data, status, control, validator):
        fetch = self.waiting.pop(data.draw(st.integers(0, len(self.waiting) - 1)))
        conditional = "if-none-match" in fetch.request.headers
        headers = {"cache-control": control} if control else {}
        self.number += 1
        if status == 304 and not conditional:
            status = 200
        if status == 200 and validator:
            headers["etag"] = f'"{self.number}"'
        answer = Response(status, headers, body=self.number)
        if status != 304:
            self.sent[self.number] = (self.now, self.seen_by_origin(fetch.viewer), control)
        elif self.edge.stored(fetch.viewer) is fetch.stored:
            body = fetch.stored.response.body
            before = self.sent[body]
            self.sent[body] = (self.now, before[1], control or before[2])
        decision = self.edge.answered(fetch, answer, self.now)
        assert decision.answer is not None
        assert decision.answer.x_cache == "RefreshHit from cloudfront" if status == 304 else True

    @precondition(lambda self: self.waiting)
    @rule()
    def the_origin_fails(self):
        decision = self.edge.answered(self.waiting.pop(), Failure("timeout"), self.now)
        assert decision.answer is not None
        assert decision.answer.status == 504 or decision.answer.stale

    @rule()
    def all_is_invalidated(self):
        self.edge.invalidate(["/*"])
        assert len(self.edge) == 0

    def seen_by_origin(self, request):
        return request.path, request.query, "s=1" in request.headers.get("cookie", "")

    def check(self, answer, request):
        """Served without the origin: made for such a request, and not beyond what its headers and the limits allow."""
        stored = self.edge.stored(request)
        assert stored is not None
        assert stored.response is answer.response
        if answer.response.body is not None:
            assert self.sent[answer.response.body][1] == self.seen_by_origin(request)
        if not answer.stale:
            assert answer.x_cache == ("Error from cloudfront" if answer.status >= 400 else "Hit from cloudfront")
            if answer.status < 400:
                came, _, said = self.sent[answer.response.body]
                assert self.now < came + SAID[said][request.path == "/min/a"]
        control = answer.response.headers.get("cache-control", "")
        if answer.status < 400 and request.path == "/":
            assert "no-store" not in control
            assert "private" not in control
            if "no-cache" in control or control == "max-age=0":
                assert answer.stale
        if answer.stale:
            assert "stale-if-error=0" not in control


AnyEdge.TestCase.settings = settings(max_examples=examples(60), stateful_step_count=40, deadline=None)
TestAnyEdge = AnyEdge.TestCase
