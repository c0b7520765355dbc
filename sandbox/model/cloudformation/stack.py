"""A stack: a template with parameters, of which each resource is made after those that it depends on."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from sandbox.model.cloudformation.account import Account, Finished
from sandbox.model.cloudformation.document import Path
from sandbox.model.cloudformation.dynamic import DynamicError, resolved
from sandbox.model.cloudformation.graph import CircularError, ordered
from sandbox.model.cloudformation.intrinsics import Evaluator
from sandbox.model.cloudformation.parameters import Parameters
from sandbox.model.cloudformation.resources import KINDS, REASONS, STACK
from sandbox.model.cloudformation.resources.kind import Made, Resource
from sandbox.model.cloudformation.shapes import PropertyError, UnsupportedError
from sandbox.model.cloudformation.template import POLICIES, Template, ignoring, template
from sandbox.model.cloudformation.values import NO_VALUE, is_known, joined, text_of
from sandbox.model.own.errors import OwnError, unknown
from sandbox.model.own.step import Step

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_DEEPEST = 10  # stacks that are nested in each other; AWS has no such number, but an end
_ZONE = "AWS::Route53::HostedZone"
_RECORDS = frozenset({"AWS::Route53::RecordSet", "AWS::Route53::RecordSetGroup"})
_OF_STACKS = {"Tags": "resources get no tags of their stack", "TimeoutInMinutes": "the stack is up or fails"}
_OUTPUT = frozenset({"Value", "Description", "Export", "Condition"})


@dataclass
class Stack:
    """One stack, in the account that it shares with those that are nested in it.

    Attributes:
        label: The logical ids of the nested stacks that lead to it, each with a slash; "" for the outermost.
        name: Its name.
        file: Its template's, relative to the folder.
        depth: How many stacks it is nested in.
        where: Where its parameters are given, for hints.
    """

    account: Account
    name: str
    file: str
    label: str = ""
    depth: int = 0
    where: str = "[cloudformation.parameters]"

    def __post_init__(self) -> None:
        self.place = self.account.place
        self.notes = self.account.notes
        self.shape = self.account.shape
        self.secret = self.account.secret
        self.remember = self.account.remember
        self.zone = self.account.zone
        self.certificate = self.account.certificate
        self.imported = self.account.imported
        self._made: dict[str, Made] = {}

    def make(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Plan the calls; the outputs' values.

        Args:
            given: The values of its parameters.

        Raises:
            OwnError: The template has what is not supported, or is wrong; the message begins with file and line.
        """
        self._template = found = self._read()
        parameters = Parameters(found, self.account.parameter, self.notes, self.where).values(given)
        self._evaluator = Evaluator(found, parameters, self._pseudo(), self)
        for name in found.conditions:
            self._evaluator.condition(name, ("Conditions", name))
        self._check_rules()
        self._check_kinds()
        for name in self._order():
            self._make(name)
        return self._outputs()

    def _read(self) -> Template:
        text = self.account.read(self.file)
        if text is None:
            raise OwnError(
                f"{self.file}: there is no such file", '[cloudformation] template = "FILE" names the template'
            )
        settings = self.account.settings.cloudformation
        ignore = settings.ignore if settings else ()
        types = [name for name in ignore if "::" in name]  # in whatever stack they are
        mine = [name.removeprefix(self.label) for name in ignore if name.startswith(self.label)]
        found = template(text, self.file, [*types, *mine])
        self.account.used_ignore |= {name if name in types else f"{self.label}{name}" for name in found.used}
        return found

    def _pseudo(self) -> dict[str, Any]:
        # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/pseudo-parameter-reference.html
        unique = uuid.uuid5(uuid.NAMESPACE_URL, self.name)
        place = self.place
        return {
            "AWS::AccountId": place.account,
            "AWS::NoValue": NO_VALUE,
            "AWS::NotificationARNs": [],
            "AWS::Partition": "aws",
            "AWS::Region": place.region,
            "AWS::StackId": f"arn:aws:cloudformation:{place.region}:{place.account}:stack/{self.name}/{unique}",
            "AWS::StackName": self.name,
            "AWS::URLSuffix": "amazonaws.com",
        }

    def _check_rules(self) -> None:
        """What a template asserts of its parameters.

        Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/rules-section-structure.html
        """
        for name, one in self._template.rules.items():
            path: Path = ("Rules", name)
            assertions = one.get("Assertions")
            if not one.keys() <= {"RuleCondition", "Assertions"} or not isinstance(assertions, list):
                raise self._template.error(path, f"Rules '{name}' has Assertions, and may have a RuleCondition")
            condition = (*path, "RuleCondition")
            if "RuleCondition" in one and not self._evaluator.assertion(one["RuleCondition"], condition):
                continue
            for index, each in enumerate(assertions):
                where = (*path, "Assertions", index)
                if not isinstance(each, dict) or "Assert" not in each:
                    raise self._template.error(where, f"Rules '{name}': an assertion has Assert")
                if not self._evaluator.assertion(each["Assert"], (*where, "Assert")):
                    said = each.get("AssertDescription", "an assertion does not hold")
                    raise self._template.error(where, f"Rules '{name}': {said}")

    # -- order --

    def _is_made(self, name: str) -> bool:
        condition = self._template.resources[name].condition
        path = ("Resources", name, "Condition")
        return not condition or self._evaluator.condition(condition, path)

    def _check_kinds(self) -> None:
        for name, one in self._template.resources.items():
            if one.type in KINDS or not self._is_made(name):
                continue
            reason = next((f": {said}" for prefix, said in REASONS.items() if one.type.startswith(prefix)), "")
            hint = unknown("", one.type, KINDS).hint
            meant = f"{hint}; " if hint.startswith("is ") else ""
            raise self._template.error(
                ("Resources", name, "Type"),
                f"resource '{name}': the type {one.type} is not supported{reason}",
                f'{meant}{ignoring(self.label + name)}, ["{one.type}"] all of the type',
            )

    def _order(self) -> list[str]:
        resources = {name: one for name, one in self._template.resources.items() if self._is_made(name)}
        zones = [name for name, one in resources.items() if one.type == _ZONE]
        needs: dict[str, dict[str, None]] = {}
        for name, one in resources.items():
            path: Path = ("Resources", name)
            found: dict[str, None] = {}
            for logical in one.depends_on:
                if logical not in self._template.resources and logical not in self._template.ignored:
                    raise self._template.error((*path, "DependsOn"), self._evaluator.unresolved(logical))
                found[logical] = None
            for logical, where in self._evaluator.references(one.properties, (*path, "Properties")):
                if logical not in resources:
                    about = self._template.about(path)
                    raise self._template.error(where, f"{about}: {self._evaluator.unresolved(logical)}")
                found[logical] = None
            if one.type in _RECORDS:  # which may name a zone by its name
                found |= dict.fromkeys(zones)
            needs[name] = found
        try:
            return ordered(needs)
        except CircularError as error:
            raise self._template.error(("Resources",), str(error)) from error

    # -- resources --

    def _make(self, name: str) -> None:
        one = self._template.resources[name]
        path: Path = ("Resources", name, "Properties")
        known = KINDS[one.type].properties
        for key in one.properties:
            if key not in known:
                hint = unknown("", key, known).hint
                raise self._template.error(
                    (*path, key),
                    f"{self._template.about(path)}: property {key} is not supported",
                    f"{hint}; {ignoring(f'{self.label}{name}.{key}')}",
                )
        properties = self._evaluator.value(one.properties, path)
        resource = Resource(
            self,
            self.name,
            name,
            f"{self.label}{name}",
            one.type,
            f"{self._template.where(('Resources', name))}: {name} ({one.type})",
            properties,
        )
        try:
            made = self._dispatch(resource, properties)
        except PropertyError as error:
            way_out = self._way_out(error.path) if isinstance(error, UnsupportedError) else ""
            hint = "; ".join(filter(None, (error.hint, way_out)))
            raise self._template.error(error.path, f"{self._template.about(path)}: {error}", hint) from error
        except DynamicError as error:
            raise self._template.error(path, f"{self._template.about(path)}: {error}", error.hint) from error
        except (ValueError, TypeError) as error:
            raise self._template.error(path, f"{self._template.about(path)}: {error}") from error
        self._made[name] = made
        self.account.finished.append(Finished(resource.label, one.type, resource.properties, made))
        if one.policies:
            many = " and ".join(one.policies)
            self.notes.append(f"{resource.label} ({one.type}): {many}: no effect ({POLICIES[one.policies[0]]})")
        if one.has_init:
            self.notes.append(
                f"{resource.label} ({one.type}): AWS::CloudFormation::Init: no effect (cfn-init does not run; what it "
                "would write, such as ECS_CLUSTER, is to be in UserData)"
            )

    def _dispatch(self, resource: Resource, properties: dict[str, Any]) -> Made:
        found = resolved(properties, self.account.look)
        properties.clear()
        properties.update(found)
        return self._nested(resource) if resource.type == STACK else KINDS[resource.type].make(resource)

    def _way_out(self, path: Path) -> str:
        name = ".".join(str(one) for one in path[1:] if isinstance(one, str) and one != "Properties")
        return ignoring(f"{self.label}{name}")

    def _nested(self, resource: Resource) -> Made:
        if self.depth + 1 >= _DEEPEST:
            raise PropertyError(resource.path, f"stacks are nested more than {_DEEPEST} deep: does one nest itself?")
        url = resource.known("TemplateURL")
        if not url:
            raise PropertyError(resource.path, "property TemplateURL is required")
        for name, why in _OF_STACKS.items():
            if name in resource.properties:
                resource.note(f"{name}: no effect ({why})")
        given = resource.get("Parameters", {})
        if not isinstance(given, dict):
            raise PropertyError((*resource.path, "Parameters"), "Parameters is a mapping")
        nested = Stack(
            self.account,
            resource.name(128),
            self._template_file(url, resource),
            f"{resource.label}/",
            self.depth + 1,
            f"Parameters of {resource.label}",
        )
        try:
            outputs = nested.make({key: _parameter(one) for key, one in given.items()})
        except OwnError as error:
            raise OwnError(f"{error.message} (nested as {resource.label})", error.hint) from error
        return Made(nested._pseudo()["AWS::StackId"], {f"Outputs.{key}": one for key, one in outputs.items()})

    def _template_file(self, url: str, resource: Resource) -> str:
        settings = self.account.settings.cloudformation
        mapped = settings.templates if settings else {}
        for key in (resource.label, url):
            if key in mapped:
                self.account.used_templates.add(key)
                return mapped[key]
        if _SCHEME.match(url):
            raise PropertyError(
                (*resource.path, "TemplateURL"),
                f"TemplateURL {url} is not a path of this folder",
                f'[cloudformation.templates] "{resource.label}" = "FILE" says which file it is',
            )
        return self.folder(url)

    # -- what its resources know (sandbox.model.cloudformation.resources.kind.Around) --

    def add(self, step: Step) -> None:
        """A call to be made after those that were added before."""
        self.account.steps.append(step)

    def code(self, label: str) -> str:
        """The folder that is given for a function's code; "": none is."""
        settings = self.account.settings.cloudformation
        found = settings.code.get(label, "") if settings else ""
        if found:
            self.account.used_code.add(label)
        return found

    def folder(self, name: str) -> str:
        """A path that is relative to the template's folder, relative to the stack's."""
        return str(PurePosixPath(self.file).parent / name)

    # -- what its template refers to (sandbox.model.cloudformation.intrinsics.Resources) --

    def ref(self, logical_id: str) -> Any:
        """What Ref of a resource is."""
        return self._made[logical_id].ref

    def attribute(self, logical_id: str, name: str) -> Any:
        """An attribute of a resource.

        Raises:
            ValueError: It has none of that name, or none here; the message is CloudFormation's.
        """
        found = self._made[logical_id].attributes
        if name not in found:
            kind = self._template.resources[logical_id].type
            known = ", ".join(sorted(found)) or "none"
            raise ValueError(
                f"Template error: resource {logical_id} does not support attribute type {name} in Fn::GetAtt "
                f"({kind} has here: {known})"
            )
        return found[name]

    def _outputs(self) -> dict[str, Any]:
        values = {}
        for name, one in self._template.outputs.items():
            path: Path = ("Outputs", name)
            for key in one:
                if key not in _OUTPUT:
                    wrong = unknown("", key, _OUTPUT)
                    raise self._template.error((*path, key), f"Outputs '{name}': {wrong.message}", wrong.hint)
            condition = one.get("Condition")
            if condition is not None and not self._evaluator.condition(str(condition), (*path, "Condition")):
                continue
            if "Value" not in one:
                raise self._template.error(path, f"Outputs '{name}' has no Value")
            values[name] = self._evaluator.value(one["Value"], (*path, "Value"))
            if values[name] is NO_VALUE:
                raise self._template.error((*path, "Value"), f"Outputs '{name}': its Value is AWS::NoValue")
            if "Export" in one:
                self._export(name, one["Export"], values[name])
        return values

    def _export(self, name: str, raw: Any, value: Any) -> None:
        path: Path = ("Outputs", name, "Export")
        found = self._evaluator.value(raw, path)
        exported = found.get("Name") if isinstance(found, dict) and len(found) == 1 else None
        if not isinstance(exported, str):
            raise self._template.error(path, f"Outputs '{name}': Export has a Name, which is known beforehand")
        if exported in self.account.exports:
            raise self._template.error(path, f"Export with name {exported} is already exported by another stack")
        self.account.exports[exported] = value


def _parameter(value: Any) -> Any:
    """A parameter of a nested stack: a text, of which a list's members are parted by commas."""
    if isinstance(value, list) and is_known(value):
        return joined(",", value)
    return text_of(value) if is_known(value) and not isinstance(value, list) else value
