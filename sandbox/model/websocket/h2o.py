"""What an H2O configuration does to WebSockets and Socket.IO (H2O's documentation: Base and Proxy Directives)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sandbox.model.websocket.finding import Finding
from sandbox.model.websocket.nginx import Asked

WEBSOCKET_TIMEOUT = 300_000  # milliseconds
IO_TIMEOUT = 30_000
_MOST_DIGITS = 19  # a larger number is none to H2O


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the YAML file with its place.

    Attributes:
        value: A text, a mapping from names to nodes, or a tuple of nodes.
    """

    value: str | Mapping[str, Node] | tuple[Node, ...]
    file: str
    line: int

    @property
    def where(self) -> str:
        """FILE:LINE."""
        return f"{self.file}:{self.line}"

    def get(self, name: str) -> Node | None:
        """What a mapping has of that name."""
        return self.value.get(name) if isinstance(self.value, Mapping) else None


def find(tree: Node, asked: Asked) -> list[Finding]:
    """What is wrong."""
    hosts = tree.get("hosts")
    found: list[Finding] = []
    routes = 0
    for host in hosts.value.values() if hosts is not None and isinstance(hosts.value, Mapping) else ():
        path = _path_of(host, asked.path)
        for one in _handlers(path) if path is not None else ():
            if one.get("proxy.reverse.url") is not None:
                routes += 1
                found += _route((tree, host, one), asked)
    if not routes:
        text = f"no host has a path with proxy.reverse.url that {asked.path} could reach"
        fix = "hosts: HOST: paths: '/': proxy.reverse.url: http://UPSTREAM/, and proxy.websocket: ON"
        found.append(Finding("not-proxied", "error", text, fix, where=(hosts.where if hosts else tree.where,)))
    return list(dict.fromkeys(found))


def _path_of(host: Node, path: str) -> Node | None:
    paths = host.get("paths")
    if paths is None or not isinstance(paths.value, Mapping):
        return None
    fitting = [name for name in paths.value if path == name or path.startswith(name.rstrip("/") + "/")]
    return paths.value[max(fitting, key=len)] if fitting else None


def _handlers(path: Node) -> tuple[Node, ...]:
    return path.value if isinstance(path.value, tuple) else (path,)


def _effective(levels: tuple[Node, ...], name: str) -> Node | None:
    return next((found for level in reversed(levels) if (found := level.get(name)) is not None), None)


def _on(levels: tuple[Node, ...], name: str) -> bool:
    found = _effective(levels, name)
    return found is not None and str(found.value).upper() == "ON"


def _route(levels: tuple[Node, ...], asked: Asked) -> Iterator[Finding]:
    path = levels[-1]
    if not _on(levels, "proxy.websocket"):
        given = _effective(levels, "proxy.websocket")
        yield Finding(
            "upgrade-headers",
            "error",
            "H2O passes no WebSocket unless told to (proxy.websocket is OFF)",
            f"beside proxy.reverse.url ({path.where}): proxy.websocket: ON",
            where=((given or path).where,),
        )
    if not _on(levels, "proxy.preserve-host"):
        given = _effective(levels, "proxy.preserve-host")
        yield Finding(
            "host-lost",
            "error" if asked.polls else "warning",
            "the upstream gets its own name as Host, and refuses browsers' Origin (proxy.preserve-host is OFF)",
            f"beside proxy.reverse.url ({path.where}): proxy.preserve-host: ON",
            where=((given or path).where,),
        )
    for name, default in (("proxy.websocket.timeout", WEBSOCKET_TIMEOUT), ("proxy.timeout.io", IO_TIMEOUT)):
        given = _effective(levels, name)
        text = str(given.value) if given is not None else ""
        limit = (int(text) if text.isdecimal() and len(text) < _MOST_DIGITS else default) / 1000
        if asked.polls and limit <= asked.ping_interval:
            yield Finding(
                "read-timeout",
                "error",
                f"{name} cuts what is silent for {limit:g} s, and the upstream pings every {asked.ping_interval:g} s",
                f"{name}: {max(60, asked.ping_interval * 2) * 1000:g}",
                where=((given or path).where,),
            )
    url = path.get("proxy.reverse.url")
    if asked.polls and url is not None and isinstance(url.value, tuple) and len(url.value) > 1:
        yield Finding(
            "no-stickiness",
            "error",
            f"the requests of one client go to {len(url.value)} servers in turn: polling gets 400 (session unknown)",
            "one upstream, or clients with transports: ['websocket'] alone",
            where=(url.where,),
        )
