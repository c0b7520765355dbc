"""What a script loads: at once (static imports of modules) and later (dynamic imports, chunks).

Recognised in the text of a script:

- static imports and exports from a file, in modules: ``import{a}from"./x.js"``;
- dynamic imports of a literal: ``import("./x.js")``;
- the lists of files that Vite's preload helper is given (``__vite__mapDeps``, or an array beside the ``import()``);
- webpack's table of chunks, of versions 4 (Nuxt 2) and 5 (`sandbox.model.assets.webpack`).

Names in modules are looked up in the page's import map. A name that a script puts together in another way is not found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from sandbox.model.assets import webpack
from sandbox.model.assets.references import MODULE, NEEDED, OTHER, SCRIPT, Reference, kind_of
from sandbox.model.assets.urls import absolute

_MOST = 2_000  # names of one kind in one script
_CLAUSE = 4_000  # characters from "import" to "from"
_FROM = re.compile(r"\bfrom\s{0,9}([\"'])([^\"'\s\\]{1,2000})\1")
_BARE = re.compile(r"(?<![\w$.])import\s{0,9}([\"'])([^\"'\s\\]{1,2000})\1")
_DYNAMIC = re.compile(
    r"(?<![\w$.])import\(\s{0,9}(?:/\*[^*]{0,200}\*/\s{0,9})*([\"'`])([^\"'`\s\\$]{1,2000})\1\s{0,9}[,)]"
)
_LIST = re.compile(r"\[\s{0,9}([\"'`][^\[\]]*)\]")
_ITEM = re.compile(r"\s*([\"'`])([^\"'`\s\\$]{1,2000}\.(?:m?js|css))\1\s*(?:,|$)")
_PARTS = re.compile(r"[;()]|\bimport\b|\bexport\b")


@dataclass(frozen=True, slots=True)
class Loads:
    """What a script loads.

    Attributes:
        now: Its static imports: it does not run without them.
        later: What it may ask for while the page is open.
    """

    now: tuple[Reference, ...] = ()
    later: tuple[Reference, ...] = ()


def of(text: str, url: str, imports: Mapping[str, str], *, module: bool) -> Loads:
    """What the script at ``url`` loads; the text need not be whole or right.

    Args:
        text: The script.
        url: Where it is (for one that stands in a page, the page's base).
        imports: The page's import map.
        module: Whether it is a module.
    """
    now = _references((resolve(name, url, imports) for name in _static(text)), MODULE) if module else {}
    later = _references((resolve(match[2], url, imports) for match in islice(_DYNAMIC.finditer(text), _MOST)), MODULE)
    later |= _references((_beside(name, url) for name in _listed(text)), MODULE)
    chunks = webpack.chunks(text)
    path = absolute(chunks.public_path, url) if chunks.public_path else url
    later |= _references((absolute(name, path) for name in chunks.names), SCRIPT)
    return Loads(tuple(now.values()), tuple(one for one in later.values() if one.url not in now and one.url != url))


def resolve(name: str, base: str, imports: Mapping[str, str]) -> str:
    """The URL of an import's specifier, "" where it has none (HTML, "Resolve a module specifier")."""
    if name in imports:
        return imports[name]
    if name.startswith(("./", "../", "/", "http://", "https://")):
        return absolute(name, base)
    for prefix, target in sorted(imports.items(), reverse=True):
        if prefix.endswith("/") and name.startswith(prefix) and target.endswith("/"):
            return absolute(name.removeprefix(prefix), target)
    return ""


def _static(text: str) -> Iterator[str]:
    for match in islice(_BARE.finditer(text), _MOST):
        yield match[2]
    for match in islice(_FROM.finditer(text), _MOST):
        before = text[max(match.start() - _CLAUSE, 0) : match.start()]
        at = max(before.rfind("import"), before.rfind("export"))
        if at >= 0 and not _PARTS.search(before, at + len("import")):
            yield match[2]


def _listed(text: str) -> Iterator[str]:
    if "__vite__mapDeps" not in text and "import(" not in text:
        return
    for match in islice(_LIST.finditer(text), _MOST):
        names, at = [], 0
        while item := _ITEM.match(match[1], at):
            names.append(item[2])
            at = item.end()
        if at == len(match[1]):
            yield from names


def _beside(name: str, url: str) -> str:
    """A file in Vite's list: relative to the script, or ("assets/x.js") to the site's base, which its folder tells."""
    if name.startswith(("./", "../", "/", "http://", "https://")):
        return absolute(name, url)
    root, found, _ = url.rpartition(f"/{name.partition('/')[0]}/")
    return absolute(name, f"{root}/" if found else absolute("/", url))


def _references(urls: Iterable[str], kind: str) -> dict[str, Reference]:
    found: dict[str, Reference] = {}
    for url in urls:
        if url:
            its = kind_of(url, OTHER)
            its = kind if its == MODULE or (its == OTHER and kind == MODULE) else its
            found.setdefault(url, Reference(url, its, its in NEEDED))
    return found
