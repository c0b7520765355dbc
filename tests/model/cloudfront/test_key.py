"""The cache key, and what goes to the origin."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.cloudfront.config import Behavior, Origin
from sandbox.model.cloudfront.forwarding import origin_request
from sandbox.model.cloudfront.key import key
from sandbox.model.cloudfront.messages import Request
from sandbox.model.cloudfront.policies import CachePolicy, OriginRequestPolicy, Selection, Ttl

ALL = Selection("all")


def only(*names):
    return Selection("whitelist", names)


def behavior(request_policy=None, **cache):
    made = CachePolicy("test", Ttl(0, 60, 600), **cache)
    ways = frozenset({"GET", "HEAD"})
    return Behavior(
        "*",
        lambda path: True,
        "site",
        "allow-all",
        ways,
        ways,
        False,
        made,
        request_policy or OriginRequestPolicy(),
        None,
    )


def keyed(rule, path="/", query="", method="GET", version="1.1", scheme="https", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return key(Request(method, path, query, named, scheme, version), rule, path)


def test_by_default_only_the_path_counts():
    rule = behavior()
    assert keyed(rule, query="a=1", cookie="a=1", accept_language="de") == keyed(rule)
    assert keyed(rule, "/A") != keyed(rule, "/a")


def test_query_strings_with_case_and_order():
    rule = behavior(query=ALL)
    forms = ["color=red&size=large", "size=large&color=red", "Color=red&size=large", "color=Red&size=large"]
    assert len({keyed(rule, query=form) for form in forms}) == 4


def test_only_the_named_query_strings():
    rule = behavior(query=only("color"))
    assert keyed(rule, query="utm=x&color=red&size=1").query == "color=red"
    assert keyed(rule, query="color=red;size=large").query == "color=red;size=large"
    assert keyed(rule, query="size=large;color=red").query == ""
    assert keyed(behavior(query=Selection("allExcept", ("utm",))), query="utm=x&color=red").query == "color=red"


def test_cookies_by_name_in_any_order():
    rule = behavior(cookies=only("b", "a"))
    assert keyed(rule, cookie="b=1; c=3; a=2") == keyed(rule, cookie="a=2;b=1")
    assert keyed(rule, cookie="a=2") != keyed(rule, cookie="A=2")
    assert keyed(behavior(cookies=ALL), cookie="x=1").cookies == "x=1"


def test_header_values_with_case():
    rule = behavior(headers=("product",))
    assert keyed(rule, product="Acme") != keyed(rule, product="acme")
    assert keyed(rule) != keyed(rule, product="")


def test_the_protocol_by_its_header_only():
    assert keyed(behavior(), scheme="http") == keyed(behavior(), scheme="https")
    rule = behavior(headers=("cloudfront-forwarded-proto",))
    assert keyed(rule, scheme="http").headers == ("http",)


def test_options_is_apart_and_head_is_not():
    rule = behavior()
    assert keyed(rule, method="OPTIONS") != keyed(rule)
    assert keyed(rule, method="HEAD") == keyed(rule)


@pytest.mark.parametrize(
    ("sent", "gzip", "brotli", "normal"),
    [
        ("gzip, deflate, br", True, True, "br,gzip"),
        ("gzip", True, True, "gzip"),
        ("br", True, True, "br"),
        ("gzip, br", True, False, "gzip"),
        ("gzip, br", False, True, "br"),
        ("gzip, br", False, False, ""),
        ("deflate", True, True, ""),
        ("gzip;q=0, br;q=0.5", True, True, "br"),
        (None, True, True, ""),
    ],
)
def test_accept_encoding_is_normalised(sent, gzip, brotli, normal):
    headers = {} if sent is None else {"accept_encoding": sent}
    assert keyed(behavior(gzip=gzip, brotli=brotli), **headers).encoding == normal
    assert keyed(behavior(gzip=gzip, brotli=brotli), version="1.0", **headers).encoding == ""


names = st.sampled_from(["a", "b", "c"])
pairs = st.lists(st.tuples(names, st.sampled_from(["1", "2"])), max_size=4, unique_by=lambda pair: pair[0])


@given(pairs, pairs, st.sets(names, min_size=1), st.randoms())
def test_requests_that_agree_in_what_is_chosen_have_one_key(first, second, chosen, order):
    """Cookies in any order; and those that differ in a chosen one have two."""
    rule = behavior(cookies=only(*chosen))
    shuffled = order.sample(first, len(first))
    assert keyed(rule, cookie=cookies(first)) == keyed(rule, cookie=cookies(shuffled))
    agree = {pair for pair in first if pair[0] in chosen} == {pair for pair in second if pair[0] in chosen}
    assert (keyed(rule, cookie=cookies(first)) == keyed(rule, cookie=cookies(second))) == agree


def cookies(pairs_):
    return "; ".join("=".join(pair) for pair in pairs_)


# -- what goes to the origin --

ORIGIN = Origin("site", "site.example.org", "/app", {"x-secret": "s"})


def sent(rule, method="GET", query="", conditions=None, origin=ORIGIN, has_body=False, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    viewer = Request(method, "/a", query, {"host": "www.example.org", **named}, has_body=has_body)
    return origin_request(viewer, rule, origin, "/a", method, conditions or {})


def test_without_policies_nearly_nothing_goes_to_the_origin():
    request = sent(behavior(), query="a=1", cookie="a=1", accept_language="de", x_other="1", user_agent="Firefox")
    assert request.uri == "/app/a"
    assert request.scheme == "http"
    assert request.headers == {
        "host": "site.example.org",
        "user-agent": "Amazon CloudFront",
        "x-forwarded-for": "192.0.2.1",
        "x-secret": "s",
    }


def test_what_is_in_the_key_goes_to_the_origin():
    rule = behavior(query=only("p"), cookies=only("s"), headers=("accept-language", "host"), gzip=True)
    request = sent(rule, query="p=1&q=2", cookie="t=1; s=2", accept_language="de", accept_encoding="br, gzip")
    assert request.uri == "/app/a?p=1"
    headers = {"host": "www.example.org", "accept-language": "de", "cookie": "s=2", "accept-encoding": "gzip"}
    assert headers.items() <= request.headers.items()


def test_an_origin_request_policy_adds_to_it():
    rule = behavior(OriginRequestPolicy("all", ALL, ALL, ALL), query=only("p"))
    request = sent(rule, query="q=2&p=1", cookie="t=1; s=2", x_other="1", user_agent="Firefox", connection="close")
    assert request.uri == "/app/a?q=2&p=1"
    assert {"cookie": "s=2; t=1", "x-other": "1", "user-agent": "Firefox"}.items() <= request.headers.items()
    assert request.headers["host"] == "www.example.org"
    assert "connection" not in request.headers


def test_forwarded_values_let_other_headers_through():
    request = sent(behavior(legacy=True, gzip=True), x_other="1", accept="text/html", referer="r", authorization="a")
    assert request.headers["x-other"] == "1"
    assert not {"accept", "referer", "authorization"} & request.headers.keys()
    assert sent(behavior(legacy=True, headers=("*",)), accept="text/html").headers["accept"] == "text/html"


def test_authorization_goes_with_what_is_not_read():
    assert "authorization" not in sent(behavior(), authorization="a").headers
    assert sent(behavior(), "POST", authorization="a").headers["authorization"] == "a"
    assert sent(behavior(headers=("authorization",)), authorization="a").headers["authorization"] == "a"


def test_a_body_goes_with_its_headers():
    request = sent(behavior(), "POST", has_body=True, content_type="text/plain", content_length="3")
    assert {"content-type": "text/plain", "content-length": "3"}.items() <= request.headers.items()


def test_headers_of_a_body_do_not_go_without_one():
    assert "content-type" not in sent(behavior(), content_type="text/plain").headers


def test_a_viewer_without_either_coding_gets_identity():
    assert sent(behavior(gzip=True), accept_encoding="deflate").headers["accept-encoding"] == "identity"
    assert "accept-encoding" not in sent(behavior(gzip=True)).headers


def test_the_viewer_s_address_is_appended():
    assert sent(behavior(), x_forwarded_for="198.51.100.7").headers["x-forwarded-for"] == "198.51.100.7,192.0.2.1"


def test_the_origin_s_protocol():
    protocols = [Origin("o", "o", protocol=name) for name in ("http-only", "https-only", "match-viewer")]
    assert [sent(behavior(), origin=one).scheme for one in protocols] == ["http", "https", "https"]


def test_the_viewer_s_protocol_is_told_where_it_is_asked_for():
    rule = behavior(OriginRequestPolicy("p", headers=Selection("all", ("cloudfront-forwarded-proto",))))
    assert sent(rule, cloudfront_forwarded_proto="gopher").headers["cloudfront-forwarded-proto"] == "https"
    assert "cloudfront-forwarded-proto" not in sent(behavior(), cloudfront_forwarded_proto="gopher").headers


def test_conditions_replace_the_viewer_s():
    rule = behavior(legacy=True)
    assert sent(rule, if_none_match='"v"').headers["if-none-match"] == '"v"'
    asked = sent(rule, if_modified_since="x", if_none_match='"v"', conditions={"if-none-match": '"mine"'})
    assert asked.headers["if-none-match"] == '"mine"'
    assert "if-modified-since" not in asked.headers
