"""What an EventBridge target is given: the event, a part of it, a constant, or what a template makes of it.

"Amazon EventBridge input transformation" and the Target type of the API reference (Input, InputPath,
InputTransformer).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sandbox.model.eventbridge_entries import as_json
from sandbox.model.eventbridge_transformer import transformer_of

_STEP = re.compile(r"\.([A-Za-z0-9_\-/]+)|\.(\*)|\[(\d{1,9})\]|\[(\*)\]|\['([^']+)'\]")

_LATEST = 253_402_300_800_000  # milliseconds since the epoch: the year 10000

Step = str | int | None
"""A name, an index, or None for every element."""

MISSING: Any = object()
"""What `extract` finds where there is nothing."""


class UnsupportedInputPathError(ValueError):
    """The path is outside the JSONPath subset that EventBridge and the sandbox have."""


def parse_path(path: str) -> tuple[Step, ...]:
    """The steps of a JSONPath such as ``$.detail.containers[0]['name']`` or ``$.detail.containers[*].name``.

    Raises:
        UnsupportedInputPathError: It has anything but names, quoted names, indexes and wildcards.
    """
    if not path.startswith("$"):
        raise UnsupportedInputPathError(path)
    steps: list[Step] = []
    position = 1
    while position < len(path):
        step = _STEP.match(path, position)
        if step is None:
            raise UnsupportedInputPathError(path)
        name, _, index, _, quoted = step.groups()
        steps.append(int(index) if index is not None else name or quoted)
        position = step.end()
    return tuple(steps)


def extract(steps: tuple[Step, ...], value: Any) -> Any:
    """What a path leads to, or `MISSING`; beyond a wildcard, the array of what is there."""
    for number, step in enumerate(steps):
        if step is None:
            inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
            found = (extract(steps[number + 1 :], item) for item in inner)
            return [item for item in found if item is not MISSING]
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return MISSING
    return value


def target_input(
    target: Mapping[str, Any], event: Mapping[str, Any], *, rule_arn: str = "", ingested: float = 0
) -> str:
    """The text that ``target`` (a Target of the API) gets; ``null`` where InputPath finds nothing.

    Args:
        target: With at most one of Input, InputPath and InputTransformer.
        event: The event that matched.
        rule_arn: The rule that it matched.
        ingested: When EventBridge got it, in seconds since the epoch.

    Raises:
        InvalidJsonError: A JSON template became no JSON.
    """
    if "Input" in target:
        return str(target["Input"])
    if "InputTransformer" in target:
        transformer = target["InputTransformer"]
        values: dict[str, Any] = {
            "aws.events.rule-arn": rule_arn,
            "aws.events.rule-name": rule_arn.rpartition("/")[2],
            "aws.events.event": _without_detail(event),
            "aws.events.event.json": event,
            "aws.events.event.ingestion-time": datetime.fromtimestamp(ingested, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        for name, path in transformer.get("InputPathsMap", {}).items():
            value = extract(parse_path(path), event)
            values[name] = None if value is MISSING else value
        return transformer_of(transformer["InputTemplate"]).render(values)
    value = extract(parse_path(target.get("InputPath", "$")), event)
    return as_json(None if value is MISSING else value)


def log_event(text: str) -> tuple[str, float | None]:
    """What a log group gets of a target's input: message and time, in seconds since the epoch (None: now).

    ``{"timestamp": ..., "message": ...}``, milliseconds or ISO 8601 (UTC unless it says otherwise), says both;
    anything else is the message ("Amazon EventBridge input transformation", the example of a log group).
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text, None
    if not isinstance(value, dict) or value.keys() != {"timestamp", "message"}:
        return text, None
    message, at = value["message"], value["timestamp"]
    message = message if isinstance(message, str) else json.dumps(message)
    if isinstance(at, int):
        return message, at / 1000 if abs(at) < _LATEST else None
    try:
        stamp = datetime.fromisoformat(at)
    except (TypeError, ValueError):
        return message, None
    # a time that names no zone must not become one of this machine's zone
    return message, (stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)).timestamp()


def _without_detail(event: Mapping[str, Any]) -> dict[str, Any]:
    """``aws.events.event``: the envelope; its detail-type goes by another name there (seen)."""
    return {"detailType" if name == "detail-type" else name: v for name, v in event.items() if name != "detail"}
