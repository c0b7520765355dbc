"""How long an origin's answer is kept, and for how long it may be served after that.

Amazon CloudFront Developer Guide, "Manage how long content stays in the cache (expiration)", "How CloudFront processes
HTTP 3xx status codes from your origin", "How CloudFront processes HTTP 4xx and 5xx status codes from your origin",
"Control how long CloudFront caches errors".
"""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.model.cloudfront.headers import CacheControl, Headers, cache_control, date, vary
from sandbox.model.cloudfront.policies import CachePolicy

ALWAYS_CACHED = frozenset((404, 405, 414, 500, 501, 502, 503, 504))
CACHED_WITH_A_HEADER = frozenset((400, 403, 412, 415))
HEEDED_WHEN_FORBIDDEN = frozenset((404, 410, 414, 501))
"""Errors that no-store, no-cache and private keep out of the cache; of all others these say nothing."""
_ONLY_WITH_CACHE_CONTROL = frozenset((307, 308))


@dataclass(frozen=True, slots=True)
class Lifetime:
    """What becomes of an answer.

    Attributes:
        kept: Whether it is kept at all, if only to be revalidated.
        ttl: Seconds for which it is served without asking the origin.
        reason: Why, for a person ("max-age=0 with minimum TTL 0").
        stale_while_revalidate: Seconds after that for which it is served while the origin is asked.
        stale_if_error: Seconds after the TTL for which it is served where the origin fails; None: while it is there.
        available: Seconds after which it is not there any more to be served stale: Maximum TTL.
    """

    kept: bool
    ttl: float
    reason: str
    stale_while_revalidate: float = 0.0
    stale_if_error: float | None = None
    available: float = 0.0

    @property
    def stale_until(self) -> float:
        """Seconds since it came until which it is served while it is revalidated."""
        return max(self.ttl, min(self.ttl + self.stale_while_revalidate, self.available))

    def serves_on_error(self, age: float) -> bool:
        """Whether it may be served ``age`` seconds after it came, where the origin fails."""
        longest = self.available if self.stale_if_error is None else self.ttl + self.stale_if_error
        return age < min(longest, self.available)


def of_answer(status: int, headers: Headers, policy: CachePolicy, now: float) -> Lifetime:
    """The lifetime of an answer below 400.

    Args:
        status: The origin's.
        headers: The origin's.
        policy: Of the cache behaviour.
        now: Seconds since the epoch; Expires is measured by it.
    """
    control = cache_control(headers.get("cache-control"))
    if reason := _never_kept(status, control, policy):
        return Lifetime(False, 0, reason)
    if not policy.ttl.min and (asks := control.forbids or ("Vary: *" if vary(headers) == ("*",) else "")):
        return Lifetime(True, 0, f"{asks} with minimum TTL 0", 0, control.stale_if_error, policy.ttl.max)
    ttl, reason = _ttl(headers, control, policy, now)
    stale = control.stale_while_revalidate or 0
    return Lifetime(True, ttl, reason, stale, control.stale_if_error, policy.ttl.max)


def of_error(status: int, headers: Headers, min_ttl: float, max_ttl: float, now: float) -> Lifetime:
    """The lifetime of an answer of 400 and above.

    Args:
        status: The origin's.
        headers: The origin's.
        min_ttl: Error caching minimum TTL.
        max_ttl: Maximum TTL of the behaviour; it limits the headers' times.
        now: Seconds since the epoch.
    """
    control = cache_control(headers.get("cache-control"))
    named = control.s_maxage if control.s_maxage is not None else control.max_age
    if status not in ALWAYS_CACHED and not (status in CACHED_WITH_A_HEADER and named is not None):
        return Lifetime(False, 0, f"status {status} is not cached")
    if control.forbids and status in HEEDED_WHEN_FORBIDDEN:
        return Lifetime(False, 0, f"{control.forbids} with status {status}")
    expires = date(headers.get("expires"))
    asked = float(named) if named is not None else (expires - now if expires is not None else 0.0)
    ttl = max(min_ttl, min(asked, max_ttl))
    reason = "error caching minimum TTL" if ttl <= min_ttl else "the error's own headers"
    return Lifetime(ttl > 0, ttl, f"status {status}: {reason}")


def _never_kept(status: int, control: CacheControl, policy: CachePolicy) -> str:
    if policy.all_headers:
        return "all headers are forwarded, so nothing is cached"
    if not policy.ttl.max:
        return "caching is disabled: maximum TTL 0"
    if status in _ONLY_WITH_CACHE_CONTROL and not control.present:
        return f"status {status} is cached only with a Cache-Control header"
    if status == 206:
        return "a part of an object"
    if not policy.ttl.min and control.forbids in {"no-store", "private"}:
        return f"{control.forbids} with minimum TTL 0"
    return ""


def _ttl(headers: Headers, control: CacheControl, policy: CachePolicy, now: float) -> tuple[float, str]:
    limits = policy.ttl
    if control.forbids:
        return limits.min, f"minimum TTL {limits.min}, which overrides {control.forbids}"
    if control.s_maxage is not None:
        asked, name = float(control.s_maxage), f"s-maxage={control.s_maxage}"
    elif control.max_age is not None:
        asked, name = float(control.max_age), f"max-age={control.max_age}"
    elif "expires" in headers:
        at = date(headers["expires"])
        asked = 0.0 if at is None else max(at - now, 0.0)
        name = "Expires in the past" if not asked else f"Expires in {asked:.0f} s"
    else:
        ttl = max(limits.min, limits.default)
        return ttl, f"no time in the headers: default TTL {ttl}"
    if asked < limits.min:
        return limits.min, f"minimum TTL {limits.min}, which overrides {name}"
    if asked > limits.max:
        return limits.max, f"maximum TTL {limits.max}, which limits {name}"
    return asked, name if asked else f"{name} with minimum TTL 0"
