"""Absolute URLs, and which of them may be asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from yarl import URL

_SPACE = " \t\n\r\f"
_LONGEST = 8_192
_PORTS = {"http": 80, "https": 443}


def absolute(reference: str, base: str) -> str:
    """What a reference in a document at ``base`` means: a URL of http or https without fragment; "" if it is none."""
    stripped = reference.strip(_SPACE)
    if not stripped or len(stripped) > _LONGEST:
        return ""
    try:
        url = URL(base).join(URL(stripped)).with_fragment(None)
        if url.scheme not in _PORTS or not url.host or not url.port:
            return ""
        return str(url if url.path else url.with_path("/"))
    except (ValueError, TypeError):
        return ""


def place(url: str) -> tuple[str, int]:
    """Host and port of a URL ("", 0 where it has none)."""
    try:
        parts = URL(url)
        return (parts.host or "").lower(), parts.port or 0
    except (ValueError, TypeError):
        return "", 0


def origin_of(url: str) -> str:
    """Its origin ("" where it has none)."""
    try:
        return str(URL(url).origin())
    except (ValueError, TypeError):
        return ""


class Scope:
    """The hosts that may be asked. One that is named without a port may be asked at those of http and https.

    Attributes:
        left_out: The names of hosts that may not be asked, of the URLs that were looked at.

    Args:
        hosts: "NAME" or "NAME:PORT".
        knows: Whether a further name may be asked, at any port; once it may, it always may.
    """

    def __init__(self, hosts: Iterable[str], knows: Callable[[str], bool] = lambda name: False) -> None:
        self.left_out: set[str] = set()
        self._knows = knows
        self._known: set[str] = set()
        self._places: set[tuple[str, int]] = set()
        for host in hosts:
            name, port = place(f"http://{host}")
            self._places |= {(name, one) for one in (_PORTS.values() if port == _PORTS["http"] else (port,))}

    def allows(self, url: str) -> bool:
        """Whether ``url`` is at one of the hosts."""
        name, port = place(url)
        if (name, port) in self._places or name in self._known:
            return True
        if name and self._knows(name):
            self._known.add(name)
            return True
        self.left_out |= {name} - {""}
        return False
