"""The Elastic Load Balancing API, version 2015-12-01: Application Load Balancers.

https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/. Groups of its actions are in modules of their
own. A change is answered when clients see it: the answer of CreateLoadBalancer says ``provisioning``, every later one
``active``. Network and Gateway Load Balancers, Lambda functions as targets and trust stores are refused.
"""

from __future__ import annotations

from sandbox.aws.protocol import RequestContext
from sandbox.aws.services.elbv2_balancers import BalancerActions
from sandbox.aws.services.elbv2_groups import GroupActions
from sandbox.aws.services.elbv2_listeners import ListenerActions
from sandbox.aws.services.elbv2_rules import RuleActions
from sandbox.aws.services.elbv2_state import Answer, Backend, ElbState, LoadBalancing, Request, paged, tag_map
from sandbox.aws.services.elbv2_targets import TargetActions
from sandbox.clock import Clock
from sandbox.model.elb.config import TargetGroup
from sandbox.model.elb.errors import ElbError
from sandbox.model.elb.limits import ACCOUNT_LIMITS

__all__ = ["ElbService", "LoadBalancing"]


class ElbService(BalancerActions, ListenerActions, RuleActions, GroupActions, TargetActions):
    """Elastic Load Balancing of one account and region. Safe to use from several threads.

    Args:
        balancing: Carries traffic.
        clock: Dates load balancers.
        backend: Has the VPCs, instances and certificates that requests name.
    """

    service_name = "elbv2"
    validation_error_code = "ValidationError"
    serialization_error_code = "ValidationError"

    def __init__(self, balancing: LoadBalancing, clock: Clock, backend: Backend) -> None:
        super().__init__(ElbState(balancing, backend, clock.now))
        backend.certificates_used_by(self._certificate_users)

    def _certificate_users(self, arn: str) -> list[str]:
        return self._state.records.users_of_certificate(arn)

    def find_group(self, arn: str) -> TargetGroup | None:
        """A target group, for who is given its ARN (ECS); None if there is none."""
        return self._state.records.groups.get(arn)

    def has_balancer(self, arn: str) -> bool:
        """Whether a load balancer forwards to a target group."""
        return self._state.records.user_of(arn) is not None

    def add_tags(self, request: Request, context: RequestContext) -> Answer:
        """AddTags: a key that is there gets the new value."""
        with self._change() as records:
            tags, changed = tag_map(request["Tags"]), records
            for arn in request["ResourceArns"]:
                records.require_tagged(arn)
                changed = changed.with_tags(arn, {**changed.tags.get(arn, {}), **tags})
            self._state.commit(changed)
        return {}

    def remove_tags(self, request: Request, context: RequestContext) -> Answer:
        """RemoveTags."""
        with self._change() as records:
            keys, changed = set(request["TagKeys"]), records
            for arn in request["ResourceArns"]:
                records.require_tagged(arn)
                left = {key: value for key, value in changed.tags.get(arn, {}).items() if key not in keys}
                changed = changed.with_tags(arn, left)
            self._state.commit(changed)
        return {}

    def describe_tags(self, request: Request, context: RequestContext) -> Answer:
        """DescribeTags."""
        with self._read() as records:
            shown = []
            for arn in request["ResourceArns"]:
                records.require_tagged(arn)
                tags = [{"Key": key, "Value": value} for key, value in records.tags.get(arn, {}).items()]
                shown.append({"ResourceArn": arn, "Tags": tags})
            return {"TagDescriptions": shown}

    def describe_account_limits(self, request: Request, context: RequestContext) -> Answer:
        """DescribeAccountLimits: those of Application Load Balancers."""
        shown = [{"Name": name, "Max": str(most)} for name, most in ACCOUNT_LIMITS.items()]
        return paged(shown, request, "Limits")

    def describe_ssl_policies(self, request: Request, context: RequestContext) -> Answer:
        """DescribeSSLPolicies."""
        with self._read():
            policies = self._state.backend.ssl_policies()
            missing = [name for name in request.get("Names", []) if name not in policies]
            if missing:
                raise ElbError("SSLPolicyNotFound", f"SSL policy '{missing[0]}' not found")
            shown = [
                {
                    "Name": name,
                    "SslProtocols": policy["ssl_protocols"],
                    "Ciphers": [{"Name": one, "Priority": n} for n, one in enumerate(policy["ciphers"], start=1)],
                    "SupportedLoadBalancerTypes": ["application", "network"],
                }
                for name, policy in policies.items()
                if name in request.get("Names", policies)
            ]
            return paged(shown, request, "SslPolicies")
