"""An edge cache as transcripts: when a viewer asks, what the origin says, what the viewer gets."""

from __future__ import annotations

import pytest

from sandbox.model.cloudfront.messages import Failure, Response

DOWN = Failure("timeout")
DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
EVERY_METHOD = ("GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE")


def listed(*items):
    return {"Quantity": len(items), "Items": list(items)}


def origin(name, **more):
    custom = {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only"}
    return {"Id": name, "DomainName": f"{name}.example.org", "CustomOriginConfig": custom, **more}


def test_an_object_is_served_until_it_expires(site, page):
    one = site()
    assert one.says(0, page("max-age=60")) == "Miss"
    served = one.ask(59.9)
    assert (served.x_cache, served.age, served.response.body) == ("Hit from cloudfront", 59, "page")
    assert one.says(60, page("max-age=60")) == "Miss"


def test_max_age_zero_goes_to_the_origin_each_time(site, page):
    one = site()
    assert [one.says(at, page("public, max-age=0")) for at in (0, 0, 1)] == ["Miss", "Miss", "Miss"]


def test_max_age_zero_with_a_validator_is_confirmed_each_time(site, page):
    one = site()
    assert one.says(0, page("public, max-age=0", etag='"1"')) == "Miss"
    assert one.says(1, Response(304, {"cache-control": "public, max-age=0"})) == "RefreshHit"
    assert one.fetched[-1].request.headers["if-none-match"] == '"1"'
    assert one.ask(2, Response(304)).response.body == "page"


def test_a_confirmed_object_lives_again(site, page):
    one = site()
    one.ask(0, page("max-age=10", last_modified="Thu, 26 Nov 2026 00:00:00 GMT"))
    confirmed = one.ask(10, Response(304, {"cache-control": "max-age=20", "x-new": "1"}))
    assert one.fetched[-1].request.headers["if-modified-since"] == "Thu, 26 Nov 2026 00:00:00 GMT"
    assert confirmed.response.headers["x-new"] == "1"
    assert one.ask(29).age == 19


def test_a_minimum_ttl_makes_ghost_s_pages_hits(site, page):
    one = site(MinTTL=30)
    one.ask(0, page("public, max-age=0"))
    assert one.says(29) == "Hit"
    assert one.ask(29).response.headers["cache-control"] == "public, max-age=0"


@pytest.mark.parametrize("said", ["no-store", "private"])
def test_what_must_not_be_kept_is_not_even_served_when_the_origin_is_down(site, page, said):
    one = site()
    one.ask(0, page(said))
    assert one.says(1, DOWN) == "Error"


def test_a_viewer_s_cache_control_is_ignored(site, page):
    one = site()
    one.ask(0, page("max-age=60"))
    assert one.says(1, cache_control="no-cache", pragma="no-cache") == "Hit"


def test_caching_disabled(site, page):
    one = site(CachePolicyId=DISABLED, ForwardedValues=None)
    assert [one.says(at, page("max-age=60")) for at in (0, 1)] == ["Miss", "Miss"]
    assert one.ask(2, page(), method="HEAD").status == 200
    assert one.fetched[-1].request.method == "HEAD"


def test_all_headers_turn_caching_off(site, page):
    values = {"QueryString": False, "Cookies": {"Forward": "none"}, "Headers": listed("*")}
    one = site(ForwardedValues=values)
    assert [one.says(at, page("max-age=60")) for at in (0, 1)] == ["Miss", "Miss"]


def test_vary_asterisk_is_fetched_whole_each_time(site, page):
    one = site()
    one.ask(0, page("max-age=60", vary="*", etag='"1"'))
    assert one.says(1, page("max-age=60", vary="*", etag='"1"')) == "Miss"
    assert "if-none-match" not in one.fetched[-1].request.headers


def test_vary_does_not_make_a_key(site, page):
    """AWS's cache key is the policy's: what differs by a header outside of it goes to the wrong viewers."""
    one = site()
    one.ask(0, page("max-age=60", body="deutsch", vary="Accept-Language"), accept_language="de")
    assert one.ask(1, accept_language="en").response.body == "deutsch"


def test_an_origin_s_age_counts(site, page):
    one = site()
    one.ask(0, page("max-age=60", age="50"))
    assert one.ask(9).age == 59
    assert one.says(10, page("max-age=60")) == "Miss"


def test_an_origin_s_age_does_not_undercut_the_minimum(site, page):
    one = site(MinTTL=5)
    one.ask(0, page("max-age=60", age="1000"))
    assert one.says(4) == "Hit"
    assert one.says(5, page("max-age=60")) == "Miss"


def test_the_default_root_object(site, page):
    one = site({"DefaultRootObject": "index.html"})
    one.ask(0, page("max-age=60"))
    assert one.fetched[-1].request.uri == "/index.html"
    assert one.says(1, path="/index.html") == "Hit"


def test_head_is_answered_from_get_s_object(site, page):
    one = site()
    one.ask(0, page("max-age=60"), method="HEAD")
    assert one.fetched[-1].request.method == "GET"
    assert one.says(1) == one.says(1, method="HEAD") == "Hit"


# -- methods and protocols --


def test_methods(site, page):
    one = site(AllowedMethods=listed(*EVERY_METHOD))
    one.ask(0, page("max-age=60"))
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        assert [one.says(at, page("max-age=60"), method=method) for at in (1, 2)] == ["Miss", "Miss"]
    assert one.says(3) == "Hit"


def test_options_are_kept_if_chosen(site, page):
    one = site(
        AllowedMethods={
            **listed("GET", "HEAD", "OPTIONS"),
            "CachedMethods": listed("GET", "HEAD", "OPTIONS"),
        }
    )
    assert one.says(0, page("max-age=60"), method="OPTIONS") == "Miss"
    assert one.says(1, method="OPTIONS") == "Hit"
    assert one.says(1, page("max-age=60")) == "Miss"


def test_a_method_that_is_not_allowed(site):
    answer = site().ask(0, method="POST")
    assert (answer.status, answer.x_cache) == (403, "Error from cloudfront")


def test_a_get_with_a_body(site):
    assert site().ask(0, has_body=True).status == 403


def test_redirect_to_https(site):
    one = site(ViewerProtocolPolicy="redirect-to-https", AllowedMethods=listed(*EVERY_METHOD))
    answer = one.ask(0, path="/a", query="b=1", scheme="http")
    assert (answer.status, answer.x_cache) == (301, "Redirect from cloudfront")
    assert answer.response.headers["location"] == "https://d111111abcdef8.cloudfront.net/a?b=1"
    assert one.ask(0, scheme="http", method="POST").status == 307
    assert one.ask(0, scheme="http", method="POST", version="1.0").status == 403


def test_https_only(site):
    answer = site(ViewerProtocolPolicy="https-only").ask(0, scheme="http")
    assert (answer.status, answer.x_cache) == (403, "Error from cloudfront")


def test_names_and_addresses(site, page):
    one = site({"Aliases": listed("www.example.org", "*.example.net")})
    for host in ("www.example.org", "WWW.example.org:443", "a.example.net"):
        assert one.ask(0, page("max-age=0"), host=host).status == 200
    assert one.ask(0, host="other.example.org").status == 403
    assert site({"Enabled": False}).ask(0).status == 403


def test_a_url_that_is_too_long(site):
    assert site().ask(0, path="/" + "a" * 8192).status == 413


# -- the origin fails --


@pytest.mark.parametrize(("failure", "status"), [("timeout", 504), ("refused", 502), ("dns", 502), ("tls", 502)])
def test_an_origin_that_does_not_answer(site, failure, status):
    answer = site().ask(0, Failure(failure))
    assert (answer.status, answer.x_cache) == (status, "Error from cloudfront")


@pytest.mark.parametrize("failing", [DOWN, Response(503), Response(500)])
def test_the_stale_object_is_served_and_the_origin_left_alone_for_a_while(site, page, failing):
    one = site()
    one.ask(0, page("max-age=60"))
    served = one.ask(61, failing)
    assert (served.status, served.stale, served.age) == (200, True, 61)
    assert one.ask(70).stale
    assert one.ask(71, failing).stale  # error caching minimum TTL, 10 s, is over
    assert one.says(82, page("max-age=60", body="new")) == "Miss"


def test_an_object_with_max_age_zero_carries_through_an_outage(site, page):
    one = site()
    one.ask(0, page("public, max-age=0", etag='"1"'))
    assert one.ask(1000, DOWN).response.body == "page"


def test_stale_if_error_zero_forbids_it(site, page):
    one = site()
    one.ask(0, page("max-age=60, stale-if-error=0"))
    assert one.ask(61, DOWN).status == 504


def test_stale_if_error_has_an_end(site, page):
    one = site()
    one.ask(0, page("max-age=60, stale-if-error=40"))
    assert one.ask(95, DOWN).stale
    assert one.ask(106, DOWN).status == 504


def test_a_4xx_is_shown_although_there_is_an_object(site, page):
    one = site()
    one.ask(0, page("max-age=60"))
    assert one.ask(61, Response(404)).status == 404


def test_errors_are_kept(site, page):
    one = site()
    assert one.ask(0, Response(503)).status == 503
    again = one.ask(9)
    assert (again.status, again.x_cache) == (503, "Error from cloudfront")
    assert one.says(10, page("max-age=60")) == "Miss"


def test_an_error_s_own_time_and_the_one_configured(site):
    one = site({"CustomErrorResponses": listed({"ErrorCode": 404, "ErrorCachingMinTTL": 300})})
    one.ask(0, Response(404, {"cache-control": "max-age=5"}))
    assert one.ask(299).status == 404
    one.ask(300, Response(503, {"cache-control": "max-age=120"}))
    assert one.ask(419).status == 503


def test_an_error_with_minimum_zero_is_not_kept(site, page):
    one = site({"CustomErrorResponses": listed({"ErrorCode": 503, "ErrorCachingMinTTL": 0})})
    one.ask(0, Response(503))
    assert one.says(0, page("max-age=60")) == "Miss"


def test_stale_while_revalidate(site, page):
    one = site()
    one.ask(0, page("max-age=60, stale-while-revalidate=30", body="old"))
    served = one.ask(70)
    assert (served.stale, served.response.body, served.x_cache) == (True, "old", "Hit from cloudfront")
    fetch = one.background
    assert fetch is not None
    assert fetch.background
    assert one.ask(71).stale
    assert one.background is None, "the origin is asked once"
    one.edge.answered(fetch, page("max-age=60", body="new"), 72)
    assert one.ask(73).response.body == "new"


def test_stale_while_revalidate_has_an_end(site, page):
    one = site()
    one.ask(0, page("max-age=60, stale-while-revalidate=30", body="old"))
    assert one.ask(90, page("max-age=60", body="new")).response.body == "new"


def test_a_broken_answer_is_passed_on_and_not_kept(site, page):
    one = site()
    assert one.ask(0, Response(200, {"cache-control": "max-age=60"}, complete=False)).status == 200
    assert one.says(1, page("max-age=60")) == "Miss"


def test_parts_are_passed_on_and_not_kept(site, page):
    one = site()
    assert one.ask(0, Response(206, {"cache-control": "max-age=60"}), range="bytes=0-1").status == 206
    assert one.fetched[-1].request.headers["range"] == "bytes=0-1"
    assert one.says(1, page("max-age=60")) == "Miss"


def test_a_part_does_not_take_the_place_of_the_object(site, page):
    one = site()
    one.ask(0, page("max-age=60"))
    assert one.ask(61, Response(206, {"cache-control": "max-age=60"}), range="bytes=0-1").status == 206
    assert one.ask(62, DOWN).stale


def test_a_revalidation_that_fails_over_is_still_one(pair, page):
    pair.ask(0, page("max-age=60, stale-while-revalidate=30"))
    pair.ask(61)
    other = pair.edge.answered(pair.background, DOWN, 62)
    assert (other.fetch.origin.id, other.fetch.background) == ("spare", True)
    pair.ask(63)
    assert pair.background is None
    pair.edge.answered(other.fetch, page("max-age=60", body="new"), 64)
    assert pair.ask(65).response.body == "new"


# -- custom error pages --

PAGE = {
    "CustomErrorResponses": listed(
        {"ErrorCode": 404, "ResponsePagePath": "/404.html", "ResponseCode": "200", "ErrorCachingMinTTL": 30}
    )
}


def test_a_custom_error_page(site, page):
    one = site(PAGE)
    shown = one.ask(0, Response(404), page("max-age=3600", body="sorry"), path="/gone")
    assert (shown.status, shown.response.body, shown.x_cache) == (200, "sorry", "Error from cloudfront")
    assert one.fetched[-1].request.uri == "/404.html"
    assert one.ask(29, path="/gone").response.body == "sorry"
    assert one.ask(29, Response(404), path="/other").response.body == "sorry"
    assert one.says(30, page("max-age=60"), path="/gone") == "Miss"


def test_a_custom_error_page_is_asked_for_whole(site, page):
    one = site(PAGE)
    shown = one.ask(0, Response(404), page(body="sorry"), path="/gone", if_none_match='"1"', range="bytes=0-1", x_a="1")
    assert shown.response.body == "sorry"
    sent = one.fetched[-1].request.headers
    assert sent["x-a"] == "1"
    assert not {"if-none-match", "range"} & sent.keys()


def test_a_custom_error_page_that_is_missing(site):
    assert site(PAGE).ask(0, Response(404), Response(503), path="/gone").status == 503


def test_stale_objects_come_before_custom_error_pages(site, page):
    rule = {"ErrorCode": 503, "ResponsePagePath": "/sorry.html", "ResponseCode": "503"}
    one = site({"CustomErrorResponses": listed(rule)})
    one.ask(0, page("max-age=60"))
    assert one.ask(61, Response(503)).stale


def test_a_page_comes_from_its_own_behavior(site, page):
    errors = {"PathPattern": "/404.html", "TargetOriginId": "static", "ViewerProtocolPolicy": "allow-all"}
    one = site(
        {
            **PAGE,
            "Origins": listed(origin("site"), origin("static")),
            "CacheBehaviors": listed({**errors, "CachePolicyId": DISABLED}),
        }
    )
    one.ask(0, Response(404), page(), path="/gone")
    assert [fetch.request.origin for fetch in one.fetched] == ["site", "static"]


# -- origin groups --


@pytest.fixture
def pair(site):
    group = {
        "Id": "pair",
        "FailoverCriteria": {"StatusCodes": listed(500, 503)},
        "Members": listed({"OriginId": "site"}, {"OriginId": "spare"}),
    }
    more = {"Origins": listed(origin("site"), origin("spare")), "OriginGroups": listed(group)}
    return site(more, TargetOriginId="pair", AllowedMethods=listed(*EVERY_METHOD))


@pytest.mark.parametrize("failing", [Response(503), DOWN])
def test_the_second_origin_is_asked_when_the_first_fails(pair, page, failing):
    assert pair.ask(0, failing, page("max-age=60", body="spare")).response.body == "spare"
    assert [fetch.request.origin for fetch in pair.fetched] == ["site", "spare"]
    assert [fetch.request.headers["host"] for fetch in pair.fetched] == ["site.example.org", "spare.example.org"]
    assert pair.says(59) == "Hit"


def test_the_next_request_begins_with_the_first_origin(pair, page):
    pair.ask(0, DOWN, page("max-age=0"))
    pair.ask(1, page("max-age=0"))
    assert pair.fetched[-1].request.origin == "site"


def test_other_errors_and_other_methods_do_not_fail_over(pair):
    assert pair.ask(0, Response(404)).status == 404
    assert pair.ask(0, Response(503), method="POST").status == 503


def test_both_origins_fail(pair):
    assert pair.ask(0, Response(503), Failure("refused")).status == 502


# -- invalidations --


def test_invalidations(site, page):
    values = {"QueryString": True, "Cookies": {"Forward": "none"}, "Headers": listed("Accept-Language")}
    one = site(ForwardedValues=values)
    for query in ("", "a=1"):
        for language in ("de", "en"):
            one.ask(0, page("max-age=60"), path="/x", query=query, accept_language=language)
    assert one.edge.invalidate(["/x"]) == 2
    assert one.says(1, path="/x", query="a=1", accept_language="de") == "Hit"
    assert one.says(1, page("max-age=60"), path="/x", accept_language="de") == "Miss"
    assert one.edge.invalidate(["/*"]) == 3
    assert len(one.edge) == 0


def test_what_is_invalidated_while_it_is_confirmed_is_gone(site, page):
    one = site()
    one.ask(0, page("max-age=60, stale-while-revalidate=30", etag='"1"'))
    one.ask(61)
    one.edge.invalidate(["/*"])
    one.edge.answered(one.background, Response(304), 62)
    assert one.says(63, page("max-age=60")) == "Miss"


def test_errors_can_be_invalidated(site, page):
    one = site()
    one.ask(0, Response(503))
    one.edge.invalidate(["/"])
    assert one.says(1, page("max-age=60")) == "Miss"
