"""nginx's configuration as a tree, and what nginx makes of it: who serves a request, and what is inherited.

Sources: nginx's documentation, ngx_http_core_module (location, server_name, listen), ngx_http_map_module, and "Server
names". A file that holds only what stands inside `http` (conf.d/default.conf) is taken as such.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_VARIABLE = re.compile(r"\$(\w+)|\$\{(\w+)\}")
_LONGEST = 100  # of a time; a number of more digits than Python reads is none, either
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "M": 2_592_000, "y": 31_536_000, "": 1}
_DEEPEST = 10  # maps that lead to maps


@dataclass(frozen=True, slots=True)
class Directive:
    """One directive, with what its includes led to in its place.

    Attributes:
        name: "proxy_pass", "location", ...
        args: Its arguments, without quotes.
        file, line: Where it stands.
        block: What stands in its braces.
    """

    name: str
    args: tuple[str, ...]
    file: str
    line: int
    block: tuple[Directive, ...] = ()

    @property
    def where(self) -> str:
        """FILE:LINE."""
        return f"{self.file}:{self.line}"

    @property
    def label(self) -> str:
        """The directive as a person names it: ``location /socket.io``."""
        return " ".join((self.name, *self.args))

    def all(self, name: str) -> list[Directive]:
        """The directives of this name in its block."""
        return [one for one in self.block if one.name == name]

    def first(self, name: str) -> Directive | None:
        """The first of them."""
        return next(iter(self.all(name)), None)


Chain = tuple[Directive, ...]
"""The blocks that a request is in, the outermost first: http, server, location, nested location."""


def http_of(tree: Sequence[Directive], file: str) -> Directive:
    """The http block; a file without one is taken for its content."""
    for one in tree:
        if one.name == "http":
            return one
    return Directive("http", (), file, 1, tuple(tree))


def effective(chain: Chain, name: str) -> Directive | None:
    """The directive that counts: the innermost block that has it."""
    return next((found[-1] for block in reversed(chain) if (found := block.all(name))), None)


def effective_all(chain: Chain, name: str) -> tuple[list[Directive], list[Directive]]:
    """Those of a directive that may be repeated, and those of outer blocks that are lost.

    They are inherited if, and only if, the inner block has none of its own (ngx_http_proxy_module, proxy_set_header).
    """
    levels = [found for block in reversed(chain) if (found := block.all(name))]
    return (levels[0], [one for level in levels[1:] for one in level]) if levels else ([], [])


def servers_for(http: Directive, host: str | None, port: int | None) -> list[Directive]:
    """The servers that may serve a request; without a host all of them.

    A port that no server listens on is one that something before nginx publishes.
    """
    servers = http.all("server")
    if host is None:
        return servers
    listening = [one for one in servers if port in _ports(one)] or servers
    named = _named(listening, host.lower())
    if named is not None:
        return [named]
    default = [one for one in listening if any("default_server" in listen.args for listen in one.all("listen"))]
    return (default or listening)[:1]


def location_of(server: Directive, path: str) -> Chain:
    """The location that serves a path, with the locations it is nested in; empty: the server itself does."""
    return _find(server.all("location"), path)[0]


def named_location(server: Directive, name: str) -> Directive | None:
    """``location @name``."""
    return next((one for one in server.all("location") if one.args == (name,)), None)


def seconds(text: str) -> float | None:
    """A time of nginx's ("1h 30m", "60", "500ms"), or None."""
    parts = re.findall(r"(\d+)(ms|[smhdwMy]?)", text[:_LONGEST])
    # Nothing is given back ("++"): digits could else be shared out among the parts in as many ways as there are.
    if not parts or re.fullmatch(r"\s*+(?:\d++(?:ms|[smhdwMy]?+)\s*+)++", text) is None or len(text) > _LONGEST:
        return None
    return float(sum(int(number) * _UNITS[unit] for number, unit in parts))


def variables_of(text: str) -> list[str]:
    """The variables in a value, without the dollar sign."""
    return [one or other for one, other in _VARIABLE.findall(text)]


def value(text: str, http: Directive, chain: Chain, known: dict[str, str], depth: int = 0) -> str | None:
    """What a value becomes, where ``known`` are the variables of the request; None: that cannot be told."""
    result, at = "", 0
    for found in _VARIABLE.finditer(text):
        one = _variable(found[1] or found[2], http, chain, known, depth)
        if one is None:
            return None
        result += text[at : found.start()] + one
        at = found.end()
    return result + text[at:]


def defines(http: Directive, chain: Chain, name: str) -> bool:
    """Whether a map, a set or the like makes this variable."""
    mapped = {one.args[1] for one in http.all("map") if len(one.args) > 1}
    made = {one.args[0] for block in chain for one in block.all("set") if one.args}
    others = {one.args[-1] for kind in ("geo", "split_clients") for one in http.all(kind) if one.args}
    return f"${name}" in mapped | made | others


def _variable(name: str, http: Directive, chain: Chain, known: dict[str, str], depth: int) -> str | None:
    if name in known:
        return known[name]
    if depth > _DEEPEST:
        return None
    for block in reversed(chain):
        for one in block.all("set"):
            if len(one.args) == 2 and one.args[0] == f"${name}":
                return value(one.args[1], http, chain, known, depth + 1)
    for one in http.all("map"):
        if len(one.args) == 2 and one.args[1] == f"${name}":
            source = value(one.args[0], http, chain, known, depth + 1)
            return None if source is None else _mapped(one, source, http, chain, known, depth)
    return None


def _mapped(
    one: Directive, source: str, http: Directive, chain: Chain, known: dict[str, str], depth: int
) -> str | None:
    default, by_pattern = "", None
    for entry in one.block:
        result = entry.args[0] if entry.args else ""
        if entry.name == "default":
            default = result
        elif entry.name.startswith("~"):
            if by_pattern is None and _matches(entry.name, source):
                by_pattern = result
        elif entry.name.removeprefix("\\").lower() == source.lower():
            return value(result, http, chain, known, depth + 1)
    return value(default if by_pattern is None else by_pattern, http, chain, known, depth + 1)


def _matches(pattern: str, text: str) -> bool:
    flags = re.IGNORECASE if pattern.startswith("~*") else 0
    try:
        return re.search(pattern.lstrip("~*"), text, flags) is not None
    except (re.error, OverflowError, RecursionError):  # PCRE knows more than Python
        return False


def _ports(server: Directive) -> set[int]:
    ports = set()
    for one in server.all("listen"):
        text = one.args[0] if one.args else ""
        last = text.rpartition(":")[2] if not text.endswith("]") else "80"
        if last.isdecimal() and len(last) <= len("65535"):
            ports.add(int(last))
        elif not text.startswith("unix:"):
            ports.add(80)
    return ports if server.all("listen") else {80}


def _named(servers: Sequence[Directive], host: str) -> Directive | None:
    """In nginx's order: the exact name, the longest wildcard before, the longest after, the first pattern."""
    names = [(name.lower(), name, one) for one in servers for all_ in one.all("server_name") for name in all_.args]
    for lower, _, one in names:
        if host in {lower, lower.removeprefix(".")}:
            return one
    before = [(len(name), one) for name, _, one in names if name[:1] in {"*", "."} and _ends(host, name)]
    after = [(len(name), one) for name, _, one in names if name.endswith(".*") and host.startswith(name[:-1])]
    for found in (before, after):
        if found:
            return max(found, key=lambda pair: pair[0])[1]
    return next((one for _, name, one in names if name.startswith("~") and _matches(name, host)), None)


def _ends(host: str, name: str) -> bool:
    return host.endswith(name.removeprefix("*"))


def _find(locations: Sequence[Directive], path: str) -> tuple[Chain, bool]:
    prefixes = []
    for one in locations:
        kind, text = one.args if len(one.args) == 2 else ("", one.args[0] if one.args else "")
        if kind == "=" and text == path:
            return (one,), True
        if kind in {"", "^~"} and not text.startswith("@") and path.startswith(text):
            prefixes.append((len(text), kind, one))
    chain: Chain = ()
    final = False
    if prefixes:
        _, kind, best = max(prefixes, key=lambda entry: entry[0])
        nested, decided = _find(best.all("location"), path)
        chain = (best, *nested)
        if decided:
            return chain, True
        final = kind == "^~"
    if not final:
        for one in locations:
            if len(one.args) == 2 and one.args[0] in {"~", "~*"} and _matches(one.args[0] + one.args[1], path):
                return (one, *_find(one.all("location"), path)[0]), True
    return chain, False
