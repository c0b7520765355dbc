"""Forecasts: what becomes of what an origin was seen to answer, and of a mix of requests."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.cloudfront.config import parse
from sandbox.model.cloudfront.forecast import Observed, duration, mix, outlook
from sandbox.model.cloudfront.messages import Response

NOW = 1_700_000_000.0


def behavior(minimum=0, headers=(), cookies="none", query=False, **more):
    values = {
        "QueryString": query,
        "Cookies": {"Forward": cookies},
        "Headers": {"Items": list(headers), "Quantity": len(headers)},
    }
    return {
        "TargetOriginId": "site",
        "ViewerProtocolPolicy": "redirect-to-https",
        "ForwardedValues": values,
        "MinTTL": minimum,
        **more,
    }


def distribution(default=None, **more):
    custom = {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only"}
    origins = {"Quantity": 1, "Items": [{"Id": "site", "DomainName": "o.example", "CustomOriginConfig": custom}]}
    return parse({"Origins": origins, "DefaultCacheBehavior": default or behavior(), **more})


def observed(said=None, path="/", status=200, again=None, confirms=None, cookies=(), query="", body="1", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    named.setdefault("content-type", "text/html; charset=utf-8")
    if said is not None:
        named["cache-control"] = said
    first = Response(status, named, cookies, body)
    return Observed(f"http://site{path}", path, query, first, again, confirms)


def test_a_page_as_ghost_sends_it():
    one = outlook(distribution(), observed("public, max-age=0", etag='W/"1"', confirms=True), NOW)
    assert one.does == "the origin each time, 304"
    assert one.lifetime.reason == "max-age=0 with minimum TTL 0"
    assert one.survives


def test_a_page_with_a_minimum_ttl():
    one = outlook(distribution(behavior(600)), observed("public, max-age=0"), NOW)
    assert (one.does, one.survives) == ("kept for 10 min", True)


def test_what_is_not_kept_is_gone_with_the_origin():
    one = outlook(distribution(), observed("private"), NOW)
    assert (one.does, one.survives) == ("the origin each time", False)


def test_errors():
    assert outlook(distribution(), observed(status=404), NOW).does == "kept for 10 s"
    assert outlook(distribution(), observed(status=401), NOW).does == "not kept"
    assert not outlook(distribution(behavior(headers=["*"])), observed(status=404), NOW).lifetime.kept


def test_the_default_root_object_decides_about_the_behavior():
    items = [{**behavior(60), "PathPattern": "*.html"}]
    made = distribution(DefaultRootObject="index.html", CacheBehaviors={"Quantity": 1, "Items": items})
    assert outlook(made, observed("max-age=0"), NOW).behavior.pattern == "*.html"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (1, "1 s"),
        (90, "90 s"),
        (60, "1 min"),
        (600, "10 min"),
        (5400, "90 min"),
        (9000, "2.5 h"),
        (86_400, "1 day"),
        (129_600, "36 h"),
        (31_536_000, "365 days"),
    ],
)
def test_durations(seconds, words):
    assert duration(seconds) == words


# -- the mix --

PAGES = [observed("public, max-age=60", f"/{number}", etag='"1"', confirms=True) for number in range(10)]


def test_a_mix_of_requests_to_pages_that_are_kept():
    found = mix(distribution(), PAGES, NOW)
    assert found.requests == 3600
    assert 0.8 < found.hit_ratio < 1
    assert found.confirmed > 0


def test_nothing_is_a_hit_with_max_age_zero():
    pages = [observed("public, max-age=0", f"/{number}", etag='"1"', confirms=True) for number in range(3)]
    found = mix(distribution(), pages, NOW)
    assert (found.hits, found.confirmed) == (0, 3600 - 3)


def test_cookies_defeat_the_cache():
    pages = [observed("public, max-age=600", f"/{number}", cookies=("session=1; Path=/",)) for number in range(10)]
    kept, defeated = mix(distribution(), pages, NOW), mix(distribution(behavior(cookies="all")), pages, NOW)
    assert kept.hit_ratio > 0.95
    assert defeated.hit_ratio < 0.6
    assert mix(distribution(behavior(headers=["*"])), pages, NOW).hits == 0


def test_what_is_confirmed_in_the_background_is_a_hit():
    page = observed("max-age=1, stale-while-revalidate=600", etag='"1"', confirms=True)
    assert mix(distribution(), [page], NOW, per_minute=6).confirmed == 0


def test_a_mix_of_nothing():
    assert mix(distribution(), [observed(status=500)], NOW).hit_ratio == 0


@given(st.integers(0, 3), st.floats(1, 300), st.integers(1, 5))
def test_the_same_seed_gives_the_same_mix_and_longer_minimum_no_fewer_hits(seed, rate, number):
    pages = [observed("max-age=1", f"/{one}") for one in range(number)]
    short, again = (mix(distribution(behavior(5)), pages, NOW, rate, 300, seed=seed) for _ in range(2))
    assert short == again
    assert mix(distribution(behavior(100)), pages, NOW, rate, 300, seed=seed).hits >= short.hits
