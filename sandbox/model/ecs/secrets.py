"""Secrets of a container: where their values come from.

Rules: developer guide "Pass sensitive data to an Amazon ECS container", and its pages on Secrets Manager secrets and
Systems Manager parameters in environment variables.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.model.ecs.errors import client_exception

_SECRET_ARN = re.compile(r"arn:[^:]+:secretsmanager:([^:]+):[^:]*:secret:[^:]+")
_PARAMETER_ARN = re.compile(r"arn:[^:]+:ssm:([^:]+):[^:]*:parameter(/.+)")
_PARAMETER_NAME = re.compile(r"[A-Za-z0-9_./-]+")


@dataclass(frozen=True)
class Parameter:
    """A Systems Manager parameter. ``region`` is "" for the task's own."""

    name: str
    region: str


@dataclass(frozen=True)
class ManagedSecret:
    """A secret of Secrets Manager, or one key of its JSON; what is "" was left out."""

    arn: str
    region: str
    json_key: str
    version_stage: str
    version_id: str


@dataclass(frozen=True)
class Secret:
    """An environment variable whose value is looked up when the task starts."""

    name: str
    source: Parameter | ManagedSecret


def parse(container: str, definition: Mapping[str, Any]) -> tuple[Secret, ...]:
    """The secrets of a container definition.

    Raises:
        EcsError: ClientException; words seen in error messages, but for those of a malformed ``valueFrom``.
    """
    raw = definition.get("secrets") or ()
    names = [item.get("name") or "" for item in (*raw, *(definition.get("environment") or ()))]
    for item in raw:
        if names.count(item.get("name") or "") > 1:
            raise client_exception(
                "The secret name must be unique and not shared with any new or existing environment variables set on "
                f"the container, such as '{item.get('name')}'"
            )
    return tuple(Secret(item.get("name") or "", source(container, item.get("valueFrom") or "")) for item in raw)


def source(container: str, value_from: str) -> Parameter | ManagedSecret:
    """What a ``valueFrom`` names: a parameter's name or ARN, or a secret's ARN with :json-key:version-stage:version-id.

    Raises:
        EcsError: ClientException.
    """
    if match := _SECRET_ARN.match(value_from):
        rest = value_from[match.end() :].split(":")[1:]
        if value_from[match.end() :].startswith(":") and len(rest) == 3:
            return ManagedSecret(match[0], match[1], *rest)
        if not value_from[match.end() :]:
            return ManagedSecret(match[0], match[1], "", "", "")
    elif match := _PARAMETER_ARN.fullmatch(value_from):
        # The ARN of /a/b and that of a plain name both have one slash after "parameter".
        return Parameter(match[2] if "/" in match[2][1:] else match[2][1:], match[1])
    elif _PARAMETER_NAME.fullmatch(value_from):
        return Parameter(value_from, "")
    raise client_exception(
        f"Invalid setting for container '{container}'. The secret's valueFrom '{value_from}' is neither a "
        "parameter nor a secret's ARN, which may be followed by :json-key:version-stage:version-id."
    )


def json_value(text: str, key: str) -> str:
    """The value of ``key`` in a secret's JSON; numbers and the like as JSON spells them.

    Raises:
        LookupError: There is none, in the ECS agent's words.
    """
    try:
        value = json.loads(text)[key]
    except (ValueError, KeyError, TypeError):
        raise LookupError(f"retrieved secret from Secrets Manager did not contain json key {key}") from None
    return value if isinstance(value, str) else json.dumps(value)


def need_role(containers: Sequence[Any], execution_role: str | None) -> None:
    """Secrets are read with the task execution role.

    Raises:
        EcsError: ClientException.
    """
    if not execution_role and any(container.secrets for container in containers):
        raise client_exception(
            "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'."
        )
