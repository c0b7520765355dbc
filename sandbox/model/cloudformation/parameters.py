"""The values of a template's parameters: given ones, or defaults, held against what the template says of them.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.model.cloudformation.template import Template
from sandbox.model.cloudformation.values import apply, is_known, listed, only, text_of
from sandbox.model.own.errors import OwnError, unknown
from sandbox.model.own.step import Reference

_KEYS = frozenset(
    {"Type", "Default", "AllowedValues", "AllowedPattern", "MinLength", "MaxLength", "MinValue", "MaxValue", "NoEcho"}
    | {"Description", "ConstraintDescription"}
)
_LIST = re.compile(r"List<(.+)>")
_SSM = re.compile(r"AWS::SSM::Parameter::Value<(.+)>")
_NAME_OF_SSM = "AWS::SSM::Parameter::Name"
# Ids of production mean nothing here: the sandbox's own stand for them.
_VPC, _SUBNETS, _GROUP = Reference("sandbox.vpc"), Reference("sandbox.subnets"), Reference("sandbox.security_group")
_OPEN = "security group, which lets everything through"
# One after another, for a load balancer is to have subnets in two Availability Zones.
_OWN: Mapping[str, tuple[tuple[str, Any], ...]] = {
    "AWS::EC2::VPC::Id": (("VPC", _VPC),),
    "AWS::EC2::Subnet::Id": (
        ("first subnet", Reference("sandbox.subnets.0")),
        ("second subnet", Reference("sandbox.subnets.1")),
    ),
    "AWS::EC2::SecurityGroup::Id": ((_OPEN, _GROUP),),
    "List<AWS::EC2::VPC::Id>": (("VPC", apply(only, _VPC)),),
    "List<AWS::EC2::Subnet::Id>": (("subnets", _SUBNETS),),
    "List<AWS::EC2::SecurityGroup::Id>": ((_OPEN, apply(only, _GROUP)),),
}
_TEXTS = frozenset(
    {
        "AWS::EC2::AvailabilityZone::Name",
        "AWS::EC2::Image::Id",
        "AWS::EC2::Instance::Id",
        "AWS::EC2::KeyPair::KeyName",
        "AWS::EC2::SecurityGroup::GroupName",
        "AWS::EC2::SecurityGroup::Id",
        "AWS::EC2::Subnet::Id",
        "AWS::EC2::VPC::Id",
        "AWS::EC2::Volume::Id",
        "AWS::Route53::HostedZone::Id",
    }
)
# Such a parameter's values are an image's id of the sandbox, where nothing is given for it.
_PUBLIC_IMAGE = re.compile(r"/aws/service/(?:ecs/optimized-ami|ami-amazon-linux-latest)/.+")
_IMAGE = "ami-0123456789abcdef0"
_SLOWEST_PATTERN = 4096  # characters of a value that is held against a pattern; CloudFormation takes no longer ones


class Parameters:
    """Reads the parameters of a template.

    Args:
        template: Has them.
        parameter_value: The value of a Systems Manager parameter of that name, or None where none is given.
        notes: Gets what is to be told.
        where: Where values are given, for hints.
    """

    def __init__(
        self,
        template: Template,
        parameter_value: Callable[[str], str | None],
        notes: list[str],
        where: str = "[cloudformation.parameters]",
    ) -> None:
        self._template = template
        self._value = parameter_value
        self._notes = notes
        self._where = where

    def values(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The values by name; what of them is known is texts, or lists of them.

        Raises:
            OwnError: One is missing, unknown, or not as the template wants it.
        """
        declared = self._template.parameters
        for name in given:
            if name not in declared:
                raise unknown(self._where, name, declared, "parameter")
        for name, one in declared.items():
            self._check_keys(name, one)
        missing = [name for name, one in declared.items() if name not in given and not has_value(one)]
        if missing:
            examples = ", ".join(f'{name} = "VALUE"' for name in missing)
            raise self._template.error(
                ("Parameters", missing[0]),
                f"Parameters: [{', '.join(missing)}] must have values",
                f"in {self._where}: {examples}",
            )
        found: dict[str, Any] = {}
        own = {kind: itertools.cycle(things) for kind, things in _OWN.items()}
        for name, one in declared.items():
            things = own.get(str(one["Type"]))
            if things is not None and name not in given:
                what, found[name] = next(things)
                self._notes.append(f"parameter {name} ({one['Type']}) is the sandbox's own {what}")
            else:
                found[name] = self._of(name, one, given[name] if name in given else one["Default"])
        return found

    def _check_keys(self, name: str, one: Mapping[str, Any]) -> None:
        path = ("Parameters", name)
        for key in one:
            if key not in _KEYS:
                wrong = unknown("", key, _KEYS)
                raise self._template.error((*path, key), f"Parameters '{name}': {wrong.message}", wrong.hint)
        kind = str(one.get("Type", ""))
        if not _is_type(kind):
            raise self._template.error(
                (*path, "Type"), f"Template format error: Unrecognized parameter type: {kind or 'none'} (of {name})"
            )

    def _of(self, name: str, one: Mapping[str, Any], value: Any) -> Any:
        kind = str(one["Type"])
        try:
            if not is_known(value):  # a nested stack's, that an earlier call answers
                return apply(listed, value) if _is_list(kind) else value
            text = ",".join(listed(value)) if isinstance(value, list) else text_of(value)
            stored = _SSM.fullmatch(kind)
            if stored:
                text, kind = self._stored(name, text), stored[1]
                checked = {"Type": kind}
            else:
                checked = {**one}
            items = listed(text) if _is_list(kind) else [text]
            for item in items:
                _check(name, kind, checked, item)
        except ValueError as error:
            hint = str(one.get("ConstraintDescription", ""))
            raise self._template.error(("Parameters", name), str(error), hint) from error
        return items if _is_list(kind) else text

    def _stored(self, name: str, key: str) -> str:
        value = self._value(key)
        if value is None and _PUBLIC_IMAGE.fullmatch(key):
            return _IMAGE
        if value is None:
            raise self._template.error(
                ("Parameters", name),
                f"no value is given for the Systems Manager parameter {key} (of the parameter {name})",
                f'in [secrets]: "{key}" = "VALUE"',
            )
        return value


def has_value(declared: Mapping[str, Any]) -> bool:
    """Whether a parameter has a value where none is given: a default, or a thing of the sandbox's own."""
    return "Default" in declared or str(declared.get("Type")) in _OWN


def _is_list(kind: str) -> bool:
    return kind == "CommaDelimitedList" or kind.startswith("List<")


def _is_type(kind: str) -> bool:
    if kind in {"String", "Number", "CommaDelimitedList", "List<Number>", _NAME_OF_SSM} or kind in _TEXTS:
        return True
    inner = _SSM.fullmatch(kind) or _LIST.fullmatch(kind)
    if inner is None:
        return False
    return inner[1] in _TEXTS | {"String", "CommaDelimitedList", "List<String>"} or _is_id_list(inner[1])


def _is_id_list(kind: str) -> bool:
    inner = _LIST.fullmatch(kind)
    return inner is not None and inner[1] in _TEXTS


def _check(name: str, kind: str, one: Mapping[str, Any], item: str) -> None:
    """What CloudFormation says before it makes anything.

    Raises:
        ValueError: The value is not allowed.
    """
    allowed = one.get("AllowedValues")
    if allowed is not None:
        if not isinstance(allowed, list):
            raise ValueError(f"Parameter '{name}': AllowedValues is a list")
        if item not in [text_of(each) for each in allowed]:
            raise ValueError(f"Parameter '{name}' must be one of AllowedValues: {', '.join(map(text_of, allowed))}")
    pattern = one.get("AllowedPattern")
    if pattern is not None and not _matches(name, text_of(pattern), item):
        raise ValueError(f"Parameter '{name}' must match pattern {pattern}")
    if kind in {"Number", "List<Number>"}:
        number = _number(name, item)
        if "MinValue" in one and number < _number(name, text_of(one["MinValue"])):
            raise ValueError(f"Parameter '{name}' must be a number not less than {one['MinValue']}")
        if "MaxValue" in one and number > _number(name, text_of(one["MaxValue"])):
            raise ValueError(f"Parameter '{name}' must be a number not greater than {one['MaxValue']}")
        return
    if "MinLength" in one and len(item) < _number(name, text_of(one["MinLength"])):
        raise ValueError(f"Parameter '{name}' must contain at least {one['MinLength']} characters")
    if "MaxLength" in one and len(item) > _number(name, text_of(one["MaxLength"])):
        raise ValueError(f"Parameter '{name}' must contain at most {one['MaxLength']} characters")


def _matches(name: str, pattern: str, item: str) -> bool:
    if len(item) > _SLOWEST_PATTERN:
        raise ValueError(f"Parameter '{name}' must contain at most {_SLOWEST_PATTERN} characters")
    try:
        return re.fullmatch(pattern, item) is not None
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"Parameter '{name}': AllowedPattern {pattern} is not carried out: {error}") from error


def _number(name: str, text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        raise ValueError(f"Parameter '{name}' must be a number") from None
    if not math.isfinite(found):
        raise ValueError(f"Parameter '{name}' must be a number")
    return found


def value_in_toml(value: Any) -> Any:
    """A parameter's value in a sandbox.toml, in which ``${sandbox.vpc}`` and the like stand for the sandbox's own.

    Raises:
        OwnError: It is neither text, number, truth value nor a list of them.
    """
    if isinstance(value, list):
        return [value_in_toml(one) for one in value]
    if isinstance(value, str):
        match = re.fullmatch(r"\$\{(sandbox\.[a-z_.0-9]+)\}", value)
        if match is None:
            return value
        return own_reference(match[1])
    if isinstance(value, bool | int | float):
        return value
    raise OwnError("a parameter's value is a text, a number, true or false, or a list of them", f"found {value!r}")


def own_reference(name: str) -> Reference:
    """What stands for a thing of the sandbox's own.

    Raises:
        OwnError: It has no such thing.
    """
    known = {"sandbox.vpc", "sandbox.subnets", "sandbox.subnets.0", "sandbox.subnets.1", "sandbox.security_group"}
    if name not in known:
        raise unknown("[cloudformation]", name, known, "name")
    return Reference(name)
