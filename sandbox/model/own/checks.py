"""``[[check]]`` of a sandbox.toml: what is asked of a stack that is up, and within which bounds."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.model.own.errors import OwnError, unknown
from sandbox.model.own.tables import Fields, read, texts

SEVERITIES = ("error", "warning", "info", "never")

_NAME = re.compile(r"[\w.-]+")
_NUMBER = (int, float)
_COMMON: Fields = {"name": str, "kind": str, "url": str}
KINDS: Mapping[str, Fields] = {
    "http": {"status": int, "within": _NUMBER, "contains": str, "header": dict},
    "dns": {"record": str, "answers": list, "count": int, "within": _NUMBER, "ttl": int},
    "cache": {"severity": str, "policy": str, "min_ttl": int, "count": int, "depth": int, "hit_ratio": _NUMBER},
    "websocket": {"severity": str, "protocol": str, "path": str, "idle": _NUMBER, "timeout": _NUMBER},
    "assets": {
        "severity": str,
        "during": str,
        "rate": _NUMBER,
        "seconds": _NUMBER,
        "settle": _NUMBER,
        "tabs": int,
        "visitors": int,
        "timeout": _NUMBER,
    },
}
"""By kind, the bounds that a check may have."""


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        kind: A key of `KINDS`.
        target: The URL as a viewer has it, http://NAME/PATH; of ``dns`` a name.
        bounds: As `KINDS` has them; what is not named has the default that docs/own-stacks.md tells.
    """

    name: str
    kind: str
    target: str
    bounds: Mapping[str, Any]


def checks(items: Sequence[Any]) -> tuple[Check, ...]:
    """Read the ``[[check]]`` tables.

    Raises:
        OwnError: One is wrong, or two have one name; the message names the check and the key.
    """
    found = [_check(number, item) for number, item in enumerate(items, 1)]
    names = [one.name for one in found]
    for name in names:
        if names.count(name) > 1:
            raise OwnError(f"[[check]]: two are named '{name}'")
    return tuple(found)


def _check(number: int, item: Any) -> Check:
    place = f"[[check]] number {number}"
    if not isinstance(item, dict) or not isinstance(item.get("kind"), str):
        raise OwnError(f"{place} has no kind", f"kinds: {', '.join(KINDS)}")
    kind = item["kind"]
    if kind not in KINDS:
        raise unknown(place, kind, KINDS, "kind")
    given = item.get("name")
    place = f"[[check]] '{given}'" if isinstance(given, str) else place
    read(place, item, {**_COMMON, **KINDS[kind]})
    name = item.get("name", f"{kind}-{number}")
    if not _NAME.fullmatch(name):
        raise OwnError(f"{place}: a name has letters, digits, '.', '_' and '-'")
    bounds = {key: value for key, value in item.items() if key not in _COMMON}
    _check_bounds(place, kind, bounds)
    url = item.get("url", "")
    if kind == "dns":
        if not url or "/" in url:
            raise OwnError(f"{place}: url of a dns check is the name that is asked for", 'url = "shop.example.com"')
    elif not re.match(r"http://[^/]+", url):
        raise OwnError(f"{place}: url is http://NAME/PATH, as a viewer has it", f"found {url!r}")
    return Check(name, kind, url, bounds)


def _check_bounds(place: str, kind: str, bounds: Mapping[str, Any]) -> None:
    if bounds.get("severity", "error") not in SEVERITIES:
        raise unknown(place, bounds["severity"], SEVERITIES, "severity")
    for key, value in bounds.items():
        if type(value) in _NUMBER and value < 0:
            raise OwnError(f"{place}: {key} is not below 0", f"found {value!r}")
    if not 0 <= bounds.get("hit_ratio", 0) <= 1:
        raise OwnError(f"{place}: hit_ratio is from 0 to 1", f"found {bounds['hit_ratio']!r}")
    for name, value in bounds.get("header", {}).items():
        if not isinstance(value, str):
            raise OwnError(f"{place}: header {name} is a text", f"found {value!r}")
    if kind == "dns" and "answers" in bounds:
        texts(place, "answers", bounds["answers"])
