"""A distribution, from the DistributionConfig of the API.

API reference, DistributionConfig; Amazon CloudFront Developer Guide, "All distribution settings reference". It takes
what boto3 and Terraform send, and what GetDistributionConfig answers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.model.cloudfront import patterns
from sandbox.model.cloudfront.errors import CloudFrontError, invalid_argument, not_carried_out
from sandbox.model.cloudfront.lambda_edge import Association, Trigger, associations
from sandbox.model.cloudfront.managed import MANAGED
from sandbox.model.cloudfront.policies import (
    CachePolicy,
    OriginRequestPolicy,
    Policies,
    ResponseHeadersPolicy,
    Selection,
    header_name,
    header_value,
    items,
    made_of_viewers,
    ttl,
)
from sandbox.model.cloudfront.unsupported import refuse

ERROR_CACHING_MIN_TTL = 10
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?")
_READ = ("GET", "HEAD")
_METHODS = {
    frozenset(_READ),
    frozenset((*_READ, "OPTIONS")),
    frozenset((*_READ, "OPTIONS", "PUT", "POST", "PATCH", "DELETE")),
}
_ERROR_CODES = {400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504}
_RESPONSE_CODES = {"200", *map(str, _ERROR_CODES)}
_FAILOVER_CODES = {403, 404, 416, 429, 500, 502, 503, 504}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where objects come from.

    Attributes:
        path: What comes before each request's path, without a slash at its end.
        custom_headers: Lower case, values; they replace a viewer's.
        protocol: "http-only", "https-only" or "match-viewer".
        connection_attempts: 1 to 3.
        connection_timeout: Seconds for one attempt, 1 to 10.
        read_timeout: Seconds until the answer, and between two of its packets.
    """

    id: str
    domain_name: str
    path: str = ""
    custom_headers: Mapping[str, str] = field(default_factory=dict)
    protocol: str = "http-only"
    http_port: int = 80
    https_port: int = 443
    connection_attempts: int = 3
    connection_timeout: int = 10
    read_timeout: int = 30
    keepalive_timeout: int = 5


@dataclass(frozen=True, slots=True)
class OriginGroup:
    """A primary origin and the one that is asked when it fails.

    Attributes:
        statuses: The primary's answers that count as failures.
    """

    id: str
    primary: str
    secondary: str
    statuses: frozenset[int]


@dataclass(frozen=True, slots=True)
class ErrorResponse:
    """A CustomErrorResponse.

    Attributes:
        page: Path of the page that is shown, or "".
        code: The status that is shown with it.
        min_ttl: Error caching minimum TTL in seconds.
    """

    status: int
    page: str = ""
    code: int = 0
    min_ttl: int = ERROR_CACHING_MIN_TTL


@dataclass(frozen=True, slots=True)
class Behavior:
    """A cache behaviour.

    Attributes:
        pattern: "*" for the default one.
        matches: Whether a path, without its query string, is of this behaviour.
        target: The id of an origin or of an origin group.
        viewer_protocol: "allow-all", "https-only" or "redirect-to-https".
        allowed: The methods that are carried out.
        cached: The methods whose answers may be kept.
        compress: Whether CloudFront compresses.
        cache: Key and times; made of ForwardedValues where those are used.
        origin_request: What more goes to the origin.
        response_headers: Or None.
        functions: Lambda@Edge functions by event type.
    """

    pattern: str
    matches: Callable[[str], bool] = field(repr=False, compare=False)
    target: str
    viewer_protocol: str
    allowed: frozenset[str]
    cached: frozenset[str]
    compress: bool
    cache: CachePolicy
    origin_request: OriginRequestPolicy
    response_headers: ResponseHeadersPolicy | None
    functions: Mapping[Trigger, Association] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Distribution:
    """What viewers' requests are measured by.

    Attributes:
        behaviors: In the order in which they are tried; the default one is the last.
        errors: CustomErrorResponses by the status that the origin gave.
    """

    domain_name: str
    aliases: tuple[str, ...]
    enabled: bool
    default_root_object: str
    origins: Mapping[str, Origin]
    groups: Mapping[str, OriginGroup]
    behaviors: tuple[Behavior, ...]
    errors: Mapping[int, ErrorResponse]
    http_version: str = "http2"

    def behavior(self, path: str) -> Behavior:
        """The first one whose pattern matches; case counts."""
        for one in self.behaviors[:-1]:
            if one.matches(path):
                return one
        return self.behaviors[-1]

    def error_ttl(self, status: int) -> int:
        """Error caching minimum TTL of an origin's status, in seconds."""
        one = self.errors.get(status)
        return ERROR_CACHING_MIN_TTL if one is None else one.min_ttl

    def unreachable(self) -> list[Behavior]:
        """Behaviours that no request ever has, as one before them matches all that they match."""
        named = self.behaviors[:-1]
        return [
            later
            for number, later in enumerate(named)
            if any(patterns.covers(earlier.pattern, later.pattern) for earlier in named[:number])
        ]


def parse(
    config: Mapping[str, Any],
    domain_name: str = "d111111abcdef8.cloudfront.net",
    policies: Policies = MANAGED,
    lenient: bool = False,
) -> Distribution:
    """The distribution that a DistributionConfig describes.

    Args:
        config: As boto3 sends or answers it.
        domain_name: The one that CloudFront gives it.
        policies: Those that behaviours may name; the managed ones are to be among them.
        lenient: Leave out what the sandbox does not carry out, for a forecast; `unsupported.parts` names it.

    Raises:
        CloudFrontError: CloudFront refuses it, or the sandbox cannot carry it out.
    """
    if not lenient:
        refuse(config)
    found = {one["Id"]: _origin(one) for one in items(config["Origins"])}
    if not found:
        raise invalid_argument("The parameter Origins must have at least one origin.")
    groups = {one["Id"]: _group(one, found) for one in items(config.get("OriginGroups"))}
    named = items(config.get("CacheBehaviors"))
    seen: set[str] = set()
    for one in named:
        patterns.check(one["PathPattern"])
        pattern = patterns.normal(one["PathPattern"])
        if pattern in seen:
            raise invalid_argument(f"The parameter PathPattern '{one['PathPattern']}' is used by two cache behaviors.")
        seen.add(pattern)
    targets = found.keys() | groups.keys()
    behaviors = [_behavior(one, one["PathPattern"], targets, policies, lenient) for one in named]
    default = _behavior(config["DefaultCacheBehavior"], "*", targets, policies, lenient)
    errors = [_error_response(one) for one in items(config.get("CustomErrorResponses"))]
    root = (config.get("DefaultRootObject") or "").removeprefix("/")
    return Distribution(
        domain_name,
        tuple(items(config.get("Aliases"))),
        config.get("Enabled", True),
        root,
        found,
        groups,
        (*behaviors, default),
        {one.status: one for one in errors},
        config.get("HttpVersion") or "http2",
    )


def _origin(config: Mapping[str, Any]) -> Origin:
    custom = config.get("CustomOriginConfig") or {}
    if not custom and config.get("S3OriginConfig") is None:
        raise CloudFrontError("InvalidOrigin", "The specified origin server does not exist or is not valid.")
    if not _NAME.fullmatch(config["DomainName"]):
        raise CloudFrontError("InvalidOrigin", f"The origin's DomainName is no DNS name: '{config['DomainName']}'.")
    path = config.get("OriginPath") or ""
    if path and (not path.startswith("/") or path.endswith("/")):
        raise invalid_argument("The parameter OriginPath must begin with a slash and must not end with one.")
    attempts = config.get("ConnectionAttempts") or 3
    timeout = config.get("ConnectionTimeout") or 10
    read = custom.get("OriginReadTimeout") or 30
    if not 1 <= attempts <= 3:
        raise invalid_argument("The parameter ConnectionAttempts must be 1 to 3.")
    if not 1 <= timeout <= 10:
        raise invalid_argument("The parameter ConnectionTimeout must be 1 to 10.")
    if not 1 <= read <= 120:
        raise CloudFrontError("InvalidOriginReadTimeout", "The read timeout specified for the origin is not valid.")
    return Origin(
        config["Id"],
        config["DomainName"],
        path,
        {
            header_name(one["HeaderName"]): header_value(one["HeaderValue"])
            for one in items(config.get("CustomHeaders"))
        },
        custom.get("OriginProtocolPolicy", "match-viewer"),
        custom.get("HTTPPort", 80),
        custom.get("HTTPSPort", 443),
        attempts,
        timeout,
        read,
        custom.get("OriginKeepaliveTimeout") or 5,
    )


def _group(config: Mapping[str, Any], origins: Mapping[str, Origin]) -> OriginGroup:
    members = [one["OriginId"] for one in items(config["Members"])]
    statuses = items(config["FailoverCriteria"]["StatusCodes"])
    if len(members) != 2:
        raise invalid_argument("The parameter Members must have exactly two origins.")
    if any(member not in origins for member in members):
        raise _no_such_origin()
    if not statuses or not set(statuses) <= _FAILOVER_CODES:
        raise invalid_argument(f"The parameter StatusCodes must be of {sorted(_FAILOVER_CODES)}.")
    return OriginGroup(config["Id"], members[0], members[1], frozenset(statuses))


def _behavior(
    config: Mapping[str, Any], pattern: str, targets: set[str], policies: Policies, lenient: bool
) -> Behavior:
    if config["TargetOriginId"] not in targets:
        raise _no_such_origin()
    allowed = frozenset(items(config.get("AllowedMethods")) or _READ)
    cached = frozenset(items((config.get("AllowedMethods") or {}).get("CachedMethods")) or _READ)
    if allowed not in _METHODS:
        raise invalid_argument("The parameter AllowedMethods is not one of the sets of methods that there are.")
    if cached not in _METHODS or "POST" in cached or not cached <= allowed:
        raise invalid_argument("The parameter CachedMethods is not one of the sets of methods that there are.")
    cache, origin_request = _caching(config, policies)
    response_headers = None
    if id_ := config.get("ResponseHeadersPolicyId"):
        response_headers = policies.response_headers.get(id_)
        if response_headers is None:
            raise _no_such_policy("ResponseHeadersPolicy", "response headers")
    for policy, names in ((cache.name, cache.headers), (origin_request.name, origin_request.headers.names)):
        if not lenient and (made := made_of_viewers(names)):
            raise not_carried_out(f"the header {made[0]} in {policy}")
    return Behavior(
        pattern,
        patterns.matcher(pattern),
        config["TargetOriginId"],
        config["ViewerProtocolPolicy"],
        allowed,
        cached,
        bool(config.get("Compress")),
        cache,
        origin_request,
        response_headers,
        {} if lenient else associations(config),
    )


def _caching(config: Mapping[str, Any], policies: Policies) -> tuple[CachePolicy, OriginRequestPolicy]:
    id_ = config.get("CachePolicyId")
    if not id_:
        if config.get("OriginRequestPolicyId"):
            raise invalid_argument("The parameter OriginRequestPolicyId cannot be used without a cache policy.")
        return _forwarded_values(config)
    for parameter in ("ForwardedValues", "MinTTL", "DefaultTTL", "MaxTTL"):
        # Terraform sends zeros for the times that it does not set, and AWS takes them.
        if config.get(parameter):
            raise invalid_argument(
                f"The parameter {parameter} cannot be used when a cache policy is associated to the cache behavior."
            )
    if id_ not in policies.cache:
        raise _no_such_policy("CachePolicy", "cache")
    origin_request = OriginRequestPolicy()
    if id_of_request := config.get("OriginRequestPolicyId"):
        if id_of_request not in policies.origin_request:
            raise _no_such_policy("OriginRequestPolicy", "origin request")
        origin_request = policies.origin_request[id_of_request]
    return policies.cache[id_], origin_request


def _forwarded_values(config: Mapping[str, Any]) -> tuple[CachePolicy, OriginRequestPolicy]:
    values = config.get("ForwardedValues")
    if not values:
        raise invalid_argument("The parameter ForwardedValues is required.")
    if config.get("MinTTL") is None:
        raise invalid_argument("The parameter MinTTL is required.")
    keys = tuple(items(values.get("QueryStringCacheKeys")))
    if keys and not values["QueryString"]:
        raise invalid_argument(
            "The parameter QueryString cannot be false if query strings are set in QueryStringCacheKeys"
        )
    sent = Selection("all" if values["QueryString"] else "none")
    query = Selection("whitelist", keys) if keys and "*" not in keys else sent
    forward = values["Cookies"]["Forward"]
    cookie_names = tuple(items(values["Cookies"].get("WhitelistedNames")))
    if bool(cookie_names) != (forward == "whitelist"):
        raise CloudFrontError(
            "InvalidForwardCookies",
            "Your request contains forward cookies option which doesn't match with the expectation for the "
            "whitelisted list of cookie names.",
        )
    cookies = Selection(forward, cookie_names)
    headers = tuple(sorted(header_name(name) for name in items(values.get("Headers"))))
    if "*" in headers:
        headers = ("*",)
        if config["MinTTL"]:
            raise invalid_argument("The parameter MinTTL must be 0 if all headers are forwarded.")
    cache = CachePolicy(
        "ForwardedValues",
        ttl(config["MinTTL"], config.get("DefaultTTL"), config.get("MaxTTL")),
        query,
        headers,
        cookies,
        gzip=True,
        legacy=True,
    )
    return cache, OriginRequestPolicy("ForwardedValues", sent, Selection(), cookies)


def _error_response(config: Mapping[str, Any]) -> ErrorResponse:
    status, page, code = config["ErrorCode"], config.get("ResponsePagePath") or "", config.get("ResponseCode") or ""
    if status not in _ERROR_CODES:
        raise CloudFrontError("InvalidErrorCode", "An invalid error code was specified.")
    if bool(page) != bool(code):
        raise invalid_argument("The parameters ResponsePagePath and ResponseCode must be used together.")
    if page and not page.startswith("/"):
        raise invalid_argument("The parameter ResponsePagePath must begin with a slash.")
    if code and code not in _RESPONSE_CODES:
        raise CloudFrontError("InvalidResponseCode", "A response code is not valid.")
    least = config.get("ErrorCachingMinTTL")
    return ErrorResponse(status, page, int(code or 0), ERROR_CACHING_MIN_TTL if least is None else least)


def _no_such_origin() -> CloudFrontError:
    return CloudFrontError("NoSuchOrigin", "One or more of your origins or origin groups do not exist.", 404)


def _no_such_policy(kind: str, words: str) -> CloudFrontError:
    return CloudFrontError(f"NoSuch{kind}", f"The specified {words} policy does not exist.", 404)
