"""What an EventBridge target is given: the event, a part of it, or a constant.

"Amazon EventBridge input transformation" and the Target type of the API reference (Input, InputPath).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_STEP = re.compile(r"\.([A-Za-z0-9_\-]+)|\[(\d+)\]|\['([^']+)'\]")


class UnsupportedInputPathError(ValueError):
    """The path is outside the JSONPath subset that the sandbox has."""


def parse_path(path: str) -> tuple[str | int, ...]:
    """The steps of a JSONPath such as ``$.detail.containers[0]['name']``.

    Raises:
        UnsupportedInputPathError: It has anything but names, quoted names and indexes.
    """
    if not path.startswith("$"):
        raise UnsupportedInputPathError(path)
    steps: list[str | int] = []
    position = 1
    while position < len(path):
        step = _STEP.match(path, position)
        if step is None:
            raise UnsupportedInputPathError(path)
        name, index, quoted = step.groups()
        steps.append(int(index) if index is not None else name or quoted)
        position = step.end()
    return tuple(steps)


def target_input(target: Mapping[str, Any], event: Mapping[str, Any]) -> str:
    """The JSON text that ``target`` (a Target of the API) gets; ``null`` where InputPath finds nothing."""
    if "Input" in target:
        return str(target["Input"])
    value: Any = event
    for step in parse_path(target.get("InputPath", "$")):
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            value = None
            break
    return json.dumps(value)
