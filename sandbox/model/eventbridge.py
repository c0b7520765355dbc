"""EventBridge event patterns: which events a rule matches.

The rules are those of "Creating Amazon EventBridge event patterns" and "Comparison operators for use in event
patterns" in the user guide; where those are silent, of Event Ruler (https://github.com/aws/event-ruler), the library
that EventBridge matches with:

* An event is a list of leaf fields. A field's name is its path joined with dots, so ``{"a": {"b": 1}}`` and
  ``{"a.b": 1}`` are the same. Arrays do not show in the name: each element is one more value of the field.
* A pattern matches if every field that it names has a value that one of its tests accepts.
* Array consistency: two fields never match in different elements of the same array ("JSON Array Matching" in Event
  Ruler's README).

The messages of mistakes leave out the line and column that AWS tells.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.model.eventbridge_complexity import is_too_complex
from sandbox.model.eventbridge_operators import (
    OPERATORS,
    InvalidEventPatternError,
    Test,
    equals,
    expression,
    wildcards_of,
)

# Which element of which array a value is in: array's number -> element's index.
Membership = frozenset[tuple[int, int]]

EventFields = Mapping[str, list[tuple[Any, Membership]]]
"""The values of each field of an event, by the field's name."""

# Operators, and what Ruler keeps for future ones.
_RESERVED = OPERATORS.keys() | {"=", "<", "<=", ">", ">=", "regex", "not-wildcard", "not-equals-ignore-case"}
_RESERVED |= {"date-after", "date-on-or-after", "date-before", "date-on-or-before", "in-date-range"}
_RESERVED |= {"ip-address-in-range", "ip-address-not-in-range"}

_MOST_ALTERNATIVES = 1000  # ours: some lines of nested $or multiply out to more than any memory holds


@dataclass(frozen=True, slots=True)
class _Field:
    """The tests for one field: it matches if a value passes one of them, or, with ``absent``, if it has no value.

    ``wildcards`` are the texts of the wildcards among the tests.
    """

    tests: tuple[Test, ...]
    absent: bool
    wildcards: tuple[str, ...]

    def accepts(self, value: Any) -> bool:
        return any(test(value) for test in self.tests)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled event pattern.

    Attributes:
        alternatives: What ``$or`` multiplies out to; each maps field names to tests. One of them has to match.
    """

    alternatives: tuple[Mapping[str, _Field], ...]

    def matches(self, event: Mapping[str, Any]) -> bool:
        """Whether an event, as parsed from JSON, matches."""
        return self.matches_fields(fields_of(event))

    def matches_fields(self, fields: EventFields) -> bool:
        """The same for what `fields_of` gave: many patterns need it only once."""
        return any(_matches(alternative, fields) for alternative in self.alternatives)


def fields_of(event: Mapping[str, Any]) -> EventFields:
    """The leaf fields of an event, as parsed from JSON."""
    fields: dict[str, list[tuple[Any, Membership]]] = {}
    for name, value, membership in _leaves(event):
        fields.setdefault(name, []).append((value, membership))
    return fields


def compile_pattern(pattern: str | Mapping[str, Any]) -> Pattern:
    """Compile an event pattern, given as JSON text or parsed.

    Raises:
        InvalidEventPatternError: It is malformed, or too complex.
    """
    if isinstance(pattern, str):
        try:
            pattern = json.loads(pattern)
        except (ValueError, RecursionError) as error:
            raise InvalidEventPatternError(str(error)) from error
    if not isinstance(pattern, Mapping):
        raise InvalidEventPatternError("Filter is not an object")
    try:
        alternatives = tuple(_alternatives(pattern, "", [{}], inside_or=False))
    except RecursionError as error:
        raise InvalidEventPatternError("The pattern is nested too deeply") from error
    if any(is_too_complex(wildcards) for wildcards in _compared_together(alternatives)):
        raise InvalidEventPatternError(_TOO_COMPLEX)
    return Pattern(alternatives)


_TOO_COMPLEX = (
    "Rule is too complex - try using fewer wildcard characters or fewer repeating character sequences after a wildcard "
    "character"
)


# -- matching --


def _leaves(event: Mapping[str, Any]) -> Iterator[tuple[str, Any, Membership]]:
    """Each leaf of an event: its field's name, its value, and the array elements that it is part of."""
    arrays = 0
    nodes: list[tuple[Any, str, Membership]] = [(event, "", frozenset())]
    while nodes:  # no recursion: the depth of an event is its sender's
        node, name, membership = nodes.pop()
        if isinstance(node, Mapping):
            nodes += [(value, f"{name}.{key}" if name else key, membership) for key, value in node.items()]
        elif isinstance(node, list):
            # As in Ruler, only objects and arrays are bound to their element, plain values are not.
            bound = (isinstance(item, Mapping | list) for item in node)
            inside = (membership | {(arrays, i)} if binds else membership for i, binds in enumerate(bound))
            nodes += [(item, name, members) for item, members in zip(node, inside, strict=True)]
            arrays += 1
        else:
            yield name, node, membership


def _matches(fields: Mapping[str, _Field], values: EventFields) -> bool:
    # The array elements that the fields so far can have matched in. Ruler takes fields in the order of their names,
    # which shows in "exists": false: a field is absent if no value of it fits the elements matched so far.
    states: set[Membership] = {frozenset()}
    for name in sorted(fields):
        field, found = fields[name], values.get(name, [])
        accepted = {membership for value, membership in found if field.accepts(value)}
        after = {state | membership for state in states for membership in accepted if _consistent(state, membership)}
        if field.absent:
            after |= {s for s in states if not any(_consistent(s, membership) for _, membership in found)}
        if not after:
            return False
        states = after
    return True


def _consistent(one: Membership, other: Membership) -> bool:
    """Whether no array is in both with different elements."""
    elements = dict(one)
    return all(elements.get(array, index) == index for array, index in other)


# -- compiling --


def _alternatives(
    node: Mapping[str, Any], path: str, rules: list[dict[str, _Field]], *, inside_or: bool
) -> list[dict[str, _Field]]:
    """Add the fields of ``node`` to each of ``rules``; an ``$or`` multiplies them."""
    if not node:
        raise InvalidEventPatternError("Empty objects are not allowed")
    for key, value in node.items():
        name = f"{path}.{key}" if path else key
        if key == "$or":
            rules = _or_alternatives(value, path, rules)
        elif inside_or and key in _RESERVED:
            raise InvalidEventPatternError(f"{key} is Ruler reserved fieldName which cannot be used inside $or.")
        elif isinstance(value, Mapping):
            rules = _alternatives(value, name, rules, inside_or=inside_or)
        elif isinstance(value, list):
            field = _field(value)
            rules = [{**rule, name: field} for rule in rules]
        else:
            raise InvalidEventPatternError(f'"{key}" must be an object or an array')
    return rules


def _or_alternatives(choices: Any, path: str, rules: list[dict[str, _Field]]) -> list[dict[str, _Field]]:
    if not isinstance(choices, list):
        raise InvalidEventPatternError("It must be an Array followed with $or.")
    if any(not isinstance(choice, Mapping) for choice in choices):
        raise InvalidEventPatternError("Only JSON object is allowed in array of $or relationship.")
    if len(choices) < 2:
        raise InvalidEventPatternError("There must have at least 2 Objects in $or relationship.")
    if len(rules) * len(choices) > _MOST_ALTERNATIVES:
        raise InvalidEventPatternError(f"$or multiplies out to more than {_MOST_ALTERNATIVES} combinations")
    return [rule for choice in choices for rule in _alternatives(choice, path, rules, inside_or=True)]


def _field(values: list[Any]) -> _Field:
    if not values:
        raise InvalidEventPatternError("Empty arrays are not allowed")
    absent = False
    tests = []
    wildcards: list[str] = []
    for value in values:
        if isinstance(value, list):
            raise InvalidEventPatternError("Match value must be String, number, true, false, or null")
        if not isinstance(value, Mapping):
            tests.append(equals(value))
        elif value == {"exists": False} and value["exists"] is False:
            absent = True
        else:
            tests.append(expression(value))
            wildcards += wildcards_of(value)
    return _Field(tuple(tests), absent, tuple(wildcards))


def _compared_together(alternatives: tuple[dict[str, _Field], ...]) -> list[list[str]]:
    """The wildcards that Ruler compares with a value at the same time.

    They are those of one field, of all the alternatives that the fields before it (in the order of names) do not tell
    apart.
    """
    together: dict[tuple[Any, ...], list[str]] = {}
    for alternative in alternatives:
        before: tuple[int, ...] = ()
        for name in sorted(alternative):
            field = alternative[name]
            if field.wildcards:
                together.setdefault((before, name), []).extend(field.wildcards)
            before = (*before, id(field))
    return list(together.values())
