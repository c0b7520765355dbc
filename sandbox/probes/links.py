"""What a page or a style sheet refers to."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit, urlunsplit

_CSS_URL = re.compile(r"url\(\s*['\"]?([^'\")\s]+)['\"]?\s*\)|@import\s+['\"]([^'\"]+)['\"]")
_ATTRIBUTES = {
    "a": "href",
    "area": "href",
    "link": "href",
    "script": "src",
    "img": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "iframe": "src",
}
_NOT_FETCHED = {"preconnect", "dns-prefetch", "canonical", "pingback", "webmention"}


def of(kind: str, text: str, base: str) -> tuple[list[str], list[str]]:
    """What it needs (style sheets, scripts, pictures) and where it leads: URLs of http and https without fragments.

    Args:
        kind: Its Content-Type.
        text: The body; it need not be whole or right.
        base: Its URL.
    """
    media = kind.partition(";")[0].strip().lower()
    if media == "text/css":
        needed, leading = [first or second for first, second in _CSS_URL.findall(text)], []
    elif media in {"text/html", "application/xhtml+xml"}:
        parser = _Links(base)
        parser.feed(text)
        base, needed, leading = parser.base, parser.needed, parser.leading
    else:
        return [], []
    return _absolute(needed, base), _absolute(leading, base)


def _absolute(found: list[str], base: str) -> list[str]:
    return [one for one in dict.fromkeys(_one_absolute(link, base) for link in found) if one]


def _one_absolute(link: str, base: str) -> str:
    try:
        parts = urlsplit(urljoin(base, link.strip()))
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            return ""
        return urlunsplit((parts.scheme, parts.netloc, parts.path or "/", parts.query, ""))
    except ValueError:
        return ""


class _Links(HTMLParser):
    def __init__(self, base: str) -> None:
        super().__init__(convert_charrefs=True)
        self.base = base
        self.needed: list[str] = []
        self.leading: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "base" and given.get("href"):
            self.base = urljoin(self.base, given["href"])
        link = given.get(_ATTRIBUTES.get(tag, ""))
        if not link or (tag == "link" and _NOT_FETCHED.intersection(given.get("rel", "").lower().split())):
            return
        (self.leading if tag in {"a", "area", "iframe"} else self.needed).append(link)
        for candidate in given.get("srcset", "").split(","):
            if candidate.strip():
                self.needed.append(candidate.split()[0])
