"""Distributions from DistributionConfig: what is taken, what CloudFront refuses, what the sandbox refuses."""

from __future__ import annotations

import pytest

from sandbox.model.cloudfront import config, managed, unsupported
from sandbox.model.cloudfront.config import parse
from sandbox.model.cloudfront.errors import CloudFrontError
from sandbox.model.cloudfront.policies import (
    Policies,
    Selection,
    Ttl,
    cache_policy,
    origin_request_policy,
    response_headers_policy,
)

OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"


def listed(*items):
    return {"Quantity": len(items), "Items": list(items)}


def origin(name="site", **more):
    custom = {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only"}
    return {"Id": name, "DomainName": f"{name}.example.org", "CustomOriginConfig": custom, **more}


def with_policy(id_=OPTIMIZED, **more):
    return {"TargetOriginId": "site", "ViewerProtocolPolicy": "allow-all", "CachePolicyId": id_, **more}


def forwarded(values=None, **more):
    given = {"QueryString": False, "Cookies": {"Forward": "none"}, **(values or {})}
    return {
        "TargetOriginId": "site",
        "ViewerProtocolPolicy": "allow-all",
        "MinTTL": 0,
        "ForwardedValues": given,
        **more,
    }


def described(default=None, **more):
    made = {"CallerReference": "1", "Comment": "", "Enabled": True, "Origins": listed(origin())}
    return {**made, "DefaultCacheBehavior": default or with_policy(), **more}


def refused(given, **more):
    with pytest.raises(CloudFrontError) as error:
        parse(given, **more)
    return error.value


def test_what_is_left_out_is_filled_in():
    made = parse(described())
    assert made.origins["site"] == config.Origin("site", "site.example.org", protocol="http-only")
    (default,) = made.behaviors
    assert (default.pattern, default.allowed, default.cached) == ("*", {"GET", "HEAD"}, {"GET", "HEAD"})
    assert default.cache == managed.CACHE[OPTIMIZED]
    assert made.error_ttl(404) == 10


def test_what_get_distribution_config_answers():
    """With every list that AWS fills in, empty."""
    nothing = {"Enabled": False, "Quantity": 0}
    default = with_policy(
        TrustedSigners=nothing,
        TrustedKeyGroups=nothing,
        AllowedMethods={**listed("HEAD", "GET"), "CachedMethods": listed("HEAD", "GET")},
        SmoothStreaming=False,
        Compress=True,
        LambdaFunctionAssociations={"Quantity": 0},
        FunctionAssociations={"Quantity": 0},
        FieldLevelEncryptionId="",
        GrpcConfig={"Enabled": False},
    )
    made = parse(
        described(
            default,
            Aliases={"Quantity": 0},
            DefaultRootObject="index.html",
            OriginGroups={"Quantity": 0},
            CacheBehaviors={"Quantity": 0},
            CustomErrorResponses={"Quantity": 0},
            Logging={"Enabled": False, "IncludeCookies": False, "Bucket": "", "Prefix": ""},
            PriceClass="PriceClass_All",
            ViewerCertificate={"CloudFrontDefaultCertificate": True, "MinimumProtocolVersion": "TLSv1"},
            Restrictions={"GeoRestriction": {"RestrictionType": "none", "Quantity": 0}},
            WebACLId="",
            HttpVersion="http2",
            Staging=False,
        )
    )
    assert made.default_root_object == "index.html"
    assert made.behaviors[0].compress


def test_the_first_pattern_that_matches_counts_then_the_default():
    patterns = [{"PathPattern": one, **with_policy()} for one in ("images/*.jpg", "images/*", "*.gif")]
    made = parse(described(CacheBehaviors=listed(*patterns)))
    found = [made.behavior(path).pattern for path in ("/images/a.jpg", "/images/sample.gif", "/b.gif", "/Images/a.jpg")]
    assert found == ["images/*.jpg", "images/*", "*.gif", "*"]


def test_behaviors_that_no_request_reaches_are_known():
    patterns = [{"PathPattern": one, **with_policy()} for one in ("images/*", "*.gif", "images/*.jpg")]
    made = parse(described(CacheBehaviors=listed(*patterns)))
    assert [one.pattern for one in made.unreachable()] == ["images/*.jpg"]


@pytest.mark.parametrize("second", ["/a/*", "a/*"])
def test_a_pattern_twice(second):
    patterns = [{"PathPattern": one, **with_policy()} for one in ("/a/*", second)]
    assert refused(described(CacheBehaviors=listed(*patterns))).code == "InvalidArgument"


def test_forwarded_values():
    values = {
        "QueryString": True,
        "QueryStringCacheKeys": listed("page"),
        "Cookies": {"Forward": "whitelist", "WhitelistedNames": listed("session*")},
        "Headers": listed("Host", "Accept-Language"),
    }
    (made,) = parse(described(forwarded(values, MinTTL=5))).behaviors
    assert made.cache.query == Selection("whitelist", ("page",))
    assert made.origin_request.query == Selection("all")
    assert made.cache.headers == ("accept-language", "host")
    assert made.cache.cookies.has("session-id")
    assert not made.cache.cookies.has("other")
    assert made.cache.ttl == Ttl(5, 86_400, 31_536_000)
    assert (made.cache.gzip, made.cache.brotli) == (True, False)


def test_all_headers():
    (made,) = parse(described(forwarded({"Headers": listed("*")}))).behaviors
    assert not made.cache.caches
    error = refused(described(forwarded({"Headers": listed("*")}, MinTTL=1)))
    assert error.code == "InvalidArgument"


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        (described(with_policy("no-such")), "NoSuchCachePolicy", "The specified cache policy does not exist."),
        (
            described(with_policy(OriginRequestPolicyId="no-such")),
            "NoSuchOriginRequestPolicy",
            "The specified origin request policy does not exist.",
        ),
        (
            described(with_policy(ResponseHeadersPolicyId="no-such")),
            "NoSuchResponseHeadersPolicy",
            "The specified response headers policy does not exist.",
        ),
        (
            described(with_policy(TargetOriginId="other")),
            "NoSuchOrigin",
            "One or more of your origins or origin groups do not exist.",
        ),
        (
            described(forwarded(CachePolicyId=OPTIMIZED)),
            "InvalidArgument",
            "The parameter ForwardedValues cannot be used when a cache policy is associated to the cache behavior.",
        ),
        (
            described(with_policy(MinTTL=5)),
            "InvalidArgument",
            "The parameter MinTTL cannot be used when a cache policy is associated to the cache behavior.",
        ),
        (
            described({"TargetOriginId": "site", "ViewerProtocolPolicy": "allow-all"}),
            "InvalidArgument",
            "The parameter ForwardedValues is required.",
        ),
        (
            described(forwarded({"QueryStringCacheKeys": listed("a")})),
            "InvalidArgument",
            "The parameter QueryString cannot be false if query strings are set in QueryStringCacheKeys",
        ),
        (
            described(Origins={"Quantity": 2, "Items": [origin()]}),
            "InconsistentQuantities",
            "The value of Quantity and the size of Items don't match.",
        ),
        (
            described(Origins=listed({"Id": "site", "DomainName": "site.example.org"})),
            "InvalidOrigin",
            "The specified origin server does not exist or is not valid.",
        ),
    ],
)
def test_errors_in_cloudfront_s_words(given, code, words):
    error = refused(given)
    assert (error.code, error.message) == (code, words)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (described(forwarded(MinTTL=9, DefaultTTL=5)), "InvalidTTLOrder"),
        (described(forwarded(DefaultTTL=9, MaxTTL=5)), "InvalidTTLOrder"),
        (described(forwarded({"Cookies": {"Forward": "whitelist"}})), "InvalidForwardCookies"),
        (described(CustomErrorResponses=listed({"ErrorCode": 418})), "InvalidErrorCode"),
        (
            described(
                CustomErrorResponses=listed({"ErrorCode": 404, "ResponsePagePath": "/e", "ResponseCode": "many"})
            ),
            "InvalidResponseCode",
        ),
        (
            described(CustomErrorResponses=listed({"ErrorCode": 404, "ResponsePagePath": "/e", "ResponseCode": "302"})),
            "InvalidResponseCode",
        ),
        (described(CustomErrorResponses=listed({"ErrorCode": 404, "ResponsePagePath": "/e"})), "InvalidArgument"),
        (described(with_policy(AllowedMethods=listed("GET", "POST"))), "InvalidArgument"),
        (
            described(
                with_policy(AllowedMethods={**listed("GET", "HEAD"), "CachedMethods": listed("GET", "HEAD", "OPTIONS")})
            ),
            "InvalidArgument",
        ),
        (described(Origins=listed(origin(ConnectionAttempts=4))), "InvalidArgument"),
        (described(Origins=listed(origin(OriginPath="/a/"))), "InvalidArgument"),
        (described(with_policy("", OriginRequestPolicyId="x")), "InvalidArgument"),
    ],
)
def test_errors_by_their_codes(given, code):
    assert refused(given).code == code


def test_terraform_s_zeros_beside_a_cache_policy_are_taken():
    parse(described(with_policy(MinTTL=0, DefaultTTL=0, MaxTTL=0)))


def group(**more):
    made = {
        "Id": "both",
        "FailoverCriteria": {"StatusCodes": listed(500, 503)},
        "Members": listed({"OriginId": "a"}, {"OriginId": "b"}),
        **more,
    }
    return described(
        with_policy(TargetOriginId="both"), Origins=listed(origin("a"), origin("b")), OriginGroups=listed(made)
    )


def test_origin_groups():
    made = parse(group())
    assert made.groups["both"] == config.OriginGroup("both", "a", "b", frozenset({500, 503}))
    assert refused(group(Members=listed({"OriginId": "a"}, {"OriginId": "c"}))).code == "NoSuchOrigin"
    assert refused(group(Members=listed({"OriginId": "a"}))).code == "InvalidArgument"
    assert refused(group(FailoverCriteria={"StatusCodes": listed(418)})).code == "InvalidArgument"


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (described(WebACLId="arn:x"), "WebACLId"),
        (
            described(Restrictions={"GeoRestriction": {"RestrictionType": "whitelist", **listed("DE")}}),
            "Restrictions",
        ),
        (
            described(
                with_policy(FunctionAssociations=listed({"FunctionARN": "arn:x", "EventType": "viewer-request"}))
            ),
            "DefaultCacheBehavior.FunctionAssociations",
        ),
        (described(with_policy(TrustedKeyGroups={"Enabled": True, **listed("k")})), "TrustedKeyGroups"),
        (described(Origins=listed(origin(OriginShield={"Enabled": True}))), "Origins[Id=site].OriginShield"),
        (described(with_policy("2e54312d-136d-493c-8eb9-b001f22f67d2")), "cloudfront-viewer-country"),
        (described(forwarded({"Headers": listed("CloudFront-Is-Mobile-Viewer")})), "cloudfront-is-mobile-viewer"),
        (group(SelectionCriteria="media-quality-based"), "SelectionCriteria"),
    ],
)
def test_what_is_not_carried_out_is_refused_by_name(given, named):
    error = refused(given)
    assert error.code == "InvalidArgument"
    assert error.message.startswith("The sandbox does not carry out ")
    assert named in error.message
    parse(given, lenient=True)


def test_a_forecast_can_name_all_that_is_not_carried_out():
    given = described(WebACLId="arn:x", Origins=listed(origin(OriginAccessControlId="E1")))
    assert unsupported.parts(given) == ["WebACLId", "Origins[Id=site].OriginAccessControlId"]


@pytest.mark.parametrize(
    ("id_", "name", "times"),
    [
        (OPTIMIZED, "CachingOptimized", Ttl(1, 86_400, 31_536_000)),
        (
            "b2884449-e4de-46a7-ac36-70bc7f1ddd6d",
            "CachingOptimizedForUncompressedObjects",
            Ttl(1, 86_400, 31_536_000),
        ),
        ("4135ea2d-6df8-44a3-9df3-4b5a84be39ad", "CachingDisabled", Ttl(0, 0, 0)),
        ("83da9c7e-98b4-4e11-a168-04f0df8e2c65", "UseOriginCacheControlHeaders", Ttl(0, 0, 31_536_000)),
        ("4cc15a8a-d715-48a4-82b8-cc0b614638fe", "UseOriginCacheControlHeaders-QueryStrings", Ttl(0, 0, 31_536_000)),
        ("08627262-05a9-4f76-9ded-b50ca2e3a84f", "Elemental-MediaPackage", Ttl(0, 86_400, 31_536_000)),
        ("2e54312d-136d-493c-8eb9-b001f22f67d2", "Amplify", Ttl(2, 2, 600)),
    ],
)
def test_managed_cache_policies(id_, name, times):
    assert (managed.CACHE[id_].name, managed.CACHE[id_].ttl) == (name, times)
    assert managed.cache_policy_id(name) == managed.cache_policy_id(f"Managed-{name.upper()}") == id_


def test_managed_policies_for_origin_requests_and_response_headers():
    assert managed.ORIGIN_REQUEST["216adef6-5c7f-47e4-b989-5492eafa07d3"].name == "AllViewer"
    assert not managed.ORIGIN_REQUEST["b689b0a8-53d0-40ab-baf2-68738e2966ac"].headers.has("host")
    assert managed.RESPONSE_HEADERS["67f7725c-6f97-4210-82d7-5512b31e9d03"].name == "SecurityHeadersPolicy"


def test_policies_of_one_s_own():
    key = {
        "EnableAcceptEncodingGzip": True,
        "HeadersConfig": {"HeaderBehavior": "whitelist", "Headers": listed("X-B", "X-A")},
        "CookiesConfig": {"CookieBehavior": "allExcept", "Cookies": listed("tracking")},
        "QueryStringsConfig": {"QueryStringBehavior": "whitelist", "QueryStrings": listed("page")},
    }
    cache = cache_policy({"Name": "own", "MinTTL": 60, "ParametersInCacheKeyAndForwardedToOrigin": key})
    assert cache.ttl == Ttl(60, 86_400, 31_536_000)
    assert cache.headers == ("x-a", "x-b")
    assert [cache.cookies.has(name) for name in ("session", "tracking")] == [True, False]
    assert (cache.gzip, cache.brotli) == (True, False)
    request = origin_request_policy(
        {
            "Name": "own",
            "HeadersConfig": {"HeaderBehavior": "allViewer"},
            "CookiesConfig": {"CookieBehavior": "none"},
            "QueryStringsConfig": {"QueryStringBehavior": "all"},
        }
    )
    assert request.headers.has("anything")
    made = parse(
        described(with_policy("one", OriginRequestPolicyId="two")), policies=Policies({"one": cache}, {"two": request})
    )
    assert made.behaviors[0].cache is cache


def test_a_minimum_above_a_day_moves_default_and_maximum():
    assert cache_policy({"Name": "own", "MinTTL": 40_000_000}).ttl == Ttl(40_000_000, 40_000_000, 40_000_000)


def test_a_cache_policy_without_caching_has_no_key():
    key = {
        "EnableAcceptEncodingGzip": False,
        "HeadersConfig": {"HeaderBehavior": "none"},
        "CookiesConfig": {"CookieBehavior": "all"},
        "QueryStringsConfig": {"QueryStringBehavior": "none"},
    }
    with pytest.raises(CloudFrontError) as error:
        cache_policy(
            {"Name": "n", "MinTTL": 0, "DefaultTTL": 0, "MaxTTL": 0, "ParametersInCacheKeyAndForwardedToOrigin": key}
        )
    assert error.value.code == "InvalidArgument"


def test_server_timing_is_refused():
    with pytest.raises(CloudFrontError, match="does not carry out ServerTimingHeadersConfig"):
        response_headers_policy({"Name": "n", "ServerTimingHeadersConfig": {"Enabled": True}})


@pytest.mark.parametrize(
    ("name", "value"), [("X My", "1"), ("", "1"), ("X:", "1"), ("X;} sub", "1"), ("X", "a\r\nY: 1"), ("X", "\x00")]
)
def test_headers_that_are_none(name, value):
    custom = origin(CustomHeaders=listed({"HeaderName": name, "HeaderValue": value}))
    with pytest.raises(CloudFrontError, match="InvalidArgument: The parameter Header"):
        parse({"Origins": listed(custom), "DefaultCacheBehavior": with_policy()})


def test_forwarded_headers_that_are_none():
    with pytest.raises(CloudFrontError, match="InvalidArgument: The parameter HeaderName is invalid: 'X;}'"):
        parse({"Origins": listed(origin()), "DefaultCacheBehavior": forwarded({"Headers": listed("X;}")})})
