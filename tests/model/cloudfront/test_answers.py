"""What viewers see: headers, cookies, compression, conditional requests, ranges."""

from __future__ import annotations

import pytest

from sandbox.model.cloudfront.answers import uncovered
from sandbox.model.cloudfront.messages import Response
from sandbox.model.cloudfront.policies import Policies, response_headers_policy

OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"
SECURITY = "67f7725c-6f97-4210-82d7-5512b31e9d03"
SIMPLE_CORS = "60669652-455b-4ae9-85a4-c4c02393f86c"
PREFLIGHT_CORS = "5cc3b908-e619-4b99-88e5-2cf7f45965bd"


def listed(*items):
    return {"Quantity": len(items), "Items": list(items)}


def headers(answer):
    return answer.headers("id==", "abc123", "SIN2-C1")


def test_the_headers_that_cloudfront_adds(site, page):
    one = site()
    first = headers(one.ask(0, page("max-age=60", x_origin="yes", connection="close")))
    assert first == {
        "cache-control": "max-age=60",
        "x-origin": "yes",
        "via": "1.1 abc123.cloudfront.net (CloudFront)",
        "x-cache": "Miss from cloudfront",
        "x-amz-cf-pop": "SIN2-C1",
        "x-amz-cf-id": "id==",
    }
    assert headers(one.ask(7.5))["age"] == "7"
    assert headers(one.ask(8, version="2.0"))["via"].startswith("2.0 ")


# -- cookies and Vary --


def with_cookie(said="max-age=60"):
    return Response(200, {"cache-control": said}, ("session=1",))


def test_set_cookie_is_taken_away_where_no_cookies_are_forwarded(site):
    one = site()
    assert one.ask(0, with_cookie()).cookies == one.ask(1).cookies == ()


def test_set_cookie_is_kept_and_goes_to_every_viewer_where_cookies_are_forwarded(site):
    one = site(ForwardedValues={"QueryString": False, "Cookies": {"Forward": "all"}})
    assert one.ask(0, with_cookie()).cookies == one.ask(1).cookies == ("session=1",)


def test_no_cache_set_cookie_keeps_the_object_without_its_cookies(site):
    one = site(ForwardedValues={"QueryString": False, "Cookies": {"Forward": "all"}})
    assert one.ask(0, with_cookie('max-age=60, no-cache="Set-Cookie"')).cookies == ("session=1",)
    assert one.ask(1).cookies == ()


def test_vary_is_shown_as_far_as_the_key_has_it(site, page):
    values = {"QueryString": False, "Cookies": {"Forward": "none"}, "Headers": listed("Accept-Language")}
    one = site(ForwardedValues=values)
    answer = one.ask(0, page("max-age=60", vary="Accept-Language, User-Agent, Cookie, accept-encoding"))
    assert headers(answer)["vary"] == "Accept-Language, Cookie, accept-encoding"
    assert uncovered(answer.response, answer.behavior) == ("user-agent", "cookie")
    assert "vary" not in headers(site().ask(0, page("max-age=60", vary="User-Agent")))


# -- compression --


def text(length=5000, **more):
    fields = {"content-type": "text/html; charset=utf-8", "content-length": str(length), "etag": '"1"', **more}
    return Response(200, {"cache-control": "max-age=60"} | fields, length=length)


def compressed(site, response, accept="gzip, deflate, br", **behavior):
    given = {"CachePolicyId": OPTIMIZED, "Compress": True, **behavior}
    return site(**given).ask(0, response, accept_encoding=accept)


def test_compression(site):
    shown = headers(compressed(site, text()))
    assert shown["content-encoding"] == "br"
    assert shown["etag"] == 'W/"1"'
    assert shown["vary"] == "Accept-Encoding"
    assert "content-length" not in shown
    assert headers(compressed(site, text(), "gzip"))["content-encoding"] == "gzip"


def test_compressed_objects_are_kept_compressed(site):
    one = site(CachePolicyId=OPTIMIZED, Compress=True)
    one.ask(0, text(), accept_encoding="br, gzip")
    assert headers(one.ask(1, accept_encoding="gzip, br"))["content-encoding"] == "br"
    assert "content-encoding" not in headers(one.ask(1, text()))


@pytest.mark.parametrize(
    "response",
    [
        text(999),
        text(10_000_001),
        text(**{"content-encoding": "gzip"}),
        text(**{"content-type": "image/png"}),
        Response(200, {"content-type": "text/html"}),
    ],
    ids=["small", "large", "compressed", "type", "no length"],
)
def test_what_is_not_compressed(site, response):
    assert compressed(site, response).encode == ""


def test_the_limits_of_sizes(site):
    assert compressed(site, text(1_000)).encode == compressed(site, text(10_000_000)).encode == "br"


def test_compression_must_be_asked_for(site):
    assert compressed(site, text(), Compress=False).encode == ""
    assert compressed(site, text(), "identity").encode == ""


def test_etags_that_are_weak_or_none(site):
    assert headers(compressed(site, text(etag='W/"1"')))["etag"] == 'W/"1"'
    assert "etag" not in headers(compressed(site, text(etag="1")))


# -- conditional requests and ranges --


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"if_none_match": '"1"'}, 304),
        ({"if_none_match": 'W/"1", "2"'}, 304),
        ({"if_none_match": '"2"'}, 200),
        ({"if_none_match": '"2"', "if_modified_since": "Thu, 26 Nov 2026 00:00:00 GMT"}, 200),
        ({"if_modified_since": "Thu, 26 Nov 2026 00:00:00 GMT"}, 304),
        ({"if_modified_since": "Wed, 25 Nov 2026 00:00:00 GMT"}, 200),
        ({"if_modified_since": "yesterday"}, 200),
    ],
)
def test_a_viewer_s_conditions(site, asked, status):
    one = site()
    one.ask(0, text(**{"last-modified": "Thu, 26 Nov 2026 00:00:00 GMT"}))
    assert one.ask(1, **asked).status == status


@pytest.mark.parametrize(
    ("asked", "status", "shown"),
    [
        ("bytes=0-99", 206, "bytes 0-99/5000"),
        ("bytes=7-7", 206, "bytes 7-7/5000"),
        ("bytes=4900-", 206, "bytes 4900-4999/5000"),
        ("bytes=-10", 206, "bytes 4990-4999/5000"),
        ("bytes=4900-9999", 206, "bytes 4900-4999/5000"),
        ("bytes=0-1,5-6", 200, None),
        ("bytes=6000-", 200, None),
        ("lines=1-2", 200, None),
        ("bytes=-", 200, None),
    ],
)
def test_ranges_of_what_is_kept(site, asked, status, shown):
    one = site()
    one.ask(0, text())
    answer = one.ask(1, range=asked)
    assert answer.status == status
    assert headers(answer).get("content-range") == shown
    assert headers(answer)["content-length"] == ("5000" if shown is None else str(answer.span[1] - answer.span[0] + 1))


def test_an_origin_that_knows_no_ranges_is_passed_on_whole(site):
    answer = site().ask(0, text(), range="bytes=0-99")
    assert answer.status == 200
    assert headers(answer)["content-length"] == "5000"


def test_if_range(site):
    one = site()
    one.ask(0, text())
    assert one.ask(1, range="bytes=0-1", if_range='"1"').status == 206
    assert one.ask(1, range="bytes=0-1", if_range='"2"').status == 200


# -- response headers policies --


def test_security_headers(site, page):
    shown = headers(site(ResponseHeadersPolicyId=SECURITY).ask(0, page(x_frame_options="DENY")))
    assert shown["x-frame-options"] == "DENY"  # the origin's counts
    assert shown["x-content-type-options"] == "nosniff"
    assert shown["strict-transport-security"] == "max-age=31536000"
    assert shown["referrer-policy"] == "strict-origin-when-cross-origin"
    assert shown["x-xss-protection"] == "1; mode=block"


def test_cors(site, page):
    one = site(ResponseHeadersPolicyId=SIMPLE_CORS)
    assert headers(one.ask(0, page("max-age=60"), origin="https://a.example"))["access-control-allow-origin"] == "*"
    assert "access-control-allow-origin" not in headers(one.ask(1))


def test_preflight(site, page):
    one = site(ResponseHeadersPolicyId=PREFLIGHT_CORS, AllowedMethods=listed("GET", "HEAD", "OPTIONS"))
    asked = {"origin": "https://a.example", "access_control_request_method": "PUT"}
    shown = headers(one.ask(0, page(), method="OPTIONS", **asked))
    assert shown["access-control-allow-methods"] == "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
    assert shown["access-control-expose-headers"] == "*"
    assert "access-control-allow-methods" not in headers(one.ask(1, page(), origin="https://a.example"))


def test_headers_added_and_removed(site):
    policy = response_headers_policy(
        {
            "Name": "own",
            "CustomHeadersConfig": listed(
                {"Header": "Cache-Control", "Value": "no-store", "Override": True},
                {"Header": "X-A", "Value": "cloudfront", "Override": False},
            ),
            "RemoveHeadersConfig": listed({"Header": "Server"}),
            "SecurityHeadersConfig": {
                "StrictTransportSecurity": {
                    "Override": True,
                    "IncludeSubdomains": True,
                    "Preload": True,
                    "AccessControlMaxAgeSec": 60,
                },
                "XSSProtection": {"Override": True, "Protection": False},
            },
            "CorsConfig": {
                "AccessControlAllowOrigins": listed("*.example.org"),
                "AccessControlAllowHeaders": listed("*"),
                "AccessControlAllowMethods": listed("GET"),
                "AccessControlAllowCredentials": True,
                "OriginOverride": True,
            },
        }
    )
    one = site(policies=Policies({}, {}, {"own": policy}), ResponseHeadersPolicyId="own")
    answer = one.ask(
        0,
        Response(200, {"cache-control": "max-age=60", "server": "x", "x-a": "origin"}),
        origin="https://a.example.org",
    )
    shown = headers(answer)
    assert (shown["cache-control"], shown["x-a"]) == ("no-store", "origin")
    assert "server" not in shown
    assert shown["strict-transport-security"] == "max-age=60; includeSubDomains; preload"
    assert shown["x-xss-protection"] == "0"
    assert shown["access-control-allow-origin"] == "https://a.example.org"
    assert shown["access-control-allow-credentials"] == "true"
    assert one.says(1) == "Hit"  # what viewers are told does not change what is kept
