"""Quotas (guide: "Quotas for your Application Load Balancers"; API reference: "Limit")."""

from __future__ import annotations

from collections.abc import Mapping

BALANCERS = 50
LISTENERS = 50
"""Per load balancer."""
RULES = 100
"""Per load balancer, default rules not counted."""
CERTIFICATES = 25
"""Per load balancer, default certificates not counted."""
GROUPS = 3000
GROUPS_OF_A_BALANCER = 100
GROUPS_OF_AN_ACTION = 5
TARGETS_OF_A_GROUP = 1000
VALUES_OF_A_RULE = 5
"""Values of all of a rule's conditions together."""
WILDCARDS_OF_A_RULE = 6
TAGS = 50

ACCOUNT_LIMITS: Mapping[str, int] = {
    "application-load-balancers": BALANCERS,
    "listeners-per-application-load-balancer": LISTENERS,
    "rules-per-application-load-balancer": RULES,
    "certificates-per-application-load-balancer": CERTIFICATES,
    "target-groups": GROUPS,
    "target-groups-per-application-load-balancer": GROUPS_OF_A_BALANCER,
    "target-groups-per-action-on-application-load-balancer": GROUPS_OF_AN_ACTION,
    "targets-per-application-load-balancer": 1000,
    "condition-values-per-alb-rule": VALUES_OF_A_RULE,
    "condition-wildcards-per-alb-rule": WILDCARDS_OF_A_RULE,
}
"""As DescribeAccountLimits shows them."""
