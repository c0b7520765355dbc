"""What a browser fetches for a page.

Followed: HTML's rules for script, link, img, source and base (WHATWG HTML, "The script element", "Link types"). Of the
candidates of an image all are fetched, so that any that is missing shows. Not looked for: what style sheets refer to,
icons, and what scripts put into the page.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser

from sandbox.model.assets.urls import absolute

PAGE, SCRIPT, MODULE, STYLE, IMAGE, OTHER = "page", "script", "module", "style", "image", "other"
NEEDED = frozenset((PAGE, SCRIPT, MODULE, STYLE))
JAVASCRIPT = frozenset(
    [f"text/javascript1.{minor}" for minor in range(6)]
    + ["text/javascript", "application/javascript", "application/ecmascript", "application/x-ecmascript"]
    + ["application/x-javascript", "text/ecmascript", "text/jscript", "text/livescript", "text/x-ecmascript"]
    + ["text/x-javascript"]
)
_MOST = 500  # references of one page
_PRELOADED = {"script": SCRIPT, "style": STYLE, "image": IMAGE}
_HIDDEN = frozenset(("noscript", "template"))


@dataclass(frozen=True, slots=True)
class Reference:
    """A file that a page, or a script, names.

    Attributes:
        url: Absolute, without fragment.
        kind: `SCRIPT`, `MODULE`, `STYLE`, `IMAGE` or `OTHER`.
        needed: Whether the page is broken without it: its scripts and style sheets.
    """

    url: str
    kind: str
    needed: bool


@dataclass(frozen=True, slots=True)
class Page:
    """A document.

    Attributes:
        base: What its references are relative to.
        now: What is fetched as it loads, each URL once.
        later: What it names for a later navigation (``rel=prefetch``).
        imports: Its import map, names to URLs.
        inline: The texts of its scripts that stand in it: (text, whether it is a module).
    """

    base: str
    now: tuple[Reference, ...]
    later: tuple[Reference, ...] = ()
    imports: Mapping[str, str] = field(default_factory=dict)
    inline: tuple[tuple[str, bool], ...] = ()


def of(html: str, url: str) -> Page:
    """What the document at ``url`` refers to; it need not be whole or right."""
    parser = _Parser(url)
    try:
        parser.feed(html)
        parser.close()
    except (AssertionError, ValueError):  # html.parser gives up at some malformed declarations: what came before counts
        pass
    return Page(
        parser.base,
        tuple(parser.now.values())[:_MOST],
        tuple(one for one in parser.later.values() if one.url not in parser.now)[:_MOST],
        parser.imports,
        tuple(parser.inline),
    )


def candidates(srcset: str) -> Iterator[str]:
    """The URLs of an image's ``srcset``, in order."""
    rest = srcset.strip()
    while rest:
        url, *further = rest.lstrip(", \t\n\r\f").split(None, 1)[:2] or ("",)
        if not url:
            return
        yield url.rstrip(",")
        rest = further[0] if further else ""
        if not url.endswith(","):
            rest = rest.partition(",")[2]


class _Parser(HTMLParser):
    def __init__(self, url: str) -> None:
        super().__init__(convert_charrefs=True)
        self.base = url
        self.now: dict[str, Reference] = {}
        self.later: dict[str, Reference] = {}
        self.imports: dict[str, str] = {}
        self.inline: list[tuple[str, bool]] = []
        self._based = False
        self._hidden: list[str] = []
        self._script = ""  # the type of the inline script that is being read
        self._text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _HIDDEN:
            self._hidden.append(tag)
        if self._hidden:
            return
        given = {name: value or "" for name, value in reversed(attrs)}  # of two of a name the first one counts
        if tag == "base" and given.get("href") and not self._based:
            self._based = True
            self.base = absolute(given["href"], self.base) or self.base
        elif tag == "script":
            self._of_script(given)
        elif tag == "link":
            self._of_link(given)
        elif tag == "img" or (tag == "source" and "srcset" in given):
            for one in (given.get("src", ""), *candidates(given.get("srcset", ""))):
                self._add(self.now, one, IMAGE)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)  # in HTML "/>" ends nothing

    def handle_endtag(self, tag: str) -> None:
        if self._hidden and tag == self._hidden[-1]:
            self._hidden.pop()
        if tag == "script" and self._script:
            text, kind = "".join(self._text), self._script
            self._script, self._text = "", []
            if kind == "importmap":
                self._of_import_map(text)
            else:
                self.inline.append((text, kind == "module"))

    def handle_data(self, data: str) -> None:
        if self._script:
            self._text.append(data)

    def _of_script(self, given: Mapping[str, str]) -> None:
        kind = given.get("type", "").strip().lower()
        module = kind == "module"
        if not module and kind and kind not in JAVASCRIPT and kind != "importmap":
            return
        if "nomodule" in given and not module:
            return
        if "src" in given and kind != "importmap":
            self._add(self.now, given["src"], MODULE if module else SCRIPT)
        elif "src" not in given:
            self._script, self._text = kind or "classic", []

    def _of_link(self, given: Mapping[str, str]) -> None:
        relations, href = given.get("rel", "").lower().split(), given.get("href", "")
        as_ = given.get("as", "").strip().lower()
        if "stylesheet" in relations:
            if "disabled" not in given:
                self._add(self.now, href, STYLE, needed="alternate" not in relations)
        elif "modulepreload" in relations:
            self._add(self.now, href, MODULE if as_ in {"", "script"} else OTHER)
        elif "preload" in relations:
            self._add(self.now, href, _PRELOADED.get(as_, OTHER))
        elif "prefetch" in relations:
            self._add(self.later, href, kind_of(href, _PRELOADED.get(as_, OTHER)))

    def _add(self, to: dict[str, Reference], reference: str, kind: str, *, needed: bool | None = None) -> None:
        url = absolute(reference, self.base)
        before = to.get(url)
        if url and (before is None or (kind == MODULE and before.kind == SCRIPT)):
            to[url] = Reference(url, kind, kind in NEEDED if needed is None else needed)

    def _of_import_map(self, text: str) -> None:
        try:
            found = json.loads(text)["imports"].items()
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return
        for name, target in found:
            if isinstance(target, str) and (url := absolute(target, self.base)):
                self.imports.setdefault(name, url)


def kind_of(name: str, otherwise: str) -> str:
    """The kind of a file that is loaded later, by its name."""
    path = name.partition("?")[0].partition("#")[0]
    if path.endswith(".css"):
        return STYLE
    return MODULE if path.endswith((".js", ".mjs")) else otherwise
