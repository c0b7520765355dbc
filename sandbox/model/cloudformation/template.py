"""What a template declares, section by section.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.model.cloudformation.document import Document, DocumentError, Path, document
from sandbox.model.foreign import ForeignError
from sandbox.model.own.errors import OwnError, unknown

_VERSION = "2010-09-09"
_SECTIONS = frozenset(
    {"AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Mappings", "Conditions", "Resources"}
    | {"Outputs", "Rules"}
)
_NOT_CARRIED_OUT = frozenset({"Transform", "Hooks"})
_MOST = {"Resources": 500, "Parameters": 200, "Mappings": 200, "Outputs": 200}
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
_ID = re.compile(r"[A-Za-z0-9]{1,255}")
POLICIES = {
    "DeletionPolicy": "what is made goes with the sandbox",
    "UpdateReplacePolicy": "nothing is updated",
    "UpdatePolicy": "nothing is updated",
    "CreationPolicy": "no signal is waited for",
}
"""What of a resource has no effect, and why."""
_INIT = "AWS::CloudFormation::Init"
_ATTRIBUTES = frozenset({"Type", "Properties", "DependsOn", "Condition", "Metadata", *POLICIES})


@dataclass(frozen=True)
class Declared:
    """A resource as it stands in the template; ``properties`` have functions in them."""

    type: str
    properties: Mapping[str, Any]
    depends_on: tuple[str, ...]
    condition: str
    policies: tuple[str, ...]
    has_init: bool
    """Whether its metadata are for cfn-init."""


@dataclass(frozen=True)
class Template:
    """A template.

    Attributes:
        file: Its name, for errors.
        document: Where its values stand.
        ignored: Resources that are left out on purpose.
        used: Entries of ``ignore`` that name something in it.
    """

    file: str
    document: Document
    description: str
    parameters: Mapping[str, Mapping[str, Any]]
    rules: Mapping[str, Mapping[str, Any]]
    mappings: Mapping[str, Any]
    conditions: Mapping[str, Any]
    resources: Mapping[str, Declared]
    outputs: Mapping[str, Mapping[str, Any]]
    ignored: frozenset[str]
    used: frozenset[str]

    def error(self, path: Path, message: str, hint: str = "") -> OwnError:
        """The error about the value at a path: it begins with file and line."""
        return OwnError(f"{self.where(path)}: {message}", hint)

    def where(self, path: Path) -> str:
        """File and line."""
        return f"{self.file}:{self.document.line(path)}"

    def about(self, path: Path) -> str:
        """What a path is of, in words: the resource and its type, or the section and the entry."""
        match path:
            case ("Resources", str(name), *_) if name in self.resources:
                return f"resource '{name}' ({self.resources[name].type})"
            case (str(section), str(name), *_):
                return f"{section} '{name}'"
        return "the template"


def template(text: str, file: str, ignore: Iterable[str] = ()) -> Template:
    """Read a template.

    Args:
        text: YAML or JSON.
        file: Its name, for errors.
        ignore: ``LogicalId``, ``LogicalId.Property``, a type (``AWS::CloudWatch::Alarm``, ``AWS::CloudWatch::*``) or a
            section: what is left out.

    Raises:
        OwnError: It is none, or declares what is not supported; the message begins with file and line.
    """
    try:
        found = document(text)
    except DocumentError as error:
        raise OwnError(f"{file}:{error.line}: {error}") from error
    except ForeignError as error:
        raise OwnError(f"{file}: Template format error: neither YAML nor JSON: {error}") from error
    return _Sections(file, found, frozenset(ignore)).template()


def is_template(content: Any) -> bool:
    """Whether a parsed file is a template: it says so, or has resources of AWS's types."""
    if not isinstance(content, Mapping):
        return False
    resources = content.get("Resources")
    return isinstance(resources, Mapping) and (
        "AWSTemplateFormatVersion" in content
        or any(isinstance(one, Mapping) and str(one.get("Type", "")).startswith("AWS::") for one in resources.values())
    )


class _Sections:
    def __init__(self, file: str, found: Document, ignore: frozenset[str]) -> None:
        self._file, self._document, self._ignore = file, found, ignore
        self._content: Mapping[str, Any] = self._mapping(found.content, (), "the template")
        self._used: set[str] = set()

    def template(self) -> Template:
        for section in self._content:
            self._check_section(section)
        if (version := self._content.get("AWSTemplateFormatVersion", _VERSION)) != _VERSION:
            raise self._error(
                ("AWSTemplateFormatVersion",), f"Template format error: unsupported value for it: {version!r}"
            )
        raw = self._section("Resources")
        if not raw:
            raise self._error((), "Template format error: At least one Resources member must be defined.")
        ignored = frozenset(name for name, one in raw.items() if self._is_ignored(name, one))
        resources = {name: self._resource(name, one) for name, one in raw.items() if name not in ignored}
        return Template(
            self._file,
            self._document,
            str(self._content.get("Description", "")),
            {name: self._mapping(one, ("Parameters", name), name) for name, one in self._section("Parameters").items()},
            {name: self._mapping(one, ("Rules", name), name) for name, one in self._section("Rules").items()},
            self._section("Mappings"),
            self._section("Conditions"),
            resources,
            {name: self._mapping(one, ("Outputs", name), name) for name, one in self._section("Outputs").items()},
            ignored,
            frozenset(self._used),
        )

    def _is_ignored(self, name: str, raw: Any) -> bool:
        """Whether a resource is left out, by its logical id or its type, which may end with ``*``."""
        kind = raw.get("Type") if isinstance(raw, dict) else None
        found = {
            one
            for one in self._ignore
            if one == name or ("::" in one and isinstance(kind, str) and _is_of_type(kind, one))
        }
        self._used |= found
        return bool(found)

    def _check_section(self, section: str) -> None:
        if section in _SECTIONS:
            return
        if section in self._ignore:
            self._used.add(section)
            return
        if section in _NOT_CARRIED_OUT:
            raise self._error((section,), f"the section {section} is not supported", ignoring(section))
        wrong = unknown("", section, _SECTIONS, "section")
        raise self._error((section,), f"Template format error: {wrong.message}", wrong.hint)

    def _section(self, name: str) -> Mapping[str, Any]:
        found = self._mapping(self._content.get(name, {}), (name,), name)
        if len(found) > _MOST.get(name, len(found)):
            many = f"Number of {name.lower()}, {len(found)}, is greater than maximum allowed, {_MOST[name]}"
            raise self._error((name,), f"Template format error: {many}")
        for key in found:
            if name in {"Parameters", "Resources", "Outputs"} and not _ID.fullmatch(key):
                raise self._error((name, key), f"{name} '{key}': a logical id has letters and digits alone")
        return found

    def _resource(self, name: str, raw: Any) -> Declared:
        path: Path = ("Resources", name)
        one = self._mapping(raw, path, f"resource '{name}'")
        kind = one.get("Type")
        if not isinstance(kind, str) or not kind:
            raise self._error(path, f"resource '{name}' has no Type")
        what = f"resource '{name}' ({kind})"
        for key in one:
            dotted = f"{name}.{key}"
            if key in _ATTRIBUTES:
                continue
            if dotted in self._ignore:
                self._used.add(dotted)
                continue
            wrong = unknown("", key, _ATTRIBUTES, "attribute")
            raise self._error((*path, key), f"{what}: {wrong.message}", f"{wrong.hint}; {ignoring(dotted)}")
        depends = one.get("DependsOn", [])
        depends = [depends] if isinstance(depends, str) else depends
        if not isinstance(depends, list) or not all(isinstance(each, str) for each in depends):
            raise self._error((*path, "DependsOn"), f"{what}: DependsOn is a logical id, or a list of them")
        condition = one.get("Condition", "")
        if not isinstance(condition, str):
            raise self._error((*path, "Condition"), f"{what}: Condition is the name of one")
        properties = self._mapping(one.get("Properties", {}), (*path, "Properties"), f"{what}: Properties")
        kept = self._without_ignored(properties, name)
        policies = tuple(each for each in POLICIES if each in one)
        metadata = one.get("Metadata")
        return Declared(
            kind, kept, tuple(depends), condition, policies, isinstance(metadata, Mapping) and _INIT in metadata
        )

    def _without_ignored(self, value: Any, dotted: str) -> Any:
        """The value without what is ignored; neither lists nor functions are part of a property's name."""
        if isinstance(value, list):
            return [self._without_ignored(one, dotted) for one in value]
        if not isinstance(value, dict):
            return value
        kept = {}
        for key, inner in value.items():
            name = dotted if key.startswith("Fn::") else f"{dotted}.{key}"
            if name in self._ignore and name != dotted:
                self._used.add(name)
            else:
                kept[key] = self._without_ignored(inner, name)
        return kept

    def _mapping(self, value: Any, path: Path, what: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self._error(path, f"Template format error: {what} is not a mapping")
        return value

    def _error(self, path: Path, message: str, hint: str = "") -> OwnError:
        return OwnError(f"{self._file}:{self._document.line(path)}: {message}", hint)


def _is_of_type(kind: str, wanted: str) -> bool:
    return kind.startswith(wanted[:-1]) if wanted.endswith("*") else kind == wanted


def ignoring(name: str) -> str:
    """The way out, as a hint says it."""
    return f'[cloudformation] ignore = ["{name}"] leaves it out'
