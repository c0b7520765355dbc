"""Listeners and rules from the API's requests (API reference: CreateListener, ModifyListener, CreateRule, ModifyRule).

That certificates and security policies exist is for the caller to see to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sandbox.model.elb.actions import parse_action
from sandbox.model.elb.conditions import parse_conditions
from sandbox.model.elb.config import Listener, Rule
from sandbox.model.elb.errors import ElbError, not_carried_out, validation_error

Request = Mapping[str, Any]

DEFAULT_SSL_POLICY = "ELBSecurityPolicy-2016-08"
"""Of HTTPS listeners whose maker names none (guide: "Security policies for your Application Load Balancer")."""


def new_listener(request: Request, arn: str, rule_arn: str) -> Listener:
    """What CreateListener makes, with its default rule.

    Raises:
        ElbError: ValidationError, InvalidLoadBalancerAction, or, for what is not carried out,
            InvalidConfigurationRequest.
    """
    if "Port" not in request:
        raise validation_error("A listener port must be specified")
    if "Protocol" not in request:
        raise validation_error("A listener protocol must be specified")
    return _listener(Listener(arn, request["Port"], request["Protocol"], ()), request, rule_arn)


def changed_listener(listener: Listener, request: Request) -> Listener:
    """What ModifyListener makes of a listener.

    Raises:
        ElbError: As `new_listener` does.
    """
    port, protocol = request.get("Port", listener.port), request.get("Protocol", listener.protocol)
    if protocol != listener.protocol:
        listener = replace(listener, certificates=(), ssl_policy="")
    return _listener(replace(listener, port=port, protocol=protocol), request, listener.rules[-1].arn)


def _listener(listener: Listener, request: Request, rule_arn: str) -> Listener:
    if listener.protocol not in ("HTTP", "HTTPS"):
        raise validation_error(f"Listener protocol '{listener.protocol}' must be one of 'HTTPS, HTTP'")
    if request.get("AlpnPolicy"):
        raise validation_error(f"An ALPN policy cannot be specified for {listener.protocol} listeners")
    mode = request.get("MutualAuthentication", {}).get("Mode", "off")
    if mode != "off":
        raise not_carried_out(f"mutual authentication of mode '{mode}'")
    rules = listener.rules
    if "DefaultActions" in request:
        action = parse_action(request["DefaultActions"], listener.protocol, listener.port)
        rules = (*listener.rules[:-1], Rule(rule_arn, None, (), action))
    return replace(
        listener,
        rules=rules,
        certificates=_certificates(listener, request),
        ssl_policy=_ssl_policy(listener, request),
    )


def _certificates(listener: Listener, request: Request) -> tuple[str, ...]:
    """The default certificate replaced by the one that is given, which may be one of the further ones."""
    given = [one.get("CertificateArn", "") for one in request.get("Certificates", [])]
    if listener.protocol == "HTTP":
        if given:
            raise validation_error("A certificate cannot be specified for HTTP listeners")
        return ()
    if len(given) > 1:
        raise validation_error(f"Up to '1' certificate ARNs can be specified, but '{len(given)}' were specified")
    if not given and not listener.certificates:
        raise validation_error("A certificate must be specified for HTTPS listeners")
    if not given:
        return listener.certificates
    return (given[0], *(arn for arn in listener.certificates[1:] if arn != given[0]))


def _ssl_policy(listener: Listener, request: Request) -> str:
    if listener.protocol == "HTTP":
        if request.get("SslPolicy"):
            raise validation_error("An SSL policy cannot be specified for HTTP listeners")
        return ""
    return str(request.get("SslPolicy") or listener.ssl_policy or DEFAULT_SSL_POLICY)


def with_certificates(listener: Listener, arns: Sequence[str]) -> Listener:
    """What AddListenerCertificates makes of a listener.

    Raises:
        ElbError: ValidationError for a listener without HTTPS.
    """
    _require_https(listener)
    more = [arn for arn in dict.fromkeys(arns) if arn not in listener.certificates]
    return replace(listener, certificates=(*listener.certificates, *more))


def without_certificates(listener: Listener, arns: Sequence[str]) -> Listener:
    """What RemoveListenerCertificates makes of a listener.

    Raises:
        ElbError: ValidationError, or OperationNotPermitted for the default certificate.
    """
    _require_https(listener)
    if listener.certificates[0] in arns:
        raise ElbError("OperationNotPermitted", f"Default certificate '{listener.certificates[0]}' cannot be removed")
    return replace(listener, certificates=tuple(arn for arn in listener.certificates if arn not in arns))


def _require_https(listener: Listener) -> None:
    if listener.protocol != "HTTPS":
        raise validation_error(f"Certificates are not supported on listeners with protocol '{listener.protocol}'")


def new_rule(request: Request, arn: str, listener: Listener) -> Rule:
    """What CreateRule makes.

    Raises:
        ElbError: ValidationError, InvalidLoadBalancerAction, or, for what is not carried out,
            InvalidConfigurationRequest.
    """
    _refuse_transforms(request)
    action = parse_action(request["Actions"], listener.protocol, listener.port)
    return Rule(arn, request["Priority"], parse_conditions(request["Conditions"]), action)


def changed_rule(rule: Rule, request: Request, listener: Listener) -> Rule:
    """What ModifyRule makes of a rule.

    Raises:
        ElbError: As `new_rule` does; OperationNotPermitted for a default rule, which is its listener's.
    """
    if rule.priority is None:
        raise ElbError("OperationNotPermitted", f"Default rule '{rule.arn}' cannot be modified")
    _refuse_transforms(request)
    if not request.get("Conditions") and not request.get("Actions") and not request.get("ResetTransforms"):
        raise validation_error("Either conditions or actions must be specified")
    conditions, action = rule.conditions, rule.action
    if request.get("Conditions"):
        conditions = parse_conditions(request["Conditions"])
    if request.get("Actions"):
        action = parse_action(request["Actions"], listener.protocol, listener.port)
    return replace(rule, conditions=conditions, action=action)


def _refuse_transforms(request: Request) -> None:
    if request.get("Transforms"):
        raise not_carried_out(f"transforms of type '{request['Transforms'][0].get('Type')}'")
