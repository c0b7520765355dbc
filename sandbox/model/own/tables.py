"""Tables of TOML, read strictly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.model.own.errors import OwnError, unknown

Fields = Mapping[str, type | tuple[type, ...]]

_NAMES = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "a table",
}


def read(place: str, value: Any, fields: Fields) -> Mapping[str, Any]:
    """``value``, if it is a table that has no other keys than ``fields``, each of its type; TOML's true is no number.

    Args:
        place: The table, as errors name it ("[stack]"); "" for the file as a whole.
        value: The table.
        fields: The types by their keys.

    Raises:
        OwnError: It is not so.
    """
    if not isinstance(value, dict):
        raise OwnError(f"{place} is a table", f"found {value!r}")
    for key, one in value.items():
        if key not in fields:
            raise unknown(place, key, fields, "key" if place else "table")
        if type(one) not in _types(fields[key]):
            raise OwnError(f"{place} {key} is {words(fields[key])}".strip(), f"found {one!r}")
    return value


def words(wanted: type | tuple[type, ...]) -> str:
    """What a value of `Fields` is, as a person reads it: "a text", "a whole number or a number"."""
    return " or ".join(_NAMES[kind] for kind in _types(wanted))


def _types(wanted: type | tuple[type, ...]) -> tuple[type, ...]:
    return wanted if isinstance(wanted, tuple) else (wanted,)


def texts(place: str, key: str, value: Any) -> tuple[str, ...]:
    """``value``, if it is a list of texts.

    Raises:
        OwnError: It is not.
    """
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise OwnError(f"{place} {key} is a list of texts", f"found {value!r}")
    return tuple(value)
