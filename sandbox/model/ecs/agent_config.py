"""The ECS agent's configuration, as an instance's user data writes it into /etc/ecs/ecs.config.

Rules: developer guide "Amazon ECS container agent configuration" and "Bootstrapping Amazon ECS Linux container
instances to pass data". The user data is not run: what stands in it as ``ECS_NAME=value`` counts, however the script
gets it into the file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_ATTRIBUTES = re.compile(r"\bECS_INSTANCE_ATTRIBUTES=\s*[\"']?(\{[^{}]*\})")
_SETTING = re.compile(r"\b(ECS_[A-Z_]+)=(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>;|&]*))")


@dataclass(frozen=True)
class AgentConfiguration:
    """What the sandbox makes of it.

    Attributes:
        cluster: ECS_CLUSTER ("": it is not there).
        attributes: ECS_INSTANCE_ATTRIBUTES.
        reserved_memory: ECS_RESERVED_MEMORY in MiB.
        left_out: Settings that change nothing here.
    """

    cluster: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    reserved_memory: int = 0
    left_out: tuple[str, ...] = ()


def parse(user_data: str) -> AgentConfiguration:
    """The configuration in an instance's user data; the last line of a name counts, what cannot be read does not."""
    attributes: Mapping[str, str] = {}
    if found := _ATTRIBUTES.search(user_data):
        try:
            read = json.loads(found[1].replace('\\"', '"'))
            attributes = {str(name): str(value) for name, value in read.items()}
        except ValueError:
            attributes = {}
    settings = {match[1]: match[2] or match[3] or match[4] or "" for match in _SETTING.finditer(user_data)}
    reserved = settings.get("ECS_RESERVED_MEMORY", "")
    known = {"ECS_CLUSTER", "ECS_INSTANCE_ATTRIBUTES", "ECS_RESERVED_MEMORY"}
    return AgentConfiguration(
        settings.get("ECS_CLUSTER", ""),
        attributes,
        int(reserved) if reserved.isdecimal() else 0,
        tuple(sorted(set(settings) - known)),
    )
