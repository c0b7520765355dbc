"""``[[check]]`` of a sandbox.toml: what is asked of a stack that is up, and within which bounds."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.model.own.errors import OwnError, unknown
from sandbox.model.own.tables import Fields, read, texts
from sandbox.model.replay.compose import SHAPES
from sandbox.model.replay.plan import ORDERS

SEVERITIES = ("error", "warning", "info", "never")
WHEN = ("end", "always")
"""When an invariant of a replay counts."""

_NAME = re.compile(r"[\w.-]+")
_NUMBER = (int, float)
_URL = re.compile(r"https?://[^/?#@\[\]\s]+(?:[/?]\S*)?\Z")
_OUTPUT = re.compile(r"\$\{output\.[^{}\s]+\}\S*")
_WITHOUT_URL = frozenset({"dns", "eni", "replay"})
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(?::\d{1,5})?")
_DELAY = re.compile(r"\d+(\.\d+)?(-\d+(\.\d+)?)?")
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
        "asset_hosts": list,
    },
    "replay": {
        "events": list,
        "handler": str,
        "shape": str,
        "order": str,
        "duplicate": _NUMBER,
        "delay": (*_NUMBER, str),
        "drop": _NUMBER,
        "seed": int,
        "tries": int,
        "against": str,
        "zones": list,
        "environment": dict,
        "pattern": str,
        "invariants": list,
        "answers": list,
        "when": str,
        "retries": int,
        "timeout": int,
        "limit": _NUMBER,
    },
    "eni": {"type": str, "count": int, "trunking": bool, "desired_counts": dict, "deploy": bool},
    "purge": {
        "group": str,
        "targets": dict,
        "instances": list,
        "commands": list,
        "send": str,
        "change": str,
        "contains": str,
        "port": int,
        "within": _NUMBER,
    },
}
"""By kind, the bounds that a check may have."""

MOST = 5000
"""Tasks of a service, and instances of a cluster: AWS's own quotas ("Amazon ECS service quotas")."""

WITHOUT_STACK = frozenset({"replay", "eni"})
"""Kinds that ask nothing of a stack that is up."""


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        kind: A key of `KINDS`.
        target: The URL as a viewer has it, http://NAME/PATH, or with https; of ``dns`` a name; of ``replay`` the name
            of the record that it is about, or ""; of ``eni`` "".
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
    _check_url(place, kind, url, bounds)
    return Check(name, kind, url, bounds)


def is_url(text: str) -> bool:
    """Whether it is http://NAME/PATH, or with https, as far as that can be seen.

    An output of Terraform's may stand for a part, or for all of it.
    """
    return _URL.match(text) is not None or _OUTPUT.fullmatch(text) is not None


def require_url(kind: str, url: str) -> None:
    """Refuse what a check of a kind cannot ask, now that outputs are filled in.

    Raises:
        OwnError: It is no URL.
    """
    if kind not in _WITHOUT_URL and not _URL.match(url):
        raise OwnError("url is http://NAME/PATH, or with https, as a viewer has it", f"found {url!r}")


def _check_url(place: str, kind: str, url: str, bounds: Mapping[str, Any]) -> None:
    if kind == "eni":
        if url:
            raise OwnError(f"{place}: an eni check has no url: it asks nobody", f"found {url!r}")
    elif kind == "replay":
        if "/" in url:
            raise OwnError(f"{place}: url of a replay check is the name of a record", 'url = "shop.example.com"')
        if "answers" in bounds and not url:
            raise OwnError(f"{place}: answers are those of the name that url says", 'url = "shop.example.com"')
    elif kind == "dns":
        if not url or "/" in url:
            raise OwnError(f"{place}: url of a dns check is the name that is asked for", 'url = "shop.example.com"')
    elif not _OUTPUT.fullmatch(url):
        try:
            require_url(kind, url)
        except OwnError as error:
            raise OwnError(f"{place}: {error.message}", error.hint) from error


def _check_bounds(place: str, kind: str, bounds: Mapping[str, Any]) -> None:
    if bounds.get("severity", "error") not in SEVERITIES:
        raise unknown(place, bounds["severity"], SEVERITIES, "severity")
    for key, value in bounds.items():
        if type(value) in _NUMBER and not 0 <= value < math.inf:
            raise OwnError(f"{place}: {key} is a number that is not below 0", f"found {value!r}")
    if not 0 <= bounds.get("hit_ratio", 0) <= 1:
        raise OwnError(f"{place}: hit_ratio is from 0 to 1", f"found {bounds['hit_ratio']!r}")
    for name, value in bounds.get("header", {}).items():
        if not isinstance(value, str):
            raise OwnError(f"{place}: header {name} is a text", f"found {value!r}")
    for key in ("answers", "events", "zones", "invariants", "instances", "commands", "asset_hosts"):
        if key in bounds:
            texts(place, key, bounds[key])
    if kind in _FURTHER:
        _FURTHER[kind](place, bounds)


def _check_replay(place: str, bounds: Mapping[str, Any]) -> None:
    if not bounds.get("events"):
        raise OwnError(f"{place} names no events", 'events = ["replace"], or files, or "FILE.py:NAME"')
    if ":" not in bounds.get("handler", ""):
        raise OwnError(f"{place}: handler is FILE:FUNCTION", 'handler = "lambda/dns.py:handler"')
    for key, known in (("order", ORDERS), ("when", WHEN), ("shape", tuple(SHAPES))):
        if bounds.get(key, known[0]) not in known:
            raise unknown(place, bounds[key], known, key)
    for key in ("duplicate", "drop"):
        if bounds.get(key, 0) > 1:
            raise OwnError(f"{place}: {key} is a probability, from 0 to 1", f"found {bounds[key]!r}")
    delay = bounds.get("delay", 0)
    if isinstance(delay, str) and not _DELAY.fullmatch(delay):
        raise OwnError(f"{place}: delay is seconds, or a text FROM-TO", f"found {delay!r}")
    for key, least, most in (("tries", 1, None), ("retries", 0, 2), ("timeout", 1, 900), ("limit", 1, None)):
        value = bounds.get(key, least)
        if value < least or (most is not None and value > most):
            wanted = f"{least} or more" if most is None else f"from {least} to {most}"
            raise OwnError(f"{place}: {key} is {wanted}", f"found {value!r}")
    for name, value in bounds.get("environment", {}).items():
        if not isinstance(value, str):
            raise OwnError(f"{place}: environment {name} is a text", f"found {value!r}")


def _check_assets(place: str, bounds: Mapping[str, Any]) -> None:
    for host in bounds.get("asset_hosts", ()):
        if not _HOST.fullmatch(host):
            raise OwnError(f"{place}: asset_hosts are names, or NAME:PORT", f"found {host!r}")


def _check_eni(place: str, bounds: Mapping[str, Any]) -> None:
    if not 1 <= bounds.get("count", 1) <= MOST:
        raise OwnError(f"{place}: count is from 1 to {MOST}", f"found {bounds['count']!r}")
    for name, value in bounds.get("desired_counts", {}).items():
        if type(value) is not int or not 0 <= value <= MOST:
            raise OwnError(f"{place}: desired_counts {name} is a whole number from 0 to {MOST}", f"found {value!r}")


def _check_purge(place: str, bounds: Mapping[str, Any]) -> None:
    for key, example in (("group", '"shop"'), ("contains", '"a text of the new page"')):
        if not bounds.get(key):
            raise OwnError(f"{place} has no {key}", f"{key} = {example}")
    sends, commands = bool(bounds.get("send")), bool(bounds.get("commands"))
    if sends == commands:
        raise OwnError(
            f"{place} has either send or commands",
            'send = "./purge.sh", which sends the command; or commands = ["curl http://localhost/purge"], with targets',
        )
    aimed = [key for key in ("targets", "instances") if bounds.get(key)]
    if sends and aimed:
        raise OwnError(f"{place}: {aimed[0]} belongs to commands: what send sends has targets of its own")
    if len(aimed) > 1:
        raise OwnError(f"{place} has targets or instances, not both")
    for name, value in bounds.get("targets", {}).items():
        if not isinstance(value, str):
            raise OwnError(f'{place}: targets "{name}" is a text', f"found {value!r}")
    if not 1 <= bounds.get("port", 80) <= 65535:
        raise OwnError(f"{place}: port is from 1 to 65535", f"found {bounds['port']!r}")


_FURTHER: Mapping[str, Callable[[str, Mapping[str, Any]], None]] = {
    "assets": _check_assets,
    "replay": _check_replay,
    "eni": _check_eni,
    "purge": _check_purge,
}
