"""How the crowd of `sandbox.probes.assets` asks for a file: names, connections, redirects, and failures by cause."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from sandbox.model.assets import answers
from sandbox.model.assets.loads import Answer
from sandbox.model.assets.references import IMAGE, MODULE, PAGE, STYLE, Reference
from sandbox.model.assets.urls import Scope, absolute, origin_of

AGENT = "Mozilla/5.0 (compatible; aws-container-sandbox)"
READ = 5_000_000  # bytes of a body that are looked at
_CHUNK = 262_144
_REDIRECTS = 5
_REDIRECT = frozenset((301, 302, 303, 307, 308))
_ACCEPT = {
    PAGE: "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8",
    STYLE: "text/css,*/*;q=0.1",
    IMAGE: "image/*,*/*;q=0.8",
}

Where = Callable[[str, int], tuple[str, int] | None]
"""Address and port to connect to for a name and a port; None: as this machine's resolver says."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file as it came.

    Attributes:
        answer: The judgement.
        url: Where it came from, redirects followed: what it refers to is relative to that.
        body: Its beginning; b"" where it is of no use.
    """

    answer: Answer
    url: str
    body: bytes


@dataclass(frozen=True, slots=True)
class _Response:
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    url: str = ""
    cause: str = ""


class Client:
    """Connections that all visitors share; cookies are a visitor's own (`visitor`).

    A load balancer chooses a target for each request, so it makes no difference to it; a server that counts connections
    sees fewer of them than browsers would make.

    Args:
        scope: The hosts that may be asked, redirects included.
        where: Where a name leads (see `Where`).
        source: The address that connections come from, None for any.
        timeout: Seconds for one answer, its body included.
        headers: Sent with each request.
        context: Whom to trust for HTTPS; None: this machine's authorities.
    """

    def __init__(
        self,
        scope: Scope,
        *,
        where: Where | None = None,
        source: tuple[str, int] | None = None,
        timeout: float = 10.0,
        headers: Mapping[str, str] | None = None,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._scope = scope
        self._where = where
        self._source = source
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._headers = {"User-Agent": AGENT, **(headers or {})}
        self._context = context if context is not None else True
        self._connector: aiohttp.TCPConnector | None = None

    def visitor(self) -> aiohttp.ClientSession:
        """Someone with cookies of their own; only in a running loop."""
        if self._connector is None:
            self._connector = aiohttp.TCPConnector(
                resolver=_Names(self._where) if self._where is not None else None,
                local_addr=self._source,
                limit=0,
                use_dns_cache=False,
                ssl=self._context,
            )
        return aiohttp.ClientSession(
            connector=self._connector,
            connector_owner=False,
            cookie_jar=aiohttp.CookieJar(unsafe=True),  # also for sites that are named by an address
            timeout=self._timeout,
            headers=self._headers,
        )

    async def close(self) -> None:
        """Close all connections."""
        if self._connector is not None:
            await self._connector.close()

    async def fetch(self, visitor: aiohttp.ClientSession, reference: Reference, origin: str = "") -> Fetched:
        """Ask for a file, and judge what comes.

        Args:
            visitor: Who asks.
            reference: The file.
            origin: Of the page that needs it; "": there is none.
        """
        at = time.time()
        got, error = _Response(), ""
        try:
            got = await self._follow(visitor, reference, origin)
            cause = got.cause
        except (aiohttp.ClientError, OSError, ValueError) as failure:
            cause, error = _explain(failure)
        kind = got.headers.get("Content-Type", "")
        if not cause:
            nosniff = got.headers.get("X-Content-Type-Options", "").strip().lower() == "nosniff"
            cause = answers.cause(reference.kind, got.status, kind, nosniff=nosniff)
            allow = got.headers.get("Access-Control-Allow-Origin", "")
            if not cause and origin and not answers.allowed(reference.kind, got.url, origin, allow):
                cause = answers.CROSS_ORIGIN
        age = got.headers.get("Age", "")
        answer = Answer(
            reference.url,
            reference.kind,
            reference.needed,
            at,
            got.status,
            cause,
            kind,
            got.headers.get("Cache-Control", ""),
            got.headers.get("X-Cache", ""),
            int(age) if age.isascii() and age.isdigit() and len(age) < 12 else None,
            error,
        )
        return Fetched(answer, got.url or reference.url, b"" if cause else got.body)

    async def _follow(self, visitor: aiohttp.ClientSession, reference: Reference, origin: str) -> _Response:
        url, got = reference.url, _Response()
        headers = {"Accept": _ACCEPT.get(reference.kind, "*/*")}
        if reference.kind == MODULE and origin and origin_of(url) != origin:
            headers["Origin"] = origin
        for _ in range(_REDIRECTS + 1):
            asked = answers.by_browser(reference.kind, url, origin)
            if not asked:
                return replace(got, cause=answers.MIXED)
            url = asked
            if not self._scope.allows(url):
                break
            async with visitor.get(url, headers=headers, allow_redirects=False) as response:
                got = _Response(response.status, response.headers, await _read(response), url)
            if got.status not in _REDIRECT or "Location" not in got.headers:
                return got
            url = absolute(got.headers["Location"], url)
        return replace(got, cause=answers.REDIRECT)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """All of it is taken; what is returned is the beginning."""
    if (response.content_length or READ + 1) <= READ and "Content-Encoding" not in response.headers:
        return await response.read()
    read = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        read += chunk[: max(READ - len(read), 0)]
    return bytes(read)


class _Names(AbstractResolver):
    def __init__(self, where: Where) -> None:
        self._where = where
        self._system = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = self._where(host, port)
        if found is None:
            return await self._system.resolve(host, port, family)
        address, port = found
        flags = socket.AI_NUMERICHOST
        return [ResolveResult(hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=flags)]

    async def close(self) -> None:
        await self._system.close()


def _explain(failure: Exception) -> tuple[str, str]:
    """The cause of a failed request, and the failure in words."""
    inner = failure.os_error if isinstance(failure, aiohttp.ClientConnectorError) else failure
    text = getattr(inner, "strerror", None) or str(inner) or type(failure).__name__
    for kinds, cause, words in _FAILURES:
        if isinstance(failure, kinds) or isinstance(inner, kinds):
            return cause, words or text
    return answers.UNREACHABLE, text


_FAILURES: tuple[tuple[tuple[type[BaseException], ...], str, str], ...] = (
    ((asyncio.TimeoutError,), answers.TIMEOUT, "no answer in time"),
    ((aiohttp.ClientConnectorDNSError, socket.gaierror), answers.NO_NAME, ""),
    ((aiohttp.ClientSSLError, ssl.SSLError), answers.TLS, ""),
    ((aiohttp.ClientPayloadError,), answers.CUT, "cut off in mid-answer"),
    ((ConnectionRefusedError,), answers.REFUSED, "connection refused"),
    ((aiohttp.ServerDisconnectedError,), answers.RESET, "closed without an answer"),
    ((ConnectionError,), answers.RESET, "connection reset"),
    ((aiohttp.ClientResponseError, aiohttp.InvalidURL, ValueError), answers.MALFORMED, ""),
)
