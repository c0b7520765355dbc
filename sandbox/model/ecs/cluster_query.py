"""The cluster query language: expressions that select container instances.

Rules: developer guide "Create expressions to define container instances for Amazon ECS tasks" (subjects, operators,
precedence by parentheses) and its examples ("attribute:stack != prod" wants the attribute to be there). Arguments of
=~ are regular expressions of Java's; Python's are taken for them, which agree for what such expressions use.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from sandbox.model.ecs.errors import invalid_parameter

Predicate = Callable[["Subject"], bool]

_WORDS = {
    "==": "equals",
    "!=": "not_equals",
    ">": "greater_than",
    ">=": "greater_than_equal",
    "<": "less_than",
    "<=": "less_than_equal",
    "!exists": "not_exists",
    "!in": "not_in",
    "=~": "matches",
    "!~": "not_matches",
}
_EQUALITY = frozenset({"equals", "not_equals", "in", "not_in", "matches", "not_matches"})
_ORDER = frozenset({"equals", "not_equals", "greater_than", "greater_than_equal", "less_than", "less_than_equal"})
_ALL = _EQUALITY | _ORDER | {"exists", "not_exists"}
_COMPARED: dict[str, Callable[[Any, Any], Any]] = {
    "equals": operator.eq,
    "greater_than": operator.gt,
    "greater_than_equal": operator.ge,
    "less_than": operator.lt,
    "less_than_equal": operator.le,
}
_NEGATED = {"not_equals": "equals", "not_in": "in", "not_matches": "matches"}

# What each subject can be asked; attributes and task groups everything.
_SUBJECTS: dict[str, frozenset[str]] = {
    "agentConnected": _EQUALITY,
    "agentVersion": _ORDER,
    "ec2InstanceId": _EQUALITY,
    "registeredAt": _ORDER,
    "runningTasksCount": _ORDER,
    "task:group": _ALL,
}

_TOKEN = re.compile(
    r"\s*(?:(?P<quoted>'[^']*'|\"[^\"]*\")|(?P<sign>&&|\|\||==|!=|>=|<=|=~|!~|[()\[\],<>!])|(?P<word>[^\s()\[\],'\"&|=<>!~]+))"
)
_PATTERN = re.compile(r"\s*(?P<quoted>'[^']*'|\"[^\"]*\")|\s*(?P<word>[^\s()]+)")


class Subject(Protocol):
    """What is asked: a container instance with the tasks on it."""

    def values(self, subject: str) -> Sequence[str]:
        """The values of a subject: none where it is not there, one of each group for ``task:group``."""


@dataclass
class _Reader:
    """Reads an expression from left to right."""

    text: str
    position: int = 0

    def peek(self) -> str:
        return self._match(_TOKEN)[0]

    def take(self) -> str:
        token, self.position = self._match(_TOKEN)
        return token

    def value(self) -> str:
        """A literal; quotes are not part of it."""
        token = self.take()
        if not token or token in set("()[],<>!") | {"&&", "||"} | set(_WORDS):
            raise self.wrong()
        return token.strip("'\"")

    def pattern(self) -> str:
        """A regular expression: everything up to the next space or parenthesis."""
        token, self.position = self._match(_PATTERN)
        if not token:
            raise self.wrong()
        return token.strip("'\"")

    def wrong(self) -> Exception:
        return invalid_parameter(f"Invalid expression: '{self.text}' cannot be read at character {self.position + 1}.")

    def _match(self, form: re.Pattern[str]) -> tuple[str, int]:
        if not self.text[self.position :].strip():
            return "", len(self.text)
        found = form.match(self.text, self.position)
        if found is None:
            raise self.wrong()
        return found.group().strip(), found.end()


def parse(expression: str) -> Predicate:
    """The predicate that an expression stands for.

    Raises:
        EcsError: InvalidParameterException: it is no expression, or asks a subject what it cannot be asked.
    """
    reader = _Reader(expression)
    predicate = _disjunction(reader)
    if reader.peek():
        raise reader.wrong()
    return predicate


def _disjunction(reader: _Reader) -> Predicate:
    parts = [_conjunction(reader)]
    while reader.peek() in {"or", "||"}:
        reader.take()
        parts.append(_conjunction(reader))
    return parts[0] if len(parts) == 1 else lambda subject: any(part(subject) for part in parts)


def _conjunction(reader: _Reader) -> Predicate:
    parts = [_negation(reader)]
    while reader.peek() in {"and", "&&"}:
        reader.take()
        parts.append(_negation(reader))
    return parts[0] if len(parts) == 1 else lambda subject: all(part(subject) for part in parts)


def _negation(reader: _Reader) -> Predicate:
    token = reader.peek()
    if token in {"not", "!"}:
        reader.take()
        inner = _negation(reader)
        return lambda subject: not inner(subject)
    if token == "(":
        reader.take()
        inner = _disjunction(reader)
        if reader.take() != ")":
            raise reader.wrong()
        return inner
    return _comparison(reader)


def _comparison(reader: _Reader) -> Predicate:
    name = reader.value()
    allowed = _ALL if name.startswith("attribute:") and name != "attribute:" else _SUBJECTS.get(name)
    if allowed is None:
        raise invalid_parameter(f"Invalid expression: '{name}' is no subject of the cluster query language.")
    sign = reader.take()
    if sign == "!":  # !in and !exists
        sign += reader.take()
    wanted = _WORDS.get(sign, sign)
    if wanted not in _ALL:
        raise reader.wrong()
    if wanted not in allowed:
        raise invalid_parameter(f"Invalid expression: '{name}' cannot be asked with the operator {sign}.")
    if wanted in {"exists", "not_exists"}:
        return lambda subject: bool(subject.values(name)) is (wanted == "exists")
    return _compared(name, wanted, _argument(reader, name, wanted))


def _argument(reader: _Reader, name: str, wanted: str) -> Any:
    if wanted in {"in", "not_in"}:
        return frozenset(_list(reader))
    if wanted in {"matches", "not_matches"}:
        pattern = reader.pattern()
        try:
            return re.compile(pattern)
        except re.error as error:
            raise invalid_parameter(f"Invalid expression: '{pattern}' is no regular expression: {error}.") from None
    value = reader.value()
    _ordered(name, value)
    return value


def _list(reader: _Reader) -> list[str]:
    if reader.take() != "[":
        raise reader.wrong()
    values = [reader.value()]
    while (sign := reader.take()) == ",":
        values.append(reader.value())
    if sign != "]":
        raise reader.wrong()
    return values


def _compared(name: str, wanted: str, argument: Any) -> Predicate:
    base = _NEGATED.get(wanted, wanted)

    def holds(value: str) -> bool:
        if base == "in":
            return bool(value in argument)
        if base == "matches":
            return bool(argument.fullmatch(value))
        if name.startswith(("attribute:", "task:")) and base == "equals":
            return bool(value == argument)
        return bool(_COMPARED[base](_ordered(name, value), _ordered(name, argument)))

    def predicate(subject: Subject) -> bool:
        values = subject.values(name)
        if not values and name.startswith("attribute:"):
            return False
        return any(holds(value) for value in values) is (base == wanted)

    return predicate


def _ordered(name: str, value: str) -> Any:
    """A value in the order of its subject: a time, a version, a number, else its text."""
    try:
        if name == "registeredAt":
            time = datetime.fromisoformat(value.replace("Z", "+00:00"))
            return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
        if name == "agentVersion":
            return [int(part) for part in value.split(".")]
        if name == "runningTasksCount":
            return int(value)
    except ValueError:
        raise invalid_parameter(f"Invalid expression: '{value}' is no value of {name}.") from None
    return value
