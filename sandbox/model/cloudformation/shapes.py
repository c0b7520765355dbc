"""Properties as the API wants them: by the shape of a request, member by member.

CloudFormation's properties are the API's members in CamelCase, so a member is found by its name in any case. What the
shape does not have is an error that names it. CloudFormation takes a text for a number or a truth value, and the other
way round.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-template-resource-type-ref.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sandbox.model.cloudformation.document import Path
from sandbox.model.cloudformation.values import apply, is_known, text_of
from sandbox.model.own.errors import unknown
from sandbox.model.own.step import Computed, Reference

_NUMBERS = frozenset({"integer", "long"})
_FRACTIONS = frozenset({"float", "double"})


class Shape(Protocol):
    """A shape of a service model, as botocore has it."""

    @property
    def type_name(self) -> str:
        """Such as structure, list, map, string, integer, boolean."""


@dataclass(frozen=True)
class Given:
    """A property's value, and where it stands."""

    value: Any
    path: Path


class PropertyError(ValueError):
    """A value is not what its shape wants.

    Attributes:
        path: Where it stands.
        hint: What is meant, or known.
    """

    def __init__(self, path: Path, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.path = path
        self.hint = hint


class UnsupportedError(PropertyError):
    """The shape has no such member.

    Args:
        path: Where it stands.
        known: What there is.
    """

    def __init__(self, path: Path, known: Iterable[str]) -> None:
        name = str(path[-1])
        super().__init__(path, f"property {dotted(path)} is not supported", unknown("", name, known).hint)


def shaped(value: Any, shape: Any, path: Path) -> Any:
    """The value as a shape wants it.

    Args:
        value: Of a template; a `Given` says where it stands itself.
        shape: A `Shape`.
        path: Where it stands.

    Raises:
        PropertyError: The value has another form, or what the shape does not have.
    """
    if isinstance(value, Given):
        return shaped(value.value, shape, value.path)
    if isinstance(value, Reference | Computed):
        return _later(value, shape.type_name)
    if shape.type_name in _FORMS:
        return _FORMS[shape.type_name](value, shape, path)
    try:
        return _scalar(value, shape.type_name)
    except (ValueError, TypeError) as error:
        raise PropertyError(path, f"{dotted(path)} {error}") from error


def _list(value: Any, shape: Any, path: Path) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise PropertyError(path, f"{dotted(path)} is a list, and not {text_or_kind(value)}")
    return [shaped(one, shape.member, (*path, index)) for index, one in enumerate(value)]


def _structure(value: Any, shape: Any, path: Path) -> Any:
    members: Mapping[str, Any] = shape.members
    if isinstance(value, list | tuple) and {"Quantity", "Items"} <= members.keys():
        return _counted(value, members, path)  # CloudFront's lists
    _mapping(value, path)
    if "Quantity" in members and isinstance(value.get("Items"), list):
        value = {"Quantity": len(value["Items"]), **value}
    names = {name.lower(): name for name in members}
    made: dict[str, Any] = {}
    for key, one in value.items():
        member = key if key in members else names.get(str(key).lower())
        where = one.path if isinstance(one, Given) else (*path, key)
        if member is None:
            known = [f"{name[:1].upper()}{name[1:]}" for name in members]
            raise UnsupportedError(where, known)
        made[member] = shaped(one, members[member], where)
    for member in shape.required_members:
        if member not in made:
            said = f"{dotted(path)}: " if dotted(path) else ""
            raise PropertyError(path, f"{said}property {member[:1].upper()}{member[1:]} is required")
    return made


def _map(value: Any, shape: Any, path: Path) -> dict[str, Any]:
    _mapping(value, path)
    return {name: shaped(one, shape.value, (*path, name)) for name, one in value.items()}


def _as_it_is(value: Any, shape: Any, path: Path) -> Any:
    return value


_FORMS: Mapping[str, Callable[[Any, Any, Path], Any]] = {
    "structure": _structure,
    "list": _list,
    "map": _map,
    "blob": _as_it_is,
    "timestamp": _as_it_is,
}


def _counted(value: Sequence[Any], members: Mapping[str, Any], path: Path) -> dict[str, Any]:
    items = shaped(list(value), members["Items"], path)
    enabled = {"Enabled": bool(items)} if "Enabled" in members else {}
    return {**enabled, "Quantity": len(items), **({"Items": items} if items else {})}


def _later(value: Any, kind: str) -> Any:
    if kind == "boolean" or kind in _NUMBERS | _FRACTIONS:
        return apply(_scalar, value, kind)
    return value


def _scalar(value: Any, kind: str) -> Any:
    """A scalar of the kind that the API wants.

    Raises:
        ValueError, TypeError: It is none; the message goes on after the property's name.
    """
    if isinstance(value, Mapping | list | tuple):
        raise TypeError(f"is a {_WORDS.get(kind, kind)}, and not {text_or_kind(value)}")
    text = text_of(value)
    if kind == "boolean":
        if text.lower() not in {"true", "false"}:
            raise ValueError(f"is true or false, and not '{text}'")
        return text.lower() == "true"
    try:
        if kind in _NUMBERS:
            return int(text)
        return float(text) if kind in _FRACTIONS else text
    except (ValueError, OverflowError):
        raise ValueError(f"is a number, and not '{text[:60]}'") from None


_WORDS = {"string": "text", "integer": "number", "long": "number", "float": "number", "double": "number"}


def _mapping(value: Any, path: Path) -> None:
    if not isinstance(value, Mapping):
        raise PropertyError(path, f"{dotted(path)} is a mapping, and not {text_or_kind(value)}")


def text_or_kind(value: Any) -> str:
    """A value in an error: a short text as it is, of anything else what it is."""
    if isinstance(value, str | int | float):
        return f"'{text_of(value)[:60]}'"
    if isinstance(value, list | tuple):
        return "a list"
    return "a mapping" if isinstance(value, Mapping) else "what is known only later" if not is_known(value) else "that"


def dotted(path: Path) -> str:
    """A property's name, as ``ignore`` has it: neither lists nor functions are part of it."""
    inner = path[3:] if path[:1] == ("Resources",) else path
    return ".".join(str(one) for one in inner if isinstance(one, str) and not one.startswith("Fn::"))
