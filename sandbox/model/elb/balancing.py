"""Which target of a group gets a request that no session binds.

Rules: Application Load Balancer guide, "Edit target group attributes": round robin, least outstanding requests,
weighted random. Every algorithm heeds the weights of `targets.Route`, which slow start makes smaller than full.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sandbox.model.elb.target import Target


@dataclass
class RoundRobin:
    """Every target in turn, the heavier ones more often, and never in a burst: smooth weighted round robin."""

    _credit: dict[Target, float] = field(default_factory=dict)

    def choose(self, route: Mapping[Target, int]) -> Target | None:
        """The next one; None where there is none."""
        if not route:
            return None
        self._credit = {target: self._credit.get(target, 0) + weight for target, weight in route.items()}
        chosen = max(self._credit, key=self._credit.__getitem__)
        self._credit[chosen] -= sum(route.values())
        return chosen


def least_outstanding(route: Mapping[Target, int], outstanding: Mapping[Target, int]) -> Target | None:
    """The one with the fewest requests in flight for its weight; of several the first."""
    return min(route, key=lambda target: (outstanding.get(target, 0) + 1) / route[target], default=None)


def weighted_random(route: Mapping[Target, int], draw: float) -> Target | None:
    """Any, by weight. ``draw`` is a random number from 0 up to 1."""
    left = draw * sum(route.values())
    for target, weight in route.items():
        left -= weight
        if left < 0:
            return target
    return None
