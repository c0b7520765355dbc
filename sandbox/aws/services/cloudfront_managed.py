"""The managed policies as the API shows them, from what the model does by them.

Amazon CloudFront Developer Guide, "Use managed cache policies" and its like. Users saw their names begin with
"Managed-", but for two (terraform-provider-aws #41507), their LastModifiedTime at the epoch and one ETag for all
(steampipe-plugin-aws #829). Comments are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sandbox.aws.services.cloudfront_config import listed
from sandbox.aws.services.cloudfront_state import Config, HeldPolicy
from sandbox.model.cloudfront.managed import CACHE, ORIGIN_REQUEST, RESPONSE_HEADERS
from sandbox.model.cloudfront.policies import (
    Addition,
    CachePolicy,
    Cors,
    OriginRequestPolicy,
    ResponseHeadersPolicy,
    Selection,
)

_ETAG = "E23ZP02F085DFQ"
_WITHOUT_PREFIX = frozenset(("UseOriginCacheControlHeaders", "UseOriginCacheControlHeaders-QueryStrings"))


def _held(models: Mapping[str, Any], shown: Callable[[Any], Config]) -> dict[str, HeldPolicy]:
    return {id_: HeldPolicy(id_, shown(one), one, _ETAG, 0.0) for id_, one in models.items()}


def _name(name: str) -> str:
    return name if name in _WITHOUT_PREFIX else f"Managed-{name}"


def _cache(policy: CachePolicy) -> Config:
    headers = Selection("whitelist", policy.headers) if policy.headers else Selection()
    return {
        "Name": _name(policy.name),
        "MinTTL": policy.ttl.min,
        "DefaultTTL": policy.ttl.default,
        "MaxTTL": policy.ttl.max,
        "ParametersInCacheKeyAndForwardedToOrigin": {
            "EnableAcceptEncodingGzip": policy.gzip,
            "EnableAcceptEncodingBrotli": policy.brotli,
            "HeadersConfig": _selection(headers, "HeaderBehavior", "Headers"),
            "CookiesConfig": _selection(policy.cookies, "CookieBehavior", "Cookies"),
            "QueryStringsConfig": _selection(policy.query, "QueryStringBehavior", "QueryStrings"),
        },
    }


def _origin_request(policy: OriginRequestPolicy) -> Config:
    headers = policy.headers
    if headers.behavior == "all":
        kind = "allViewerAndWhitelistCloudFront" if headers.names else "allViewer"
        headers = Selection(kind, headers.names)
    return {
        "Name": _name(policy.name),
        "HeadersConfig": _selection(headers, "HeaderBehavior", "Headers"),
        "CookiesConfig": _selection(policy.cookies, "CookieBehavior", "Cookies"),
        "QueryStringsConfig": _selection(policy.query, "QueryStringBehavior", "QueryStrings"),
    }


def _selection(selection: Selection, behavior: str, names: str) -> Config:
    chosen = {names: listed(list(selection.names))} if selection.names else {}
    return {behavior: selection.behavior, **chosen}


def _response_headers(policy: ResponseHeadersPolicy) -> Config:
    cors = {"CorsConfig": _cors(policy.cors)} if policy.cors else {}
    security = {"SecurityHeadersConfig": dict(map(_security, policy.additions))} if policy.additions else {}
    return {"Name": _name(policy.name), **cors, **security}


def _cors(cors: Cors) -> Config:
    return {
        "AccessControlAllowOrigins": _with_items(cors.origins),
        "AccessControlAllowHeaders": _with_items(cors.headers),
        "AccessControlAllowMethods": _with_items(cors.methods),
        "AccessControlAllowCredentials": cors.credentials,
        "AccessControlExposeHeaders": listed(list(cors.expose)),
        "OriginOverride": cors.override,
    }


def _with_items(names: Sequence[str]) -> Config:
    """A list whose Items are required, also where there are none."""
    return {"Quantity": len(names), "Items": list(names)}


def _security(addition: Addition) -> tuple[str, Config]:
    members: Mapping[str, tuple[str, Config]] = {
        "referrer-policy": ("ReferrerPolicy", {"ReferrerPolicy": addition.value}),
        "strict-transport-security": (
            "StrictTransportSecurity",
            {
                "AccessControlMaxAgeSec": addition.value.removeprefix("max-age="),
                "IncludeSubdomains": False,
                "Preload": False,
            },
        ),
        "x-content-type-options": ("ContentTypeOptions", {}),
        "x-frame-options": ("FrameOptions", {"FrameOption": addition.value}),
        "x-xss-protection": ("XSSProtection", {"Protection": True, "ModeBlock": "mode=block" in addition.value}),
    }
    name, more = members[addition.name]
    return name, {"Override": addition.override, **more}


MANAGED = {
    "cache": _held(CACHE, _cache),
    "origin_request": _held(ORIGIN_REQUEST, _origin_request),
    "response_headers": _held(RESPONSE_HEADERS, _response_headers),
}
"""By kind and id."""
