"""Who carries traffic, in tests of Elastic Load Balancing's API: notes what it is told, and says that all is well."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.model.elb.config import LoadBalancer, TargetGroup
from sandbox.model.elb.target import Target, TargetHealth

HEALTHY = TargetHealth("healthy")
UNUSED = TargetHealth(
    "unused", "Target.NotInUse", "Target group is not configured to receive traffic from the load balancer"
)


@dataclass
class Recorder:
    """``before`` is told of each call before it is noted, and may raise."""

    calls: list[tuple[Any, ...]] = field(default_factory=list)
    balancers: dict[str, LoadBalancer] = field(default_factory=dict)
    groups: dict[str, TargetGroup] = field(default_factory=dict)
    targets: dict[str, dict[Target, TargetHealth]] = field(default_factory=dict)
    before: Callable[[str, str], None] = lambda call, arn: None

    def _note(self, call: str, arn: str, *more: Any) -> None:
        self.before(call, arn)
        self.calls.append((call, arn, *more))

    def deploy(self, balancer: LoadBalancer) -> None:
        self._note("deploy", balancer.arn)
        self.balancers[balancer.arn] = balancer

    def remove(self, balancer_arn: str) -> None:
        self._note("remove", balancer_arn)
        del self.balancers[balancer_arn]

    def put_group(self, group: TargetGroup) -> None:
        self._note("put_group", group.arn)
        self.groups[group.arn] = group
        self.targets.setdefault(group.arn, {})

    def remove_group(self, group_arn: str) -> None:
        self._note("remove_group", group_arn)
        del self.groups[group_arn], self.targets[group_arn]

    def register(self, group_arn: str, targets: Sequence[Target]) -> None:
        self._note("register", group_arn, list(targets))
        in_use = any(group_arn in balancer.groups for balancer in self.balancers.values())
        self.targets[group_arn] |= dict.fromkeys(targets, HEALTHY if in_use else UNUSED)

    def deregister(self, group_arn: str, targets: Sequence[Target]) -> None:
        self._note("deregister", group_arn, list(targets))
        for target in targets:
            del self.targets[group_arn][target]

    def health(self, group_arn: str) -> Mapping[Target, TargetHealth]:
        return dict(self.targets[group_arn])
