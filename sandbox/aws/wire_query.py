"""The ``query`` protocol: a form in, an XML document out, by the shapes of botocore's models.

https://smithy.io/2.0/aws/protocols/aws-query-protocol.html. A value's place in the request is written into its name:
``Targets.member.2.Port=8080``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl
from xml.etree.ElementTree import Element, SubElement

from botocore.model import OperationModel, Shape

from sandbox.aws import wire_xml
from sandbox.aws.wire import SerializationError, from_text, wrong_type

# AWS has no parameter that is nested so deeply; the bound keeps a hostile name from costing memory.
_DEEPEST = 32
_NUMBER = re.compile(r"[0-9]{1,30}")


def read_form(query: str, body: bytes) -> dict[str, str]:
    """The parameters of a request: those of its URL and those of its body, which win; the last of a name counts.

    Raises:
        SerializationError: They are not UTF-8.
    """
    try:
        text = body.decode()
        pairs = [*parse_qsl(query, True, errors="strict"), *parse_qsl(text, True, errors="strict")]
    except ValueError as error:
        raise SerializationError(f"the request body is not a form: {error}") from error
    return dict(pairs)


def from_query(parameters: Iterable[tuple[str, str]], shape: Shape) -> dict[str, Any]:
    """A request's parameters as the model's value: blobs become bytes, timestamps aware datetimes.

    Parameters that the model does not know are left out. An empty list is a list's own name without a value.

    Raises:
        SerializationError: A value's type is not the shape's.
    """
    root = _Node()
    for name, text in parameters:
        root.put(name.split("."), text)
    return _structure(root, shape, "")


@dataclass
class _Node:
    """One dot-separated part of names: the value that ends here, and what goes on below it."""

    text: str | None = None
    below: dict[str, _Node] = field(default_factory=dict)

    def put(self, path: list[str], text: str) -> None:
        node = self
        for part in path[:_DEEPEST]:
            node = node.below.setdefault(part, _Node())
        node.text = text

    def numbered(self, where: str) -> Iterator[_Node]:
        """What is below, in the order of its numbers."""
        for name in self.below:
            if not _NUMBER.fullmatch(name):
                raise SerializationError(f"{where}: {name[:80]!r} is not a number")
        return (self.below[name] for name in sorted(self.below, key=int))


def _value(node: _Node, shape: Shape, where: str) -> Any:
    kind = shape.type_name
    if kind == "structure":
        return _structure(node, shape, where)
    if kind == "list":
        return _list(node, shape, where)
    if kind == "map":
        return _map(node, shape, where)
    if node.text is None:
        raise wrong_type(next(iter(node.below), ""), kind, where)
    return from_text(node.text, shape, where)


def _structure(node: _Node, shape: Shape, where: str) -> dict[str, Any]:
    _require_no_text(node, shape, where)
    parsed: dict[str, Any] = {}
    for name, member in shape.members.items():
        below = node.below.get(wire_xml.element_name(member, name))
        if below is not None:
            parsed[name] = _value(below, member, f"{where}.{name}" if where else name)
    return parsed


def _list(node: _Node, shape: Shape, where: str) -> list[Any]:
    items = node if wire_xml.is_flattened(shape) else node.below.get(wire_xml.item_name(shape), _Node())
    _require_no_text(node, shape, where)
    return [_value(item, shape.member, f"{where}[{n}]") for n, item in enumerate(items.numbered(where))]


def _map(node: _Node, shape: Shape, where: str) -> dict[str, Any]:
    entries = node if wire_xml.is_flattened(shape) else node.below.get("entry", _Node())
    _require_no_text(node, shape, where)
    key_name, value_name = wire_xml.entry_names(shape)
    parsed = {}
    for n, entry in enumerate(entries.numbered(where)):
        if key_name not in entry.below or value_name not in entry.below:
            raise SerializationError(f"{where}[{n}]: an entry has a {key_name} and a {value_name}")
        key = _value(entry.below[key_name], shape.key, f"{where}[{n}].{key_name}")
        parsed[key] = _value(entry.below[value_name], shape.value, f"{where}.{key}")
    return parsed


def _require_no_text(node: _Node, shape: Shape, where: str) -> None:
    """A list that is empty is written as a name without a value; any other text belongs elsewhere."""
    if node.text:
        raise wrong_type(node.text, shape.type_name, where)


def to_query_answer(answer: dict[str, Any], operation: OperationModel, namespace: str, request_id: str) -> bytes:
    """A handler's answer as the document that the protocol wraps it in.

    Raises:
        ValueError: The answer has a member that the model does not know: a bug of the service, not of the caller.
    """
    root = Element(f"{operation.name}Response", {"xmlns": namespace})
    shape = operation.output_shape
    if shape is not None:
        wrapper = shape.serialization.get("resultWrapper")
        wire_xml.fill(root if wrapper is None else SubElement(root, wrapper), answer, shape)
    SubElement(SubElement(root, "ResponseMetadata"), "RequestId").text = request_id
    return wire_xml.document(root)
