"""A Terraform configuration: what has to be known of it beforehand, and what ``terraform apply -json`` tells.

Sources: Terraform's documentation, "Override Files", "Input Variables", "Machine-Readable UI" (one JSON object a line,
each with a ``type``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from sandbox.model.foreign import from_json
from sandbox.model.own.errors import OwnError

DEFAULT = ""
"""The provider configuration without an alias."""

_HOOKS = ("_start", "_progress", "_complete", "_errored")
_OUTPUT = re.compile(r"\$\{output\.([\w-]+)\}")
_VARIABLE = re.compile(r'^\s*variable\s+"?([\w-]+)"?\s*\{', re.MULTILINE)
_PROVIDER = re.compile(r'^\s*provider\s+"?aws"?\s*\{', re.MULTILINE)
_DEFAULT = re.compile(r"^\s*default\s*=", re.MULTILINE)
_IMAGE = re.compile(r'\bimage"?\s*[:=]\s*"([^"$]+)"')
_ALIAS = re.compile(r'^\s*alias\s*=\s*"([\w-]+)"', re.MULTILINE)
_UP = re.compile(r'["/}]((?:\.\./)+)')
# What braces do not count in: comments, heredocs, strings. A string in a template in a string comes apart into two.
_ASIDE = re.compile(r'#[^\n]*|//[^\n]*|/\*.*?\*/|<<-?(\w+)\n.*?\n\s*\1(?=\n|$)|"(?:\\.|[^"\\\n])*"', re.DOTALL)


@dataclass(frozen=True)
class Configuration:
    """What the files of a root module say, as far as it matters here.

    Attributes:
        variables: The names of its input variables, in the order in which they are declared.
        required: Those that have no default.
        images: What its texts name as ``image``.
        providers: The aliases of its configurations of provider aws; `DEFAULT` is the one without.
        above: How many folders above its own it leads to, by paths that begin with ``../``.
    """

    variables: tuple[str, ...]
    required: tuple[str, ...]
    providers: frozenset[str]
    images: tuple[str, ...]
    above: int


@dataclass(frozen=True)
class Diagnostic:
    """An error or a warning of Terraform's.

    Attributes:
        address: The resource's; "" where it is of none.
        place: FILE:LINE; "" where there is none.
    """

    severity: str
    summary: str
    detail: str
    address: str
    place: str

    def __str__(self) -> str:
        return ": ".join(filter(None, (self.place, self.address, self.summary)))


@dataclass
class Told:
    """What an apply has told so far.

    Attributes:
        diagnostics: In the order in which they came.
        outputs: By name, the value; a sensitive one is None.
        sensitive: The names of those.
    """

    diagnostics: list[Diagnostic] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    sensitive: set[str] = field(default_factory=set)

    @property
    def errors(self) -> list[Diagnostic]:
        """The diagnostics that are errors."""
        return [one for one in self.diagnostics if one.severity == "error"]

    def take(self, line: str) -> Mapping[str, Any]:
        """Take a line; what it says of a resource ({} where it says nothing of one).

        Returns:
            ``text`` for a person; ``address``, ``action`` ("create"), ``state`` ("start", "progress", "complete",
            "errored") and ``seconds``.
        """
        try:
            said = from_json(line)
        except ValueError:
            return {}
        if not isinstance(said, dict):
            return {}
        kind = str(said.get("type", ""))
        if kind == "diagnostic" and isinstance(said.get("diagnostic"), dict):
            self.diagnostics.append(_diagnostic(said["diagnostic"]))
        elif kind == "outputs" and isinstance(said.get("outputs"), dict):
            self._take_outputs(said["outputs"])
        hook = said.get("hook")
        if not kind.startswith("apply") or not kind.endswith(_HOOKS) or not isinstance(hook, dict):
            return {}
        resource = hook.get("resource")
        return {
            "text": str(said.get("@message", "")),
            "address": str(resource.get("addr", "")) if isinstance(resource, dict) else "",
            "action": str(hook.get("action", "")),
            "state": kind.rpartition("_")[2],
            "seconds": hook.get("elapsed_seconds", 0),
        }

    def _take_outputs(self, given: Mapping[str, Any]) -> None:
        for name, one in given.items():
            # A plan tells of outputs by what is done to them; a sensitive one never has its value.
            if not isinstance(one, dict) or "action" in one:
                continue
            hidden = bool(one.get("sensitive"))
            self.outputs[name] = None if hidden else one.get("value")
            self.sensitive |= {name} if hidden else set()


def configuration(files: Iterable[tuple[PurePosixPath, str]]) -> Configuration:
    """What files say.

    Args:
        files: Each ``*.tf`` and ``*.tf.json`` in the folder and below it, by its path there. Those in the folder itself
            are the root module's.
    """
    variables: dict[str, bool] = {}  # whether it has a default
    providers: set[str] = set()
    images: dict[str, None] = {}
    above = 0
    for path, written in files:
        text = written.replace("\r\n", "\n")
        depth = len(path.parent.parts)
        above = max([above, *(one.count("../") - depth for one in _UP.findall(text))])
        images |= dict.fromkeys(_IMAGE.findall(text))
        if depth:
            continue
        if path.suffix == ".json":
            variables |= _json_variables(text)
            providers |= _json_providers(text)
        else:
            plain = _ASIDE.sub(lambda found: found[0] if found[0].startswith('"') else "", text)
            variables |= {one[1]: bool(_DEFAULT.search(_block(plain, one.end()))) for one in _VARIABLE.finditer(plain)}
            providers |= set(_aliases(plain))
    required = tuple(name for name, has_default in variables.items() if not has_default)
    return Configuration(tuple(variables), required, frozenset(providers), tuple(images), above)


def filled(text: str, outputs: Mapping[str, Any]) -> str:
    """``text`` with the values of ``${output.NAME}``.

    Raises:
        OwnError: There is no such output, or its value is no text or number.
    """

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in outputs:
            raise OwnError(
                f"{text}: Terraform has no output '{name}'", f"outputs: {', '.join(sorted(outputs)) or 'none'}"
            )
        found = outputs[name]
        if type(found) not in (str, int, float):
            raise OwnError(f"{text}: output '{name}' is no text", "it is sensitive, a list or a map")
        return str(found)

    return _OUTPUT.sub(value, text)


def check_value(place: str, value: Any) -> None:
    """Refuse what JSON, and so a file of variables, does not have.

    Raises:
        OwnError: It is a date or a time, or has one.
    """
    if isinstance(value, dict):
        for key, one in value.items():
            check_value(f"{place}.{key}", one)
    elif isinstance(value, list):
        for one in value:
            check_value(place, one)
    elif not isinstance(value, str | int | float):
        raise OwnError(f"{place} is a text, number, true or false, list or table", f'"{value}"')


def _aliases(code: str) -> Iterator[str]:
    for found in _PROVIDER.finditer(code):
        block = _block(code, found.end())
        alias = _ALIAS.search(block)
        yield alias[1] if alias is not None else DEFAULT


def _block(code: str, begin: int) -> str:
    """From behind a brace to the one that closes it."""
    depth = 1
    for found in re.finditer(r'"(?:\\.|[^"\\\n])*"|[{}]', code[begin:]):
        depth += {"{": 1, "}": -1}.get(found[0], 0)
        if not depth:
            return code[begin : begin + found.start()]
    return code[begin:]


def _json_variables(text: str) -> dict[str, bool]:
    found = _member(text, "variable")
    return {str(name): isinstance(said, dict) and "default" in said for one in found for name, said in one.items()}


def _json_providers(text: str) -> set[str]:
    aliases: set[str] = set()
    for one in _member(text, "provider"):
        given = one.get("aws", [])
        for block in given if isinstance(given, list) else [given]:
            if isinstance(block, dict):
                aliases.add(str(block.get("alias", DEFAULT)))
    return aliases


def _member(text: str, name: str) -> Sequence[Mapping[str, Any]]:
    """A member of a ``*.tf.json``: an object, or a list of such."""
    try:
        content = from_json(text)
    except ValueError:
        return []
    found = content.get(name, []) if isinstance(content, dict) else []
    return [one for one in (found if isinstance(found, list) else [found]) if isinstance(one, dict)]


def _diagnostic(given: Mapping[str, Any]) -> Diagnostic:
    where = given.get("range")
    place = ""
    if isinstance(where, dict):
        start = where.get("start")
        line = start.get("line", "") if isinstance(start, dict) else ""
        place = f"{where.get('filename', '')}:{line}"
    return Diagnostic(
        str(given.get("severity", "")),
        str(given.get("summary", "")),
        str(given.get("detail", "")),
        str(given.get("address", "")),
        place,
    )


def outputs_in_words(told: Told) -> Iterator[str]:
    """Each output as a line, sensitive ones without their value."""
    for name, value in told.outputs.items():
        hidden = name in told.sensitive
        yield f"output {name} = {'(sensitive)' if hidden else json.dumps(value, ensure_ascii=False)}"
