"""The operators of a statement's Condition.

IAM User Guide, "IAM JSON policy elements: Condition operators", "Set operators for multivalued context keys" and
"Conditions with multiple context keys or values": all operators and all keys of a Condition have to hold; of the values
of a key one has to match, and for a negated operator none may. A key that the request does not have fails, but for
negated operators, ``...IfExists``, ``ForAllValues:`` and ``Null``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from ipaddress import ip_address, ip_network
from typing import Any

from sandbox.model.iam.errors import PolicyError
from sandbox.model.iam.patterns import Context, UnknownVariableError, arn_like, like, text_of

# Whether the value that a policy names fits the one that the request has.
Test = Callable[[str, str, Context | None], bool]

_OPERATOR = re.compile(r"(?:(?P<set>ForAllValues|ForAnyValue):)?(?P<name>[A-Za-z]+?)(?P<if_exists>IfExists)?")


@dataclass(frozen=True, slots=True)
class Condition:
    """One operator with one key.

    Attributes:
        operator: As written ("ForAnyValue:StringLike").
        key: In lower case; keys know no case.
        values: What the policy names.
        test: Compares one of `values` with one of the request's.
        negated: The operator holds where no value matches.
        quantifier: "ForAllValues", "ForAnyValue" or "".
        if_exists: It holds where the request does not have the key.
    """

    operator: str
    key: str
    values: tuple[str, ...]
    test: Test | None
    negated: bool
    quantifier: str
    if_exists: bool

    def holds(self, context: Context, variables: Context | None) -> bool:
        """Whether it holds for a request; ``variables`` are put into what the policy names (None: none are)."""
        given = context.get(self.key)
        if self.test is None:  # Null: is the key absent?
            return any((value.lower() == "true") == (not given) for value in self.values)
        if not given:
            if self.quantifier:
                return self.if_exists or self.quantifier == "ForAllValues"
            return self.if_exists or self.negated
        results = [self._holds_for(value, variables) for value in given]
        return any(results) if self.quantifier == "ForAnyValue" else all(results)

    def _holds_for(self, given: str, variables: Context | None) -> bool:
        assert self.test is not None
        found = any(self.test(value, given, variables) for value in self.values)
        return found != self.negated


def parse(block: Any) -> tuple[Condition, ...]:
    """The conditions of a statement's Condition, as JSON has it.

    Raises:
        PolicyError: An operator that there is not, or something else than AWS's form.
    """
    if not isinstance(block, Mapping):
        raise PolicyError("Condition has to be an object of operators")
    found = []
    for operator, keys in block.items():
        match = _OPERATOR.fullmatch(operator)
        name = match["name"].lower() if match else ""
        if match is None or (name not in _TESTS and name != "null") or (name == "null" and match["if_exists"]):
            raise PolicyError(f"Invalid Condition type : {operator}.")
        if not isinstance(keys, Mapping):
            raise PolicyError(f"the condition operator {operator} needs an object of keys and values")
        test, negated = _TESTS.get(name, (None, False))
        for key, values in keys.items():
            texts = tuple(
                _text(value)
                for value in (values if isinstance(values, Sequence) and not isinstance(values, str) else [values])
            )
            found.append(
                Condition(operator, key.lower(), texts, test, negated, match["set"] or "", bool(match["if_exists"]))
            )
    return tuple(found)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return str(value)
    raise PolicyError("the values of a condition have to be texts, numbers or booleans")


def _same(value: str, given: str, variables: Context | None) -> bool:
    try:
        return text_of(value, variables) == given
    except UnknownVariableError:
        return False


def _same_letters(value: str, given: str, variables: Context | None) -> bool:
    try:
        return text_of(value, variables).lower() == given.lower()
    except UnknownVariableError:
        return False


def _boolean(value: str, given: str, variables: Context | None) -> bool:
    return value.lower() == given.lower()


def _in_network(value: str, given: str, variables: Context | None) -> bool:
    try:
        return ip_address(given) in ip_network(value, strict=False)
    except ValueError:
        return False


def _compared(read: Callable[[str], Any], fits: Callable[[Any, Any], bool]) -> Test:
    """Compares numbers or dates; what is none of them matches nothing."""

    def test(value: str, given: str, variables: Context | None) -> bool:
        try:
            return fits(read(given), read(value))
        except (ValueError, InvalidOperation, OverflowError):
            return False

    return test


def _date(text: str) -> datetime:
    """ISO 8601, or seconds since the epoch."""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return datetime.fromtimestamp(float(text), UTC)
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "equals": lambda given, value: given == value,
    "lessthan": lambda given, value: given < value,
    "lessthanequals": lambda given, value: given <= value,
    "greaterthan": lambda given, value: given > value,
    "greaterthanequals": lambda given, value: given >= value,
}

# The test of each operator, by its name in lower case, and whether it is negated.
_TESTS: dict[str, tuple[Test, bool]] = {
    "stringequals": (_same, False),
    "stringnotequals": (_same, True),
    "stringequalsignorecase": (_same_letters, False),
    "stringnotequalsignorecase": (_same_letters, True),
    "stringlike": (like, False),
    "stringnotlike": (like, True),
    "arnequals": (arn_like, False),  # the two behave identically
    "arnlike": (arn_like, False),
    "arnnotequals": (arn_like, True),
    "arnnotlike": (arn_like, True),
    "bool": (_boolean, False),
    "binaryequals": (_same, False),
    "ipaddress": (_in_network, False),
    "notipaddress": (_in_network, True),
    "numericnotequals": (_compared(Decimal, _ORDER["equals"]), True),
    "datenotequals": (_compared(_date, _ORDER["equals"]), True),
    **{f"numeric{name}": (_compared(Decimal, fits), False) for name, fits in _ORDER.items()},
    **{f"date{name}": (_compared(_date, fits), False) for name, fits in _ORDER.items()},
}
