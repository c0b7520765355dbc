"""Values of a compose file: variables, durations, environments, commands, ports.

Rules: Compose file reference "Interpolation", "Specifying durations", "services" (short and long syntaxes).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

from sandbox.model.own.errors import OwnError

_VARIABLE = re.compile(r"\$(?:(\$)|([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?:(:?[-?+])((?:[^{}]|\{[^{}]*\})*))?\})")
_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")
_PORT = re.compile(r"(?:(?:[\d.]+|\[[^]]+\]):)?(?:(\d*):)?(\d+)(?:/(tcp|udp))?")
_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][\w.-]*)\s*=(.*)")


def interpolate(value: Any, variables: Mapping[str, str]) -> Any:
    """``value`` with ``${NAME}``, ``${NAME:-default}`` and the like in its texts filled in; ``$$`` is a dollar sign.

    Raises:
        OwnError: A variable that must be there (``${NAME:?...}``) is not, or a ``$`` begins nothing.
    """
    if isinstance(value, str):
        rest = _VARIABLE.sub("", value)
        if "$" in rest:
            raise OwnError(f"'{value}': a $ that begins no variable", "$$ is a dollar sign")
        return _VARIABLE.sub(lambda match: _variable(match, variables), value)
    if isinstance(value, list):
        return [interpolate(item, variables) for item in value]
    if isinstance(value, dict):
        return {key: interpolate(item, variables) for key, item in value.items()}
    return value


def _variable(match: re.Match[str], variables: Mapping[str, str]) -> str:
    dollar, plain, name, operator, word = match.groups()
    if dollar:
        return "$"
    if plain or not operator:
        return variables.get(plain or name, "")
    found = variables.get(name)
    is_set = bool(found) if operator.startswith(":") else found is not None
    if operator.endswith("+"):
        return str(interpolate(word, variables)) if is_set else ""
    if is_set:
        return found or ""
    if operator.endswith("?"):
        raise OwnError(f"the variable {name} is not set: {word}".removesuffix(": "), f"export {name}=...")
    return str(interpolate(word, variables))


def dotenv(text: str) -> dict[str, str]:
    """The variables of an ``.env`` or ``env_file``: NAME=VALUE lines, values bare or in quotes, ``#`` comments.

    Raises:
        OwnError: A line is neither.
    """
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise OwnError(f"line {number} is not NAME=VALUE", f"found {line!r}")
        value = match[2].strip()
        if value[:1] in {"'", '"'} and value.endswith(value[0]) and len(value) > 1:
            found[match[1]] = value[1:-1]
        else:
            found[match[1]] = value.partition(" #")[0].rstrip()
    return found


def environment(place: str, value: Any, variables: Mapping[str, str]) -> dict[str, str]:
    """``environment``, or another mapping that may be a list of NAME=VALUE; a name without a value has the shell's.

    Raises:
        OwnError: It is neither.
    """
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        value = dict((*item.split("=", 1), None)[:2] for item in value)
    if not isinstance(value, dict):
        raise OwnError(f"{place} is a mapping, or a list of NAME=VALUE", f"found {value!r}")
    found = {}
    for name, one in value.items():
        if one is None:
            if name in variables:
                found[str(name)] = variables[name]
        elif isinstance(one, bool):
            found[str(name)] = str(one).lower()
        elif isinstance(one, str | int | float):
            found[str(name)] = str(one)
        else:
            raise OwnError(f"{place}: {name} is a text or a number", f"found {one!r}")
    return found


def seconds(place: str, value: Any) -> float:
    """A duration, such as ``1m30s``.

    Raises:
        OwnError: It is none.
    """
    match = _DURATION.fullmatch(value) if isinstance(value, str) and value else None
    if match is None:
        raise OwnError(f"{place} is a duration, such as 1m30s", f"found {value!r}")
    hours, minutes, whole, thousandths = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + whole + thousandths / 1000


def words(place: str, value: Any) -> list[str]:
    """``command`` or ``entrypoint``: a list, or a text that is split as a shell would.

    Raises:
        OwnError: It is neither.
    """
    try:
        if isinstance(value, str):
            return shlex.split(value)
    except ValueError as error:
        raise OwnError(f"{place}: {error}", f"found {value!r}") from error
    if not isinstance(value, list) or not all(isinstance(item, str | int | float) for item in value):
        raise OwnError(f"{place} is a text, or a list of texts", f"found {value!r}")
    return [str(item) for item in value]


def port(place: str, value: Any) -> tuple[int, str]:
    """An entry of ``ports`` or ``expose``: the container's port and its protocol.

    Raises:
        OwnError: It is none, or a range.
    """
    if isinstance(value, dict):
        extra = set(value) - {"target", "published", "protocol", "host_ip", "mode", "name", "app_protocol"}
        if extra or type(value.get("target")) is not int:
            raise OwnError(f"{place} has a target, and may have published and protocol", f"found {value!r}")
        return value["target"], str(value.get("protocol", "tcp"))
    match = _PORT.fullmatch(str(value))
    if match is None:
        raise OwnError(f"{place} is [[ADDRESS:]PORT:]PORT, and no range", f"found {value!r}")
    return int(match[2]), match[3] or "tcp"
