"""Environment files of a container: where they are, and how their lines are read.

Rules: developer guide "Pass an individual environment variable to an Amazon ECS container" (environment files); API
reference "EnvironmentFile"; how a line is taken apart: amazon-ecs-agent, agent/taskresource/envFiles/envfile.go.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.model.ecs.errors import client_exception

MAX_FILES = 10
_ARN = re.compile(r"arn:[^:]+:s3:::([^/]+)/(.+\.env)")


@dataclass(frozen=True)
class EnvironmentFile:
    """An object in S3."""

    bucket: str
    key: str


def parse(container: str, raw: Sequence[Mapping[str, Any]] | None) -> tuple[EnvironmentFile, ...]:
    """The ``environmentFiles`` of a container definition or override.

    Raises:
        EcsError: ClientException; AWS documents the rules, the words are ours.
    """
    files = []
    for item in raw or ():
        match = _ARN.fullmatch(item.get("value") or "")
        if item.get("type") != "s3" or match is None:
            raise client_exception(
                f"Invalid setting for container '{container}'. An environment file has type s3, and for its value the "
                f"ARN of an object whose name ends in .env, not '{item.get('value')}'."
            )
        files.append(EnvironmentFile(match[1], match[2]))
    if len(files) > MAX_FILES:
        raise client_exception(
            f"Invalid setting for container '{container}'. There are more than {MAX_FILES} environment files."
        )
    return tuple(files)


def variables(texts: Iterable[str]) -> dict[str, str]:
    """The variables of the files, in their order: of one that comes twice, the first counts.

    A line is VARIABLE=VALUE; nothing is unquoted or expanded. Lines that are empty, begin with # or have no = are
    passed over.
    """
    found: dict[str, str] = {}
    for text in texts:
        for line in text.splitlines():
            name, equals, value = line.strip().partition("=")
            if name and equals and not name.startswith("#"):
                found.setdefault(name, value)
    return found
