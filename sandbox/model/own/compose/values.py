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
_LINE = re.compile(
    r"""\s*(?:export\s+)?([A-Za-z_][\w.-]*)\s*=\s*"""
    r"""(?:'([^']*)'(?:\s*\#.*)?|"((?:[^"\\]|\\.)*)"(?:\s*\#.*)?|([^'"\s].*?|)(?:\s+\#.*)?)\s*"""
)
_ESCAPED = re.compile(r"\\(.)")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def interpolate(value: Any, variables: Mapping[str, str], unset: set[str] | None = None) -> Any:
    """``value`` with ``${NAME}``, ``${NAME:-default}`` and the like in its texts filled in; ``$$`` is a dollar sign.

    Args:
        value: A text, or a list or mapping that has some.
        variables: The values.
        unset: Gets the names of variables that are not set and have no default; they are empty.

    Raises:
        OwnError: A variable that must be there (``${NAME:?...}``) is not, or ``${`` begins nothing.
    """
    unset = set() if unset is None else unset
    if isinstance(value, str):
        if "${" in _VARIABLE.sub("", value):
            raise OwnError(f"'{value}': a ${{ that begins no variable", "$$ is a dollar sign")
        return _VARIABLE.sub(lambda match: _variable(match, variables, unset), value)
    if isinstance(value, list):
        return [interpolate(item, variables, unset) for item in value]
    if isinstance(value, dict):
        return {key: interpolate(item, variables, unset) for key, item in value.items()}
    return value


def _variable(match: re.Match[str], variables: Mapping[str, str], unset: set[str]) -> str:
    dollar, plain, name, operator, word = match.groups()
    if dollar:
        return "$"
    name = plain or name
    found = variables.get(name)
    if not operator:
        if found is None:
            unset.add(name)
        return found or ""
    is_set = bool(found) if operator.startswith(":") else found is not None
    if operator.endswith("+"):
        return str(interpolate(word, variables, unset)) if is_set else ""
    if is_set:
        return found or ""
    if operator.endswith("?"):
        raise OwnError(f"the variable {name} is not set: {word}".removesuffix(": "), f"export {name}=...")
    return str(interpolate(word, variables, unset))


def dotenv(text: str, variables: Mapping[str, str]) -> dict[str, str]:
    """The variables of an ``.env`` or ``env_file``: NAME=VALUE lines, bare or in quotes, with ``#`` comments.

    Bare values, and those in double quotes, may have variables: of ``variables``, and of the lines before.

    Raises:
        OwnError: A line is none of that.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise OwnError(f"line {number} is not NAME=VALUE", f"found {line!r}")
        name, single, double, bare = match.groups()
        if single is not None:
            found[name] = single
            continue
        value = bare if double is None else _ESCAPED.sub(lambda one: _ESCAPES.get(one[1], one[1]), double)
        found[name] = str(interpolate(value, {**found, **variables}))
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
