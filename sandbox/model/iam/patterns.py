"""Texts of a policy that stand for many: wildcards and policy variables.

IAM User Guide, "IAM JSON policy elements: Resource", "Action" and "IAM policy elements: Variables and tags": ``*`` is
any text, ``?`` one character; ``${key}`` is the value that the request has, ``${key, 'default'}`` that or a default;
``${*}``, ``${?}`` and ``${$}`` are the characters themselves. What a variable brings is never a wildcard.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

Context = Mapping[str, Sequence[str]]
"""What is known of a request: the values of each condition key, whose names are in lower case."""

ANY, ONE = object(), object()
"""What stands for ``*`` and ``?`` among the characters of a pattern."""

_VARIABLE = re.compile(r"\$\{([^{}]*)\}")
_NAME = re.compile(r"""\s*([^\s,]+)\s*(?:,\s*'([^']*)'\s*)?""")
_ARN_PARTS = 6


class UnknownVariableError(Exception):
    """The request does not have a variable's value: whatever names it matches nothing."""


def compiled(text: str, context: Context | None = None) -> list[object]:
    """A pattern's characters, with `ANY` and `ONE` for wildcards, and variables put in.

    Args:
        text: As written.
        context: Has the values; None leaves ``${`` as it stands, as do policies of a version before 2012-10-17.

    Raises:
        UnknownVariableError: See there.
    """
    tokens: list[object] = []
    end = 0
    for found in _VARIABLE.finditer(text) if context is not None else ():
        tokens += _wild(text[end : found.start()])
        tokens += _value(found[1], context or {})
        end = found.end()
    return tokens + _wild(text[end:])


def text_of(text: str, context: Context | None) -> str:
    """The text with variables put in; wildcards are characters like others.

    Raises:
        UnknownVariableError: See there.
    """
    if context is None:
        return text
    return _VARIABLE.sub(lambda found: _value(found[1], context), text)


def matches(pattern: Sequence[object], value: str) -> bool:
    """Whether a compiled pattern matches the whole of a value. Takes no longer than the product of their lengths."""
    place = at = 0
    star, resume = -1, 0
    while at < len(value):
        token = pattern[place] if place < len(pattern) else None
        if token is ANY:
            star, resume = place, at
            place += 1
        elif token is ONE or token == value[at]:
            place += 1
            at += 1
        elif star >= 0:
            place = star + 1
            resume += 1
            at = resume
        else:
            return False
    return all(token is ANY for token in pattern[place:])


def like(pattern: str, value: str, context: Context | None = None) -> bool:
    """Whether the text of a policy matches a value; false where the request lacks a variable of it."""
    try:
        return matches(compiled(pattern, context), value)
    except UnknownVariableError:
        return False


def arn_like(pattern: str, value: str, context: Context | None = None) -> bool:
    """Whether an ARN matches as the operators Arn... do it: each of its six parts by itself.

    So no ``*`` reaches from one part into the next, as one in a Resource may.
    """
    patterns, values = pattern.split(":", _ARN_PARTS - 1), value.split(":", _ARN_PARTS - 1)
    if len(patterns) != _ARN_PARTS or len(values) != _ARN_PARTS:
        return False
    return all(like(one, part, context) for one, part in zip(patterns, values, strict=True))


def _wild(text: str) -> list[object]:
    return [ANY if letter == "*" else ONE if letter == "?" else letter for letter in text]


def _value(variable: str, context: Context) -> str:
    if variable in {"*", "?", "$"}:
        return variable
    named = _NAME.fullmatch(variable)
    if named is None:
        raise UnknownVariableError(variable)
    values = context.get(named[1].lower(), ())
    if len(values) == 1:  # a key of several values is no variable
        return values[0]
    if named[2] is None:
        raise UnknownVariableError(variable)
    return named[2]
