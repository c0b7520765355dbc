"""Dynamic references: ``{{resolve:ssm:NAME}}`` and ``{{resolve:secretsmanager:ID:SecretString:KEY}}`` in properties.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from sandbox.model.cloudformation.values import apply, concatenated, json_member, text
from sandbox.model.own.step import Computed, Reference

_DYNAMIC = re.compile(r"\{\{resolve:([a-z-]+):([^{}]*)\}\}")
# Stands in a text for a part that is known later: no text of a template has these characters.
_LATER = re.compile("\0(\\d+)\0")
_ARN_PARTS = 7
_SECRET = "SecretString"

Look = Callable[[str, Any], Any]
"""The value of a "parameter" or "secret" by its name or ARN (a text, or what stands for one); None: there is none."""


class DynamicError(ValueError):
    """A dynamic reference cannot be resolved.

    Attributes:
        hint: What to give, and where.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def resolved(value: Any, look: Look) -> Any:
    """The value with what its dynamic references stand for.

    Raises:
        DynamicError: One has another form, or no value.
    """
    if isinstance(value, dict):
        return {key: resolved(one, look) for key, one in value.items()}
    if isinstance(value, list):
        return [resolved(one, look) for one in value]
    if isinstance(value, str):
        return _in_text([value], look) if "{{resolve:" in value else value
    if isinstance(value, Computed) and value.function is concatenated:
        return _in_text(list(value.arguments), look)
    return value


def _in_text(parts: list[Any], look: Look) -> Any:
    plain = "".join(one if isinstance(one, str) else f"\0{index}\0" for index, one in enumerate(parts))
    if "{{resolve:" not in plain:
        return text(parts)
    made: list[Any] = []
    end = 0
    for match in _DYNAMIC.finditer(plain):
        made += _parts(plain[end : match.start()], parts)
        made.append(_value(match[1], match[2], parts, look))
        end = match.end()
    return text([*made, *_parts(plain[end:], parts)])


def _parts(plain: str, parts: list[Any]) -> list[Any]:
    """A piece of the text with the parts that are known later in their places."""
    pieces = _LATER.split(plain)
    return [parts[int(one)] if index % 2 else one for index, one in enumerate(pieces) if one]


def _value(service: str, key: str, parts: list[Any], look: Look) -> Any:
    if service in {"ssm", "ssm-secure"}:
        # The name has no colon but before a version.
        name, _, version = key.partition(":")
        if version and not version.isdecimal():
            raise DynamicError(f"{{{{resolve:{service}:{key}}}}} is no dynamic reference")
        return _found("parameter", name, parts, look)
    if service != "secretsmanager":
        raise DynamicError(f"dynamic references of {service} are not supported")
    fields = key.split(":")
    length = _ARN_PARTS if fields[0] == "arn" else 1
    name, rest = ":".join(fields[:length]), fields[length:]
    if rest[:1] not in ([], [""], [_SECRET]):
        raise DynamicError(f"{{{{resolve:{service}:{key}}}}}: {rest[0]} is not {_SECRET}")
    value = _found("secret", name, parts, look)
    member = rest[1] if len(rest) > 1 else ""
    if isinstance(value, dict):
        value = json.dumps(value)
    return apply(json_member, value, member) if member else value


def _found(kind: str, name: str, parts: list[Any], look: Look) -> Any:
    pieces = _parts(name, parts)
    one = pieces[0] if len(pieces) == 1 else text(pieces)
    found = look(kind, one)
    if found is None:
        if isinstance(one, Reference | Computed):
            raise DynamicError(
                f"a dynamic reference names a {kind} that is known only later, and not the template's own"
            )
        raise DynamicError(f"no value is given for the {kind} {one}", f'in [secrets]: "{one}" = "VALUE"')
    return found
