"""What a service's model states about values, checked and told in AWS's own words.

AWS's services answer a broken constraint with one sentence per constraint: ``Value 'x' at 'entries.1.member.source'
failed to satisfy constraint: Member must have length less than or equal to 256``
(https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html, ValidationError). botocore's
own `ParamValidator` checks less (no maximum, no enumeration, no pattern) and speaks to the caller of the client; a test
keeps the two in agreement.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from botocore.model import Shape

_SIZED = ("string", "list", "map", "blob")
_NUMBERS = ("integer", "long", "float", "double")


def constraint_errors(value: Any, shape: Shape) -> list[str]:
    """One sentence per broken constraint; none if the value is what the model allows.

    The value has the model's types already (`sandbox.aws.wire` saw to that).
    """
    return [f"{told} failed to satisfy constraint: {constraint}" for told, constraint in _errors(value, shape, "")]


def _errors(value: Any, shape: Shape, where: str) -> Iterator[tuple[str, str]]:
    if value is None:
        yield f"Value null at '{where}'", "Member must not be null"
        return
    if shape.type_name == "structure":
        yield from _structure_errors(value, shape, where)
        return
    for constraint in _own_errors(value, shape):
        yield f"Value {_shown(value)} at '{where}'", constraint
    if shape.type_name == "list":
        for n, item in enumerate(value, start=1):
            yield from _errors(item, shape.member, f"{where}.{n}.member")
    elif shape.type_name == "map":
        for name, item in value.items():
            yield from _errors(name, shape.key, f"{where}.{name}.key")
            yield from _errors(item, shape.value, f"{where}.{name}.member")


def _structure_errors(value: Any, shape: Shape, where: str) -> Iterator[tuple[str, str]]:
    if shape.is_document_type:
        return
    if shape.is_tagged_union and len(value) != 1:
        yield f"Value {_shown(value)} at '{where}'", f"Exactly one of {sorted(shape.members)} must be set"
    for name in shape.required_members:
        if name not in value:
            yield f"Value null at '{_member(where, name)}'", "Member must not be null"
    for name, item in value.items():
        yield from _errors(item, shape.members[name], _member(where, name))


def _member(where: str, name: str) -> str:
    """AWS spells members in its messages with a small first letter."""
    spelled = name[:1].lower() + name[1:]
    return f"{where}.{spelled}" if where else spelled


def _own_errors(value: Any, shape: Shape) -> Iterator[str]:
    kind = shape.type_name
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if kind in _SIZED:
        if least is not None and len(value) < least:
            yield f"Member must have length greater than or equal to {least}"
        if most is not None and len(value) > most:
            yield f"Member must have length less than or equal to {most}"
    elif kind in _NUMBERS:
        if least is not None and value < least:
            yield f"Member must have value greater than or equal to {least}"
        if most is not None and value > most:
            yield f"Member must have value less than or equal to {most}"
    if kind == "string":
        yield from _string_errors(value, shape)


def _string_errors(value: str, shape: Shape) -> Iterator[str]:
    allowed = shape.metadata.get("enum")
    if allowed and value not in allowed:
        yield f"Member must satisfy enum value set: [{', '.join(allowed)}]"
    pattern = shape.metadata.get("pattern")
    if pattern:
        compiled = _compiled(pattern)
        if compiled is not None and not compiled.fullmatch(value):
            yield f"Member must satisfy regular expression pattern: {pattern}"


@cache
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """The pattern, or None: the models' patterns are Java's, and Python lacks its Unicode classes."""
    try:
        return re.compile(pattern)
    except re.error:
        return None


def _shown(value: Any) -> str:
    return f"'{value}'" if len(str(value)) <= 256 else f"'{str(value)[:256]}...'"
