"""What CloudFront would do with what an origin was seen to answer: for each object, and for a mix of requests."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sandbox.model.cloudfront import freshness
from sandbox.model.cloudfront.config import Behavior, Distribution
from sandbox.model.cloudfront.edge import Edge
from sandbox.model.cloudfront.freshness import Lifetime
from sandbox.model.cloudfront.messages import OriginRequest, Request, Response


@dataclass(frozen=True, slots=True)
class Observed:
    """One URL as its origin answered, without CloudFront before it.

    Attributes:
        url: The whole of it, for persons.
        path: Its path.
        query: Its query string.
        first: What came; `Response.body` is a fingerprint of the body.
        again: What came to the same request a moment later, or None.
        confirms: Whether the origin answered 304 to the object's own validators; None where it has none, or was not
            asked.
    """

    url: str
    path: str
    query: str
    first: Response
    again: Response | None = None
    confirms: bool | None = None

    @property
    def is_page(self) -> bool:
        """Whether it is a page, rather than something that a page needs."""
        return self.first.headers.get("content-type", "").partition(";")[0].strip().lower() in {
            "text/html",
            "application/xhtml+xml",
        }

    @property
    def has_validator(self) -> bool:
        """Whether an expired copy can be confirmed rather than fetched."""
        return bool({"etag", "last-modified"} & self.first.headers.keys())


@dataclass(frozen=True, slots=True)
class Outlook:
    """What becomes of one object.

    Attributes:
        observed: It.
        behavior: The cache behaviour of its path.
        lifetime: How long it is kept and why.
    """

    observed: Observed
    behavior: Behavior
    lifetime: Lifetime

    @property
    def does(self) -> str:
        """In words."""
        if self.lifetime.ttl > 0:
            return f"kept for {duration(self.lifetime.ttl)}"
        if self.observed.first.status >= 400:
            return "not kept"
        if self.observed.confirms and self.lifetime.kept:
            return "the origin each time, 304"
        return "the origin each time"

    @property
    def survives(self) -> bool:
        """Whether viewers get the last copy while the origin is down."""
        lifetime = self.lifetime
        expired = min(lifetime.ttl, lifetime.available - 1)  # what lives for the maximum TTL is never stale
        return self.observed.first.status < 400 and lifetime.kept and lifetime.serves_on_error(expired)


@dataclass(frozen=True, slots=True)
class Mix:
    """What became of a mix of requests.

    Attributes:
        requests: All of them.
        hits: Answered without the origin.
        confirmed: Answered from the cache after the origin had confirmed the object.
        seconds: In how much time they came.
    """

    requests: int
    hits: int
    confirmed: int
    seconds: float

    @property
    def hit_ratio(self) -> float:
        """Of 1."""
        return self.hits / self.requests if self.requests else 0.0


def outlook(distribution: Distribution, observed: Observed, now: float) -> Outlook:
    """What becomes of an object.

    Args:
        distribution: By which it is measured.
        observed: What was seen.
        now: Seconds since the epoch when it was seen.
    """
    path = observed.path
    if path == "/" and distribution.default_root_object:
        path = f"/{distribution.default_root_object}"
    behavior = distribution.behavior(path)
    status, headers, policy = observed.first.status, observed.first.headers, behavior.cache
    if status < 400:
        lifetime = freshness.of_answer(status, headers, policy, now)
    elif not policy.caches:
        lifetime = Lifetime(False, 0, freshness.of_answer(200, headers, policy, now).reason)
    else:
        lifetime = freshness.of_error(status, headers, distribution.error_ttl(status), policy.ttl.max, now)
    return Outlook(observed, behavior, lifetime)


_LANGUAGES = ("en-US,en;q=0.9", "de-DE,de;q=0.9,en;q=0.8", "ja")
_AGENTS = tuple(f"Mozilla/5.0 (browser {number})" for number in range(8))


def mix(
    distribution: Distribution,
    seen: Sequence[Observed],
    now: float,
    per_minute: float = 60.0,
    seconds: float = 3600.0,
    viewers: int = 100,
    seed: int = 0,
) -> Mix:
    """Play a mix of requests through an empty cache of one edge location.

    The first URL that was found is asked most often, the nth 1/n as often. Viewers come with browsers, languages and,
    where the site sets cookies, a cookie of their own. The origin answers as it was seen to.

    Args:
        distribution: By which they are measured.
        seen: What the origin has.
        now: Seconds since the epoch at the beginning.
        per_minute: Requests of all viewers in a minute, for all URLs.
        seconds: How long.
        viewers: How many different ones.
        seed: Of chance.
    """
    served = [one for one in seen if one.first.status < 400]
    if not served:
        return Mix(0, 0, 0, seconds)
    chance, edge = random.Random(seed), Edge(replace(distribution, enabled=True))
    cookies = sorted({cookie.partition("=")[0] for one in seen for cookie in one.first.cookies})
    number = max(int(per_minute * seconds / 60), 1)
    weights = [1 / place for place in range(1, len(served) + 1)]
    hits = confirmed = 0
    for turn, one in enumerate(chance.choices(served, weights, k=number)):
        viewer = chance.randrange(viewers)
        headers = {
            "host": distribution.domain_name,
            "accept-encoding": "gzip, deflate, br",
            "accept-language": _LANGUAGES[viewer % len(_LANGUAGES)],
            "user-agent": _AGENTS[viewer % len(_AGENTS)],
        }
        if cookies:
            headers["cookie"] = "; ".join(f"{name}={viewer}" for name in cookies)
        at = now + seconds * turn / number
        decision = edge.handle(Request("GET", one.path, one.query, headers), at)
        if decision.answer is not None:
            hits += 1
        if decision.fetch is not None:
            asked = edge.answered(decision.fetch, _origin_says(one, decision.fetch.request), at)
            confirmed += decision.answer is None and asked.answer is not None and asked.answer.x_cache[:7] == "Refresh"
    return Mix(number, hits, confirmed, seconds)


def duration(seconds: float) -> str:
    """In the greatest unit that says it well: "90 s", "2 h", "365 days"."""
    for unit, length in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length or seconds == length:
            amount = f"{seconds / length:.1f}".removesuffix(".0")
            return f"{amount} {unit if amount != '1' or unit != 'days' else 'day'}"
    return f"{seconds:.0f} s"


def _origin_says(one: Observed, request: OriginRequest) -> Response:
    conditional = {"if-none-match", "if-modified-since"} & request.headers.keys()
    if conditional and one.confirms:
        return Response(
            304, {name: one.first.headers[name] for name in ("cache-control",) if name in one.first.headers}
        )
    return one.first
