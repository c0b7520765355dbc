"""Listeners and rules from requests."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.model.elb.config import FixedResponse, Listener, Redirect, Rule
from sandbox.model.elb.errors import ElbError
from sandbox.model.elb.listeners import (
    changed_listener,
    changed_rule,
    new_listener,
    new_rule,
    with_certificates,
    without_certificates,
)

GONE = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "410"}}]
HTTP: dict[str, Any] = {"Port": 80, "Protocol": "HTTP", "DefaultActions": GONE}
HTTPS: dict[str, Any] = {
    "Port": 443,
    "Protocol": "HTTPS",
    "DefaultActions": GONE,
    "Certificates": [{"CertificateArn": "one"}],
}
PATH = [{"Field": "path-pattern", "Values": ["/a"]}]


def made(request: dict[str, Any]) -> Listener:
    return new_listener(request, "listener", "rule")


def refusal(call: Any, *arguments: Any) -> tuple[str, str]:
    with pytest.raises(ElbError) as caught:
        call(*arguments)
    return caught.value.code, caught.value.message


def test_a_listener_has_a_default_rule() -> None:
    listener = made(HTTP)
    assert listener == Listener("listener", 80, "HTTP", (Rule("rule", None, (), FixedResponse(410)),))


def test_https_needs_one_certificate_and_has_a_policy() -> None:
    listener = made(HTTPS)
    assert (listener.certificates, listener.ssl_policy) == (("one",), "ELBSecurityPolicy-2016-08")
    assert made({**HTTPS, "SslPolicy": "ELBSecurityPolicy-FS-2018-06"}).ssl_policy == "ELBSecurityPolicy-FS-2018-06"


@pytest.mark.parametrize(
    ("request_", "code", "message"),
    [
        ({"Protocol": "HTTP"}, "ValidationError", "A listener port must be specified"),
        ({"Port": 80}, "ValidationError", "A listener protocol must be specified"),
        ({**HTTP, "Protocol": "TCP"}, "ValidationError", "Listener protocol 'TCP' must be one of 'HTTPS, HTTP'"),
        ({**HTTP, "DefaultActions": []}, "ValidationError", "An action must be specified"),
        ({**HTTPS, "Certificates": []}, "ValidationError", "A certificate must be specified for HTTPS listeners"),
        (
            {**HTTPS, "Certificates": [{"CertificateArn": "one"}, {"CertificateArn": "two"}]}, "ValidationError",
            "Up to '1' certificate ARNs can be specified, but '2' were specified",
        ),
        (
            {**HTTP, "Certificates": [{"CertificateArn": "one"}]}, "ValidationError",
            "A certificate cannot be specified for HTTP listeners",
        ),
        ({**HTTP, "SslPolicy": "x"}, "ValidationError", "An SSL policy cannot be specified for HTTP listeners"),
        (
            {**HTTPS, "AlpnPolicy": ["HTTP2Only"]}, "ValidationError",
            "An ALPN policy cannot be specified for HTTPS listeners",
        ),
        (
            {**HTTPS, "MutualAuthentication": {"Mode": "verify"}}, "InvalidConfigurationRequest",
            "The sandbox does not carry out mutual authentication of mode 'verify' yet; see docs/fidelity.md.",
        ),
    ],
)  # fmt: skip
def test_what_is_no_listener_is_refused(request_: dict[str, Any], code: str, message: str) -> None:
    assert refusal(made, request_) == (code, message)


def test_a_listener_changes_in_what_is_given() -> None:
    old = made(HTTP)
    assert changed_listener(old, {}) == old
    moved = changed_listener(old, {"Port": 8080})
    assert (moved.port, moved.rules) == (8080, old.rules)
    action = [{"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_302", "Host": "other.org"}}]
    redirecting = changed_listener(old, {"DefaultActions": action})
    assert redirecting.rules == (Rule("rule", None, (), Redirect(302, host="other.org")),)


def test_a_listener_takes_up_https_and_leaves_it() -> None:
    old = made(HTTP)
    assert refusal(changed_listener, old, {"Protocol": "HTTPS"})[1] == (
        "A certificate must be specified for HTTPS listeners"
    )
    secure = changed_listener(old, {"Protocol": "HTTPS", "Port": 443, "Certificates": [{"CertificateArn": "one"}]})
    assert secure == made(HTTPS)
    assert changed_listener(secure, {"Protocol": "HTTP", "Port": 80}) == old


def test_certificates_come_go_and_change_places() -> None:
    listener = with_certificates(made(HTTPS), ["two", "three", "two", "one"])
    assert listener.certificates == ("one", "two", "three")
    assert changed_listener(listener, {"Certificates": [{"CertificateArn": "three"}]}).certificates == ("three", "two")
    assert without_certificates(listener, ["two", "four"]).certificates == ("one", "three")
    assert refusal(without_certificates, listener, ["one"])[0] == "OperationNotPermitted"
    assert refusal(with_certificates, made(HTTP), ["one"]) == (
        "ValidationError",
        "Certificates are not supported on listeners with protocol 'HTTP'",
    )


def test_a_rule_changes_in_what_is_given() -> None:
    listener = made(HTTP)
    rule = new_rule({"Priority": 7, "Conditions": PATH, "Actions": GONE}, "arn", listener)
    assert (rule.priority, rule.action) == (7, FixedResponse(410))
    changed = changed_rule(rule, {"Conditions": [{"Field": "path-pattern", "Values": ["/b"]}]}, listener)
    assert (changed.conditions[0].values, changed.action) == (("/b",), rule.action)
    assert refusal(changed_rule, rule, {}, listener) == (
        "ValidationError",
        "Either conditions or actions must be specified",
    )
    assert refusal(changed_rule, listener.rules[0], {"Actions": GONE}, listener) == (
        "OperationNotPermitted",
        "Default rule 'rule' cannot be modified",
    )


def test_transforms_are_not_carried_out() -> None:
    request = {"Priority": 7, "Conditions": PATH, "Actions": GONE, "Transforms": [{"Type": "url-rewrite"}]}
    assert refusal(new_rule, request, "arn", made(HTTP)) == (
        "InvalidConfigurationRequest",
        "The sandbox does not carry out transforms of type 'url-rewrite' yet; see docs/fidelity.md.",
    )
