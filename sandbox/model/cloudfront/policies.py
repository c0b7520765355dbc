"""Cache, origin request and response headers policies, from the API's configurations of them.

Amazon CloudFront Developer Guide, "Control the cache key with a policy", "Control origin requests with a policy", "Add
or remove HTTP headers in CloudFront responses with a policy"; API reference, CachePolicyConfig and its like.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sandbox.model.cloudfront.errors import CloudFrontError, invalid_argument, not_carried_out

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
DEFAULT_TTL = 86_400
MAX_TTL = 31_536_000


@dataclass(frozen=True, slots=True)
class Selection:
    """Which of the query strings, cookies or headers of a request are meant.

    Attributes:
        behavior: "none", "whitelist", "allExcept" or "all".
        names: Of "whitelist" and "allExcept"; of cookies they may have ``*`` and ``?``. Of headers: lower case.
    """

    behavior: str = "none"
    names: tuple[str, ...] = ()

    def has(self, name: str) -> bool:
        """Whether one of that name is meant. Case counts."""
        if self.behavior in {"none", "all"}:
            return self.behavior == "all"
        listed = name in self.names or any(
            _wildcard(one).fullmatch(name) for one in self.names if "*" in one or "?" in one
        )
        return listed == (self.behavior == "whitelist")


@dataclass(frozen=True, slots=True)
class Ttl:
    """Seconds: Minimum TTL, Default TTL, Maximum TTL."""

    min: int
    default: int
    max: int


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """What the cache key has beside host and path, and the limits of time.

    Attributes:
        headers: Lower case, in order of their names.
        legacy: Made of ForwardedValues.
    """

    name: str
    ttl: Ttl
    query: Selection = Selection()
    headers: tuple[str, ...] = ()
    cookies: Selection = Selection()
    gzip: bool = False
    brotli: bool = False
    legacy: bool = False

    @property
    def all_headers(self) -> bool:
        """ForwardedValues with all headers: nothing is cached then."""
        return self.headers == ("*",)

    @property
    def caches(self) -> bool:
        """Whether anything can be kept at all."""
        return self.ttl.max > 0 and not self.all_headers


@dataclass(frozen=True, slots=True)
class OriginRequestPolicy:
    """What goes to the origin beside what is in the cache key.

    Attributes:
        headers: "all" for allViewer, also with what CloudFront makes itself in addition; names are lower case.
    """

    name: str = ""
    query: Selection = Selection()
    headers: Selection = Selection()
    cookies: Selection = Selection()


@dataclass(frozen=True, slots=True)
class Addition:
    """A header of an answer; ``override``: also where the origin sent one of that name."""

    name: str
    value: str
    override: bool


@dataclass(frozen=True, slots=True)
class Cors:
    """CorsConfig."""

    origins: tuple[str, ...]
    headers: tuple[str, ...]
    methods: tuple[str, ...]
    credentials: bool
    expose: tuple[str, ...]
    max_age: int | None
    override: bool


@dataclass(frozen=True, slots=True)
class ResponseHeadersPolicy:
    """What is added to and taken from answers to viewers; nothing of it changes what is cached."""

    name: str
    cors: Cors | None = None
    additions: tuple[Addition, ...] = ()
    removals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Policies:
    """Every policy there is, by id."""

    cache: Mapping[str, CachePolicy] = field(default_factory=dict)
    origin_request: Mapping[str, OriginRequestPolicy] = field(default_factory=dict)
    response_headers: Mapping[str, ResponseHeadersPolicy] = field(default_factory=dict)


def items(value: Mapping[str, Any] | None) -> list[Any]:
    """The Items of one of the API's lists.

    Raises:
        CloudFrontError: Quantity is another number than that of the items.
    """
    if not value:
        return []
    found = list(value.get("Items") or [])
    if value.get("Quantity", len(found)) != len(found):
        raise CloudFrontError("InconsistentQuantities", "The value of Quantity and the size of Items don't match.")
    return found


def header_name(name: str) -> str:
    """A header's name in lower case.

    Raises:
        CloudFrontError: It is none (RFC 9110, "Field Names").
    """
    if not _TOKEN.fullmatch(name):
        raise invalid_argument(f"The parameter HeaderName is invalid: '{name}'.")
    return name.lower()


def header_value(value: str) -> str:
    """A header's value.

    Raises:
        CloudFrontError: It has a control character (RFC 9110, "Field Values").
    """
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in value):
        raise invalid_argument("The parameter HeaderValue has a control character.")
    return value


def ttl(minimum: int, default: int | None, maximum: int | None) -> Ttl:
    """With AWS's defaults for what is left out.

    Raises:
        CloudFrontError: InvalidTTLOrder, where they do not go up.
    """
    default = max(DEFAULT_TTL, minimum) if default is None else default
    maximum = max(MAX_TTL, default) if maximum is None else maximum
    if not 0 <= minimum <= default <= maximum:
        raise CloudFrontError("InvalidTTLOrder", "The order of the TTL values is invalid: MinTTL, DefaultTTL, MaxTTL.")
    return Ttl(minimum, default, maximum)


def cache_policy(config: Mapping[str, Any]) -> CachePolicy:
    """A CachePolicyConfig.

    Raises:
        CloudFrontError: It is not one.
    """
    key = config.get("ParametersInCacheKeyAndForwardedToOrigin") or {}
    limits = ttl(config["MinTTL"], config.get("DefaultTTL"), config.get("MaxTTL"))
    made = CachePolicy(
        config["Name"],
        limits,
        _selection(key.get("QueryStringsConfig"), "QueryStringBehavior", "QueryStrings"),
        tuple(sorted(_selection(key.get("HeadersConfig"), "HeaderBehavior", "Headers", lower=True).names)),
        _selection(key.get("CookiesConfig"), "CookieBehavior", "Cookies"),
        bool(key.get("EnableAcceptEncodingGzip")),
        bool(key.get("EnableAcceptEncodingBrotli")),
    )
    if not limits.max and (made != CachePolicy(made.name, limits)):
        raise invalid_argument("The parameters of the cache key cannot be set when caching is disabled (MaxTTL is 0).")
    return made


def origin_request_policy(config: Mapping[str, Any]) -> OriginRequestPolicy:
    """An OriginRequestPolicyConfig.

    Raises:
        CloudFrontError: It is not one.
    """
    headers = config["HeadersConfig"]
    behavior = headers["HeaderBehavior"]
    names = tuple(header_name(name) for name in items(headers.get("Headers")))
    if bool(names) != (behavior in {"whitelist", "allExcept", "allViewerAndWhitelistCloudFront"}):
        raise invalid_argument(f"The parameter Headers does not match HeaderBehavior '{behavior}'.")
    if behavior in {"allViewer", "allViewerAndWhitelistCloudFront"}:
        behavior = "all"
    return OriginRequestPolicy(
        config["Name"],
        _selection(config["QueryStringsConfig"], "QueryStringBehavior", "QueryStrings"),
        Selection(behavior, names),
        _selection(config["CookiesConfig"], "CookieBehavior", "Cookies"),
    )


def response_headers_policy(config: Mapping[str, Any]) -> ResponseHeadersPolicy:
    """A ResponseHeadersPolicyConfig.

    Raises:
        CloudFrontError: It wants Server-Timing headers, which the sandbox does not make.
    """
    if (config.get("ServerTimingHeadersConfig") or {}).get("Enabled"):
        raise not_carried_out("ServerTimingHeadersConfig")
    custom = [
        Addition(header_name(one["Header"]), header_value(one["Value"]), one["Override"])
        for one in items(config.get("CustomHeadersConfig"))
    ]
    return ResponseHeadersPolicy(
        config["Name"],
        _cors(config.get("CorsConfig")),
        (*_security(config.get("SecurityHeadersConfig") or {}), *custom),
        tuple(header_name(one["Header"]) for one in items(config.get("RemoveHeadersConfig"))),
    )


def made_of_viewers(names: Iterable[str]) -> list[str]:
    """Those of the headers that CloudFront makes of what it knows of a viewer: the sandbox has no such viewers.

    CloudFront-Forwarded-Proto is none of them: the sandbox makes it.
    """
    return [name for name in names if name.startswith("cloudfront-") and name != "cloudfront-forwarded-proto"]


def _selection(config: Mapping[str, Any] | None, behavior: str, names: str, lower: bool = False) -> Selection:
    if not config:
        return Selection()
    listed = tuple(header_name(name) if lower else name for name in items(config.get(names)))
    kind = config[behavior]
    if (kind in {"whitelist", "allExcept"}) != bool(listed):
        raise invalid_argument(f"The parameter {names} does not match {behavior} '{kind}'.")
    return Selection(kind, listed)


def _cors(config: Mapping[str, Any] | None) -> Cors | None:
    if not config:
        return None
    return Cors(
        tuple(items(config["AccessControlAllowOrigins"])),
        tuple(items(config["AccessControlAllowHeaders"])),
        tuple(items(config["AccessControlAllowMethods"])),
        config["AccessControlAllowCredentials"],
        tuple(items(config.get("AccessControlExposeHeaders"))),
        config.get("AccessControlMaxAgeSec"),
        config["OriginOverride"],
    )


def _security(config: Mapping[str, Any]) -> list[Addition]:
    found: list[Addition] = []

    def add(part: str, header: str, value: str) -> None:
        found.append(Addition(header, value, config[part]["Override"]))

    if one := config.get("StrictTransportSecurity"):
        extras = "; includeSubDomains" * bool(one.get("IncludeSubdomains")) + "; preload" * bool(one.get("Preload"))
        add("StrictTransportSecurity", "strict-transport-security", f"max-age={one['AccessControlMaxAgeSec']}{extras}")
    if "ContentTypeOptions" in config:
        add("ContentTypeOptions", "x-content-type-options", "nosniff")
    if one := config.get("FrameOptions"):
        add("FrameOptions", "x-frame-options", one["FrameOption"])
    if one := config.get("XSSProtection"):
        report = f"; report={one['ReportUri']}" if one.get("ReportUri") else ""
        value = "1" + "; mode=block" * bool(one.get("ModeBlock")) + report if one["Protection"] else "0"
        add("XSSProtection", "x-xss-protection", value)
    if one := config.get("ReferrerPolicy"):
        add("ReferrerPolicy", "referrer-policy", one["ReferrerPolicy"])
    if one := config.get("ContentSecurityPolicy"):
        add("ContentSecurityPolicy", "content-security-policy", one["ContentSecurityPolicy"])
    return found


@lru_cache(maxsize=1024)
def _wildcard(pattern: str) -> re.Pattern[str]:
    return re.compile("".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in pattern))
