"""The comparison operators of EventBridge patterns, each compiled to a test of one value.

"Comparison operators for use in event patterns in Amazon EventBridge"; errors in the words of Event Ruler's compiler.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Any

Test = Callable[[Any], bool]

_LIMIT = 5e9  # Ruler compares numbers within +-5 billion


class InvalidEventPatternError(ValueError):
    """The pattern is malformed; the text is what AWS's InvalidEventPatternException says."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"Event pattern is not valid. Reason: {reason}")


def equals(expected: Any) -> Test:
    """Accepts a value equal to ``expected``; numbers by value, true, false and null only themselves."""
    if isinstance(expected, bool) or expected is None:
        return lambda value: value is expected
    return lambda value: not isinstance(value, bool) and bool(value == expected)


def expression(operation: Mapping[str, Any]) -> Test:
    """Compile a match expression such as ``{"prefix": "a"}``."""
    if not operation:
        raise InvalidEventPatternError("Match expression name not found")
    (operator, operand), *more = operation.items()
    compiler = OPERATORS.get(operator)
    if compiler is None:
        raise InvalidEventPatternError(f"Unrecognized match type {operator}")
    test = compiler(operand)
    if more:
        raise InvalidEventPatternError("Only one key allowed in match expression")
    return test


def wildcards_of(operation: Mapping[str, Any]) -> list[str]:
    """The texts of the wildcards in a match expression that `expression` has compiled."""
    operand = operation.get("anything-but", operation)
    texts = operand.get("wildcard", []) if isinstance(operand, Mapping) else []
    return texts if isinstance(texts, list) else [texts]


def _text(operator: str, operand: Any) -> str:
    if not isinstance(operand, str):
        raise InvalidEventPatternError(f"{operator} match pattern must be a string")
    return operand


def _on_text(test: Callable[[str], bool]) -> Test:
    return lambda value: isinstance(value, str) and test(value)


def _exactly(operand: Any) -> Test:
    return equals(_text("exact", operand))


def _ignore_case(operand: Any) -> Test:
    lower = _text("equals-ignore-case", operand).lower()
    return _on_text(lambda value: value.lower() == lower)


def _prefix(operand: Any) -> Test:
    if isinstance(operand, Mapping):
        lower = _inner_ignore_case("Prefix", operand)
        return _on_text(lambda value: value.lower().startswith(lower))
    prefix = _text("prefix", operand)
    return _on_text(lambda value: value.startswith(prefix))


def _suffix(operand: Any) -> Test:
    if isinstance(operand, Mapping):
        lower = _inner_ignore_case("Suffix", operand)
        return _on_text(lambda value: value.lower().endswith(lower))
    suffix = _text("suffix", operand)
    return _on_text(lambda value: value.endswith(suffix))


def _inner_ignore_case(kind: str, operand: Mapping[str, Any]) -> str:
    if not operand:
        raise InvalidEventPatternError(f"{kind} expression name not found")
    (operator, text), *more = operand.items()
    if operator != "equals-ignore-case":
        raise InvalidEventPatternError(f"Unsupported {kind.lower()} pattern: {operator}")
    lower = _text("equals-ignore-case", text).lower()
    if more:
        raise InvalidEventPatternError("Only one key allowed in match expression")
    return lower


def _wildcard(operand: Any) -> Test:
    text = _text("wildcard", operand)
    regex, position = "", 0
    while position < len(text):
        here, after = text[position], text[position + 1 : position + 2]
        offset = len(text[:position].encode()) + 1  # Ruler counts bytes, the opening quote included
        if here == "*" and after == "*":
            raise InvalidEventPatternError(f"Consecutive wildcard characters at pos {offset}")
        if here == "\\" and after not in {"*", "\\"}:
            raise InvalidEventPatternError(f"Invalid escape character at pos {offset}")
        regex += ".*" if here == "*" else re.escape(after if here == "\\" else here)
        position += 2 if here == "\\" else 1
    compiled = re.compile(regex, re.DOTALL)
    return _on_text(lambda value: compiled.fullmatch(value) is not None)


def _exists(operand: Any) -> Test:
    if operand is not True:  # false alone is the field's business; see `_field`
        raise InvalidEventPatternError("exists match pattern must be either true or false.")
    return lambda value: True


def _anything_but(operand: Any) -> Test:
    if isinstance(operand, Mapping):
        excluded = _excluded_by_operator(operand)
    elif isinstance(operand, list):
        if any(isinstance(item, bool | list | Mapping) or item is None for item in operand):
            raise InvalidEventPatternError("Inside anything but list, start|null|boolean is not supported.")
        if len({isinstance(item, str) for item in operand}) != 1:
            raise InvalidEventPatternError(
                "Inside anything but list, either all values are number or string, mixed type is not supported"
            )
        excluded = [equals(item) for item in operand]
    elif isinstance(operand, bool) or operand is None:
        raise InvalidEventPatternError("Value of anything-but must be an array or single string/number value.")
    else:
        excluded = [equals(operand)]
    return lambda value: not any(test(value) for test in excluded)


def _excluded_by_operator(operand: Mapping[str, Any]) -> list[Test]:
    if not operand:
        raise InvalidEventPatternError("Anything-But expression name not found")
    (operator, values), *more = operand.items()
    if operator not in {"equals-ignore-case", "prefix", "suffix", "wildcard"}:
        raise InvalidEventPatternError(f"Unsupported anything-but pattern: {operator}")
    if isinstance(values, bool | Mapping) or values is None:
        raise InvalidEventPatternError("Value of anything-but must be an array or single string/number value.")
    tests = [_excluded_text(operator, value) for value in (values if isinstance(values, list) else [values])]
    if more:
        raise InvalidEventPatternError("Only one key allowed in match expression")
    return tests


def _excluded_text(operator: str, value: Any) -> Test:
    affix = operator in {"prefix", "suffix"}
    if not isinstance(value, str):
        if operator == "equals-ignore-case":
            raise InvalidEventPatternError(
                "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported."
            )
        raise InvalidEventPatternError(f"{'prefix/suffix' if affix else operator} match pattern must be a string")
    if affix and not value:
        raise InvalidEventPatternError("Null prefix/suffix not allowed")
    return OPERATORS[operator](value)


def _numeric(operand: Any) -> Test:
    if not isinstance(operand, list):
        raise InvalidEventPatternError("Value of numeric must be an array.")
    if not operand or not isinstance(operand[0], str):
        raise InvalidEventPatternError(f"Invalid member in numeric match: {operand[0] if operand else ']'}")
    operator = operand[0]
    if operator not in _COMPARISONS:
        raise InvalidEventPatternError(f"Unrecognized numeric range operator: {operator}")
    bound = _number("equals" if operator == "=" else operator, operand[1:2])
    tests = [(_COMPARISONS[operator], bound)]
    if operator in {">", ">="} and len(operand) > 2:
        upper = operand[2]
        if not isinstance(upper, str):
            raise InvalidEventPatternError(f"Bad value in numeric range: {upper}")
        if upper not in {"<", "<="}:
            raise InvalidEventPatternError(f"Bad numeric range operator: {upper}")
        top = _number(upper, operand[3:4])
        if len(operand) > 4:
            raise InvalidEventPatternError("Too many terms in numeric range expression")
        if bound >= top:
            raise InvalidEventPatternError("Bottom must be less than top")
        tests.append((_COMPARISONS[upper], top))
    elif len(operand) > 2:
        raise InvalidEventPatternError("Too many elements in numeric expression")
    return lambda value: (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and abs(value) <= _LIMIT
        and all(compare(value, limit) for compare, limit in tests)
    )


def _number(operator: str, operand: list[Any]) -> float:
    if not operand or isinstance(operand[0], bool) or not isinstance(operand[0], int | float):
        raise InvalidEventPatternError(f"Value of {operator} must be numeric")
    if abs(operand[0]) > _LIMIT:
        raise InvalidEventPatternError("Value must be between -5.0E9 and 5.0E9, inclusive")
    return operand[0]


def _cidr(operand: Any) -> Test:
    if not isinstance(operand, str):
        raise InvalidEventPatternError("prefix match pattern must be a string")  # Ruler's own words
    address, slash, bits = operand.partition("/")
    if not slash or "/" in bits:
        raise InvalidEventPatternError("Malformed CIDR, one '/' required")
    if not re.fullmatch(r"[+-]?\d+", bits):
        raise InvalidEventPatternError("Malformed CIDR, mask bits must be an integer")
    try:
        low = ip_address(address)
    except ValueError as error:
        raise InvalidEventPatternError(f"Nonstandard IP address: {address}") from error
    if int(bits) < 0:
        raise InvalidEventPatternError("Malformed CIDR, mask bits must not be negative")
    if int(bits) > low.max_prefixlen:
        raise InvalidEventPatternError(f"IPv{low.version} mask bits must be < {low.max_prefixlen + 1}")
    high = int(low) | ((1 << (low.max_prefixlen - int(bits))) - 1)

    def within(value: str) -> bool:
        try:
            candidate = ip_address(value)
        except ValueError:
            return False
        return candidate.version == low.version and int(low) <= int(candidate) <= high

    return _on_text(within)


_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "=": lambda value, bound: value == bound,
    "<": lambda value, bound: value < bound,
    "<=": lambda value, bound: value <= bound,
    ">": lambda value, bound: value > bound,
    ">=": lambda value, bound: value >= bound,
}

OPERATORS: Mapping[str, Callable[[Any], Test]] = {
    "exactly": _exactly,
    "prefix": _prefix,
    "suffix": _suffix,
    "equals-ignore-case": _ignore_case,
    "wildcard": _wildcard,
    "anything-but": _anything_but,
    "exists": _exists,
    "numeric": _numeric,
    "cidr": _cidr,
}
