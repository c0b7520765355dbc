"""Headers as the model has them, and what the caching ones say.

Names are lower case, values text; a name that came several times has its values joined with ", " (RFC 9110), but for
Set-Cookie, which `messages.Response.cookies` holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import lru_cache

Headers = Mapping[str, str]


def join(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Headers from pairs of a name in any case and a value."""
    joined: dict[str, str] = {}
    for name, value in pairs:
        lower = name.lower()
        joined[lower] = f"{joined[lower]}, {value}" if lower in joined else value
    return joined


@dataclass(frozen=True, slots=True)
class CacheControl:
    """The directives that CloudFront acts on; seconds, or None where the directive is missing or no number.

    Attributes:
        present: Whether there is a Cache-Control header at all.
        no_cache: ``no-cache`` without a list of fields.
        private: ``private`` without a list of fields.
        without_cookies: ``no-cache="Set-Cookie"``.
    """

    present: bool = False
    max_age: int | None = None
    s_maxage: int | None = None
    no_cache: bool = False
    no_store: bool = False
    private: bool = False
    without_cookies: bool = False
    stale_while_revalidate: int | None = None
    stale_if_error: int | None = None

    @property
    def forbids(self) -> str:
        """The first of no-store, private and no-cache that is there, or ""."""
        if self.no_store:
            return "no-store"
        if self.private:
            return "private"
        return "no-cache" if self.no_cache else ""


@lru_cache(maxsize=4096)
def cache_control(value: str | None) -> CacheControl:
    """What a Cache-Control header says; directives that cannot be read are left out."""
    if value is None:
        return CacheControl()
    found: dict[str, str | None] = {}
    for name, argument in _directives(value):
        found.setdefault(name, argument)
    fields = (found.get("no-cache") or "").lower().replace(" ", "").split(",")
    return CacheControl(
        present=True,
        max_age=_seconds(found.get("max-age")),
        s_maxage=_seconds(found.get("s-maxage")),
        no_cache="no-cache" in found and found["no-cache"] is None,
        no_store="no-store" in found,
        private="private" in found and found["private"] is None,
        without_cookies="set-cookie" in fields,
        stale_while_revalidate=_seconds(found.get("stale-while-revalidate")),
        stale_if_error=_seconds(found.get("stale-if-error")),
    )


@lru_cache(maxsize=4096)
def date(value: str | None) -> float | None:
    """Seconds since the epoch of an HTTP date; None where there is none that can be read."""
    if not value:
        return None
    try:
        parsed = parsedate_to_datetime(value)
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def vary(headers: Headers) -> tuple[str, ...]:
    """The names in Vary, lower case."""
    return tuple(name.strip().lower() for name in headers.get("vary", "").split(",") if name.strip())


def _directives(value: str) -> Iterable[tuple[str, str | None]]:
    part, quoted = "", False
    for letter in f"{value},":
        if letter == '"':
            quoted = not quoted
        elif letter == "," and not quoted:
            name, equals, argument = part.partition("=")
            if name.strip():
                yield name.strip().lower(), argument.strip() if equals else None
            part = ""
            continue
        part += letter if letter != '"' else ""


def _seconds(text: str | None) -> int | None:
    if text is None or not text.isascii() or not text.isdigit():
        return None
    return min(int(text[:12]), 3_153_600_000)  # AWS's greatest value, a hundred years
