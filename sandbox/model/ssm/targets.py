"""Which nodes a command is for: SendCommand's Targets.

Source: API reference of Systems Manager, Target ("For Run Command and Maintenance Windows"); users have seen that
``InstanceIds`` is read in any case ("Key=instanceids").
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.model.ssm.errors import SsmError

GROUP = "resource-groups:Name"


@dataclass(frozen=True)
class Candidate:
    """A node that a command could be for, with the tags that EC2 has now."""

    instance_id: str
    tags: Mapping[str, str]


def check(targets: Sequence[Mapping[str, Any]]) -> None:
    """Refuse Targets that mean nothing.

    Raises:
        SsmError: InvalidParameters names the key.
    """
    for target in targets:
        key, values = str(target.get("Key", "")), target.get("Values", [])
        if not (key.startswith("tag:") and len(key) > 4) and key not in {"tag-key", GROUP} and not _is_ids(key):
            raise SsmError(
                "InvalidParameters",
                f"Targets has the key {key!r}; the sandbox knows tag:NAME, tag-key, InstanceIds and {GROUP}",
            )
        if not values:
            raise SsmError("InvalidParameters", f"Targets with the key {key} has no values")
        if key == GROUP and (len(values) > 1 or len(targets) > 1):
            raise SsmError("InvalidParameters", "a command has one resource group as its target, and nothing else")


def named(targets: Sequence[Mapping[str, Any]]) -> list[str]:
    """The instances that Targets name one by one."""
    return [str(value) for target in targets if _is_ids(target["Key"]) for value in target["Values"]]


def chosen(
    targets: Sequence[Mapping[str, Any]],
    candidates: Iterable[Candidate],
    group_members: Callable[[str], Iterable[str]],
) -> list[str]:
    """The instances of ``candidates`` that all of ``targets`` name: any of a target's values will do."""
    groups = {
        name: set(group_members(name)) for target in targets if target["Key"] == GROUP for name in target["Values"]
    }
    return [one.instance_id for one in candidates if all(_matches(target, one, groups) for target in targets)]


def _matches(target: Mapping[str, Any], one: Candidate, groups: Mapping[str, set[str]]) -> bool:
    key, values = target["Key"], target["Values"]
    if key == "tag-key":
        return any(value in one.tags for value in values)
    if key == GROUP:
        return any(one.instance_id in groups[name] for name in values)
    if _is_ids(key):
        return one.instance_id in values
    name = key.removeprefix("tag:")
    return name in one.tags and one.tags[name] in values


def _is_ids(key: str) -> bool:
    return key.lower() == "instanceids"
