"""One edge cache: viewers' requests and origins' answers in, decisions out.

    decision = edge.handle(request, now)
    while decision.fetch and not decision.answer:      # go to the origin, and say what came
        decision = edge.answered(decision.fetch, what_came, now)

A decision with both an answer and a fetch is stale-while-revalidate: the viewer is served, and the origin is asked
meanwhile. Amazon CloudFront Developer Guide, "Request and response behavior for custom origins", "... for origin
groups", "How CloudFront processes HTTP 4xx and 5xx status codes from your origin"; the times are `freshness`'s.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from sandbox.model.cloudfront import freshness, patterns
from sandbox.model.cloudfront.answers import ERROR, HIT, MISS, REDIRECT, REFRESH_HIT, Answer, encoding_for
from sandbox.model.cloudfront.config import Behavior, Distribution, ErrorResponse, Origin
from sandbox.model.cloudfront.forwarding import origin_request
from sandbox.model.cloudfront.freshness import Lifetime
from sandbox.model.cloudfront.headers import cache_control
from sandbox.model.cloudfront.key import Key, key
from sandbox.model.cloudfront.messages import FAILURE_STATUS, Failure, OriginRequest, Request, Response

LONGEST_URL = 8192
_READ_METHODS = frozenset(("GET", "HEAD", "OPTIONS"))
_MOST_ROUTES = 65_536
_ABOUT_ANOTHER = frozenset((206, 304))  # they say nothing of the whole object that may be there
_OF_THE_OBJECT = frozenset(
    ("if-none-match", "if-modified-since", "if-match", "if-unmodified-since", "if-range", "range")
)


@dataclass(slots=True)
class Stored:
    """What is kept under a key.

    Attributes:
        since: When it came or was last confirmed, less the Age that it came with.
        expires: From then on the origin is asked.
        stale_until: Until then it is served while the origin is asked.
        is_error: Whether it is an error or its custom page: of no use once it has expired.
        encode: How CloudFront has compressed it.
        retry_at: Until then a stale object is served without asking an origin that has just failed.
        revalidating: Whether the origin is being asked in the background.
    """

    response: Response
    lifetime: Lifetime
    since: float
    expires: float
    stale_until: float
    is_error: bool = False
    encode: str = ""
    retry_at: float = 0.0
    revalidating: bool = False


@dataclass(slots=True)
class Fetch:
    """A request to an origin that is to be made.

    Attributes:
        request: What is sent.
        origin: To whom, with its time-outs and attempts.
        viewer: The viewer's request.
        key: What the answer is kept under; None where it is not kept.
        stored: The expired object that it is to confirm.
        background: Whether nobody waits for it.
        failed_over: Whether the primary origin has failed already.
        is_page: Whether it asks for a custom error page: an error of it has none.
        page_for: The error that it is for.
    """

    request: OriginRequest
    origin: Origin
    viewer: Request
    behavior: Behavior
    path: str
    key: Key | None
    stored: Stored | None = None
    background: bool = False
    failed_over: bool = False
    is_page: bool = False
    page_for: PageFor | None = None


@dataclass(slots=True)
class PageFor:
    """An error that a custom page stands for."""

    fetch: Fetch
    rule: ErrorResponse
    lifetime: Lifetime


@dataclass(slots=True)
class Decision:
    """What is to be done: answer the viewer, ask an origin, or both."""

    answer: Answer | None = None
    fetch: Fetch | None = None


class Edge:
    """The cache of one edge location for one distribution."""

    def __init__(self, distribution: Distribution) -> None:
        self.distribution = distribution
        self._objects: dict[Key, Stored] = {}
        self._routes: dict[str, Behavior] = {}
        self._hosts = {distribution.domain_name, *distribution.aliases}

    def handle(self, request: Request, now: float) -> Decision:
        """What becomes of a viewer's request.

        Args:
            request: The viewer's.
            now: Seconds since the epoch.
        """
        path = request.path
        if path == "/" and self.distribution.default_root_object:
            path = f"/{self.distribution.default_root_object}"
        behavior = self._routes.get(path) or self._route(path)
        if request.scheme == "http" and behavior.viewer_protocol != "allow-all":
            return Decision(_insecure(request, behavior))
        method = request.method
        if method not in behavior.allowed or (request.has_body and method in {"GET", "HEAD"}):
            return Decision(_made(403, request, behavior))
        if len(request.path) + len(request.query) > LONGEST_URL:
            return Decision(_made(413, request, behavior))
        if not self._is_of_this_distribution(request):
            return Decision(_made(403, request, behavior))
        if method not in behavior.cached or not behavior.cache.caches:
            return Decision(fetch=self._fetch(request, behavior, path, None, None))
        return self._from_cache(request, behavior, path, now)

    def answered(self, fetch: Fetch, outcome: Response | Failure, now: float) -> Decision:
        """What becomes of an origin's answer, or of its failing to answer.

        Args:
            fetch: Of an earlier decision.
            outcome: What came.
            now: Seconds since the epoch.
        """
        if fetch.page_for is not None:
            wanted, fetch.page_for = fetch.page_for, None
            return self._as_page(self.answered(fetch, outcome, now), wanted, now)
        response = Response(FAILURE_STATUS[outcome.kind]) if isinstance(outcome, Failure) else outcome
        if (other := self._secondary(fetch, outcome, response.status)) is not None:
            return Decision(fetch=other)
        if fetch.stored is not None:
            fetch.stored.revalidating = False
        if response.status == 304 and fetch.stored is not None and conditions(fetch.stored):
            return Decision(self._confirmed(fetch, fetch.stored, response, now))
        if response.status >= 400:
            return self._error_came(fetch, response, now)
        encode = encoding_for(response, fetch.behavior, fetch.key.encoding) if fetch.key else ""
        if response.complete and response.status not in _ABOUT_ANOTHER:
            self._keep(fetch, response, now, encode)
        return Decision(Answer(MISS, response, fetch.viewer, fetch.behavior, encode=encode))

    def invalidate(self, paths: Iterable[str]) -> int:
        """Remove objects, errors among them, and say how many.

        Raises:
            CloudFrontError: A path is none.
        """
        matches = patterns.invalidated(paths)
        gone = [key for key in self._objects if matches(key.uri)]
        for one in gone:
            del self._objects[one]
        return len(gone)

    def stored(self, request: Request) -> Stored | None:
        """What is kept for a request, expired or not."""
        path = f"/{self.distribution.default_root_object}" if request.path == "/" else request.path
        return self._objects.get(key(request, self.distribution.behavior(path), path))

    def __len__(self) -> int:
        return len(self._objects)

    # -- requests --

    def _route(self, path: str) -> Behavior:
        if len(self._routes) >= _MOST_ROUTES:
            self._routes.clear()
        behavior = self._routes[path] = self.distribution.behavior(path)
        return behavior

    def _is_of_this_distribution(self, request: Request) -> bool:
        host = request.headers.get("host")
        if host is None or host in self._hosts:
            return self.distribution.enabled
        name = host.partition(":")[0].lower()
        known = name in self._hosts or f"*.{name.partition('.')[2]}" in self._hosts
        return known and self.distribution.enabled

    def _from_cache(self, request: Request, behavior: Behavior, path: str, now: float) -> Decision:
        wanted = key(request, behavior, path)
        stored = self._objects.get(wanted)
        if stored is not None and now < stored.expires:
            return Decision(_served(stored, request, behavior, now))
        if stored is None or stored.is_error:
            return Decision(fetch=self._fetch(request, behavior, path, wanted, None))
        if now < stored.retry_at and stored.lifetime.serves_on_error(now - stored.since):
            return Decision(_served(stored, request, behavior, now, stale=True))
        if now < stored.stale_until:
            answer = _served(stored, request, behavior, now, stale=True)
            if stored.revalidating:
                return Decision(answer)
            stored.revalidating = True
            fetch = self._fetch(request, behavior, path, wanted, stored)
            fetch.background = True
            return Decision(answer, fetch)
        return Decision(fetch=self._fetch(request, behavior, path, wanted, stored))

    def _fetch(
        self, request: Request, behavior: Behavior, path: str, wanted: Key | None, stored: Stored | None
    ) -> Fetch:
        group = self.distribution.groups.get(behavior.target)
        origin = self.distribution.origins[group.primary if group else behavior.target]
        return self._to(origin, request, behavior, path, wanted, stored)

    def _to(
        self,
        origin: Origin,
        request: Request,
        behavior: Behavior,
        path: str,
        wanted: Key | None,
        stored: Stored | None,
    ) -> Fetch:
        method = "GET" if request.method == "HEAD" and wanted is not None else request.method
        sent = origin_request(request, behavior, origin, path, method, conditions(stored))
        return Fetch(sent, origin, request, behavior, path, wanted, stored)

    # -- answers --

    def _secondary(self, fetch: Fetch, outcome: Response | Failure, status: int) -> Fetch | None:
        group = self.distribution.groups.get(fetch.behavior.target)
        if group is None or fetch.failed_over or fetch.viewer.method not in _READ_METHODS:
            return None
        if not isinstance(outcome, Failure) and status not in group.statuses:
            return None
        origin = self.distribution.origins[group.secondary]
        other = self._to(origin, fetch.viewer, fetch.behavior, fetch.path, fetch.key, fetch.stored)
        return replace(other, failed_over=True, background=fetch.background, is_page=fetch.is_page)

    def _confirmed(self, fetch: Fetch, stored: Stored, response: Response, now: float) -> Answer:
        headers = {**stored.response.headers, **response.headers}
        for name in ("content-length", "content-encoding"):  # a 304 has them of its own, empty, body
            headers.pop(name, None)
            if name in stored.response.headers:
                headers[name] = stored.response.headers[name]
        confirmed = replace(stored.response, headers=headers)
        if fetch.key is not None and self._objects.get(fetch.key) is stored:
            self._keep(fetch, confirmed, now, stored.encode)
        return Answer(REFRESH_HIT, confirmed, fetch.viewer, fetch.behavior, encode=stored.encode)

    def _error_came(self, fetch: Fetch, response: Response, now: float) -> Decision:
        status, stored = response.status, fetch.stored
        least = self.distribution.error_ttl(status)
        if status >= 500 and stored is not None and stored.lifetime.serves_on_error(now - stored.since):
            stored.retry_at = now + least
            return Decision(_served(stored, fetch.viewer, fetch.behavior, now, stale=True))
        lifetime = freshness.of_error(status, response.headers, least, fetch.behavior.cache.ttl.max, now)
        rule = self.distribution.errors.get(status)
        if rule is not None and rule.page and not fetch.is_page and fetch.viewer.method in _READ_METHODS:
            return self._page(PageFor(fetch, rule, lifetime), now)
        self._keep_error(fetch.key, response, lifetime, now)
        return Decision(Answer(ERROR, response, fetch.viewer, fetch.behavior))

    def _page(self, wanted: PageFor, now: float) -> Decision:
        asked = wanted.fetch.viewer
        headers = {name: value for name, value in asked.headers.items() if name not in _OF_THE_OBJECT}
        viewer = replace(asked, method="GET", path=wanted.rule.page, query="", headers=headers)
        behavior = self._route(wanted.rule.page)
        if behavior.cache.caches:
            decision = self._from_cache(viewer, behavior, viewer.path, now)
        else:
            decision = Decision(fetch=self._fetch(viewer, behavior, viewer.path, None, None))
        return self._as_page(decision, wanted, now)

    def _as_page(self, decision: Decision, wanted: PageFor, now: float) -> Decision:
        """What becomes of the error when this becomes of its page, which is an object as any other."""
        if decision.fetch is not None:
            decision.fetch.is_page = True
        if decision.answer is not None:
            return Decision(self._page_shown(wanted, decision.answer.response, now), decision.fetch)
        assert decision.fetch is not None
        decision.fetch.page_for = wanted
        return decision

    def _page_shown(self, wanted: PageFor, page: Response, now: float) -> Answer:
        """The page; where it is missing, the viewer gets the status of whoever should have had it."""
        shown = page if page.status >= 400 else replace(page, status=wanted.rule.code)
        self._keep_error(wanted.fetch.key, shown, wanted.lifetime, now)
        return Answer(ERROR, shown, wanted.fetch.viewer, wanted.fetch.behavior)

    def _keep(self, fetch: Fetch, response: Response, now: float, encode: str = "") -> None:
        wanted, policy = fetch.key, fetch.behavior.cache
        if wanted is None:
            return
        lifetime, least = freshness.of_answer(response.status, response.headers, policy, now), policy.ttl.min
        if not lifetime.kept:
            self._objects.pop(wanted, None)
            return
        if cache_control(response.headers.get("cache-control")).without_cookies:
            response = replace(response, cookies=())
        age = response.headers.get("age", "")
        since = now - int(age[:12]) if age.isascii() and age.isdigit() else now
        expires = max(since + lifetime.ttl, now + min(least, lifetime.ttl))
        self._objects[wanted] = Stored(response, lifetime, since, expires, since + lifetime.stale_until, encode=encode)

    def _keep_error(self, wanted: Key | None, response: Response, lifetime: Lifetime, now: float) -> None:
        if wanted is not None and lifetime.kept and response.complete:
            self._objects[wanted] = Stored(response, lifetime, now, now + lifetime.ttl, now, is_error=True)


def _served(stored: Stored, request: Request, behavior: Behavior, now: float, stale: bool = False) -> Answer:
    x_cache = ERROR if stored.is_error else HIT
    return Answer(x_cache, stored.response, request, behavior, int(now - stored.since), stored.encode, stale)


def _made(status: int, request: Request, behavior: Behavior, **headers: str) -> Answer:
    return Answer(REDIRECT if status < 400 else ERROR, Response(status, headers), request, behavior)


def _insecure(request: Request, behavior: Behavior) -> Answer:
    read = request.method in {"GET", "HEAD"}
    if behavior.viewer_protocol == "https-only" or (request.version == "1.0" and not read):
        return _made(403, request, behavior)
    host = request.headers.get("host", "").partition(":")[0]
    query = f"?{request.query}" if request.query else ""
    return _made(301 if read else 307, request, behavior, location=f"https://{host}{request.path}{query}")


def conditions(stored: Stored | None) -> dict[str, str]:
    """The headers that ask an origin to confirm an object; none where it has nothing to be confirmed by."""
    if stored is None or stored.response.status >= 300 or stored.response.headers.get("vary", "").strip() == "*":
        return {}
    headers, found = stored.response.headers, {}
    if "etag" in headers:
        found["if-none-match"] = headers["etag"]
    if "last-modified" in headers:
        found["if-modified-since"] = headers["last-modified"]
    return found
