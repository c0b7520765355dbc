"""Answers in pages: ``maxResults`` and ``nextToken`` of the List actions."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.aws.protocol import AwsError


def page(items: Sequence[Any], request: Mapping[str, Any], member: str, *, size: int = 100) -> dict[str, Any]:
    """The page of ``items`` that a request asks for, as ``member`` of the answer.

    Args:
        items: All of them.
        request: Has ``maxResults`` (1 to 100) and ``nextToken``, or not.
        member: The answer's name for the items.
        size: Of a page where ``maxResults`` is not given.

    Raises:
        AwsError: InvalidParameterException.
    """
    wanted = request.get("maxResults", size)
    if not 1 <= wanted <= 100:
        raise AwsError("InvalidParameterException", "maxResults must be between 1 and 100.")
    start = position(request["nextToken"]) if request.get("nextToken") else 0
    if start is None:
        raise AwsError("InvalidParameterException", "Invalid token.")
    answer: dict[str, Any] = {member: list(items[start : start + wanted])}
    if start + wanted < len(items):
        answer["nextToken"] = token(start + wanted)
    return answer


def token(start: int) -> str:
    """The token of the page that begins with item ``start``."""
    return base64.b64encode(str(start).encode()).decode()


def position(given: str) -> int | None:
    """The item with which the page of a token begins; None: it is no token."""
    try:
        text = base64.b64decode(given, validate=True).decode()
    except (ValueError, binascii.Error):
        return None
    return int(text) if text.isdecimal() else None
