"""Each rule of `sandbox check cache` finds what it is for, and lets what is right alone."""

from __future__ import annotations

import pytest

from sandbox.model.cloudfront.config import parse
from sandbox.model.cloudfront.findings import at_least, find
from sandbox.model.cloudfront.forecast import Observed, outlook
from sandbox.model.cloudfront.messages import Response

NOW = 1_700_000_000.0
OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"
DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
AS_ORIGIN_SAYS = "83da9c7e-98b4-4e11-a168-04f0df8e2c65"


def listed(*items):
    return {"Quantity": len(items), "Items": list(items)}


def policy(id_):
    return {"TargetOriginId": "site", "ViewerProtocolPolicy": "allow-all", "CachePolicyId": id_}


def forwarded(minimum=0, cookies="none", query=False, headers=(), **more):
    values = {"QueryString": query, "Cookies": {"Forward": cookies}, "Headers": listed(*headers)}
    made = {"TargetOriginId": "site", "ViewerProtocolPolicy": "allow-all", "ForwardedValues": values, "MinTTL": minimum}
    return made | more


def observed(said=None, path="/", status=200, again=None, confirms=None, cookies=(), query="", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    named.setdefault("content-type", "text/html")
    if said is not None:
        named["cache-control"] = said
    url = f"http://site{path}" + (f"?{query}" if query else "")
    return Observed(url, path, query, Response(status, named, cookies, "body"), again, confirms)


def found(one, default=None, **more):
    custom = {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only"}
    origins = listed({"Id": "site", "DomainName": "o.example", "CustomOriginConfig": custom})
    made = parse({"Origins": origins, "DefaultCacheBehavior": default or forwarded(), **more})
    seen = one if isinstance(one, list) else [one]
    return find(made, [outlook(made, item, NOW) for item in seen])


def rules(*arguments, **more):
    return {one.rule: one.severity for one in found(*arguments, **more)}


def test_nothing_is_found_where_all_is_right():
    page = observed("public, max-age=600", etag='"1"', confirms=True)
    asset = observed("public, max-age=31536000, immutable", "/app.3f2a9c1b.js", content_type="text/javascript")
    assert found([page, asset]) == []


def test_every_request_goes_to_the_origin():
    (one,) = found(observed("public, max-age=0", etag='"1"', confirms=True))
    assert (one.rule, one.severity) == ("origin-every-request", "error")
    assert one.text == "every request goes to the origin: max-age=0 with minimum TTL 0"
    assert "s-maxage" in one.fix
    assert rules(observed("no-cache", etag='"1"', confirms=True))["origin-every-request"] == "error"


@pytest.mark.parametrize("said", ["private", "no-store"])
def test_what_asks_not_to_be_kept_may_be_right(said):
    (one,) = found(observed(said))
    assert (one.rule, one.severity) == ("origin-every-request", "warning")
    assert "while the origin is down viewers get an error" in one.text


def test_a_minimum_of_a_second_is_as_good_as_none():
    assert rules(observed("max-age=0", etag='"1"', confirms=True), policy(OPTIMIZED)) == {"kept-for-moments": "error"}
    assert rules(observed("max-age=0", etag='"1"', confirms=True), forwarded(30)) == {"kept-for-moments": "warning"}
    assert rules(observed("max-age=0", etag='"1"', confirms=True), forwarded(60)) == {}


def test_a_minimum_shows_private_pages_to_all():
    assert rules(observed("private", etag='"1"'), policy(OPTIMIZED))["kept-against-its-header"] == "error"
    assert rules(observed("no-cache", etag='"1"'), forwarded(60))["kept-against-its-header"] == "warning"


def test_an_outage():
    assert "error-while-origin-is-down" in rules(observed("max-age=60, stale-if-error=0", etag='"1"', confirms=True))


def test_validators():
    assert rules(observed("max-age=60")) == {"no-validator": "warning"}
    assert rules(observed("max-age=60", etag='"1"', confirms=False)) == {"validator-ignored": "warning"}
    assert rules(observed("max-age=9999999")) == {}


def test_cookies():
    page = observed("max-age=60", cookies=("session=1; Path=/",), etag='"1"', confirms=True)
    kept = rules(page, forwarded(cookies="all"))
    assert (kept["cookie-kept"], kept["cookies-in-key"]) == ("error", "error")
    assert rules(page) == {"cookie-taken-away": "warning"}
    named = forwarded(cookies="whitelist")
    named["ForwardedValues"]["Cookies"]["WhitelistedNames"] = listed("session")
    left = observed('max-age=60, no-cache="Set-Cookie"', cookies=("session=1",), etag='"1"', confirms=True)
    assert rules(left, named) == {}


@pytest.mark.parametrize(
    ("vary", "severity"),
    [("Accept-Language", "warning"), ("Cookie, Accept-Encoding", "error"), ("Accept-Encoding", None)],
)
def test_vary(vary, severity):
    page = observed("max-age=60", vary=vary, etag='"1"', confirms=True)
    assert rules(page).get("vary-not-in-key") == severity
    assert rules(page, forwarded(headers=["Accept-Language"], cookies="all")).get("vary-not-in-key") is None


def test_versions_in_the_query_string():
    asset = observed("max-age=31536000", "/screen.css", query="v=1a2b", content_type="text/css")
    assert rules(asset) == {"version-not-in-key": "warning"}
    assert "365 days" in found(asset)[0].text
    assert "version-not-in-key" not in rules(asset, forwarded(query=True))


@pytest.mark.parametrize("path", ["/app.3f2a9c1b.js", "/index-BdK3x9aP.js", "/logo-0123456789abcdef.png"])
def test_unchanging_assets_that_are_kept_shortly(path):
    asset = observed("max-age=600", path, etag='"1"', confirms=True, content_type="text/javascript")
    assert rules(asset) == {"unchanging-asset-kept-shortly": "warning"}


def test_ordinary_names_are_no_fingerprints():
    for path in ("/app.js", "/bootstrap.min.css", "/jquery-3.7.1.min.js", "/polyfills.js"):
        assert rules(observed("max-age=600", path, etag='"1"', confirms=True, content_type="text/javascript")) == {}


def test_pages_that_say_nothing():
    assert rules(observed(etag='"1"', confirms=True)) == {"page-without-a-time": "warning"}


def test_answers_that_differ():
    page = observed("max-age=60", etag='"1"', confirms=True, again=Response(200, {}, (), "other"))
    assert rules(page) == {"answers-differ": "warning"}
    page = observed("max-age=60", etag='"1"', confirms=True, again=Response(503))
    assert rules(page) == {"status-differs": "warning"}


def test_errors():
    assert rules(observed(status=404)) == {"dead-link": "info"}
    assert rules(observed(status=503)) == {"origin-fails": "error"}
    assert rules(observed("max-age=3600", status=404)) == {"error-kept-long": "error"}
    long = listed({"ErrorCode": 404, "ErrorCachingMinTTL": 300})
    assert rules(observed(status=404), CustomErrorResponses=long) == {"error-kept-long": "error"}


def test_redirects():
    assert rules(observed(status=302)) == {"temporary-redirect-kept": "warning"}
    assert rules(observed(status=301)) == {}
    assert rules(observed("max-age=60", status=302)) == {}


def test_what_a_behavior_does_to_the_cache():
    page = observed("max-age=60", etag='"1"', confirms=True)
    assert rules(page, forwarded(headers=["*"])) == {"all-headers-forwarded": "error"}
    assert rules(page, policy(DISABLED)) == {"caching-disabled": "info"}
    assert rules(page, policy(AS_ORIGIN_SAYS)) == {"cookies-in-key": "error"}
    assert rules(page, forwarded(headers=["User-Agent", "Host"])) == {"headers-in-key": "warning"}
    assert rules(page, forwarded(query=True)) == {"all-query-strings-in-key": "info"}


def test_a_behavior_that_is_never_reached():
    items = [{**forwarded(), "PathPattern": one} for one in ("/a/*", "/a/b/*")]
    page = observed("max-age=60", etag='"1"', confirms=True)
    assert rules(page, CacheBehaviors=listed(*items)) == {"behavior-unreachable": "warning"}


def test_what_urls_share_is_one_finding_and_the_worst_comes_first():
    pages = [observed(status=404, path="/gone"), *(observed("max-age=0", path=f"/{one}") for one in "ab")]
    first = found(pages)[0]
    assert first.urls == ("http://site/a", "http://site/b")
    assert [one.severity for one in found(pages)] == ["error", "warning", "info"]
    assert at_least(found(pages), "error")
    assert not at_least(found(observed(status=404)), "warning")
