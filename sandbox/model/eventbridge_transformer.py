"""Input templates: text with ``<variables>``, rendered for each event.

"Amazon EventBridge input transformation" and the InputTransformer type of the API reference:

* A template that is a JSON object gives minified JSON. Outside of quotes a variable is its value as JSON, inside them
  its text.
* Any other template gives text, quotes and all ("for strings, quotes are required").
* A variable whose path leads nowhere, or to null, is an empty string.
* EventBridge does not escape what it puts in. So an object in a string makes a JSON template invalid; in a text it
  loses its quotes (seen: LocalStack's tests against AWS).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sandbox.model.eventbridge_entries import as_json

RESERVED = frozenset(
    {
        "aws.events.rule-arn",
        "aws.events.rule-name",
        "aws.events.event",
        "aws.events.event.json",
        "aws.events.event.ingestion-time",
    }
)

_TOKEN = re.compile(r'\\.|"|<([^<>]*)>', re.DOTALL)
_MARK = "\ue000"  # of a private use area: stands for a variable while a template is checked


class InvalidTemplateError(ValueError):
    """The template cannot be used.

    Attributes:
        placeholder: The variable that is not defined; None if the template as a whole is no valid JSON.
    """

    def __init__(self, placeholder: str | None = None) -> None:
        super().__init__(placeholder)
        self.placeholder = placeholder


class InvalidJsonError(ValueError):
    """What a JSON template became for an event is no JSON; the text of the error is that."""


@dataclass(frozen=True, slots=True)
class _Variable:
    name: str
    quoted: bool


@dataclass(frozen=True, slots=True)
class Transformer:
    """A parsed template: text and variables in turn."""

    parts: tuple[str | _Variable, ...]
    is_object: bool

    def check(self, defined: Iterable[str]) -> None:
        """Make sure that each variable is known and, of a JSON template, that it is JSON.

        Raises:
            InvalidTemplateError: One is not, or it is not, or a variable is in an object's key.
        """
        known = RESERVED.union(defined)
        for part in self.parts:
            if isinstance(part, _Variable) and part.name not in known:
                raise InvalidTemplateError(part.name)
        if not self.is_object:
            return
        marked = (p if isinstance(p, str) else _MARK if p.quoted else f'"{_MARK}"' for p in self.parts)
        try:
            json.loads("".join(marked), object_pairs_hook=_without_variable_keys)
        except (ValueError, RecursionError) as error:
            raise InvalidTemplateError from error

    def render(self, values: Mapping[str, Any]) -> str:
        """The text for one event.

        Args:
            values: Of all variables, by name; JSON values.

        Raises:
            InvalidJsonError: The template is an object and what it became is none.
        """
        text = "".join(part if isinstance(part, str) else self._shown(values[part.name], part) for part in self.parts)
        if not self.is_object:
            return text
        try:
            return as_json(json.loads(text))
        except (ValueError, RecursionError) as error:
            raise InvalidJsonError(text) from error

    def _shown(self, value: Any, variable: _Variable) -> str:
        if value is None:
            return '""' if self.is_object and not variable.quoted else ""
        if isinstance(value, str):
            return as_json(value) if self.is_object and not variable.quoted else value
        text = as_json(value)
        return text.replace('"', "") if variable.quoted and not self.is_object else text


@lru_cache(maxsize=256)
def transformer_of(template: str) -> Transformer:
    """Parse an InputTemplate."""
    parts: list[str | _Variable] = []
    end, in_string = 0, False
    for token in _TOKEN.finditer(template):
        if token[0] == '"':
            in_string = not in_string
        elif token[1] is not None:
            parts += [template[end : token.start()], _Variable(token[1], in_string)]
            end = token.end()
    return Transformer((*parts, template[end:]), template.lstrip().startswith("{"))


def _without_variable_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if any(_MARK in key for key, _ in pairs):
        raise ValueError("a variable cannot be used as an object key")
    return dict(pairs)
