"""A distribution in front of an origin, for transcripts: what a viewer asks when, what the origin says, what comes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from sandbox.model.cloudfront import config
from sandbox.model.cloudfront.answers import Answer
from sandbox.model.cloudfront.edge import Edge, Fetch
from sandbox.model.cloudfront.headers import join
from sandbox.model.cloudfront.managed import MANAGED
from sandbox.model.cloudfront.messages import Failure, Request, Response
from sandbox.model.cloudfront.policies import Policies

HOST = "d111111abcdef8.cloudfront.net"


def origin(name: str = "site", **more: Any) -> dict[str, Any]:
    return {
        "Id": name,
        "DomainName": f"{name}.example.org",
        "CustomOriginConfig": {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only"},
        **more,
    }


def behavior(**more: Any) -> dict[str, Any]:
    made = {"TargetOriginId": "site", "ViewerProtocolPolicy": "allow-all", **more}
    if "CachePolicyId" in made:
        return made
    return {
        "ForwardedValues": {"QueryString": False, "Cookies": {"Forward": "none"}},
        "MinTTL": 0,
        "DefaultTTL": 86_400,
        "MaxTTL": 31_536_000,
        **made,
    }


def listed(*items: Any) -> dict[str, Any]:
    return {"Quantity": len(items), "Items": list(items)}


def distribution(default: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {
        "CallerReference": "1",
        "Comment": "",
        "Enabled": True,
        "Origins": listed(origin()),
        "DefaultCacheBehavior": default or behavior(),
        **more,
    }


class Site:
    """An edge and the transcript of one viewer or several."""

    def __init__(self, described: Mapping[str, Any], policies: Policies) -> None:
        self.edge = Edge(config.parse(described, policies=policies))
        self.fetched: list[Fetch] = []
        """What the origins were asked, in order."""
        self.background: Fetch | None = None
        """What an origin is asked while a viewer has been served."""

    def ask(
        self,
        at: float,
        *answers: Response | Failure,
        path: str = "/",
        query: str = "",
        method: str = "GET",
        **more: Any,
    ) -> Answer:
        """A viewer's request; the origin gives exactly these answers, one after the other."""
        given = {name: more.pop(name) for name in ("scheme", "version", "has_body") if name in more}
        headers = {"host": HOST, **join((name.replace("_", "-"), value) for name, value in more.items())}
        decision = self.edge.handle(Request(method, path, query, headers, **given), at)
        left = list(answers)
        while decision.answer is None:
            assert decision.fetch is not None
            assert left, f"the origin is asked for {decision.fetch.request.uri}, and has no answer"
            self.fetched.append(decision.fetch)
            decision = self.edge.answered(decision.fetch, left.pop(0), at)
        assert not left, "the origin is not asked"
        self.background = decision.fetch
        return decision.answer

    def says(self, *arguments: Any, **more: Any) -> str:
        """The X-Cache of `ask`, without "from cloudfront"."""
        return self.ask(*arguments, **more).x_cache.removesuffix(" from cloudfront")


@pytest.fixture
def site() -> Callable[..., Site]:
    """A site by its default behaviour's fields; the first argument has those of the distribution."""

    def make(more: Mapping[str, Any] | None = None, policies: Policies = MANAGED, **default: Any) -> Site:
        return Site(distribution(behavior(**default), **(more or {})), policies)

    return make


@pytest.fixture
def page() -> Callable[..., Response]:
    """An origin's answer by its Cache-Control."""

    def make(cache_control: str | None = None, status: int = 200, body: object = "page", **headers: str) -> Response:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if cache_control is not None:
            given["cache-control"] = cache_control
        return Response(status, given, body=body)

    return make
