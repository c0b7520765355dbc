"""Elastic Load Balancing's API as boto3 sees it: listeners, certificates and rules."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from sandbox.aws.backends.certificates import issue_with
from sandbox.dataplane.cdn.certificates import Authority
from sandbox.model.elb.config import FixedResponse, Forward, Redirect
from tests.aws.services.elbv2_control import GONE, Control, controlled, forward, refused

ELB = "arn:aws:elasticloadbalancing:us-east-1:123456789012"
IDS = "0123456789abcdef/0123456789abcdef"
NO_LISTENER = f"{ELB}:listener/app/none/{IDS}"
NO_RULE = f"{ELB}:listener-rule/app/none/{IDS}/0123456789abcdef"
NO_GROUP = f"{ELB}:targetgroup/none/0123456789abcdef"
NO_CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/0f0f0f0f-0f0f-0f0f-0f0f-0f0f0f0f0f0f"


@pytest.fixture
def control() -> Iterator[Control]:
    with controlled() as made:
        yield made


def test_a_listener_is_made_shown_changed_and_deleted(control: Control) -> None:
    elb, balancing = control.elb, control.balancing
    arn, group = control.balancer(), control.group()
    made = elb.create_listener(
        LoadBalancerArn=arn,
        Protocol="HTTP",
        Port=80,
        DefaultActions=forward(group),
        Tags=[{"Key": "a", "Value": "b"}],
    )["Listeners"][0]
    listener = made["ListenerArn"]
    assert re.fullmatch(re.escape(arn.replace(":loadbalancer/", ":listener/")) + "/[0-9a-f]{16}", listener)
    assert made == {
        "ListenerArn": listener,
        "LoadBalancerArn": arn,
        "Port": 80,
        "Protocol": "HTTP",
        "DefaultActions": [
            {
                "Type": "forward",
                "Order": 1,
                "TargetGroupArn": group,
                "ForwardConfig": {
                    "TargetGroups": [{"TargetGroupArn": group, "Weight": 1}],
                    "TargetGroupStickinessConfig": {"Enabled": False},
                },
            }
        ],
    }
    assert elb.describe_listeners(LoadBalancerArn=arn)["Listeners"] == [made]
    assert elb.describe_listeners(ListenerArns=[listener])["Listeners"] == [made]
    assert elb.describe_tags(ResourceArns=[listener])["TagDescriptions"][0]["Tags"] == [{"Key": "a", "Value": "b"}]
    (served,) = balancing.balancers[arn].listeners
    assert (served.port, served.protocol, served.rules[-1].action) == (80, "HTTP", Forward(((group, 1),)))
    assert set(balancing.balancers[arn].groups) == {group}
    (default,) = elb.describe_rules(ListenerArn=listener)["Rules"]
    assert (default["Priority"], default["IsDefault"], default["Conditions"]) == ("default", True, [])

    redirect = {"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301", "Port": "443", "Protocol": "HTTPS"}}
    changed = elb.modify_listener(ListenerArn=listener, Port=8080, DefaultActions=[redirect])["Listeners"][0]
    assert (changed["ListenerArn"], changed["Port"]) == (listener, 8080)
    assert balancing.balancers[arn].listeners[0].rules[-1].action == Redirect(301, protocol="HTTPS", port="443")
    assert balancing.balancers[arn].groups == {}

    elb.delete_listener(ListenerArn=listener)
    assert list(balancing.balancers[arn].listeners) == []
    assert refused(elb.describe_listeners, ListenerArns=[listener])[1] == "ListenerNotFound"


def test_the_same_call_once_more_makes_nothing_new_and_another_listener_needs_another_port(control: Control) -> None:
    arn = control.balancer()
    listener = control.listener(arn)
    assert control.listener(arn) == listener
    other = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}]
    assert refused(control.listener, balancer=arn, DefaultActions=other) == (
        400, "DuplicateListener", f"A listener already exists on this port for this load balancer '{arn}'"
    )  # fmt: skip
    second = control.listener(arn, 81)
    assert refused(control.elb.modify_listener, ListenerArn=second, Port=80) == (
        400, "ValidationError", "Listener port '80' is already in use"
    )  # fmt: skip


def test_a_listener_without_a_target_group(control: Control) -> None:
    arn = control.balancer()
    assert refused(control.listener, balancer=arn, DefaultActions=[{"Type": "forward"}]) == (
        400, "InvalidLoadBalancerAction",
        "For actions of type 'forward', you must specify the following fields: 'TargetGroupArn'",
    )  # fmt: skip
    assert refused(control.listener, balancer=arn, DefaultActions=[])[:2] == (400, "ValidationError")
    assert refused(control.listener, balancer=arn, DefaultActions=forward(NO_GROUP)) == (
        400, "TargetGroupNotFound", f"Target groups '{NO_GROUP}' not found"
    )  # fmt: skip
    assert refused(control.listener, balancer=arn, DefaultActions=forward("blue"))[1:] == (
        "ValidationError", "'blue' is not a valid target group ARN"
    )  # fmt: skip
    assert list(control.balancing.balancers[arn].listeners) == []


def test_a_group_serves_one_load_balancer(control: Control) -> None:
    one, other, group = control.balancer("one"), control.balancer("other"), control.group()
    listener = control.listener(one, DefaultActions=forward(group))
    assert refused(control.listener, balancer=other, DefaultActions=forward(group)) == (
        400, "TargetGroupAssociationLimit",
        f"The following target groups cannot be associated with more than one load balancer: {group}",
    )  # fmt: skip
    control.elb.delete_listener(ListenerArn=listener)
    control.listener(other, DefaultActions=forward(group))


def test_what_is_not_there(control: Control) -> None:
    elb, arn = control.elb, control.balancer()
    no_listener = (400, "ListenerNotFound", "One or more listeners not found")
    no_rule = (400, "RuleNotFound", "One or more rules not found")
    for call in (elb.modify_listener, elb.delete_listener, elb.describe_listener_certificates, elb.describe_rules):
        assert refused(call, ListenerArn=NO_LISTENER) == no_listener
    assert refused(elb.describe_listener_attributes, ListenerArn=NO_LISTENER) == no_listener
    assert refused(control.rule, listener=NO_LISTENER, priority=1) == no_listener
    assert refused(elb.delete_rule, RuleArn=NO_RULE) == no_rule
    assert refused(elb.describe_rules, RuleArns=[NO_RULE]) == no_rule
    assert refused(elb.modify_rule, RuleArn=NO_RULE, Actions=GONE) == no_rule
    pair = {"RuleArn": NO_RULE, "Priority": 1}
    assert refused(elb.set_rule_priorities, RulePriorities=[pair]) == no_rule
    assert refused(elb.describe_listeners) == (
        400, "ValidationError", "You must specify either listener ARNs or a load balancer ARN"
    )  # fmt: skip
    assert refused(elb.describe_listeners, LoadBalancerArn=arn, ListenerArns=[NO_LISTENER])[1] == "ValidationError"
    assert refused(elb.describe_rules) == (
        400, "ValidationError", "You must specify either listener rule ARNs or a listener ARN"
    )  # fmt: skip
    assert refused(elb.delete_listener, ListenerArn="x")[2] == "'x' is not a valid listener ARN"


# -- certificates --


def secure(control: Control, balancer: str, certificate: str, **more: Any) -> str:
    return control.listener(balancer, 443, Protocol="HTTPS", Certificates=[{"CertificateArn": certificate}], **more)


def test_https_needs_a_certificate_that_there_is(control: Control) -> None:
    arn = control.balancer()
    assert refused(control.listener, balancer=arn, port=443, Protocol="HTTPS") == (
        400, "ValidationError", "A certificate must be specified for HTTPS listeners"
    )  # fmt: skip
    for missing in (NO_CERTIFICATE, "arn:aws:iam::123456789012:server-certificate/shop", "shop"):
        assert refused(secure, control=control, balancer=arn, certificate=missing) == (
            400, "CertificateNotFound", f"Certificate '{missing}' not found"
        )  # fmt: skip
    assert refused(secure, control=control, balancer=arn, certificate=control.certificate(), SslPolicy="x") == (
        400, "SSLPolicyNotFound", "SSL policy 'x' not found"
    )  # fmt: skip
    assert list(control.balancing.balancers[arn].listeners) == []


def test_certificates_of_a_listener(control: Control) -> None:
    elb, arn = control.elb, control.balancer()
    first, second = control.certificate(), control.certificate("www.example.org")
    listener = secure(control, arn, first)
    (shown,) = elb.describe_listeners(ListenerArns=[listener])["Listeners"]
    assert shown["Certificates"] == [{"CertificateArn": first}]
    assert (shown["SslPolicy"], shown["MutualAuthentication"]) == ("ELBSecurityPolicy-2016-08", {"Mode": "off"})
    more = [{"CertificateArn": second}]
    answer = elb.add_listener_certificates(ListenerArn=listener, Certificates=more)
    assert answer["Certificates"] == [{"CertificateArn": second, "IsDefault": False}]
    assert control.balancing.balancers[arn].listeners[0].certificates == (first, second)
    assert elb.describe_listener_certificates(ListenerArn=listener)["Certificates"] == [
        {"CertificateArn": first, "IsDefault": True},
        {"CertificateArn": second, "IsDefault": False},
    ]
    unknown = [{"CertificateArn": NO_CERTIFICATE}]
    assert refused(elb.add_listener_certificates, ListenerArn=listener, Certificates=unknown)[1] == (
        "CertificateNotFound"
    )
    elb.remove_listener_certificates(ListenerArn=listener, Certificates=more)
    assert control.balancing.balancers[arn].listeners[0].certificates == (first,)
    default = [{"CertificateArn": first}]
    assert refused(elb.remove_listener_certificates, ListenerArn=listener, Certificates=default)[1] == (
        "OperationNotPermitted"
    )


def test_a_requested_certificate_is_issued_by_the_run_s_authority(control: Control) -> None:
    authority = Authority()
    issue_with(authority.issue)
    acm = control.aws("acm")
    arn = acm.request_certificate(DomainName="shop.example.org", SubjectAlternativeNames=["*.shop.example.org"])[
        "CertificateArn"
    ]
    acm.get_waiter("certificate_validated").wait(CertificateArn=arn)
    chain, key = control.backend.certificate(arn)
    issued = x509.load_pem_x509_certificate(chain.encode())
    issued.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.certificate))
    names = issued.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"shop.example.org", "*.shop.example.org"} <= set(names.get_values_for_type(x509.DNSName))
    assert load_pem_private_key(key.encode(), None).public_key() == issued.public_key()
    assert acm.get_certificate(CertificateArn=arn)["Certificate"].strip() == chain.strip()
    described = acm.describe_certificate(CertificateArn=arn)["Certificate"]
    assert (described["Status"], described["DomainName"]) == ("ISSUED", "shop.example.org")
    assert described["SubjectAlternativeNames"] == ["shop.example.org", "*.shop.example.org"]
    secure(control, control.balancer(), arn)


def test_an_imported_certificate_is_served_with_the_chain_that_came_with_it(control: Control) -> None:
    authority = Authority()
    own = authority.issue(["shop.example.org"])
    acm = control.aws("acm")
    plain = acm.import_certificate(Certificate=own.certificate, PrivateKey=own.key)["CertificateArn"]
    assert control.backend.certificate(plain) == (own.certificate.decode(), own.key.decode())
    chained = acm.import_certificate(
        Certificate=own.certificate, PrivateKey=own.key, CertificateChain=authority.certificate
    )["CertificateArn"]
    whole = own.certificate + authority.certificate
    assert control.backend.certificate(chained) == (whole.decode(), own.key.decode())
    secure(control, control.balancer(), chained)


def test_a_certificate_in_use_is_not_deleted(control: Control) -> None:
    acm, arn, certificate = control.aws("acm"), control.balancer(), control.certificate()
    listener = secure(control, arn, certificate)
    assert acm.describe_certificate(CertificateArn=certificate)["Certificate"]["InUseBy"] == [arn]
    assert refused(acm.delete_certificate, CertificateArn=certificate) == (
        400, "ResourceInUseException", f"Certificate {certificate} in account 123456789012 is in use."
    )  # fmt: skip
    control.elb.delete_listener(ListenerArn=listener)
    acm.delete_certificate(CertificateArn=certificate)
    assert refused(acm.describe_certificate, CertificateArn=certificate)[1] == "ResourceNotFoundException"


# -- attributes --


def test_attributes_of_a_listener_stay_as_they_are(control: Control) -> None:
    elb, listener = control.elb, control.listener(control.balancer())
    server = {"Key": "routing.http.response.server.enabled", "Value": "true"}
    assert server in elb.describe_listener_attributes(ListenerArn=listener)["Attributes"]
    assert server in elb.modify_listener_attributes(ListenerArn=listener, Attributes=[server])["Attributes"]
    off = [{**server, "Value": "false"}]
    assert refused(elb.modify_listener_attributes, ListenerArn=listener, Attributes=off)[1] == (
        "InvalidConfigurationRequest"
    )


# -- rules --


def test_a_rule_is_made_shown_changed_and_deleted(control: Control) -> None:
    elb, balancing = control.elb, control.balancing
    arn, blue, green = control.balancer(), control.group("blue"), control.group("green")
    listener = control.listener(arn)
    weighted = {
        "Type": "forward",
        "ForwardConfig": {
            "TargetGroups": [{"TargetGroupArn": blue, "Weight": 9}, {"TargetGroupArn": green, "Weight": 1}],
            "TargetGroupStickinessConfig": {"Enabled": True, "DurationSeconds": 60},
        },
    }
    conditions = [
        {"Field": "host-header", "HostHeaderConfig": {"Values": ["*.example.org"]}},
        {"Field": "query-string", "QueryStringConfig": {"Values": [{"Value": "beta"}]}},
    ]
    made = elb.create_rule(ListenerArn=listener, Priority=5, Conditions=conditions, Actions=[weighted])["Rules"][0]
    rule = made["RuleArn"]
    assert re.fullmatch(re.escape(listener.replace(":listener/", ":listener-rule/")) + "/[0-9a-f]{16}", rule)
    assert made == {
        "RuleArn": rule,
        "Priority": "5",
        "Conditions": [{**conditions[0], "Values": ["*.example.org"]}, conditions[1]],
        "Actions": [{**weighted, "Order": 1}],
        "IsDefault": False,
        "Transforms": [],
    }
    assert elb.describe_rules(RuleArns=[rule])["Rules"] == [made]
    served = balancing.balancers[arn].listeners[0].rules
    assert served[0].action == Forward(((blue, 9), (green, 1)), 60)
    assert set(balancing.balancers[arn].groups) == {blue, green}

    changed = elb.modify_rule(RuleArn=rule, Actions=forward(green))["Rules"][0]
    assert changed["Conditions"] == made["Conditions"]
    assert set(balancing.balancers[arn].groups) == {green}
    elb.delete_rule(RuleArn=rule)
    assert len(balancing.balancers[arn].listeners[0].rules) == 1


def test_priorities(control: Control) -> None:
    elb = control.elb
    listener = control.listener(control.balancer())
    later, first = control.rule(listener, 20), control.rule(listener, 10)

    def order() -> list[tuple[str, str]]:
        return [(rule["RuleArn"], rule["Priority"]) for rule in elb.describe_rules(ListenerArn=listener)["Rules"]]

    default = order()[-1][0]
    assert order() == [(first, "10"), (later, "20"), (default, "default")]
    assert refused(control.rule, listener=listener, priority=10) == (
        400, "PriorityInUse", "Priority '10' is currently in use"
    )  # fmt: skip
    swap = [{"RuleArn": first, "Priority": 20}, {"RuleArn": later, "Priority": 10}]
    answer = elb.set_rule_priorities(RulePriorities=swap)
    assert [(rule["RuleArn"], rule["Priority"]) for rule in answer["Rules"]] == [(first, "20"), (later, "10")]
    assert order() == [(later, "10"), (first, "20"), (default, "default")]
    assert refused(elb.set_rule_priorities, RulePriorities=[{"RuleArn": first, "Priority": 10}])[1] == "PriorityInUse"
    both = [{"RuleArn": first, "Priority": 7}, {"RuleArn": later, "Priority": 7}]
    assert refused(elb.set_rule_priorities, RulePriorities=both) == (
        400, "ValidationError", "Priority '7' was provided multiple times"
    )  # fmt: skip
    assert refused(elb.set_rule_priorities, RulePriorities=[{"RuleArn": default, "Priority": 1}])[1] == (
        "OperationNotPermitted"
    )
    assert refused(elb.delete_rule, RuleArn=default) == (
        400, "OperationNotPermitted", f"Default rule '{default}' cannot be deleted"
    )  # fmt: skip
    assert order() == [(later, "10"), (first, "20"), (default, "default")]


def test_a_bad_rule_disturbs_nothing(control: Control) -> None:
    arn = control.balancer()
    listener = control.listener(arn)
    calls = list(control.balancing.calls)
    for conditions, code in (
        ([], "ValidationError"),
        ([{"Field": "path-pattern", "Values": ["/a b"]}], "ValidationError"),
        ([{"Field": "path-pattern", "RegexValues": ["^/a"]}], "InvalidConfigurationRequest"),
    ):
        assert (
            refused(control.elb.create_rule, ListenerArn=listener, Priority=1, Conditions=conditions, Actions=GONE)[1]
            == code
        )
    assert refused(control.rule, listener=listener, priority=50_001) == (
        400, "ValidationError",
        "1 validation error detected: Value '50001' at 'priority' failed to satisfy constraint: "
        "Member must have value less than or equal to 50000",
    )  # fmt: skip
    assert control.balancing.calls == calls
    assert control.balancing.balancers[arn].listeners[0].rules[-1].action == FixedResponse(410)
