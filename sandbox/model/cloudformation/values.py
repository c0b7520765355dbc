"""Values of a template, some of which are known only when the calls are made.

A value is text, number, truth value, list or mapping, or stands for one (`Reference`, `Computed`). `apply` is how every
function is carried out: at once where its arguments are known, later where they are not.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_network
from itertools import islice
from typing import Any

from sandbox.model.own.step import Computed, Reference

NO_VALUE = object()
"""What AWS::NoValue is: whatever has it for its value is left out."""

MOST_BLOCKS = 256  # of Fn::Cidr
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


def is_known(value: Any) -> bool:
    """Whether nothing in it stands for something else."""
    if isinstance(value, Reference | Computed):
        return False
    if isinstance(value, Mapping):
        return all(map(is_known, value.values()))
    return all(map(is_known, value)) if isinstance(value, list | tuple) else True


def apply(function: Callable[..., Any], *arguments: Any) -> Any:
    """What the function makes of the arguments, or what stands for it.

    Raises:
        ValueError, LookupError, TypeError: As of the function, where the arguments are known.
    """
    return function(*arguments) if is_known(arguments) else Computed(function, arguments)


def text_of(value: Any) -> str:
    """A scalar as CloudFormation writes it.

    Raises:
        ValueError: It is none.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise ValueError(f"a text is wanted, and not {json.dumps(value, default=str)[:60]}")


def concatenated(*parts: Any) -> str:
    """The texts, one after another."""
    return "".join(map(text_of, parts))


def text(parts: Sequence[Any]) -> Any:
    """The parts as one text; those that are texts again, of parts, are taken apart, so that all texts look alike."""
    flat: list[Any] = []
    for part in parts:
        flat += part.arguments if isinstance(part, Computed) and part.function is concatenated else [part]
    merged: list[Any] = []
    for part in flat:
        if is_known(part) and merged and isinstance(merged[-1], str):
            merged[-1] += text_of(part)
        elif not is_known(part) or text_of(part):
            merged.append(text_of(part) if is_known(part) else part)
    if not merged:
        return ""
    return merged[0] if len(merged) == 1 and isinstance(merged[0], str) else apply(concatenated, *merged)


def joined(delimiter: str, values: Sequence[Any]) -> str:
    """Fn::Join of what is not known item by item."""
    if isinstance(values, str):
        raise TypeError("Fn::Join wants a list")
    return delimiter.join(map(text_of, values))


def selected(index: Any, values: Sequence[Any]) -> Any:
    """Fn::Select."""
    if not isinstance(values, list | tuple):
        raise TypeError("Template error: Fn::Select requires a list argument with two elements: an integer and a list")
    number = int(index) if str(index).isdecimal() else -1
    if not 0 <= number < len(values):
        raise ValueError(f"Template error: Fn::Select cannot select nonexistent value at index {index}")
    return values[number]


def split(delimiter: str, value: Any) -> list[str]:
    """Fn::Split."""
    if not isinstance(delimiter, str) or not delimiter:
        raise ValueError("Fn::Split wants a delimiter")
    return text_of(value).split(delimiter)


def base64_of(value: Any) -> str:
    """Fn::Base64."""
    return base64.b64encode(text_of(value).encode()).decode()


def decoded(value: Any) -> str:
    """A text of what Fn::Base64 makes of it.

    Raises:
        ValueError: It is not that.
    """
    try:
        return base64.b64decode(text_of(value), validate=True).decode()
    except ValueError:
        raise ValueError("UserData is what Fn::Base64 makes of a text") from None


def cidr(block: Any, count: Any, bits: Any) -> list[str]:
    """Fn::Cidr: so many blocks, each with so many bits for its hosts.

    Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference-cidr.html
    """
    network, wanted = ip_network(text_of(block), strict=False), int(text_of(count))
    prefix = network.max_prefixlen - int(text_of(bits))
    if not 1 <= wanted <= MOST_BLOCKS:
        raise ValueError(f"Fn::Cidr makes 1 to {MOST_BLOCKS} blocks")
    if not network.prefixlen <= prefix <= network.max_prefixlen:
        raise ValueError(f"Fn::Cidr: there is no /{prefix} in {network}")
    found = [str(one) for one in islice(network.subnets(new_prefix=prefix), wanted)]
    if len(found) < wanted:
        raise ValueError(f"Fn::Cidr: there are {len(found)} /{prefix} in {network}, and not {wanted}")
    return found


def listed(value: Any) -> list[str]:
    """The members of a CommaDelimitedList, without the spaces around them."""
    if isinstance(value, list | tuple):
        return [text_of(one) for one in value]
    return [one.strip() for one in text_of(value).split(",")] if text_of(value) else []


def only(value: Any) -> list[Any]:
    """A list of one member."""
    return [value]


def json_text(value: Any) -> str:
    """A document as the API wants it: JSON in a text. One that is a text already stays as it is."""
    return value if isinstance(value, str) else json.dumps(value)


def policy_text(value: Any) -> str:
    """A policy as a text, with the version that IAM here wants.

    AWS takes one without, as of 2008-10-17, which differs from the other version in policy variables alone.
    """
    with contextlib.suppress(ValueError):
        value = json.loads(value) if isinstance(value, str) else value
    if isinstance(value, Mapping):
        return json.dumps({"Version": "2012-10-17", **value})
    return json_text(value)


def json_member(document: str, key: str) -> str:
    """A member of a secret's JSON, as a dynamic reference names it."""
    try:
        found = json.loads(document)[key]
    except (ValueError, LookupError, TypeError):
        raise ValueError(f"the secret has no key '{key}'") from None
    return text_of(found)


def with_member(document: str, key: str, value: str) -> str:
    """GenerateSecretString: the template's JSON with one more member."""
    made = json.loads(document)
    if not isinstance(made, dict):
        raise TypeError("SecretStringTemplate is a JSON object")
    return json.dumps({**made, key: value})


def zip_of(name: str, code: str) -> bytes:
    """A zip archive of one file of code."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        info = zipfile.ZipInfo(name, _ZIP_TIME)
        info.external_attr = 0o644 << 16
        archive.writestr(info, code)
    return packed.getvalue()
