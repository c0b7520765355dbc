"""Managed nodes: EC2 instances whose agent has registered.

Source: API reference of Systems Manager, InstanceInformation and DescribeInstanceInformation. The agent pings every
five minutes (amazon-ssm-agent, HealthFrequencyMinutes); until the next ping is missed a node is shown as Online,
whatever has become of its agent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.model.ssm.errors import SsmError

PING_EVERY = 300.0
"""Seconds between two pings of an agent."""
AGENT_VERSION = "3.3.2299.0"


@dataclass
class Node:
    """A managed node.

    Attributes:
        instance_id: EC2's.
        computer_name: Its host name.
        address: Its private address.
        registered: Seconds since the epoch.
        is_listening: Whether its agent takes commands now. What is shown lags behind.
        is_lost: Whether it has missed a ping.
        state: EC2's: running, stopped, ...
        last_ping: Seconds since the epoch.
        can_run: Whether its role allows the agent to fetch commands; without, invocations are AccessDenied.
    """

    instance_id: str
    computer_name: str
    address: str
    registered: float
    last_ping: float
    is_listening: bool = True
    is_lost: bool = False
    state: str = "running"
    can_run: bool = True

    @property
    def ping_status(self) -> str:
        """PingStatus."""
        return "ConnectionLost" if self.is_lost else "Online"

    def described(self) -> dict[str, Any]:
        """As DescribeInstanceInformation shows it."""
        return {
            "InstanceId": self.instance_id,
            "PingStatus": self.ping_status,
            "LastPingDateTime": self.last_ping,
            "AgentVersion": AGENT_VERSION,
            "IsLatestVersion": True,
            "PlatformType": "Linux",
            "PlatformName": "Debian GNU/Linux",
            "PlatformVersion": "13",
            "ResourceType": "EC2Instance",
            "IPAddress": self.address,
            "ComputerName": self.computer_name,
            "SourceId": self.instance_id,
            "SourceType": "AWS::EC2::Instance",
        }


def matches(node: Node, filters: Mapping[str, list[str]], tags: Mapping[str, str]) -> bool:
    """Whether a node passes the filters of DescribeInstanceInformation, by key.

    Raises:
        SsmError: InvalidFilterKey names the key.
    """
    facts = {
        "InstanceIds": node.instance_id,
        "PingStatus": node.ping_status,
        "PlatformTypes": "Linux",
        "AgentVersion": AGENT_VERSION,
        "ResourceType": "EC2Instance",
        "IamRole": "",
    }
    for key, values in filters.items():
        if key == "tag-key":
            passes = any(value in tags for value in values)
        elif key.startswith("tag:"):
            passes = tags.get(key.removeprefix("tag:")) in values
        elif key in facts:
            passes = facts[key] in values
        else:
            raise SsmError("InvalidFilterKey", f"The filter key {key} is not valid.")
        if not passes:
            return False
    return True
