"""Evaluates the functions of a template.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from sandbox.model.cloudformation.document import FUNCTIONS, Path
from sandbox.model.cloudformation.template import Template
from sandbox.model.cloudformation.values import (
    NO_VALUE,
    apply,
    base64_of,
    cidr,
    is_known,
    joined,
    selected,
    split,
    text,
    text_of,
)
from sandbox.model.own.errors import OwnError

_VARIABLE = re.compile(r"\$\{(!?)([^}]*)\}")
_ZONES = "abcdef"
_MOST_OPERANDS = 10  # of Fn::And and Fn::Or; two at least


class Resources(Protocol):
    """What has been made of a template's resources so far."""

    def ref(self, logical_id: str) -> Any:
        """What Ref of a resource is; KeyError: it has not been made."""

    def attribute(self, logical_id: str, name: str) -> Any:
        """An attribute of it; KeyError: it has not been made, ValueError: it has no such attribute here."""

    def imported(self, name: str) -> Any:
        """What is exported by that name; LookupError: nothing is."""


class Evaluator:
    """Evaluates parts of a template.

    Args:
        template: The template.
        parameters: The values of its parameters.
        pseudo: Those of the pseudo parameters, by their whole names.
        resources: What its resources are.
    """

    def __init__(
        self, template: Template, parameters: Mapping[str, Any], pseudo: Mapping[str, Any], resources: Resources
    ) -> None:
        self._template = template
        self._parameters = parameters
        self._pseudo = pseudo
        self._resources = resources
        self._conditions: dict[str, bool | None] = {}  # None: it is being evaluated
        self._functions: Mapping[str, Callable[[Any, Path], Any]] = {
            "Ref": self._ref,
            "Fn::Base64": lambda raw, path: apply(base64_of, self.value(raw, path)),
            "Fn::Cidr": self._cidr,
            "Fn::FindInMap": self._find_in_map,
            "Fn::GetAZs": self._zones,
            "Fn::GetAtt": self._attribute,
            "Fn::If": lambda raw, path: self.value(*self._branch(raw, path)),
            "Fn::ImportValue": self._import,
            "Fn::Join": self._join,
            "Fn::Select": self._select,
            "Fn::Split": self._split,
            "Fn::Sub": self._sub,
        }

    # -- values --

    def value(self, raw: Any, path: Path) -> Any:
        """The value at a path. What is AWS::NoValue is left out of lists and mappings.

        Raises:
            OwnError: A function is not supported, or cannot be carried out.
        """
        name = self._function(raw, path)
        if name is not None:
            inner = (*path, name)
            with self._told(inner):
                if name not in self._functions:
                    raise ValueError(f"{name} is a function of conditions alone")
                return self._functions[name](raw[name], inner)
        if isinstance(raw, dict):
            values = {key: self.value(one, (*path, key)) for key, one in raw.items()}
            return {key: one for key, one in values.items() if one is not NO_VALUE}
        if isinstance(raw, list):
            items = [self.value(one, (*path, index)) for index, one in enumerate(raw)]
            return [one for one in items if one is not NO_VALUE]
        return raw

    def condition(self, name: str, path: Path) -> bool:
        """Whether a condition of the template holds.

        Raises:
            OwnError: There is none, it is made of itself, or it cannot be evaluated.
        """
        if name not in self._conditions:
            if name not in self._template.conditions:
                raise self._error(path, f"Template format error: Unresolved condition dependency {name}")
            self._conditions[name] = None
            where = ("Conditions", name)
            with self._told(where):
                self._conditions[name] = self._holds(self._template.conditions[name], where)
        found = self._conditions[name]
        if found is None:
            raise self._error(path, f"Template format error: Circular dependency between conditions: {name}")
        return found

    def references(self, raw: Any, path: Path) -> Iterator[tuple[str, Path]]:
        """The resources that a value refers to, in the branches that its conditions choose, and where it does."""
        name = self._function(raw, path)
        if name is None:
            for key, one in raw.items() if isinstance(raw, dict) else enumerate(raw) if isinstance(raw, list) else ():
                yield from self.references(one, (*path, key))
            return
        inner, given = (*path, name), raw[name]
        if name == "Fn::If":
            with self._told(inner):
                branch, where = self._branch(given, inner)
            yield from self.references(branch, where)
        elif name in {"Ref", "Fn::GetAtt"}:
            logical = given if isinstance(given, str) else given[0] if isinstance(given, list) and given else ""
            logical = logical.partition(".")[0] if name == "Fn::GetAtt" and isinstance(logical, str) else logical
            if isinstance(logical, str) and (name == "Fn::GetAtt" or not self._is_parameter(logical)):
                yield logical, inner
        elif name == "Fn::Sub":
            yield from self._references_of_sub(given, inner)
        else:
            yield from self.references(given, inner)

    def _references_of_sub(self, given: Any, path: Path) -> Iterator[tuple[str, Path]]:
        pattern, variables = given, {}
        if isinstance(given, list) and len(given) == 2 and isinstance(given[1], dict):
            pattern, variables = given
            yield from self.references(variables, (*path, 1))
        for literal, name in _VARIABLE.findall(pattern) if isinstance(pattern, str) else ():
            if not literal and name not in variables and not self._is_parameter(name):
                yield name.partition(".")[0], path

    # -- functions --

    def _function(self, raw: Any, path: Path) -> str | None:
        if not isinstance(raw, dict):
            return None
        names = [key for key in raw if key == "Ref" or key.startswith("Fn::")]
        if not names:
            return None
        name: str = names[0]
        if name not in FUNCTIONS:
            raise self._error((*path, name), f"the function {name} is not supported")
        if len(raw) == 1:
            return name
        if name == "Ref":
            return None
        raise self._error((*path, name), f"{name} stands beside other keys: {', '.join(key for key in raw)}")

    def _is_parameter(self, name: str) -> bool:
        return name in self._pseudo or name in self._parameters or name.startswith("AWS::")

    def _ref(self, raw: Any, path: Path) -> Any:
        if not isinstance(raw, str):
            raise TypeError("Template format error: Ref is the name of a parameter or a resource")
        if raw in self._pseudo:
            return self._pseudo[raw]
        if raw.startswith("AWS::"):
            raise ValueError(f"Template format error: there is no pseudo parameter {raw}")
        if raw in self._parameters:
            return self._parameters[raw]
        try:
            return self._resources.ref(raw)
        except KeyError:
            raise ValueError(self.unresolved(raw)) from None

    def _attribute(self, raw: Any, path: Path) -> Any:
        parts = raw.split(".", 1) if isinstance(raw, str) else self.value(raw, path)
        if not isinstance(parts, list) or len(parts) != 2 or not all(isinstance(one, str) and one for one in parts):
            raise ValueError(
                "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the "
                "resource attribute"
            )
        try:
            return self._resources.attribute(parts[0], parts[1])
        except KeyError:
            raise ValueError(self.unresolved(parts[0])) from None

    def unresolved(self, name: str) -> str:
        """What CloudFormation says of a name that is no resource, or one that is not made."""
        if name in self._template.ignored:
            return f"it refers to {name}, which [cloudformation] ignore leaves out"
        return (
            f"Template format error: Unresolved resource dependencies [{name}] in the Resources block of the template"
        )

    def _sub(self, raw: Any, path: Path) -> Any:
        pattern, variables = raw, {}
        if isinstance(raw, list):
            if len(raw) != 2 or not isinstance(raw[1], dict):
                raise ValueError("Template error: Fn::Sub wants a text, or a list of a text and a mapping of variables")
            pattern = raw[0]
            variables = {key: self.value(one, (*path, 1, key)) for key, one in raw[1].items()}
        if not isinstance(pattern, str):
            raise TypeError("Template error: Fn::Sub wants a text, or a list of a text and a mapping of variables")
        parts: list[Any] = []
        end = 0
        for match in _VARIABLE.finditer(pattern):
            parts.append(pattern[end : match.start()])
            end = match.end()
            if match[1]:
                parts.append(f"${{{match[2]}}}")
            elif match[2] in variables:
                parts.append(variables[match[2]])
            elif "." in match[2] and not self._is_parameter(match[2]):
                parts.append(self._attribute(match[2], path))
            else:
                parts.append(self._ref(match[2], path))
        return text([one for one in (*parts, pattern[end:]) if one is not NO_VALUE])

    def _join(self, raw: Any, path: Path) -> Any:
        delimiter, values = self._pair(raw, path, "Fn::Join", "a delimiter and a list")
        if not isinstance(delimiter, str):
            raise TypeError("Fn::Join wants a text as its delimiter")
        if not isinstance(values, list):
            if is_known(values):
                raise ValueError("Fn::Join wants a delimiter and a list")
            return apply(joined, delimiter, values)
        parts: list[Any] = []
        for value in values:
            parts += [delimiter, value] if parts else ["", value]
        return text(parts)

    def _select(self, raw: Any, path: Path) -> Any:
        index, values = self._pair(raw, path, "Fn::Select", "an index and a list")
        # An item may be known although others are not.
        return selected(index, values) if isinstance(values, list) else apply(selected, index, values)

    def _split(self, raw: Any, path: Path) -> Any:
        return apply(split, *self._pair(raw, path, "Fn::Split", "a delimiter and a text"))

    def _cidr(self, raw: Any, path: Path) -> Any:
        values = self.value(raw, path)
        if not isinstance(values, list) or len(values) != 3:
            raise ValueError("Fn::Cidr wants a block, a count and the number of bits of hosts")
        return apply(cidr, values[0], values[1], values[2])

    def _find_in_map(self, raw: Any, path: Path) -> Any:
        keys = self.value(raw, path)
        if not isinstance(keys, list) or len(keys) != 3 or not is_known(keys):
            raise ValueError("Fn::FindInMap wants a mapping and two keys, which are known before anything is made")
        found: Any = self._template.mappings
        for key in keys:
            try:
                found = found[text_of(key)]
            except (LookupError, TypeError):
                said = "::".join(text_of(one) for one in keys)
                raise ValueError(f"Template error: Unable to get mapping for {said}") from None
        return found

    def _zones(self, raw: Any, path: Path) -> list[str]:
        region = self.value(raw, path)
        own = self._pseudo["AWS::Region"]
        if region not in ("", own):
            raise ValueError(f"Fn::GetAZs: the sandbox has the region {own} alone")
        return [f"{own}{zone}" for zone in _ZONES]

    def _import(self, raw: Any, path: Path) -> Any:
        name = self.value(raw, path)
        if not isinstance(name, str):
            raise TypeError("Fn::ImportValue wants the name of an export, which is known before anything is made")
        return self._resources.imported(name)

    def _pair(self, raw: Any, path: Path, function: str, what: str) -> tuple[Any, Any]:
        values = self.value(raw, path)
        if not isinstance(values, list) or len(values) != 2:
            raise ValueError(f"Template error: {function} wants {what}")
        return values[0], values[1]

    # -- conditions --

    def _branch(self, raw: Any, path: Path) -> tuple[Any, Path]:
        if not isinstance(raw, list) or len(raw) != 3 or not isinstance(raw[0], str):
            raise ValueError(
                "Template error: Fn::If requires a list argument with three elements, the first a condition"
            )
        index = 1 if self.condition(raw[0], path) else 2
        return raw[index], (*path, index)

    def _holds(self, raw: Any, path: Path) -> bool:
        name = next(iter(raw)) if isinstance(raw, dict) and len(raw) == 1 else ""
        inner = (*path, name)
        given = raw[name] if name else None
        match name:
            case "Condition" if isinstance(given, str):
                return self.condition(given, inner)
            case "Fn::Equals":
                self._check_of_condition(given, inner)
                first, second = self._pair(given, inner, name, "two values")
                return bool(_comparable(first) == _comparable(second))
            case "Fn::Not":
                return not self._operands(given, inner, name, 1, 1)[0]
            case "Fn::And":
                return all(self._operands(given, inner, name, 2, _MOST_OPERANDS))
            case "Fn::Or":
                return any(self._operands(given, inner, name, 2, _MOST_OPERANDS))
        raise ValueError(
            f"Template error: a condition is one of Fn::Equals, Not, And, Or and Condition, and not {raw!r}"
        )

    def _operands(self, raw: Any, path: Path, name: str, least: int, most: int) -> list[bool]:
        if not isinstance(raw, list) or not least <= len(raw) <= most:
            many = str(least) if least == most else f"{least} to {most}"
            raise ValueError(f"Template error: {name} wants a list of {many} conditions")
        return [self._holds(one, (*path, index)) for index, one in enumerate(raw)]

    def _check_of_condition(self, raw: Any, path: Path) -> None:
        for logical, where in self.references(raw, path):
            raise self._error(
                where,
                f"Template format error: Unresolved dependencies [{logical}]. Cannot reference resources in the "
                "Conditions block of the template",
            )

    # -- errors --

    @contextmanager
    def _told(self, path: Path) -> Iterator[None]:
        """What a function says of its arguments, with the place where it stands."""
        try:
            yield
        except OwnError:
            raise
        except (ValueError, LookupError, TypeError) as error:
            said = error.args[0] if error.args else type(error).__name__
            raise self._error(path, str(said)) from error

    def _error(self, path: Path, message: str) -> OwnError:
        about = self._template.about(path)
        return self._template.error(path, f"{about}: {message}" if about != "the template" else message)


def _comparable(value: Any) -> Any:
    return text_of(value) if isinstance(value, bool | int | float) else value
