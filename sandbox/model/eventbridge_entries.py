"""What PutEvents takes, entry by entry.

"PutEvents" in the API reference (what is required, the size) and "Calculating Amazon EventBridge PutEvents event entry
size". The words of the errors are those that users have seen.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

MOST_BYTES = 2**20
"""Of all entries of one call together."""
_TIME_BYTES = 14


class RefusedEntryError(ValueError):
    """An entry is not taken; the others of the call may be.

    Attributes:
        code: What the API shows as ErrorCode; the text of the error is the ErrorMessage.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def entry_size(entry: Mapping[str, Any]) -> int:
    """Bytes that count against the limit."""
    texts = [entry.get(member) or "" for member in ("Source", "DetailType", "Detail")]
    size = sum(len(text.encode("utf-8", "surrogatepass")) for text in (*texts, *entry.get("Resources", ())))
    return size + (_TIME_BYTES if "Time" in entry else 0)


def are_too_big(entries: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a call is refused as a whole."""
    return sum(map(entry_size, entries)) >= MOST_BYTES


def accepted_detail(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The detail of an entry that is taken.

    Raises:
        RefusedEntryError: Source, DetailType or Detail is missing, the source is one of AWS's own, or the detail is not
            a JSON object.
    """
    for member in ("Source", "DetailType", "Detail"):
        if not entry.get(member):
            reason = f"Parameter {member} is not valid. Reason: {member} is a required argument."
            raise RefusedEntryError("InvalidArgument", reason)
    if entry["Source"].startswith("aws."):
        raise RefusedEntryError("NotAuthorizedForSourceException", "Not authorized for the source.")
    detail = json_object(entry["Detail"])
    if detail is None:
        raise RefusedEntryError("MalformedDetail", "Detail is malformed.")
    return detail


def json_object(text: str) -> dict[str, Any] | None:
    """The object that ``text`` is in JSON; None if it is none, or could not be written again."""
    try:
        value = json.loads(text)
        as_json(value).encode()
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def as_json(value: Any) -> str:
    """JSON as EventBridge sends it: without spaces between the tokens."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
