"""Values on the wire and values in Python, by the shapes of botocore's models: the JSON body and the HTTP bindings.

The XML body is `sandbox.aws.wire_xml`. What AWS calls a serialization error (a string where the model wants a list) is
found here; what the model says about values (lengths, patterns) is `sandbox.aws.validation`.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from botocore.model import Shape
from botocore.utils import parse_timestamp

_INTEGERS = ("integer", "long")
_FLOATS = ("float", "double")

ReadBody = Callable[[bytes, Shape, str], Any]
"""Makes a body a value of a shape; the text says where the value belongs, for errors."""
WriteBody = Callable[[Any, Shape, str], bytes]
"""Makes a value a body; the text is what the protocol calls the value, if it names it."""


class SerializationError(ValueError):
    """The request is not what the model describes; the text says where."""


def load_json(body: bytes) -> Any:
    """A JSON body; an empty one counts as an empty object, as in AWS.

    Raises:
        SerializationError: It is not JSON.
    """
    if not body.strip():
        return {}
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise SerializationError(f"the request body is not JSON: {error}") from error


def read_json(body: bytes, shape: Shape, where: str = "") -> Any:
    """A JSON body as the model's value.

    Raises:
        SerializationError: It is not JSON, or a value's type is not the shape's.
    """
    return from_json(load_json(body), shape, where)


def write_json(value: Any, shape: Shape, name: str = "") -> bytes:
    """A handler's value as a JSON body; JSON has no place for its name.

    Raises:
        ValueError: The value has a member that the model does not know.
    """
    return json.dumps(to_json(value, shape)).encode()


def from_json(value: Any, shape: Shape, where: str = "") -> Any:
    """A parsed JSON value as the model's value: blobs become bytes, timestamps aware datetimes.

    Members that the model does not know, and members that are null, are left out, as AWS does.

    Raises:
        SerializationError: A value's type is not the shape's.
    """
    kind = shape.type_name
    if kind == "structure":
        return _structure_from_json(value, shape, where)
    if kind == "list":
        _require(value, list, "list", where)
        return [
            None if item is None else from_json(item, shape.member, f"{where}[{n}]") for n, item in enumerate(value)
        ]
    if kind == "map":
        _require(value, dict, "map", where)
        return {
            name: from_json(item, shape.value, f"{where}.{name}") for name, item in value.items() if item is not None
        }
    return _scalar_from_json(value, kind, where)


def _structure_from_json(value: Any, shape: Shape, where: str) -> Any:
    if shape.is_document_type:
        return value
    _require(value, dict, "structure", where)
    parsed = {}
    for name, member in shape.members.items():
        item = value.get(member.serialization.get("name", name))
        if item is not None:
            parsed[name] = from_json(item, member, f"{where}.{name}" if where else name)
    return parsed


def _scalar_from_json(value: Any, kind: str, where: str) -> Any:
    if kind in ("string", "character"):
        return _require(value, str, "string", where)
    if kind == "boolean":
        return _require(value, bool, "boolean", where)
    if kind == "timestamp":
        return _timestamp(value, where)
    if kind == "blob":
        return _decode_base64(_require(value, str, "base64 string", where), where)
    return _number(value, kind, where)


def _number(value: Any, kind: str, where: str) -> int | float:
    if kind in _FLOATS and value in ("NaN", "Infinity", "-Infinity"):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong_type(value, kind, where)
    if kind in _INTEGERS:
        if isinstance(value, float) and not value.is_integer():
            raise wrong_type(value, kind, where)
        return int(value)
    return value


def _require(value: Any, kind: type, name: str, where: str) -> Any:
    if not isinstance(value, kind):
        raise wrong_type(value, name, where)
    return value


def wrong_type(value: Any, wanted: str, where: str) -> SerializationError:
    """The error for a value that is not what the shape wants."""
    return SerializationError(f"{where or 'the request'}: {json.dumps(value, default=str)[:80]} is not a {wanted}")


def _timestamp(value: Any, where: str) -> datetime:
    try:
        if isinstance(value, bool):
            raise TypeError
        parsed: datetime = parse_timestamp(value)
    except (ValueError, TypeError, OverflowError, RuntimeError) as error:
        raise wrong_type(value, "timestamp", where) from error
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def _decode_base64(value: str, where: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise wrong_type(value, "base64 string", where) from error


def from_rest(
    shape: Shape,
    *,
    labels: Mapping[str, str],
    query: Mapping[str, Sequence[str]],
    headers: Mapping[str, str],
    body: bytes,
    read: ReadBody = read_json,
) -> dict[str, Any]:
    """The input of an operation of a REST protocol from the places where the model binds its members.

    Raises:
        SerializationError: A value's type is not the shape's, or the body is not what ``read`` reads.
    """
    parsed: dict[str, Any] = {}
    for name, member in shape.members.items():
        value = _bound_value(name, member, labels, query, headers)
        if value is not None:
            parsed[name] = value
    payload = shape.serialization.get("payload")
    if payload is not None:
        parsed.update(_payload(payload, shape.members[payload], body, read))
    elif any("location" not in member.serialization for member in shape.members.values()):
        content = read(body, shape, "")
        bound = {name for name, member in shape.members.items() if "location" in member.serialization}
        parsed.update({name: value for name, value in content.items() if name not in bound})
    return parsed


def _payload(name: str, member: Shape, body: bytes, read: ReadBody) -> dict[str, Any]:
    if not body:
        return {}
    if member.type_name == "blob":
        return {name: body}
    if member.type_name == "string":
        return {name: body.decode("utf-8", "replace")}
    return {name: read(body, member, name)}


def _bound_value(
    name: str,
    member: Shape,
    labels: Mapping[str, str],
    query: Mapping[str, Sequence[str]],
    headers: Mapping[str, str],
) -> Any:
    location = member.serialization.get("location")
    key = member.serialization.get("name", name)
    if location == "uri":
        return from_text(labels[key], member, name) if key in labels else None
    if location == "header":
        return _header_value(headers.get(key.lower()), member, name)
    if location == "headers":
        prefix = key.lower()
        return {k[len(prefix) :]: v for k, v in headers.items() if k.startswith(prefix)} or None
    if location == "querystring":
        return _query_value(query, key, member, name)
    return None


def _header_value(text: str | None, member: Shape, where: str) -> Any:
    if text is None:
        return None
    if member.type_name == "list":
        return [from_text(item.strip(), member.member, where) for item in text.split(",")]
    if member.serialization.get("jsonvalue"):
        return load_json(_decode_base64(text, where))
    return from_text(text, member, where)


def _query_value(query: Mapping[str, Sequence[str]], key: str, member: Shape, where: str) -> Any:
    if member.type_name == "map":
        single = member.value.type_name != "list"
        return {k: v[0] if single else list(v) for k, v in query.items()} or None
    if key not in query:
        return None
    if member.type_name == "list":
        return [from_text(item, member.member, where) for item in query[key]]
    return from_text(query[key][0], member, where)


def from_text(text: str, shape: Shape, where: str) -> Any:
    """A value that is written as text: in a path, a query, a header or an XML element.

    Raises:
        SerializationError: It is not of the shape's type.
    """
    kind = shape.type_name
    if kind == "boolean":
        if text.lower() not in ("true", "false"):
            raise wrong_type(text, kind, where)
        return text.lower() == "true"
    if kind in _INTEGERS or kind in _FLOATS:
        try:
            return int(text) if kind in _INTEGERS else float(text)
        except ValueError as error:
            raise wrong_type(text, kind, where) from error
    return _scalar_from_json(text, kind, where)


def to_json(value: Any, shape: Shape, where: str = "") -> Any:
    """A handler's value as JSON; members that are None are left out.

    Raises:
        ValueError: The value has a member that the model does not know: a bug of the service, not of the caller.
    """
    kind = shape.type_name
    if kind == "structure":
        if shape.is_document_type:
            return value
        return {
            shape.members[name].serialization.get("name", name): to_json(item, shape.members[name], f"{where}.{name}")
            for name, item in known(value, shape, where).items()
        }
    if kind == "list":
        return [to_json(item, shape.member, f"{where}[]") for item in value]
    if kind == "map":
        return {str(name): to_json(item, shape.value, f"{where}.{name}") for name, item in value.items()}
    return _scalar_to_json(value, shape, "unixtimestamp")


def known(value: Mapping[str, Any], shape: Shape, where: str = "") -> dict[str, Any]:
    """The members of a structure of a handler's answer that are not None.

    Raises:
        ValueError: There is one that the model does not know.
    """
    unknown = sorted(set(value) - set(shape.members))
    if unknown:
        raise ValueError(f"the answer has {unknown} in {shape.name}{where}, which the AWS model does not know")
    return {name: item for name, item in value.items() if item is not None}


def _scalar_to_json(value: Any, shape: Shape, timestamp_format: str) -> Any:
    if shape.type_name == "timestamp":
        return _format_timestamp(value, shape.serialization.get("timestampFormat", timestamp_format))
    if shape.type_name == "blob":
        return base64.b64encode(value.encode() if isinstance(value, str) else bytes(value)).decode()
    return value


def _format_timestamp(value: datetime | float, style: str) -> Any:
    if not isinstance(value, datetime):
        value = datetime.fromtimestamp(value, UTC)
    elif value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    if style == "unixtimestamp":
        return round(value.timestamp(), 3)
    if style == "rfc822":
        return format_datetime(value.astimezone(UTC), usegmt=True)
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def to_text(value: Any, shape: Shape, timestamp_format: str) -> str:
    """A single value as text: for a header or an XML element. The shape's own timestamp format comes first."""
    if shape.type_name == "boolean":
        return "true" if value else "false"
    return str(_scalar_to_json(value, shape, timestamp_format))


def to_rest(
    value: dict[str, Any], shape: Shape | None, status: int, write: WriteBody = write_json
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the answer of an operation of a REST protocol; ``status`` is the model's.

    Raises:
        ValueError: The value has a member that the model does not know.
    """
    if shape is None:
        return status, {}, b""
    headers: dict[str, str] = {}
    content: dict[str, Any] = {}
    for name, item in known(value, shape).items():
        member = shape.members[name]
        location = member.serialization.get("location")
        key = member.serialization.get("name", name)
        if location == "statusCode":
            status = int(item)
        elif location == "header":
            headers[key] = _to_header(item, member)
        elif location == "headers":
            headers.update({f"{key}{suffix}": str(text) for suffix, text in item.items()})
        else:
            content[name] = item
    return status, headers, _rest_body(content, shape, status, write)


def _to_header(value: Any, shape: Shape) -> str:
    if shape.type_name == "list":
        return ",".join(_to_header(item, shape.member) for item in value)
    if shape.serialization.get("jsonvalue"):
        return base64.b64encode(json.dumps(value).encode()).decode()
    return to_text(value, shape, "rfc822")


def _rest_body(content: dict[str, Any], shape: Shape, status: int, write: WriteBody) -> bytes:
    if status == 204:  # No Content
        return b""
    payload = shape.serialization.get("payload")
    if payload is None:
        return write(content, shape, shape.name)
    item = content.get(payload)
    if item is None:
        return b""
    member = shape.members[payload]
    if member.type_name in ("blob", "string"):
        return item.encode() if isinstance(item, str) else bytes(item)
    return write(item, member, member.serialization.get("name", member.name))
