"""Parameters of documents: what a document declares, what SendCommand gives, and ``{{ name }}`` in what is run.

Source: Systems Manager User Guide, "Data elements and parameters" of SSM documents.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.model.ssm.errors import SsmError

Value = str | list[str]

TYPES = frozenset({"String", "StringList", "Integer", "Boolean", "StringMap", "MapList"})
_MARK = re.compile(r"\{\{\s*([A-Za-z][A-Za-z0-9_-]*)\s*\}\}")
_LISTS = frozenset({"StringList", "MapList"})
_KEYS = frozenset(
    {
        "type",
        "description",
        "default",
        "displayType",
        "allowedValues",
        "allowedPattern",
        "minItems",
        "maxItems",
        "minChars",
        "maxChars",
        "interpolationType",
    }
)


@dataclass(frozen=True)
class Parameter:
    """A parameter of a document.

    Attributes:
        default: None: it has to be given.
        allowed_values: Nothing else is taken; (): anything.
        allowed_pattern: Has to be found in each value ("": anything).
        items: How many values there may be.
        chars: How long a value may be.
    """

    name: str
    type: str
    description: str = ""
    default: Value | None = None
    allowed_values: tuple[str, ...] = ()
    allowed_pattern: str = ""
    items: tuple[int, int] = (0, 10_000)
    chars: tuple[int, int] = (0, 1_000_000)

    @property
    def is_list(self) -> bool:
        """Whether it has several values."""
        return self.type in _LISTS

    def described(self) -> dict[str, Any]:
        """As DescribeDocument shows it."""
        shown: dict[str, Any] = {"Name": self.name, "Type": "StringList" if self.is_list else "String"}
        if self.description:
            shown["Description"] = self.description
        if self.default is not None:
            shown["DefaultValue"] = self.default if isinstance(self.default, str) else json.dumps(self.default)
        return shown


def declared(raw: Any) -> dict[str, Parameter]:
    """The parameters of a document's content.

    Raises:
        SsmError: InvalidDocumentContent names the parameter.
    """
    if raw is None:
        return {}
    if not isinstance(raw, Mapping):
        raise _wrong("parameters must be an object")
    return {str(name): _declared(str(name), given) for name, given in raw.items()}


def _declared(name: str, raw: Any) -> Parameter:
    if not isinstance(raw, Mapping):
        raise _wrong(f"parameter {name} must be an object")
    if unknown := sorted(str(key) for key in raw if key not in _KEYS):
        raise _wrong(f"parameter {name} has unknown attributes: {', '.join(unknown)}")
    kind = raw.get("type")
    if kind not in TYPES:
        raise _wrong(f"parameter {name} has the type {kind!r}; types are {', '.join(sorted(TYPES))}")
    pattern = str(raw.get("allowedPattern", ""))
    try:
        re.compile(pattern)
    except re.error as error:
        raise _wrong(f"allowedPattern of parameter {name} is no regular expression: {error}") from error
    allowed = raw.get("allowedValues", [])
    if not isinstance(allowed, list):
        raise _wrong(f"allowedValues of parameter {name} must be a list")
    found = Parameter(
        name,
        str(kind),
        str(raw.get("description", "")),
        None,
        tuple(_text(value) for value in allowed),
        pattern,
        (_number(name, raw, "minItems", 0), _number(name, raw, "maxItems", 10_000)),
        (_number(name, raw, "minChars", 0), _number(name, raw, "maxChars", 1_000_000)),
    )
    if "default" not in raw:
        return found
    default = raw["default"]
    if found.is_list != isinstance(default, list):
        raise _wrong(f"the default of parameter {name} must be {'a list' if found.is_list else 'one value'}")
    value: Value = [_text(item) for item in default] if isinstance(default, list) else _text(default)
    return Parameter(**{**found.__dict__, "default": value})


def _number(name: str, raw: Mapping[str, Any], key: str, default: int) -> int:
    try:
        return int(raw.get(key, default))
    except (TypeError, ValueError) as error:
        raise _wrong(f"{key} of parameter {name} must be a number") from error


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value)


def given(document: str, parameters: Mapping[str, Parameter], values: Mapping[str, Sequence[str]]) -> dict[str, Value]:
    """The values of all parameters for a command.

    Args:
        document: The document's name.
        parameters: Those that it declares.
        values: Those of SendCommand.

    Raises:
        SsmError: InvalidParameters names the parameter.
    """
    if unknown := sorted(values.keys() - parameters.keys()):
        raise SsmError("InvalidParameters", f"document {document} does not support parameters: {', '.join(unknown)}")
    found: dict[str, Value] = {}
    for name, parameter in parameters.items():
        if name not in values:
            if parameter.default is None:
                raise SsmError("InvalidParameters", f'Parameter "{name}" of document {document} requires a value')
            found[name] = parameter.default
            continue
        found[name] = _checked(parameter, list(values[name]))
    return found


def _checked(parameter: Parameter, values: list[str]) -> Value:
    name = parameter.name
    if not parameter.is_list and len(values) != 1:
        raise SsmError("InvalidParameters", f'Parameter "{name}" takes one value, not {len(values)}')
    if not parameter.items[0] <= len(values) <= parameter.items[1]:
        raise SsmError(
            "InvalidParameters",
            f'Parameter "{name}" takes {parameter.items[0]} to {parameter.items[1]} values, not {len(values)}',
        )
    for value in values:
        if parameter.allowed_values and value not in parameter.allowed_values:
            raise SsmError(
                "InvalidParameters",
                f'Parameter "{name}" must be one of {", ".join(parameter.allowed_values)}, not {value!r}',
            )
        if parameter.allowed_pattern and not re.search(parameter.allowed_pattern, value):
            raise SsmError(
                "InvalidParameters",
                f'Parameter "{name}" must match {parameter.allowed_pattern}; {value[:100]!r} does not',
            )
        if not parameter.chars[0] <= len(value) <= parameter.chars[1]:
            raise SsmError("InvalidParameters", f'Parameter "{name}" has {len(value)} characters, which it may not')
        if parameter.type == "Boolean" and value.lower() not in {"true", "false"}:
            raise SsmError("InvalidParameters", f'Parameter "{name}" must be true or false, not {value!r}')
        if parameter.type == "Integer" and not re.fullmatch(r"[+-]?\d+", value):
            raise SsmError("InvalidParameters", f'Parameter "{name}" must be a number, not {value[:100]!r}')
    return values if parameter.is_list else values[0]


def mentioned(raw: Any) -> set[str]:
    """The names in ``{{ }}`` anywhere in a part of a document. Others, such as ``{{.Names}}``, mean nothing to it."""
    if isinstance(raw, str):
        return set(_MARK.findall(raw))
    if isinstance(raw, Mapping):
        return set().union(*(mentioned(value) for value in raw.values()))
    if isinstance(raw, list):
        return set().union(*(mentioned(value) for value in raw))
    return set()


def filled(raw: Any, values: Mapping[str, Value]) -> Any:
    """A part of a document with values in place of ``{{ name }}``.

    What is nothing but the name of a list becomes the list, and in a list its items; within a text a list is JSON.
    What a value itself says in ``{{ }}`` stays as it is.
    """
    if isinstance(raw, str):
        whole = _MARK.fullmatch(raw)
        if whole is not None and whole[1] in values:
            return values[whole[1]]
        return _MARK.sub(lambda match: _in_text(values.get(match[1], match[0])), raw)
    if isinstance(raw, Mapping):
        return {key: filled(value, values) for key, value in raw.items()}
    if isinstance(raw, list):
        items: list[Any] = []
        for item in raw:
            done = filled(item, values)
            items.extend(done if isinstance(item, str) and isinstance(done, list) else [done])
        return items
    return raw


def _in_text(value: Value) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _wrong(message: str) -> SsmError:
    return SsmError("InvalidDocumentContent", message)
