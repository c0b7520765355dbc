"""Policy documents, as statements that a request can be held against.

IAM User Guide, "IAM JSON policy element reference" and "Grammar of the IAM JSON policy language".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.model.iam import conditions
from sandbox.model.iam.conditions import Condition
from sandbox.model.iam.errors import PolicyError

VERSIONS = ("2012-10-17", "2008-10-17")
"""The newer one knows variables; a policy without a version is of the older one."""

_MEMBERS = frozenset(
    {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Principal", "NotPrincipal", "Condition"}
)


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement.

    Attributes:
        label: How it is named in explanations: its Sid, or its number, from 1.
        effect: "Allow" or "Deny".
        actions: Of Action or NotAction, in lower case: actions know no case.
        not_actions: It is NotAction.
        resources: Of Resource or NotResource; empty in a policy that needs none.
        not_resources: It is NotResource.
        principals: Of Principal or NotPrincipal, by kind ("AWS", "Service"); None where there is neither.
        not_principals: It is NotPrincipal.
        conditions: All have to hold.
    """

    label: str
    effect: str
    actions: tuple[str, ...]
    not_actions: bool
    resources: tuple[str, ...]
    not_resources: bool
    principals: Mapping[str, tuple[str, ...]] | None
    not_principals: bool
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy.

    Attributes:
        name: How it is named in explanations.
        statements: In their order.
        has_variables: Its version knows ``${...}``.
    """

    name: str
    statements: tuple[Statement, ...]
    has_variables: bool = True


def parse(document: str | Mapping[str, Any], name: str) -> Policy:
    """A policy of its document.

    Args:
        document: JSON, or what it says.
        name: See `Policy`.

    Raises:
        PolicyError: It is no policy.
    """
    if isinstance(document, str):
        try:
            document = json.loads(document)
        except ValueError:
            raise PolicyError("This policy contains invalid Json") from None
    if not isinstance(document, Mapping):
        raise PolicyError("Syntax errors in policy.")
    version = document.get("Version", VERSIONS[1])
    if version not in VERSIONS:
        raise PolicyError(f"Policy document must be version 2012-10-17 or greater, not {version!r}.")
    statements = document.get("Statement")
    listed = [statements] if isinstance(statements, Mapping) else statements
    if not isinstance(listed, list) or not all(isinstance(one, Mapping) for one in listed):
        raise PolicyError("Syntax errors in policy.")
    parsed = tuple(_statement(one, number) for number, one in enumerate(listed, start=1))
    return Policy(name, parsed, version == VERSIONS[0])


def _statement(given: Mapping[str, Any], number: int) -> Statement:
    if unknown := sorted(given.keys() - _MEMBERS):
        raise PolicyError(f"Syntax errors in policy: a statement has no {unknown[0]}.")
    if given.get("Effect") not in {"Allow", "Deny"}:
        raise PolicyError("Syntax errors in policy: Effect has to be Allow or Deny.")
    actions, not_actions = _either(given, "Action")
    if not actions:
        raise PolicyError("Policy statement must contain actions.")
    resources, not_resources = _either(given, "Resource")
    not_principals = "NotPrincipal" in given
    principal = given.get("NotPrincipal", given.get("Principal"))
    return Statement(
        str(given.get("Sid") or number),
        str(given["Effect"]),
        tuple(action.lower() for action in actions),
        not_actions,
        resources,
        not_resources,
        None if principal is None else _principals(principal),
        not_principals,
        conditions.parse(given.get("Condition", {})),
    )


def _either(given: Mapping[str, Any], name: str) -> tuple[tuple[str, ...], bool]:
    """What a member or its negation lists, and whether it is the negation."""
    if name in given and f"Not{name}" in given:
        raise PolicyError(f"Syntax errors in policy: a statement has {name} or Not{name}, not both.")
    negated = f"Not{name}" in given
    return _texts(given.get(f"Not{name}" if negated else name, [])), negated


def _texts(value: Any) -> tuple[str, ...]:
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise PolicyError("Syntax errors in policy.")
    return tuple(listed)


def _principals(given: Any) -> dict[str, tuple[str, ...]]:
    if given == "*":
        return {"AWS": ("*",)}
    if not isinstance(given, Mapping):
        raise PolicyError("Invalid principal in policy.")
    return {kind: _texts(value) for kind, value in given.items()}
