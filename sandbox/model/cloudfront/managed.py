"""The managed policies, with AWS's ids.

Amazon CloudFront Developer Guide, "Use managed cache policies", "Use managed origin request policies", "Use managed
response headers policies". Elemental-MediaPackage, Amplify and AllViewerAndCloudFrontHeaders-2022-06 are here for
their names: what needs headers that CloudFront makes of a viewer is refused where it is used.
"""

from __future__ import annotations

from sandbox.model.cloudfront.policies import (
    MAX_TTL,
    Addition,
    CachePolicy,
    Cors,
    OriginRequestPolicy,
    Policies,
    ResponseHeadersPolicy,
    Selection,
    Ttl,
)

_ALL = Selection("all")
_OVERRIDES = ("host", "origin", "x-http-method", "x-http-method-override", "x-method-override")
_METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
_PREFLIGHT = ("access-control-request-headers", "access-control-request-method")
_AS_ORIGIN_SAYS = Ttl(0, 0, MAX_TTL)
_OPTIMIZED = Ttl(1, 86_400, MAX_TTL)

CACHE = {
    "658327ea-f89d-4fab-a63d-7e88639e58f6": CachePolicy("CachingOptimized", _OPTIMIZED, gzip=True, brotli=True),
    "b2884449-e4de-46a7-ac36-70bc7f1ddd6d": CachePolicy("CachingOptimizedForUncompressedObjects", _OPTIMIZED),
    "4135ea2d-6df8-44a3-9df3-4b5a84be39ad": CachePolicy("CachingDisabled", Ttl(0, 0, 0)),
    "83da9c7e-98b4-4e11-a168-04f0df8e2c65": CachePolicy(
        "UseOriginCacheControlHeaders", _AS_ORIGIN_SAYS, headers=_OVERRIDES, cookies=_ALL, gzip=True, brotli=True
    ),
    "4cc15a8a-d715-48a4-82b8-cc0b614638fe": CachePolicy(
        "UseOriginCacheControlHeaders-QueryStrings", _AS_ORIGIN_SAYS, _ALL, _OVERRIDES, _ALL, gzip=True, brotli=True
    ),
    "08627262-05a9-4f76-9ded-b50ca2e3a84f": CachePolicy(
        "Elemental-MediaPackage",
        Ttl(0, 86_400, MAX_TTL),
        Selection("whitelist", ("aws.manifestfilter", "start", "end", "m")),
        ("origin",),
        gzip=True,
    ),
    "2e54312d-136d-493c-8eb9-b001f22f67d2": CachePolicy(
        "Amplify",
        Ttl(2, 2, 600),
        _ALL,
        ("authorization", "cloudfront-viewer-country", "host"),
        _ALL,
        gzip=True,
        brotli=True,
    ),
}


def _only(*names: str) -> Selection:
    return Selection("whitelist", names)


ORIGIN_REQUEST = {
    "216adef6-5c7f-47e4-b989-5492eafa07d3": OriginRequestPolicy("AllViewer", _ALL, _ALL, _ALL),
    "b689b0a8-53d0-40ab-baf2-68738e2966ac": OriginRequestPolicy(
        "AllViewerExceptHostHeader", _ALL, Selection("allExcept", ("host",)), _ALL
    ),
    "33f36d7e-f396-46d9-90e0-52428a34d9dc": OriginRequestPolicy(
        "AllViewerAndCloudFrontHeaders-2022-06", _ALL, Selection("all", ("cloudfront-viewer-country",)), _ALL
    ),
    "59781a5b-3903-41f3-afcb-af62929ccde1": OriginRequestPolicy("CORS-CustomOrigin", headers=_only("origin")),
    "88a5eaf4-2fd4-4709-b370-b4c650ea3fcf": OriginRequestPolicy("CORS-S3Origin", headers=_only("origin", *_PREFLIGHT)),
    "775133bc-15f2-49f9-abea-afb2e0bf67d2": OriginRequestPolicy(
        "Elemental-MediaTailor-PersonalizedManifests",
        _ALL,
        _only("origin", *_PREFLIGHT, "user-agent", "x-forwarded-for"),
    ),
    "bf0718e1-ba1e-49d1-88b1-f726733018ae": OriginRequestPolicy("HostHeaderOnly", headers=_only("host")),
    "acba4595-bd28-49b8-b9fe-13317c0390fa": OriginRequestPolicy(
        "UserAgentRefererHeaders", headers=_only("user-agent", "referer")
    ),
}

_SIMPLE_CORS = Cors(("*",), (), (), False, (), None, False)
_PREFLIGHT_CORS = Cors(("*",), (), _METHODS, False, ("*",), None, False)
_SECURITY = (
    Addition("referrer-policy", "strict-origin-when-cross-origin", False),
    Addition("strict-transport-security", "max-age=31536000", False),
    Addition("x-content-type-options", "nosniff", True),
    Addition("x-frame-options", "SAMEORIGIN", False),
    Addition("x-xss-protection", "1; mode=block", False),
)

RESPONSE_HEADERS = {
    "60669652-455b-4ae9-85a4-c4c02393f86c": ResponseHeadersPolicy("SimpleCORS", _SIMPLE_CORS),
    "5cc3b908-e619-4b99-88e5-2cf7f45965bd": ResponseHeadersPolicy("CORS-With-Preflight", _PREFLIGHT_CORS),
    "67f7725c-6f97-4210-82d7-5512b31e9d03": ResponseHeadersPolicy("SecurityHeadersPolicy", None, _SECURITY),
    "e61eb60c-9c35-4d20-a928-2b84e02af89c": ResponseHeadersPolicy(
        "CORS-and-SecurityHeadersPolicy", _SIMPLE_CORS, _SECURITY
    ),
    "eaab4381-ed33-4a86-88ca-d9558dc6cd63": ResponseHeadersPolicy(
        "CORS-with-preflight-and-SecurityHeadersPolicy", _PREFLIGHT_CORS, _SECURITY
    ),
}

MANAGED = Policies(CACHE, ORIGIN_REQUEST, RESPONSE_HEADERS)


def cache_policy_id(name_or_id: str) -> str | None:
    """The id of a managed cache policy, by name (with or without "Managed-", in any case) or by id."""
    wanted = name_or_id.removeprefix("Managed-").lower()
    return next((id_ for id_, one in CACHE.items() if wanted in {id_, one.name.lower()}), None)
