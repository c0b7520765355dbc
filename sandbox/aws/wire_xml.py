"""The bodies of the ``rest-xml`` protocol, by the shapes of botocore's models.

https://smithy.io/2.0/aws/protocols/aws-restxml-protocol.html. XML attributes are not spoken, and maps are written but
not read: no service that we own has them otherwise. The ``query`` protocol's answers are made of the same elements
(`sandbox.aws.wire_query`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from botocore.model import Shape

from sandbox.aws.wire import SerializationError, from_text, known, to_text, wrong_type

_DECLARATION = b'<?xml version="1.0"?>\n'


def from_xml(body: bytes, shape: Shape, where: str = "") -> Any:
    """An XML body as the model's value: blobs become bytes, timestamps aware datetimes.

    Elements that the model does not know are left out; an empty body counts as an empty structure.

    Args:
        body: In UTF-8.
        shape: Of the root element, whatever its name is.
        where: What errors call the root element; its own name where it is not given.

    Raises:
        SerializationError: It is not XML, it declares a document type (and so entities), or a value's type is not the
            shape's.
    """
    if not body.strip():
        return {}
    root = _parse(body)
    return _value(root, shape, where or _tag(root))


def _parse(body: bytes) -> Element:
    try:
        # As text, so that no other encoding of the document hides what is looked for.
        text = body.decode("utf-8-sig")
        if "<!DOCTYPE" in text:
            raise SerializationError("the request body declares a document type, which is not taken")
        return ElementTree.fromstring(text)
    except (UnicodeDecodeError, ElementTree.ParseError) as error:
        raise SerializationError(f"the request body is not XML: {error}") from error


def _tag(node: Element) -> str:
    """The element's name without its namespace."""
    return node.tag.rpartition("}")[2]


def _value(node: Element, shape: Shape, where: str) -> Any:
    kind = shape.type_name
    text = node.text or ""
    if kind not in ("structure", "list"):
        if len(node):
            raise wrong_type(f"<{_tag(node[0])}>", kind, where)
        return from_text(text, shape, where)
    if text.strip():
        raise wrong_type(text.strip(), kind, where)
    if kind == "structure":
        return _structure(node, shape, where)
    return _items(list(_named(node, item_name(shape))), shape, where)


def _structure(node: Element, shape: Shape, where: str) -> dict[str, Any]:
    parsed: dict[str, Any] = {}
    for name, member in shape.members.items():
        found = list(_named(node, element_name(member, name)))
        place = f"{where}.{name}"
        if not found:
            continue
        if is_flattened(member):
            parsed[name] = _items(found, member, place)
        else:
            parsed[name] = _value(found[-1], member, place)
    return parsed


def _items(found: list[Element], shape: Shape, where: str) -> list[Any]:
    return [_value(item, shape.member, f"{where}[{number}]") for number, item in enumerate(found)]


def _named(node: Element, name: str) -> Iterator[Element]:
    return (child for child in node if _tag(child) == name)


def is_flattened(shape: Shape) -> bool:
    """Whether the items of a list or a map stand where it stands itself."""
    return shape.type_name in ("list", "map") and bool(shape.serialization.get("flattened"))


def item_name(shape: Shape) -> str:
    """What the elements of a list are called."""
    return str(shape.member.serialization.get("name", "member"))


def entry_names(shape: Shape) -> tuple[str, str]:
    """What the key and the value of a map's entries are called."""
    return str(shape.key.serialization.get("name", "key")), str(shape.value.serialization.get("name", "value"))


def element_name(shape: Shape, name: str) -> str:
    """What the member ``name`` of a structure is called; of a flattened list: each of its elements."""
    own = shape.serialization.get("name")
    if own is None and shape.type_name == "list" and is_flattened(shape):
        own = shape.member.serialization.get("name")
    return str(own or name)


def to_xml(value: Any, shape: Shape, root_name: str, namespace: str = "") -> bytes:
    """A handler's value as an XML document; members that are None are left out.

    Args:
        value: A value of the shape.
        shape: Of the root element.
        root_name: The root element's name.
        namespace: Its default namespace; "" for that of the shape, if it has one.

    Raises:
        ValueError: The value has a member that the model does not know: a bug of the service, not of the caller.
    """
    root = Element(root_name, {"xmlns": namespace} if namespace else _namespace(shape))
    fill(root, value, shape)
    return document(root)


def document(root: Element) -> bytes:
    """The XML document of an element and what is in it."""
    text: bytes = ElementTree.tostring(root, encoding="utf-8")
    return _DECLARATION + text


def fill(node: Element, value: Any, shape: Shape) -> None:
    """Write a handler's value into an element.

    Raises:
        ValueError: The value has a member that the model does not know.
    """
    kind = shape.type_name
    if kind == "structure":
        for name, item in known(value, shape).items():
            _write_member(node, element_name(shape.members[name], name), item, shape.members[name])
    elif kind == "list":
        for one in value:
            fill(_child(node, item_name(shape), shape.member), one, shape.member)
    elif kind == "map":
        for key, item in value.items():
            _write_entry(_child(node, "entry", shape), key, item, shape)
    else:
        node.text = to_text(value, shape, "iso8601")


def _write_member(node: Element, name: str, value: Any, shape: Shape) -> None:
    if not is_flattened(shape):
        fill(_child(node, name, shape), value, shape)
    elif shape.type_name == "list":
        for one in value:
            fill(_child(node, name, shape.member), one, shape.member)
    else:
        for key, item in value.items():
            _write_entry(_child(node, name, shape), key, item, shape)


def _write_entry(node: Element, key: str, value: Any, shape: Shape) -> None:
    key_name, value_name = entry_names(shape)
    fill(_child(node, key_name, shape.key), key, shape.key)
    fill(_child(node, value_name, shape.value), value, shape.value)


def _child(node: Element, name: str, shape: Shape) -> Element:
    return ElementTree.SubElement(node, name, _namespace(shape))


def _namespace(shape: Shape) -> dict[str, str]:
    """The attribute that declares the shape's own namespace, if it has one."""
    own = shape.serialization.get("xmlNamespace")
    if own is None:
        return {}
    prefix = own.get("prefix")
    return {f"xmlns:{prefix}" if prefix else "xmlns": own["uri"]}
