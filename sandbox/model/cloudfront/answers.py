"""What a viewer gets: status, headers, and which part of which body.

Amazon CloudFront Developer Guide, "Request and response behavior for custom origins" (response headers that CloudFront
removes or replaces), "Serve compressed files", "How CloudFront processes partial requests for an object (range GETs)".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sandbox.model.cloudfront.config import Behavior
from sandbox.model.cloudfront.forwarding import forwards_cookies
from sandbox.model.cloudfront.headers import date, vary
from sandbox.model.cloudfront.messages import Request, Response
from sandbox.model.cloudfront.policies import Cors

HIT = "Hit from cloudfront"
REFRESH_HIT = "RefreshHit from cloudfront"
MISS = "Miss from cloudfront"
ERROR = "Error from cloudfront"
REDIRECT = "Redirect from cloudfront"

SMALLEST, LARGEST = 1_000, 10_000_000
_COMPRESSED_STATUSES = frozenset((200, 403, 404))
_TYPES = """
application/dash+xml application/eot application/font application/font-sfnt application/javascript application/json
application/opentype application/otf application/pkcs7-mime application/protobuf application/rss+xml
application/truetype application/ttf application/vnd.apple.mpegurl application/vnd.ms-fontobject
application/xhtml+xml application/xml application/x-font-opentype application/x-font-truetype application/x-font-ttf
application/x-httpd-cgi application/x-javascript application/x-mpegurl application/x-opentype application/x-otf
application/x-perl application/x-ttf font/eot font/opentype font/otf font/ttf image/svg+xml text/css text/csv
text/html text/javascript text/js text/plain text/richtext text/tab-separated-values text/xml text/x-component
text/x-java-source text/x-script vnd.apple.mpegurl
"""
COMPRESSED_TYPES = frozenset(_TYPES.split())
_REMOVED = frozenset(("connection", "keep-alive", "trailer", "upgrade", "proxy-connection", "transfer-encoding"))
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass(slots=True)
class Answer:
    """The answer to a viewer's request.

    Attributes:
        x_cache: The X-Cache header.
        response: The origin's answer, as kept, or one that CloudFront made itself.
        behavior: None where none was reached.
        age: Of what was served from the cache; None otherwise.
        encode: "br" or "gzip" where CloudFront compressed it.
        stale: Whether it had expired.
    """

    x_cache: str
    response: Response
    request: Request
    behavior: Behavior | None
    age: int | None = None
    encode: str = ""
    stale: bool = False

    @property
    def status(self) -> int:
        """What the viewer sees: 304 or 206 where the request asks for them and they can be given."""
        if self.response.status != 200 or self.request.method not in {"GET", "HEAD"}:
            return self.response.status
        if _not_modified(self.request, self.response):
            return 304
        return 206 if self.span else 200

    @property
    def span(self) -> tuple[int, int] | None:
        """The first and the last byte, where a range of a known object is asked for; None: all of it.

        Several ranges, and one outside of the object, are answered with the whole object.
        """
        response = self.response
        asked = self.request.headers.get("range")
        if asked is None or response.status != 200 or response.length is None or self.encode or self.age is None:
            return None
        found = _RANGE.fullmatch(asked.replace(" ", ""))
        validators = {None, response.headers.get("etag"), response.headers.get("last-modified")}
        if found is None or self.request.headers.get("if-range") not in validators:
            return None
        first, last = found[1], found[2]
        if not first:
            return (max(response.length - int(last), 0), response.length - 1) if last and int(last) else None
        begin, end = int(first), min(int(last or response.length), response.length - 1)
        return (begin, end) if begin <= end else None

    def headers(self, request_id: str, edge: str, pop: str) -> dict[str, str]:
        """The headers, but for Set-Cookie.

        Args:
            request_id: X-Amz-Cf-Id.
            edge: The first part of the name in Via.
            pop: X-Amz-Cf-Pop.
        """
        sent = {name: value for name, value in self.response.headers.items() if name not in _REMOVED}
        if self.encode:
            sent.pop("content-length", None)
            sent["content-encoding"] = self.encode
            sent["vary"] = ", ".join(("Accept-Encoding", *filter(None, [_other_vary(sent.get("vary", ""))])))
            _weaken(sent)
        elif self.response.length is not None:
            sent["content-length"] = str(self.response.length)
        if self.behavior is not None:
            self._policy(sent)
        if self.status == 304:
            sent.pop("content-length", None)
        elif span := self.span:
            sent["content-range"] = f"bytes {span[0]}-{span[1]}/{self.response.length}"
            sent["content-length"] = str(span[1] - span[0] + 1)
        if self.age is not None:
            sent["age"] = str(self.age)
        via = "2.0" if self.request.version in {"2.0", "3.0"} else self.request.version
        sent["via"] = f"{via} {edge}.cloudfront.net (CloudFront)"
        return sent | {"x-cache": self.x_cache, "x-amz-cf-pop": pop, "x-amz-cf-id": request_id}

    @property
    def cookies(self) -> tuple[str, ...]:
        """The values of Set-Cookie: none of them where the behaviour forwards no cookies."""
        if self.behavior is None or not forwards_cookies(self.behavior):
            return ()
        return self.response.cookies

    def _policy(self, sent: dict[str, str]) -> None:
        assert self.behavior is not None
        _filter_vary(sent, self.behavior)
        policy = self.behavior.response_headers
        if policy is None:
            return
        for name in policy.removals:
            sent.pop(name, None)
        if policy.cors is not None and "origin" in self.request.headers:
            _cors(sent, policy.cors, self.request)
        for addition in policy.additions:
            if addition.override or addition.name not in sent:
                sent[addition.name] = addition.value


def encoding_for(response: Response, behavior: Behavior, encoding: str) -> str:
    """How CloudFront compresses an origin's answer: "br", "gzip" or "" for not at all.

    Args:
        response: As it came.
        behavior: The request's.
        encoding: Of the cache key.
    """
    if not behavior.compress or not encoding or response.status not in _COMPRESSED_STATUSES:
        return ""
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    length = response.headers.get("content-length", "")
    if kind not in COMPRESSED_TYPES or "content-encoding" in response.headers or not length.isdecimal():
        return ""
    return encoding.partition(",")[0] if SMALLEST <= int(length) <= LARGEST else ""


def _not_modified(request: Request, response: Response) -> bool:
    if asked := request.headers.get("if-none-match"):
        etag = response.headers.get("etag", "").removeprefix("W/")
        tags = [tag.strip().removeprefix("W/") for tag in asked.split(",")]
        return "*" in tags or (bool(etag) and etag in tags)
    since = date(request.headers.get("if-modified-since"))
    modified = date(response.headers.get("last-modified"))
    return since is not None and modified is not None and modified <= since


def _weaken(sent: dict[str, str]) -> None:
    etag = sent.get("etag")
    if etag is None or etag.startswith("W/"):
        return
    if etag.startswith('"'):
        sent["etag"] = f"W/{etag}"
    else:
        del sent["etag"]


def _other_vary(value: str) -> str:
    names = [name.strip() for name in value.split(",") if name.strip()]
    return ", ".join(name for name in names if name.lower() != "accept-encoding")


def _filter_vary(sent: dict[str, str], behavior: Behavior) -> None:
    if "vary" not in sent:
        return
    kept = {"accept-encoding", "cookie", *behavior.cache.headers}
    names = [name.strip() for name in sent["vary"].split(",")]
    if "*" in behavior.cache.headers:
        return
    left = ", ".join(name for name in names if name.lower() in kept)
    if left:
        sent["vary"] = left
    else:
        del sent["vary"]


def uncovered(response: Response, behavior: Behavior) -> tuple[str, ...]:
    """Headers in Vary that the cache key does not have: viewers who differ in them get the same object."""
    policy = behavior.cache
    covered = {*policy.headers}
    if policy.gzip or policy.brotli:
        covered.add("accept-encoding")
    if policy.cookies.behavior != "none":
        covered.add("cookie")
    return () if policy.all_headers else tuple(name for name in vary(response.headers) if name not in covered)


def _cors(sent: dict[str, str], cors: Cors, request: Request) -> None:
    origin = request.headers["origin"]
    if "*" not in cors.origins and not any(re.fullmatch(origin_expression(one), origin) for one in cors.origins):
        return
    any_origin = "*" in cors.origins and not cors.credentials
    made = {"access-control-allow-origin": "*" if any_origin else origin}
    if cors.credentials:
        made["access-control-allow-credentials"] = "true"
    if cors.expose:
        made["access-control-expose-headers"] = ", ".join(cors.expose)
    if request.method == "OPTIONS" and "access-control-request-method" in request.headers:
        if cors.methods:
            made["access-control-allow-methods"] = ", ".join(cors.methods)
        if cors.headers:
            made["access-control-allow-headers"] = ", ".join(cors.headers)
        if cors.max_age is not None:
            made["access-control-max-age"] = str(cors.max_age)
    for name, value in made.items():
        if cors.override or name not in sent:
            sent[name] = value


def origin_expression(pattern: str) -> str:
    """A pattern of AccessControlAllowOrigins as a regular expression for a whole Origin header."""
    text = re.escape(pattern).replace(r"\*", ".*")
    return text if "://" in pattern else f"https?://{text}"
