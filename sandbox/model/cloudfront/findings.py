"""What is wrong with how a site and a distribution go together, and what mends it.

Each rule is a function of what was seen of one object, or of one cache behaviour; `find` applies all of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from sandbox.model.cloudfront.answers import uncovered
from sandbox.model.cloudfront.config import Behavior, Distribution
from sandbox.model.cloudfront.forecast import Outlook, duration
from sandbox.model.cloudfront.forwarding import forwards_cookies
from sandbox.model.cloudfront.headers import cache_control

SEVERITIES = ("info", "warning", "error")
DAY = 86_400

_FINGERPRINT = re.compile(r"[.\-_][0-9a-f]{8,}\.[a-z0-9]+$|[.\-_](?=[A-Za-z0-9_-]*\d)[A-Za-z0-9_-]{8}\.(?:js|css|mjs)$")
_VERSION = re.compile(r"(?:^|&)(?:v|ver|version|rev|h|hash)=[^&]+")
_MANY_VALUED = frozenset(("user-agent", "accept", "accept-language", "referer", "cookie", "authorization", "date"))
_TEMPORARY = frozenset((302, 303, 307))


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        rule: Its name.
        severity: One of `SEVERITIES`.
        text: What CloudFront does, and so what viewers or the origin see.
        fix: What to change.
        urls: Where, in the order in which they were found; none where it is about the distribution.
    """

    rule: str
    severity: str
    text: str
    fix: str
    urls: tuple[str, ...] = ()


def find(distribution: Distribution, outlooks: Sequence[Outlook]) -> list[Finding]:
    """All findings, the worst first; what several URLs share is one finding."""
    found: dict[tuple[str, str, str, str], list[str]] = {}
    for one in outlooks:
        for rule in _OF_AN_OBJECT:
            for item in rule(one):
                urls = found.setdefault((item.rule, item.severity, item.text, item.fix), [])
                urls.append(one.observed.url)
    used = {one.behavior.pattern: one.behavior for one in outlooks}
    merged = [Finding(*key, tuple(urls)) for key, urls in found.items()]
    for behavior in used.values():
        all_urls = tuple(one.observed.url for one in outlooks if one.behavior is behavior)
        merged += [
            Finding(item.rule, item.severity, item.text, item.fix, all_urls) for item in _of_a_behavior(behavior)
        ]
    for behavior in distribution.unreachable():
        merged.append(
            Finding(
                "behavior-unreachable",
                "warning",
                f"no request reaches the cache behavior '{behavior.pattern}': one before it matches all of its paths",
                "put the narrower path pattern first",
            )
        )
    return sorted(merged, key=lambda item: -SEVERITIES.index(item.severity))


def at_least(findings: Iterable[Finding], severity: str) -> bool:
    """Whether one of them is as severe."""
    return any(SEVERITIES.index(one.severity) >= SEVERITIES.index(severity) for one in findings)


# -- of one object --


def _every_request(one: Outlook) -> Iterator[Finding]:
    first, policy = one.observed.first, one.behavior.cache
    if first.status >= 300 or one.lifetime.ttl > 0 or not policy.caches:
        return
    wish = cache_control(first.headers.get("cache-control")).forbids
    asks = wish in {"no-store", "private"}
    text = f"every request goes to the origin: {one.lifetime.reason}"
    if not one.survives:
        text += "; while the origin is down viewers get an error"
    if asks:
        fix = f"right for what is one viewer's own; if it is the same for all, the origin should not send {wish}"
    else:
        fix = (
            "let the origin send Cache-Control: public, max-age=0, s-maxage=SECONDS; or set a minimum TTL on a behavior"
            " for these paths alone (not of admin, preview or members' pages)"
        )
    yield Finding("origin-every-request", "warning" if asks else "error", text, fix)


def _moments(one: Outlook) -> Iterator[Finding]:
    first, limits = one.observed.first, one.behavior.cache.ttl
    overridden = one.lifetime.reason.startswith("minimum TTL")
    if first.status >= 300 or not overridden or one.lifetime.ttl <= 0:
        return
    if cache_control(first.headers.get("cache-control")).forbids:
        yield Finding(
            "kept-against-its-header",
            "error" if "private" in one.lifetime.reason or "no-store" in one.lifetime.reason else "warning",
            f"kept for {duration(one.lifetime.ttl)} and shown to all viewers: {one.lifetime.reason}",
            "give these paths a behavior with minimum TTL 0 (managed policy CachingDisabled, if they are never shared)",
        )
    elif limits.min < 60:
        yield Finding(
            "kept-for-moments",
            "error" if limits.min < 10 else "warning",
            f"kept for {duration(one.lifetime.ttl)} only: {one.lifetime.reason}",
            "let the origin send s-maxage=SECONDS, or raise the minimum TTL of a behavior of these paths",
        )


def _outage(one: Outlook) -> Iterator[Finding]:
    seconds = one.lifetime.stale_if_error
    if one.observed.first.status < 300 and one.lifetime.ttl > 0 and not one.survives and seconds is not None:
        yield Finding(
            "error-while-origin-is-down",
            "warning",
            f"while the origin is down viewers get an error once it has expired (stale-if-error={seconds:g})",
            "leave stale-if-error out: CloudFront then serves the last copy, or give it as long as an outage may last",
        )


def _validators(one: Outlook) -> Iterator[Finding]:
    observed = one.observed
    if observed.first.status != 200 or not one.lifetime.kept or one.lifetime.ttl >= 30 * DAY:
        return
    if not observed.has_validator:
        yield Finding(
            "no-validator",
            "warning",
            "has neither ETag nor Last-Modified: each time it has expired it is transferred whole",
            "let the origin send an ETag or Last-Modified",
        )
    elif observed.confirms is False:
        yield Finding(
            "validator-ignored",
            "warning",
            "the origin has a validator and does not answer 304 to it: expired copies are transferred whole",
            "let the origin honour If-None-Match and If-Modified-Since (an ETag must not change with each answer)",
        )


def _cookies(one: Outlook) -> Iterator[Finding]:
    first = one.observed.first
    if not first.cookies or first.status >= 400 or not one.behavior.cache.caches or not one.lifetime.ttl:
        return
    names = ", ".join(sorted({cookie.partition("=")[0].strip() for cookie in first.cookies}))
    if forwards_cookies(one.behavior) and not cache_control(first.headers.get("cache-control")).without_cookies:
        yield Finding(
            "cookie-kept",
            "error",
            f"Set-Cookie ({names}) is kept with the object, and goes to every viewer who gets the copy",
            'do not set cookies on what is shared, or send Cache-Control: no-cache="Set-Cookie"',
        )
    elif not forwards_cookies(one.behavior):
        yield Finding(
            "cookie-taken-away",
            "warning",
            f"no viewer gets this cookie ({names}): the behavior forwards none, so CloudFront removes Set-Cookie",
            "do not set cookies on what is shared, or give these paths a behavior that is not cached",
        )


def _vary(one: Outlook) -> Iterator[Finding]:
    if not one.lifetime.ttl or one.observed.first.status >= 400:
        return
    names = [name for name in uncovered(one.observed.first, one.behavior) if name != "*"]
    if names:
        severe = {"cookie", "authorization"} & set(names)
        yield Finding(
            "vary-not-in-key",
            "error" if severe else "warning",
            f"the answer differs by {', '.join(names)} (Vary), which is not in the cache key: all viewers get the copy "
            "of the first",
            "put it into the cache key (cookies: those that matter; Accept-Encoding: EnableAcceptEncodingGzip), or do "
            "not let the answer depend on it",
        )


def _versions(one: Outlook) -> Iterator[Finding]:
    observed, query = one.observed, one.behavior.cache.query
    if observed.first.status != 200 or observed.is_page:
        return
    named = _VERSION.search(observed.query)
    if named and one.lifetime.ttl > 0 and not query.has(named[0].strip("&").partition("=")[0]):
        yield Finding(
            "version-not-in-key",
            "warning",
            f"its version is in the query string, which is not in the cache key: a new version is not seen for "
            f"{duration(one.lifetime.ttl)}",
            "put that query string into the cache key, or invalidate these paths with each release",
        )
    unchanging = "immutable" in observed.first.headers.get("cache-control", "").lower()
    if (unchanging or _FINGERPRINT.search(observed.path) or named) and one.lifetime.ttl < DAY:
        kept = f"kept for {duration(one.lifetime.ttl)}" if one.lifetime.ttl else "asked of the origin each time"
        yield Finding(
            "unchanging-asset-kept-shortly",
            "warning",
            f"never changes under this URL, and is {kept}: {one.lifetime.reason}",
            "let the origin send Cache-Control: public, max-age=31536000, immutable",
        )


def _no_header(one: Outlook) -> Iterator[Finding]:
    if one.observed.is_page and one.observed.first.status == 200 and one.lifetime.reason.startswith("no time in"):
        if not one.lifetime.ttl:
            return
        yield Finding(
            "page-without-a-time",
            "warning",
            f"says nothing about caching, so it is kept for {duration(one.lifetime.ttl)} (default TTL): changes "
            "are not seen until then",
            "let the origin send Cache-Control with the time that a page may be old, or invalidate with each change",
        )


def _differs(one: Outlook) -> Iterator[Finding]:
    first, again = one.observed.first, one.observed.again
    if again is None or first.status != 200 or not one.lifetime.ttl:
        return
    if again.status != first.status:
        yield Finding(
            "status-differs",
            "warning",
            f"two requests were answered {first.status} and {again.status}: which of them is kept is chance",
            "find out why the origin answers differently",
        )
    elif again.body != first.body:
        yield Finding(
            "answers-differ",
            "warning",
            f"two requests got two bodies: one of them is shown to all viewers for {duration(one.lifetime.ttl)} "
            "(tokens against forgery, nonces, names of who is logged in?)",
            "leave what is one viewer's out of the page, or give these paths a behavior that is not cached",
        )


def _errors(one: Outlook) -> Iterator[Finding]:
    status, ttl = one.observed.first.status, one.lifetime.ttl
    if status < 400:
        return
    kept = f"and CloudFront keeps that for {duration(ttl)}" if ttl else "and CloudFront does not keep that"
    if ttl > 60:
        yield Finding(
            "error-kept-long",
            "error",
            f"the origin answers {status}, {kept}, also after it has recovered",
            "let errors have no max-age and a short error caching minimum TTL; invalidate the path to end it now",
        )
    elif status >= 500:
        yield Finding("origin-fails", "error", f"the origin answers {status}, {kept}", "see the origin's log")
    else:
        yield Finding("dead-link", "info", f"the origin answers {status}, {kept}", "mend the link that leads here")


def _redirects(one: Outlook) -> Iterator[Finding]:
    first = one.observed.first
    if first.status in _TEMPORARY and one.lifetime.ttl > 300:
        yield Finding(
            "temporary-redirect-kept",
            "warning",
            f"a temporary redirect ({first.status}) is kept for {duration(one.lifetime.ttl)}: {one.lifetime.reason}",
            "let the origin send Cache-Control: max-age=SECONDS with it",
        )


_OF_AN_OBJECT: tuple[Callable[[Outlook], Iterator[Finding]], ...] = (
    _every_request,
    _moments,
    _outage,
    _validators,
    _cookies,
    _vary,
    _versions,
    _no_header,
    _differs,
    _errors,
    _redirects,
)


# -- of one behaviour --


def _of_a_behavior(behavior: Behavior) -> Iterator[Finding]:
    policy, name = behavior.cache, f"the cache behavior '{behavior.pattern}'"
    if policy.all_headers:
        yield Finding(
            "all-headers-forwarded",
            "error",
            f"every request goes to the origin: {name} forwards all headers, which turns caching off",
            "forward only the headers that answers depend on (Host, where the origin needs it)",
        )
        return
    if not policy.caches:
        yield Finding(
            "caching-disabled",
            "info",
            f"every request goes to the origin: {name} has maximum TTL 0",
            "right for what is one viewer's own; else choose a cache policy with times",
        )
        return
    if policy.cookies.behavior in {"all", "allExcept"}:
        yield Finding(
            "cookies-in-key",
            "error",
            f"{name} has all cookies in its cache key: each viewer with a cookie of their own has copies of their own",
            "put only the cookies that answers depend on into the key, and let an origin request policy forward others",
        )
    if many := sorted(_MANY_VALUED.intersection(policy.headers)):
        yield Finding(
            "headers-in-key",
            "warning",
            f"{name} has {', '.join(many)} in its cache key: nearly every browser has copies of its own",
            "take it out of the key; an origin request policy can forward it without",
        )
    if policy.query.behavior in {"all", "allExcept"}:
        yield Finding(
            "all-query-strings-in-key",
            "info",
            f"{name} has all query strings in its cache key: each campaign link (utm_...) has a copy of its own",
            "name the query strings that answers depend on",
        )
