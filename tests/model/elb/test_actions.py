"""Actions of rules, as the API's users write them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.elb.actions import parse_action, shown_action
from sandbox.model.elb.config import FixedResponse, Forward, Redirect
from sandbox.model.elb.errors import ElbError

GROUP = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/blue/0123456789abcdef"
OTHER = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/green/0123456789abcdef"


def forward(*groups: tuple[str, int], **more: Any) -> dict[str, Any]:
    listed = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in groups]
    return {"Type": "forward", "ForwardConfig": {"TargetGroups": listed, **more}}


def redirect(**config: str) -> dict[str, Any]:
    return {"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301", **config}}


def fixed(**config: str) -> dict[str, Any]:
    return {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503", **config}}


def parsed(*given: dict[str, Any], protocol: str = "HTTP", port: int = 80) -> Any:
    return parse_action(given, protocol, port)


def refused(*given: dict[str, Any], protocol: str = "HTTP", port: int = 80) -> tuple[str, str]:
    with pytest.raises(ElbError) as caught:
        parsed(*given, protocol=protocol, port=port)
    return caught.value.code, caught.value.message


def test_forward_to_one_group_is_the_same_in_both_forms() -> None:
    expected = Forward(((GROUP, 1),))
    assert parsed({"Type": "forward", "TargetGroupArn": GROUP}) == expected
    assert parsed({"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": GROUP}]}}) == expected
    assert parsed({**forward((GROUP, 1)), "TargetGroupArn": GROUP}) == expected
    shown = shown_action(expected)
    assert shown["TargetGroupArn"] == GROUP
    assert shown["ForwardConfig"] == {
        "TargetGroups": [{"TargetGroupArn": GROUP, "Weight": 1}],
        "TargetGroupStickinessConfig": {"Enabled": False, "DurationSeconds": None},
    }


def test_forward_by_weight_with_stickiness() -> None:
    stickiness = {"Enabled": True, "DurationSeconds": 300}
    action = parsed(forward((GROUP, 10), (OTHER, 0), TargetGroupStickinessConfig=stickiness))
    assert action == Forward(((GROUP, 10), (OTHER, 0)), 300)
    shown = shown_action(action)
    assert shown["TargetGroupArn"] is None
    assert shown["ForwardConfig"]["TargetGroupStickinessConfig"] == stickiness


def test_redirect() -> None:
    assert parsed(redirect(Protocol="HTTPS", Port="443")) == Redirect(301, protocol="HTTPS", port="443")
    action = parsed(redirect(StatusCode="HTTP_302", Host="www.#{host}", Path="/#{host}/#{port}/#{path}", Query="a=b"))
    assert action == Redirect(302, host="www.#{host}", path="/#{host}/#{port}/#{path}", query="a=b")
    assert shown_action(action)["RedirectConfig"] == {
        "Protocol": "#{protocol}",
        "Port": "#{port}",
        "Host": "www.#{host}",
        "Path": "/#{host}/#{port}/#{path}",
        "Query": "a=b",
        "StatusCode": "HTTP_302",
    }


def test_fixed_response() -> None:
    action = parsed(fixed(ContentType="text/plain", MessageBody="closed"))
    assert action == FixedResponse(503, "text/plain", "closed")
    assert shown_action(action)["FixedResponseConfig"] == {
        "StatusCode": "503",
        "ContentType": "text/plain",
        "MessageBody": "closed",
    }
    assert shown_action(parsed(fixed()))["FixedResponseConfig"]["ContentType"] is None


LOOP = ("InvalidLoadBalancerAction", "The redirect configuration is not valid because it creates a loop.")


@pytest.mark.parametrize(
    ("config", "protocol", "port"),
    [
        ({}, "HTTP", 80),
        ({"Query": "x=y"}, "HTTP", 80),
        ({"Protocol": "HTTPS", "Port": "443"}, "HTTPS", 443),
        ({"Protocol": "HTTP"}, "HTTP", 8080),
    ],
)
def test_a_redirect_to_the_same_place_is_a_loop(config: dict[str, str], protocol: str, port: int) -> None:
    assert refused(redirect(**config), protocol=protocol, port=port) == LOOP


@pytest.mark.parametrize(
    ("given", "code", "message"),
    [
        ([], "ValidationError", "An action must be specified"),
        (
            [{"Type": "forward"}],
            "InvalidLoadBalancerAction",
            "For actions of type 'forward', you must specify the following fields: 'TargetGroupArn'",
        ),
        (
            [{"Type": "redirect"}],
            "InvalidLoadBalancerAction",
            "For actions of type 'redirect', you must specify the following fields: 'RedirectConfig'",
        ),
        (
            [{"Type": "fixed-response"}],
            "InvalidLoadBalancerAction",
            "For actions of type 'fixed-response', you must specify the following fields: 'FixedResponseConfig'",
        ),
        (
            [fixed(), redirect(Port="81")],
            "InvalidLoadBalancerAction",
            "You cannot specify multiple of the following action types: 'forward,redirect,fixed-response'",
        ),
        ([{**fixed(), **forward((GROUP, 1)), "Type": "forward"}], "InvalidLoadBalancerAction", "'FixedResponseConfig'"),
        ([{**fixed(), "TargetGroupArn": GROUP}], "InvalidLoadBalancerAction", "'TargetGroupArn' cannot be specified"),
        (
            [{**forward((GROUP, 1)), "TargetGroupArn": OTHER}],
            "InvalidLoadBalancerAction",
            "The target group ARN must be the only target group",
        ),
        ([forward((GROUP, 1), (GROUP, 2))], "InvalidLoadBalancerAction", "A target group was specified more than once"),
        ([forward((GROUP, 1000))], "ValidationError", "Target group weight '1000' must be between '0' and '999'"),
        ([forward(("blue", 1))], "ValidationError", "'blue' is not a valid target group ARN"),
        ([forward(*((f"{GROUP[:-1]}{n}", 1) for n in range(6)))], "TooManyTargetGroups", "An action can only have '5'"),
        (
            [forward((GROUP, 1), TargetGroupStickinessConfig={"Enabled": True})],
            "ValidationError",
            "A duration must be specified when target group stickiness is enabled",
        ),
        (
            [forward((GROUP, 1), TargetGroupStickinessConfig={"Enabled": True, "DurationSeconds": 604_801})],
            "ValidationError",
            "Target group stickiness duration '604801' must be between '1' and '604800' seconds",
        ),
        ([redirect(Port="0")], "InvalidLoadBalancerAction", "The redirect port '0' must be between '1' and '65535'"),
        ([redirect(Port="#{path}")], "InvalidLoadBalancerAction", "The redirect port cannot contain '#{path}'"),
        ([redirect(Path="new")], "InvalidLoadBalancerAction", "The redirect path 'new' must start with '/'"),
        ([redirect(Host="#{query}")], "InvalidLoadBalancerAction", "The redirect host cannot contain '#{query}'"),
        ([fixed(ContentType="image/png")], "InvalidLoadBalancerAction", "The ContentType must be one of:'text/html'"),
        (
            [{"Type": "authenticate-oidc"}, forward((GROUP, 1))],
            "InvalidConfigurationRequest",
            "The sandbox does not carry out actions of type 'authenticate-oidc' yet",
        ),
    ],
)
def test_what_is_no_action_is_refused(given: list[dict[str, Any]], code: str, message: str) -> None:
    told = refused(*given)
    assert told[0] == code
    assert told[1].startswith(message)


def test_https_is_not_redirected_to_http() -> None:
    code, message = refused(redirect(Protocol="HTTP", Port="80"), protocol="HTTPS", port=443)
    assert (code, message) == ("InvalidLoadBalancerAction", "You cannot redirect HTTPS to HTTP")


def test_a_duration_of_stickiness_that_is_off_is_shown() -> None:
    """As AWS's SDKs and Terraform send it."""
    action = parsed(forward((GROUP, 1), TargetGroupStickinessConfig={"Enabled": False, "DurationSeconds": 300}))
    assert action == Forward(((GROUP, 1),))
    shown = shown_action(action)["ForwardConfig"]["TargetGroupStickinessConfig"]
    assert shown == {"Enabled": False, "DurationSeconds": 300}


weights = st.tuples(st.sampled_from([GROUP, OTHER]), st.integers(0, 999))
forwards = st.builds(
    Forward,
    st.lists(weights, min_size=1, max_size=2, unique_by=lambda one: one[0]).map(tuple),
    st.none() | st.integers(1, 604_800),
)
redirects = st.builds(
    Redirect,
    st.sampled_from([301, 302]),
    st.sampled_from(["HTTP", "HTTPS", "#{protocol}"]),
    st.sampled_from(["#{host}", "www.#{host}", "other.org"]),
    st.sampled_from(["#{port}", "81", "65535"]),
    st.sampled_from(["/new", "/#{path}/#{host}"]),
    st.sampled_from(["", "#{query}", "a=#{protocol}"]),
)
answers = st.builds(
    FixedResponse, st.integers(200, 299) | st.integers(400, 599), st.sampled_from(["", "text/html"]), st.text()
)


@given(forwards | redirects | answers)
def test_what_is_shown_can_be_given_again(action: Any) -> None:
    def sent(value: Any) -> Any:
        """As a client sends it on: without what was not there."""
        if isinstance(value, dict):
            return {key: sent(one) for key, one in value.items() if one is not None}
        return [sent(one) for one in value] if isinstance(value, list) else value

    assert parsed(sent(shown_action(action))) == action
