"""A crawl of a site as its origin answers it: headers, cookies, a fingerprint of each body, and whether it repeats.

Only the hosts of the URLs that are named are contacted. Requests are those that CloudFront would send (User-Agent
"Amazon CloudFront", Accept-Encoding gzip), without cookies, and all are GET.
"""

from __future__ import annotations

import hashlib
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit, urlunsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from sandbox.errors import SandboxError
from sandbox.model.cloudfront.forecast import Observed
from sandbox.model.cloudfront.forwarding import AGENT
from sandbox.model.cloudfront.headers import join
from sandbox.model.cloudfront.messages import Response
from sandbox.probes import links

_CHUNK = 65_536
_USUAL = {"http": ":80", "https": ":443"}  # which load balancers write into redirects all the same
_PARSED = 2_000_000  # bytes of a page in which links are looked for

Door = tuple[ssl.SSLContext, str]
"""Whom to trust, and whom a certificate is to be for."""


@dataclass(frozen=True)
class Limits:
    """Where a crawl ends.

    Attributes:
        count: URLs.
        depth: Links from the named URLs; 0: those alone, with what they need.
        seconds: For all of it.
        body: Bytes that are read of one body.
        answer: Seconds for one answer, its body included.
    """

    count: int = 50
    depth: int = 2
    seconds: float = 60.0
    body: int = 10_000_000
    answer: float = 15.0


@dataclass
class Crawl:
    """What was seen.

    Attributes:
        seen: In the order in which it was found.
        failures: URLs that gave no answer, and why.
        elsewhere: Redirects that lead to hosts which were not named: from where, to where.
        loops: URLs whose redirects lead back to themselves.
        cut: URLs whose bodies were longer, or took longer, than the limits.
        left: How many URLs were found and not asked, since a limit was reached.
    """

    seen: list[Observed] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    elsewhere: dict[str, str] = field(default_factory=dict)
    loops: list[str] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)
    left: int = 0


@dataclass
class _Answer:
    response: Response
    text: str
    cut: bool


def crawl(
    urls: Iterable[str],
    limits: Limits = Limits(),
    headers: Mapping[str, str] | None = None,
    names: Mapping[str, str] | None = None,
    progress: Callable[[str], None] = lambda text: None,
    doors: Mapping[str, Door] | None = None,
) -> Crawl:
    """Ask for the URLs, and for what they lead to on the same hosts.

    Args:
        urls: Where to begin.
        limits: Where to end.
        headers: Sent with each request ("X-Forwarded-Proto" where the site wants to know of HTTPS).
        names: Public hosts of the site, with the URL of the origin behind each: links to them lead there.
        progress: Told of each URL.
        doors: Of URLs that have only the address of what leads to a name: whom to trust there for https, and the name
            that the certificate is to be for, by host and port. Others have names of their own, and this machine's
            authorities.

    Raises:
        SandboxError: One of the named URLs is none, or cannot be reached.
    """
    begins = [_named(url) for url in urls]
    behind = {name.lower(): _host(_named(url)) for name, url in (names or {}).items()}
    crawler = _Crawler(begins, limits, headers or {}, behind, progress)
    if doors:
        crawler.doors = doors
        crawler.session.trust_env = False  # neither a proxy nor another authority
        for place, door in doors.items():
            crawler.session.mount(f"https://{place}/", _Named(*door))
    return crawler.run()


class _Named(HTTPAdapter):
    """Connections with TLS to what has the certificate of a name, whatever its address."""

    def __init__(self, context: ssl.SSLContext, name: str) -> None:
        self._context = context
        self._name = urlsplit(f"//{name}").hostname
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **more: Any) -> None:
        more |= {"ssl_context": self._context, "server_hostname": self._name}
        super().init_poolmanager(*arguments, **more)

    def cert_verify(self, *arguments: Any, **more: Any) -> None:
        """The context alone says who is trusted."""


class _Crawler:
    def __init__(
        self,
        begins: list[str],
        limits: Limits,
        headers: Mapping[str, str],
        behind: Mapping[str, tuple[str, str]],
        progress: Callable[[str], None],
    ) -> None:
        self.begins = list(dict.fromkeys(begins))
        self.hosts = {_host(url) for url in begins}
        self.limits = limits
        self.behind = behind
        self.progress = progress
        self.end = time.monotonic() + limits.seconds
        self.session = requests.Session()
        self.session.auth = lambda request: request  # no credentials from a .netrc
        self.doors: Mapping[str, Door] = {}
        self.session.headers = requests.structures.CaseInsensitiveDict(
            {"User-Agent": AGENT, "Accept-Encoding": "gzip", **headers}
        )
        self.found = Crawl()
        self.redirects: dict[str, str] = {}

    def run(self) -> Crawl:
        waiting = deque((url, 0) for url in self.begins)
        known = set(self.begins)
        with self.session:
            while waiting and len(known) - len(waiting) < self.limits.count and time.monotonic() < self.end:
                url, depth = waiting.popleft()
                self.progress(url)
                for further, deeper in self._visit(url, depth):
                    if further not in known and _host(further) in self.hosts:
                        known.add(further)
                        waiting.append((further, deeper))
        self.found.left = len(waiting)
        self._find_loops()
        if not self.found.seen and not self.found.failures:
            raise SandboxError(f"nothing of {self.begins[0]} was asked in {self.limits.seconds:g} s")
        return self.found

    def _visit(self, url: str, depth: int) -> list[tuple[str, int]]:
        try:
            first = self._ask(url, {})
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            if url in self.begins:
                _, name = self.doors.get(urlsplit(url).netloc, (None, ""))
                raise unreachable(url, error, name) from error
            self.found.failures[url] = explain(error)
            return []
        if first.cut:
            self.found.cut.append(url)
        again, confirms = self._repeat(url, first)
        parts = urlsplit(url)
        self.found.seen.append(Observed(url, parts.path, parts.query, first.response, again, confirms))
        location = first.response.headers.get("location")
        if location is not None and 300 <= first.response.status < 400:
            return self._redirected(url, urljoin(url, location), depth)
        needed, leading = links.of(first.response.headers.get("content-type", ""), first.text, url)
        further = [(self._at_the_origin(one), depth) for one in needed]
        return further + [(self._at_the_origin(one), depth + 1) for one in leading if depth < self.limits.depth]

    def _at_the_origin(self, url: str) -> str:
        """Where a link to a public name of the site leads, which the origin stands behind."""
        parts = urlsplit(url)
        name = parts.netloc.lower().removesuffix(_USUAL.get(parts.scheme, ""))
        scheme, host = self.behind.get(name, (parts.scheme, parts.netloc))
        return urlunsplit((scheme, host, parts.path, parts.query, ""))

    def _repeat(self, url: str, first: _Answer) -> tuple[Response | None, bool | None]:
        headers = first.response.headers
        conditions = {}
        if "etag" in headers:
            conditions["If-None-Match"] = headers["etag"]
        if "last-modified" in headers:
            conditions["If-Modified-Since"] = headers["last-modified"]
        if first.cut or time.monotonic() > self.end:
            return None, None
        try:
            again = self._ask(url, {})
            if not conditions or first.response.status != 200:
                return again.response, None
            return again.response, self._ask(url, conditions).response.status == 304
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            self.found.failures[url] = f"answered once, and then no more: {explain(error)}"
            return None, None

    def _redirected(self, url: str, target: str, depth: int) -> list[tuple[str, int]]:
        target = self._at_the_origin(_whole(target))
        self.redirects[url] = target
        if _host(target) not in self.hosts:
            self.found.elsewhere[url] = target
            return []
        return [(target, depth)]

    def _find_loops(self) -> None:
        for url in self.redirects:
            at, steps = self.redirects.get(url), 0
            while at is not None and at != url and steps <= len(self.redirects):
                at, steps = self.redirects.get(at), steps + 1
            if at == url:
                self.found.loops.append(url)

    def _ask(self, url: str, headers: Mapping[str, str]) -> _Answer:
        end = time.monotonic() + self.limits.answer
        with self.session.get(
            url, headers=dict(headers), stream=True, allow_redirects=False, timeout=self.limits.answer
        ) as answer:
            self.session.cookies.clear()  # each request is a new viewer's
            read, whole, digest = bytearray(), 0, hashlib.sha256()
            cut = False
            while chunk := answer.raw.read1(_CHUNK, decode_content=True):
                whole += len(chunk)
                digest.update(chunk)
                read += chunk[: max(_PARSED - len(read), 0)]
                if whole >= self.limits.body or time.monotonic() > end:
                    cut = True
                    break
            raw = answer.raw.headers
            given = join((name, value) for name, value in raw.items() if name.lower() != "set-cookie")
            cookies = tuple(raw.getlist("set-cookie"))
            response = Response(answer.status_code, given, cookies, digest.hexdigest(), whole, not cut)
            return _Answer(response, bytes(read).decode(answer.encoding or "utf-8", "replace"), cut)


def unreachable(url: str, error: Exception, name: str = "") -> SandboxError:
    """The error of a named URL that gives no answer; ``name`` is whom its certificate is to be for, if not its host."""
    scheme, host = _host(url)
    hint = "is it running, and is that its address and port?"
    if isinstance(error, requests.exceptions.SSLError):
        hint = (
            f"ask it over HTTP, or give this machine the authority of its certificate (REQUESTS_CA_BUNDLE=FILE); {host}"
        )
        hint = f"its listener wants a certificate for {name}" if name else hint
    return SandboxError(f"{url} cannot be reached ({scheme})", state=explain(error), hint=hint)


def explain(error: Exception) -> str:
    """An error of the network in words, without the names of classes around it."""
    text = str(error)
    if isinstance(error, requests.exceptions.SSLError):
        return f"TLS fails: {_innermost(error)}"
    if isinstance(error, requests.exceptions.Timeout):
        return "no answer in time"
    if "NameResolutionError" in text or "getaddrinfo failed" in text or "Name or service" in text:
        return "its name does not resolve"
    if "Connection refused" in text:
        return "connection refused"
    if "InvalidHeader" in type(error).__name__:
        return f"malformed headers: {text}"
    return _innermost(error)


def _innermost(error: BaseException) -> str:
    while True:
        inner = error.__cause__ or error.__context__ or getattr(error, "reason", None)
        if not isinstance(inner, BaseException):
            return str(error) or type(error).__name__
        error = inner


def _named(url: str) -> str:
    text = url if "://" in url else f"http://{url}"
    try:
        parts = urlsplit(text)
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        valid = False
    if not valid:
        raise SandboxError(
            f"{url} is no URL to check", hint="such as http://127.0.0.1:8080/ or https://example.org/blog/"
        )
    if "@" in parts.netloc:
        raise SandboxError(
            f"{parts.hostname}: no name and password in a URL", hint="--header 'Authorization: Basic ...'"
        )
    return _whole(text)


def _whole(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, parts.path or "/", parts.query, ""))


def _host(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()
