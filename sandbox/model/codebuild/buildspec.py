"""The buildspec: the commands of a build and what it gives.

Source: user guide of CodeBuild "Build specification reference for CodeBuild" and "Build phase transitions".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

FILE = "buildspec.yml"
PHASES = ("install", "pre_build", "build", "post_build")

_SHELLS = {"sh": "sh", "/bin/sh": "sh", "bash": "bash", "/bin/bash": "bash"}
_KEYS = {
    "": frozenset({"version", "env", "phases", "artifacts"}),
    "env": frozenset({"shell", "variables", "exported-variables"}),
    "artifacts": frozenset({"files", "name", "discard-paths", "base-directory"}),
    "phase": frozenset({"commands", "finally", "on-failure"}),
}


class BuildspecError(Exception):
    """The buildspec cannot be followed; the message names the place."""


@dataclass(frozen=True)
class Phase:
    """The commands of a phase; ``at_last`` run even if one of them fails, ``goes_on`` is on-failure CONTINUE."""

    name: str
    commands: tuple[str, ...] = ()
    at_last: tuple[str, ...] = ()
    goes_on: bool = False


@dataclass(frozen=True)
class Artifacts:
    """What is taken from the build's folder.

    Attributes:
        files: Patterns under ``base``; ``**/*`` is everything.
        base: A folder under the source.
        flat: Files lose their folders (discard-paths).
    """

    files: tuple[str, ...]
    base: str = "."
    flat: bool = False

    def choose(self, paths: Iterable[str]) -> dict[str, str]:
        """Which of the paths under ``base`` are taken, and their names in the artifact."""
        patterns = [_pattern(item) for item in self.files]
        chosen = sorted(path for path in paths if any(pattern.fullmatch(path) for pattern in patterns))
        return {path: path.rpartition("/")[2] if self.flat else path for path in chosen}


@dataclass(frozen=True)
class Buildspec:
    """What a build does.

    Attributes:
        phases: Those that there are, in order.
        variables: Environment variables.
        exported: Names of those that are variables of the pipeline afterwards.
        artifacts: None: there are none.
        shell: "sh" or "bash".
    """

    phases: tuple[Phase, ...]
    variables: Mapping[str, str]
    exported: tuple[str, ...]
    artifacts: Artifacts | None
    shell: str = "sh"


def parse(content: Any) -> Buildspec:
    """The buildspec that a YAML document describes.

    Raises:
        BuildspecError: It is none, or has what is not carried out.
    """
    _check(content, "", "the buildspec")
    if str(content.get("version")) != "0.2":
        raise BuildspecError(f"version {content.get('version')} of buildspecs is not carried out; 0.2 is")
    env = content.get("env") or {}
    _check(env, "env", "env")
    shell = str(env.get("shell", "sh"))
    if shell not in _SHELLS:
        raise BuildspecError(f"env/shell {shell} is not carried out; sh and bash are")
    given = content.get("phases")
    if not isinstance(given, dict) or not given:
        raise BuildspecError("phases: a buildspec has at least one phase")
    for name in given:
        if name not in PHASES:
            raise BuildspecError(f"phases/{name}: there is no such phase; there are {', '.join(PHASES)}")
    variables = env.get("variables") or {}
    if not isinstance(variables, dict):
        raise BuildspecError(f"env/variables: a mapping is wanted, not {variables!r}")
    return Buildspec(
        tuple(_phase(name, given[name]) for name in PHASES if name in given),
        {str(name): str(value) for name, value in variables.items()},
        _texts(env.get("exported-variables"), "env/exported-variables"),
        _artifacts(content.get("artifacts")),
        _SHELLS[shell],
    )


def _phase(name: str, given: Any) -> Phase:
    _check(given, "phase", f"phases/{name}")
    failure = given.get("on-failure", "ABORT")
    if failure not in ("ABORT", "CONTINUE"):
        raise BuildspecError(f"phases/{name}/on-failure: {failure} is not carried out; ABORT and CONTINUE are")
    commands = _texts(given.get("commands"), f"phases/{name}/commands")
    if not commands:
        raise BuildspecError(f"phases/{name}/commands: there is none")
    return Phase(name, commands, _texts(given.get("finally"), f"phases/{name}/finally"), failure == "CONTINUE")


def _artifacts(given: Any) -> Artifacts | None:
    if given is None:
        return None
    _check(given, "artifacts", "artifacts")
    files = _texts(given.get("files"), "artifacts/files")
    if not files:
        raise BuildspecError("artifacts/files: there is none")
    flat = str(given.get("discard-paths", "no")).lower() in {"yes", "true"}
    return Artifacts(files, str(given.get("base-directory", ".")), flat)


def _check(given: Any, kind: str, where: str) -> None:
    if not isinstance(given, dict):
        raise BuildspecError(f"{where}: a mapping is wanted, not {given!r}")
    for key in given:
        if key not in _KEYS[kind]:
            raise BuildspecError(f"{where}: {key} is not carried out; {', '.join(sorted(_KEYS[kind]))} are")


def _texts(given: Any, where: str) -> tuple[str, ...]:
    if given is None:
        return ()
    if not isinstance(given, Sequence) or isinstance(given, str) or not all(_is_scalar(item) for item in given):
        raise BuildspecError(f"{where}: a list of texts is wanted, not {given!r}")
    return tuple(str(item) for item in given)


def _is_scalar(item: Any) -> bool:
    return isinstance(item, str | int | float | bool)


def _pattern(text: str) -> re.Pattern[str]:
    """``**/`` is any folders, ``*`` anything in one; a folder's own name stands for nothing, as in CodeBuild."""
    made = ""
    for part in re.split(r"(\*\*/|\*\*|\*|\?)", text.removeprefix("./")):
        made += {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(part, re.escape(part))
    return re.compile(made)
