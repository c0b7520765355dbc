"""The conditions of a rule, from the API's form and back (API reference: "RuleCondition" and what it refers to)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sandbox.model.elb.config import Condition
from sandbox.model.elb.errors import ElbError, not_carried_out, validation_error
from sandbox.model.elb.limits import VALUES_OF_A_RULE, WILDCARDS_OF_A_RULE

Given = Mapping[str, Any]

_LONGEST = 128
_LONGEST_NAME = 40  # of a header or a method
_CONFIGS = {
    "host-header": "HostHeaderConfig",
    "http-header": "HttpHeaderConfig",
    "http-request-method": "HttpRequestMethodConfig",
    "path-pattern": "PathPatternConfig",
    "query-string": "QueryStringConfig",
    "source-ip": "SourceIpConfig",
}
_WITH_VALUES = ("host-header", "path-pattern")
_ONCE = ("host-header", "http-request-method", "path-pattern", "source-ip")
_HOST = re.compile(r"[A-Za-z0-9.*?-]+")
_LAST_LABEL = re.compile(r"[A-Za-z*?]+")
_PATH = re.compile(r"[A-Za-z0-9_\-.$/~\"'@:+&;*?]+")
_METHOD = re.compile(r"[A-Z_-]+")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 7230, 3.2.6


def parse_conditions(given: Sequence[Given]) -> tuple[Condition, ...]:
    """A rule's conditions; there is at least one.

    Raises:
        ElbError: ValidationError, or InvalidConfigurationRequest for what is not carried out.
    """
    if not given:
        raise validation_error("A condition must be specified")
    conditions = tuple(_condition(one) for one in given)
    fields = [condition.field for condition in conditions]
    for field in _ONCE:
        if fields.count(field) > 1:
            raise validation_error(f"A rule can only have one '{field}' condition")
    if sum(len(condition.values) for condition in conditions) > VALUES_OF_A_RULE:
        raise validation_error(f"A rule can only have '{VALUES_OF_A_RULE}' condition values")
    if sum(_wildcards(condition) for condition in conditions) > WILDCARDS_OF_A_RULE:
        raise validation_error(f"A rule can only have '{WILDCARDS_OF_A_RULE}' condition wildcards")
    return conditions


def shown_condition(condition: Condition) -> dict[str, Any]:
    """As DescribeRules shows it."""
    config: dict[str, Any] = {"Values": list(condition.values)}
    if condition.field == "http-header":
        config["HttpHeaderName"] = condition.header
    if condition.field == "query-string":
        pairs: Iterable[Any] = condition.values
        config["Values"] = [{"Key": key or None, "Value": value} for key, value in pairs]
    shown: dict[str, Any] = {"Field": condition.field, _CONFIGS[condition.field]: config}
    if condition.field in _WITH_VALUES:
        shown["Values"] = list(condition.values)
    return shown


def _condition(given: Given) -> Condition:
    field = given.get("Field", "")
    if not field:
        raise validation_error("A condition field must be specified")
    if field not in _CONFIGS:
        raise validation_error(f"Condition field '{field}' must be one of '[{', '.join(sorted(_CONFIGS))}]'")
    config = given.get(_CONFIGS[field], {})
    for name in _CONFIGS.values():
        if name in given and name != _CONFIGS[field]:
            raise validation_error(f"The '{name}' field is not compatible with '{field}'")
    if given.get("RegexValues") or config.get("RegexValues"):
        raise not_carried_out(f"RegexValues of a '{field}' condition")
    values = _values(field, given, config)
    header = config.get("HttpHeaderName", "")
    if field == "http-header":
        _check_header(header)
    for value in values:
        _CHECKS[field](value)
    if field == "query-string":
        return Condition(field, tuple((value.get("Key", ""), value["Value"]) for value in values))
    return Condition(field, tuple(values), header)


def _values(field: str, given: Given, config: Given) -> Sequence[Any]:
    old = given.get("Values", [])
    if old and field not in _WITH_VALUES:
        raise validation_error(f"The 'Values' field is not compatible with '{field}'")
    if old and config:
        raise validation_error(
            f"You cannot provide both Values and '{_CONFIGS[field]}' for a condition of type '{field}'"
        )
    if len(old) > 1:
        raise validation_error(f"The '{field}' field contains too many values; the limit is '1'")
    values: Sequence[Any] = old or config.get("Values", [])
    if field not in _WITH_VALUES and not config:
        raise validation_error(f"A '{_CONFIGS[field]}' must be specified with '{field}'")
    if not values or "" in values:
        raise validation_error("A condition value must be specified")
    return values


def _check_length(field: str, value: str, longest: int = _LONGEST) -> None:
    if len(value) > longest:
        raise validation_error(f"The '{field}' value is too long; the limit is '{longest}'")


def _check_characters(value: str, allowed: re.Pattern[str]) -> None:
    if not allowed.fullmatch(value):
        raise _bad_character(value)


def _bad_character(value: str) -> ElbError:
    return validation_error(f"Condition value '{value}' contains a character that is not valid")


def _check_host(value: str) -> None:
    _check_length("host-header", value)
    _check_characters(value, _HOST)
    _, dot, last = value.rpartition(".")
    if not dot:
        raise validation_error(f"Condition value '{value}' must contain at least one '.'")
    _check_characters(last, _LAST_LABEL)


def _check_path(value: str) -> None:
    _check_length("path-pattern", value)
    _check_characters(value, _PATH)


def _check_header(name: str) -> None:
    if not name:
        raise validation_error("A 'HttpHeaderName' must be specified in 'HttpHeaderConfig'")
    _check_length("HttpHeaderName", name, _LONGEST_NAME)
    if not _TOKEN.fullmatch(name) or "*" in name or name.lower() == "host":
        raise validation_error(f"The 'HttpHeaderName' value '{name}' is not valid")


def _check_method(value: str) -> None:
    _check_length("http-request-method", value, _LONGEST_NAME)
    if not _METHOD.fullmatch(value):
        raise validation_error(
            "The 'http-request-method' value is invalid; the allowed characters are A-Z, hyphen and underscore"
        )


def _check_pair(value: Mapping[str, str]) -> None:
    if not value.get("Value"):
        raise validation_error("A 'Value' must be specified in 'QueryStringKeyValuePair'")
    _check_length("Key", value.get("Key", ""))
    _check_length("Value", value["Value"])


def _check_network(value: str) -> None:
    try:
        if "/" not in value:
            raise ValueError
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise validation_error(f"Condition value '{value}' is not a valid CIDR block") from None


_CHECKS: Mapping[str, Callable[[Any], None]] = {
    "host-header": _check_host,
    "http-header": lambda value: _check_length("http-header", value),
    "http-request-method": _check_method,
    "path-pattern": _check_path,
    "query-string": _check_pair,
    "source-ip": _check_network,
}


def _wildcards(condition: Condition) -> int:
    if condition.field in ("http-request-method", "source-ip"):
        return 0
    values: Iterable[Any] = condition.values
    # In a query string a backslash makes a wildcard an ordinary character.
    texts = ("".join(value) if isinstance(value, tuple) else value for value in values)
    return sum(len(re.findall(r"[*?]", re.sub(r"\\[*?\\]", "", text))) for text in texts)
