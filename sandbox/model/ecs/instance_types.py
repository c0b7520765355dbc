"""Instance types: what a container instance of one has for tasks.

EC2 describes its types itself (DescribeInstanceTypes: vCPUs, memory, network interfaces); here is what ECS makes of
that. Rules: developer guide "Amazon ECS container instance memory management" (the agent registers what the system has,
less than is installed) and "Amazon ECS Linux container instance network interfaces" (tasks with and without ENI
trunking, the types that have it).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CPU_UNITS = 1024  # a vCPU

# The guide's example: an m4.large has 8192 MiB installed and registers 7985. AWS documents no other type's number, so
# that this share stands for all of them.
_REGISTERED, _INSTALLED = 7985, 8192

# "Task limit with ENI trunking", by size. The families of each list have the same limits.
_LIMITS = {
    "large": 10,
    "xlarge": 20,
    "2xlarge": 40,
    "4xlarge": 60,
    "8xlarge": 60,
    "9xlarge": 60,
    "12xlarge": 60,
    "16xlarge": 120,
    "18xlarge": 120,
    "24xlarge": 120,
}
_LIMITS_GRAVITON = {**_LIMITS, "medium": 4, "metal": 120}
_LIMITS_SIXTH = {**_LIMITS, "8xlarge": 90, "12xlarge": 120, "32xlarge": 120, "48xlarge": 120, "metal": 120}

_TRUNKED: Mapping[str, Mapping[str, int]] = {
    "a1": {**_LIMITS, "medium": 10},
    **dict.fromkeys(["c5", "c5a", "c5ad", "c5d", "m5", "m5a", "m5ad", "m5d", "r5", "r5a", "r5ad", "r5d"], _LIMITS),
    **dict.fromkeys(["c6g", "c6gd", "c6gn", "c7g", "m6g", "m6gd", "m7g", "r6g", "r6gd", "r7g"], _LIMITS_GRAVITON),
    **dict.fromkeys(["c6a", "c6i", "c6id", "m6a", "m6i", "m6id", "r6a", "r6i", "r6id"], _LIMITS_SIXTH),
}
_NOT_TRUNKED = frozenset({"c5a.8xlarge", "c5ad.8xlarge", "r5.8xlarge"})


@dataclass(frozen=True)
class InstanceType:
    """An instance type as a container instance of it registers.

    Attributes:
        name: Such as "t3.small".
        cpu: CPU units, 1024 a vCPU.
        memory: MiB that the agent registers.
        interfaces: Network interfaces that it can have, its own included.
        architecture: x86_64 or arm64.
    """

    name: str
    cpu: int
    memory: int
    interfaces: int
    architecture: str = "x86_64"

    @staticmethod
    def of(described: Mapping[str, Any]) -> InstanceType:
        """The type that DescribeInstanceTypes describes so."""
        architectures = described["ProcessorInfo"]["SupportedArchitectures"]
        return InstanceType(
            described["InstanceType"],
            int(described["VCpuInfo"]["DefaultVCpus"]) * CPU_UNITS,
            int(described["MemoryInfo"]["SizeInMiB"]) * _REGISTERED // _INSTALLED,
            int(described["NetworkInfo"]["MaximumNetworkInterfaces"]),
            "arm64" if "arm64" in architectures else "x86_64",
        )

    @property
    def task_interfaces(self) -> int:
        """How many tasks in awsvpc mode it takes: one interface is the instance's own."""
        return self.interfaces - 1

    @property
    def trunked_task_interfaces(self) -> int | None:
        """The same with ENI trunking; None: the type does not have it."""
        family, _, size = self.name.partition(".")
        return None if self.name in _NOT_TRUNKED else _TRUNKED.get(family, {}).get(size)
