"""What every type of resource has: its properties and attributes, and a function that makes it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from sandbox.model.cloudformation.document import Path
from sandbox.model.cloudformation.shapes import Given, PropertyError, Shape, shaped
from sandbox.model.cloudformation.values import apply, json_text, text, text_of
from sandbox.model.own.plan import Place
from sandbox.model.own.step import Reference, Step

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_SUFFIX = 12  # characters that CloudFormation adds to a name


@dataclass(frozen=True)
class Made:
    """A resource, after its calls: what Ref is, and its attributes."""

    ref: Any
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """The answer of a call, of which parts can be used in later ones."""

    name: str

    def __call__(self, part: str) -> Reference:
        """A part of it, such as ``Vpc.VpcId``."""
        return Reference(f"{self.name}.{part}")


class Around(Protocol):
    """What a resource knows of the stack that it is made in."""

    place: Place
    notes: list[str]

    def shape(self, operation: str) -> Shape:
        """The shape of the operation's request."""

    def add(self, step: Step) -> None:
        """A call to be made after those that were added before."""

    def code(self, logical_id: str) -> str:
        """The folder that is given for a function's code; "": none is."""

    def folder(self, name: str) -> str:
        """A folder's path, which is relative to the template's."""

    def zone(self, hosted_zone_id: Any, hosted_zone_name: Any) -> Any:
        """The id of a hosted zone that a record set names.

        Raises:
            ValueError: It names none, or one of which nothing is known.
        """

    def certificate(self, arn: Any) -> Any:
        """The ARN of a certificate that a listener or distribution names.

        Raises:
            ValueError: Nothing is known of it.
        """

    def secret(self, name: Any, logical_id: str) -> str | None:
        """The value that is given for a secret in the place of the template's."""

    def remember(self, kind: str, key: Any, value: Any) -> None:
        """Something that other resources look up: a hosted zone's name, a secret's value."""


@dataclass(frozen=True)
class Resource:
    """A resource that is being made.

    Attributes:
        stack: The name of its stack.
        logical_id: Its logical id.
        label: The same, after those of the nested stacks that it is in: ``Child/LogicalId``.
        source: Where it stands, for errors.
        properties: Evaluated.
    """

    around: Around
    stack: str
    logical_id: str
    label: str
    type: str
    source: str
    properties: Mapping[str, Any]
    calls: list[str] = field(default_factory=list)

    @property
    def path(self) -> Path:
        """Where its properties stand in the template."""
        return ("Resources", self.logical_id, "Properties")

    def get(self, name: str, default: Any = None) -> Any:
        """A property's value."""
        return self.properties.get(name, default)

    def items(self, name: str) -> list[Given]:
        """The members of a property that is a list.

        Raises:
            PropertyError: It is none.
        """
        found = self.get(name, [])
        if not isinstance(found, list):
            raise PropertyError((*self.path, name), f"{name} is a list")
        return [Given(one, (*self.path, name, index)) for index, one in enumerate(found)]

    def mappings(self, name: str) -> list[tuple[dict[str, Any], Path]]:
        """The same where each of them is a mapping, with where it stands."""
        for one in self.items(name):
            if not isinstance(one.value, dict):
                raise PropertyError(one.path, f"{name} is a list of mappings")
        return [(one.value, one.path) for one in self.items(name)]

    def given(self, *names: str, **members: str) -> dict[str, Given]:
        """Those of its properties that are there, as members of a request.

        Args:
            names: Properties that are named as the members.
            members: By property: the member's name, where that is another one.
        """
        wanted = {**{name: name for name in names}, **members}
        return {
            member: Given(self.properties[name], (*self.path, name))
            for name, member in wanted.items()
            if name in self.properties
        }

    def as_json(self, *names: str, **members: str) -> dict[str, Any]:
        """The same for documents, which the API wants as texts."""
        return {member: apply(json_text, one.value) for member, one in self.given(*names, **members).items()}

    def tags(self, name: str = "Tags") -> dict[str, Any]:
        """Its tags by their keys.

        Raises:
            PropertyError: They are not a list of keys and values.
        """
        found = {}
        for one, path in self.mappings(name):
            if not one.keys() <= {"Key", "Value"} or not isinstance(one.get("Key"), str):
                raise PropertyError(path, f"{name} is a list of Key and Value")
            found[one["Key"]] = one.get("Value", "")
        return found

    def known(self, name: str) -> str:
        """A property that has to be known before anything is made, as a text; "" where it is not given.

        Raises:
            PropertyError: It is something else.
        """
        try:
            return text_of(self.get(name, ""))
        except ValueError as error:
            raise PropertyError((*self.path, name), f"{name}: {error}, which is known beforehand") from error

    def need(self, name: str) -> Any:
        """A property that must be given.

        Raises:
            PropertyError: It is not.
        """
        if name not in self.properties:
            raise PropertyError(self.path, f"property {name} is required")
        return self.properties[name]

    def name(self, most: int = 255) -> str:
        """A physical name, as CloudFormation makes it up where none is given: always the same for the same stack.

        Args:
            most: How many characters it may have.

        Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-name.html
        """
        digest = hashlib.sha256(f"{self.stack}/{self.logical_id}".encode()).digest()
        suffix = "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest[:_SUFFIX])
        room = most - _SUFFIX - 2
        if len(self.stack) + len(self.logical_id) <= room:
            return f"{self.stack}-{self.logical_id}-{suffix}"
        stack = self.stack[: max(room // 2, room - len(self.logical_id))].rstrip("-")
        return f"{stack}-{self.logical_id[: room - len(stack)]}-{suffix}"

    def named(self, prop: str, most: int = 255) -> Any:
        """The physical name that a property gives, or one that is made up."""
        return self.get(prop) or self.name(most)

    def arn(self, service: str, rest: Any, *, region: bool = True) -> Any:
        """An ARN of the sandbox's account."""
        place = self.around.place
        return text([f"arn:aws:{service}:{place.region if region else ''}:{place.account}:", rest])

    def call(self, operation: str, parameters: Mapping[str, Any]) -> Answer:
        """One more call that makes it.

        Args:
            operation: ``service.operation``, with boto3's names.
            parameters: Of the request, by their names in any case.

        Raises:
            PropertyError: A parameter is not what the request takes, or one is missing.
        """
        request = shaped(dict(parameters), self.around.shape(operation), self.path)
        name = f"{self.label}#{len(self.calls)}"
        self.calls.append(name)
        self.around.add(Step(operation, request, name, self.source))
        return Answer(name)

    def note(self, text: str) -> None:
        """Tell whoever brings the stack up."""
        self.around.notes.append(f"{self.label} ({self.type}): {text}")


@dataclass(frozen=True)
class Kind:
    """A type of resource.

    Attributes:
        properties: The names of those that are carried out.
        attributes: What Fn::GetAtt can have of it.
        make: Makes the calls.
    """

    properties: tuple[str, ...]
    attributes: tuple[str, ...]
    make: Callable[[Resource], Made]


def kind(properties: str, attributes: str, make: Callable[[Resource], Made]) -> Kind:
    """A type whose names are given as one text."""
    return Kind(tuple(properties.split()), tuple(attributes.split()), make)


def last(arn: str, separator: str = "/") -> str:
    """What stands after the last separator."""
    return arn.rpartition(separator)[2]
