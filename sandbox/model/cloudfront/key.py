"""The cache key: which requests have the same object.

Amazon CloudFront Developer Guide, "Understand the cache key", "Compression support" (of cache policies), "Cache content
based on query string parameters", "... on cookies", "... on request headers".
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from sandbox.model.cloudfront.config import Behavior
from sandbox.model.cloudfront.messages import Request
from sandbox.model.cloudfront.policies import Selection


class Key(NamedTuple):
    """What an object is kept under.

    Attributes:
        options: Whether it is of an OPTIONS request; GET and HEAD have one object.
        path: With the default root object for "/".
        query: The chosen query strings, in the order in which they came.
        encoding: "br,gzip", "br", "gzip" or "": what the viewer takes of what the policy keeps apart.
        headers: The chosen headers' values in order of their names; None for one that is missing.
        cookies: The chosen cookies in order of their names.
    """

    options: bool
    path: str
    query: str
    encoding: str
    headers: tuple[str | None, ...]
    cookies: str

    @property
    def uri(self) -> str:
        """What invalidations are about."""
        return f"{self.path}?{self.query}" if self.query else self.path


def key(request: Request, behavior: Behavior, path: str) -> Key:
    """The key of a request; ``path`` is the request's, or the default root object's."""
    policy = behavior.cache
    return Key(
        request.method == "OPTIONS",
        path,
        chosen_query(request.query, policy.query) if request.query else "",
        encoding(request, behavior) if policy.gzip or policy.brotli else "",
        tuple([header(request, name) for name in policy.headers]) if policy.headers else (),
        chosen_cookies(request, policy.cookies) if policy.cookies.behavior != "none" else "",
    )


def header(request: Request, name: str) -> str | None:
    """A header's value as it is in the key; CloudFront makes CloudFront-Forwarded-Proto itself."""
    return request.scheme if name == "cloudfront-forwarded-proto" else request.headers.get(name)


def chosen_query(query: str, *selections: Selection) -> str:
    """The query string with what one of the selections names; order and case stay as they came."""
    if any(one.behavior == "all" for one in selections):
        return query
    parts = [part for part in query.split("&") if part]
    return "&".join(part for part in parts if any(one.has(part.partition("=")[0]) for one in selections))


def chosen_cookies(request: Request, *selections: Selection) -> str:
    """The Cookie header with what one of the selections names, sorted by name."""
    cookies = [part.strip() for part in request.headers.get("cookie", "").split(";") if part.strip()]
    named = [(part.partition("=")[0], part) for part in cookies]
    return "; ".join(part for name, part in sorted(named) if any(one.has(name) for one in selections))


def encoding(request: Request, behavior: Behavior) -> str:
    """The normalised Accept-Encoding of the key, or ""."""
    value = request.headers.get("accept-encoding")
    if not value or request.version == "1.0":
        return ""
    return _normal(value, behavior.cache.gzip, behavior.cache.brotli)


@lru_cache(maxsize=1024)
def _normal(value: str, gzip: bool, brotli: bool) -> str:
    taken = set()
    for part in value.split(","):
        coding, _, parameter = part.partition(";")
        weight = parameter.replace(" ", "").removeprefix("q=")
        if weight.strip("0.") or not parameter:  # q=0 means: not this one
            taken.add(coding.strip().lower())
    wanted = [coding for coding, kept in (("br", brotli), ("gzip", gzip)) if kept and coding in taken]
    return ",".join(wanted)
