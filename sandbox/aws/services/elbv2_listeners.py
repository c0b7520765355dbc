"""Elastic Load Balancing's actions on listeners and their certificates."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.aws.protocol import AwsError, RequestContext
from sandbox.aws.services.elbv2_shown import shown_attributes, shown_listener
from sandbox.aws.services.elbv2_state import Answer, ElbActions, Request, new_id, paged, tag_map
from sandbox.model.elb.arns import listener_arn, rule_arn
from sandbox.model.elb.attributes import listener_attributes, refuse_listener_attributes
from sandbox.model.elb.config import Listener, LoadBalancer
from sandbox.model.elb.listeners import changed_listener, new_listener, with_certificates, without_certificates


class ListenerActions(ElbActions):
    """Actions on listeners, their certificates and attributes."""

    def create_listener(self, request: Request, context: RequestContext) -> Answer:
        """CreateListener: the same call once more answers with what is there."""
        with self._change() as records:
            balancer = records.balancer(request["LoadBalancerArn"])
            tags = tag_map(request.get("Tags", []))
            arn = listener_arn(balancer.arn, new_id())
            made = new_listener(request, arn, rule_arn(arn, new_id()))
            self._check_security(made)
            known = next((one for one in balancer.listeners if _same(one, made)), None)
            if known is not None:
                return {"Listeners": [shown_listener(balancer, known)]}
            changed = records.with_listener(balancer.arn, made)
            self._state.commit(changed.with_tags(arn, tags).with_tags(made.rules[-1].arn, {}))
            return {"Listeners": [shown_listener(balancer, made)]}

    def _check_security(self, listener: Listener) -> None:
        """Refuse certificates and security policies that there are not."""
        if listener.ssl_policy and listener.ssl_policy not in self._state.backend.ssl_policies():
            raise AwsError("SSLPolicyNotFound", f"SSL policy '{listener.ssl_policy}' not found")
        self._check_certificates(listener.certificates)

    def _check_certificates(self, arns: Sequence[str]) -> None:
        for arn in arns:
            if not arn.startswith("arn:aws:acm:"):
                raise AwsError("CertificateNotFound", f"Certificate '{arn}' not found")
            self._state.backend.certificate(arn)

    def describe_listeners(self, request: Request, context: RequestContext) -> Answer:
        """DescribeListeners: those of a load balancer, or those of given ARNs."""
        with self._read() as records:
            arns = request.get("ListenerArns", [])
            found: list[tuple[LoadBalancer, Listener]]
            if "LoadBalancerArn" in request and not arns:
                balancer = records.balancer(request["LoadBalancerArn"])
                found = [(balancer, listener) for listener in balancer.listeners]
            elif arns and "LoadBalancerArn" not in request:
                found = [records.listener(arn) for arn in arns]
            elif arns:
                raise AwsError(
                    "ValidationError", "Listener ARNs and a load balancer ARN cannot be specified at the same time"
                )
            else:
                raise AwsError("ValidationError", "You must specify either listener ARNs or a load balancer ARN")
            return paged([shown_listener(*one) for one in found], request, "Listeners")

    def modify_listener(self, request: Request, context: RequestContext) -> Answer:
        """ModifyListener."""
        with self._change() as records:
            balancer, listener = records.listener(request["ListenerArn"])
            changed = changed_listener(listener, request)
            if changed.port != listener.port and any(one.port == changed.port for one in balancer.listeners):
                raise AwsError("ValidationError", f"Listener port '{changed.port}' is already in use")
            self._check_security(changed)
            self._state.commit(records.with_listener(balancer.arn, changed))
            return {"Listeners": [shown_listener(balancer, changed)]}

    def delete_listener(self, request: Request, context: RequestContext) -> Answer:
        """DeleteListener, with its rules."""
        with self._change() as records:
            self._state.commit(records.without_listener(request["ListenerArn"]))
        return {}

    def add_listener_certificates(self, request: Request, context: RequestContext) -> Answer:
        """AddListenerCertificates: for clients that ask for their names."""
        with self._change() as records:
            balancer, listener = records.listener(request["ListenerArn"])
            arns = _certificate_arns(request)
            changed = with_certificates(listener, arns)
            self._check_certificates(arns)
            self._state.commit(records.with_listener(balancer.arn, changed))
            return {"Certificates": [{"CertificateArn": arn, "IsDefault": False} for arn in arns]}

    def remove_listener_certificates(self, request: Request, context: RequestContext) -> Answer:
        """RemoveListenerCertificates."""
        with self._change() as records:
            balancer, listener = records.listener(request["ListenerArn"])
            changed = without_certificates(listener, _certificate_arns(request))
            self._state.commit(records.with_listener(balancer.arn, changed))
        return {}

    def describe_listener_certificates(self, request: Request, context: RequestContext) -> Answer:
        """DescribeListenerCertificates, the default one included."""
        with self._read() as records:
            _, listener = records.listener(request["ListenerArn"])
            shown = [{"CertificateArn": arn, "IsDefault": n == 0} for n, arn in enumerate(listener.certificates)]
            return paged(shown, request, "Certificates")

    def describe_listener_attributes(self, request: Request, context: RequestContext) -> Answer:
        """DescribeListenerAttributes."""
        with self._read() as records:
            _, listener = records.listener(request["ListenerArn"])
            return {"Attributes": shown_attributes(listener_attributes(listener.protocol))}

    def modify_listener_attributes(self, request: Request, context: RequestContext) -> Answer:
        """ModifyListenerAttributes: to what they are, for other headers are not carried out."""
        with self._read() as records:
            _, listener = records.listener(request["ListenerArn"])
            refuse_listener_attributes(listener.protocol, request["Attributes"])
            return {"Attributes": shown_attributes(listener_attributes(listener.protocol))}


def _same(known: Listener, made: Listener) -> bool:
    def settings(one: Listener) -> tuple[object, ...]:
        return one.port, one.protocol, one.ssl_policy, one.certificates[:1], one.rules[-1].action

    return settings(known) == settings(made)


def _certificate_arns(request: Request) -> list[str]:
    arns = [one.get("CertificateArn", "") for one in request["Certificates"]]
    if not arns:
        raise AwsError("ValidationError", "A certificate must be specified")
    return arns
