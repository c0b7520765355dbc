"""AWS::IAM: roles, policies and instance profiles."""

from __future__ import annotations

from typing import Any

from sandbox.model.cloudformation.resources.kind import Kind, Made, Resource, kind
from sandbox.model.cloudformation.shapes import PropertyError, dotted
from sandbox.model.cloudformation.values import apply, policy_text

_LONGEST = 64  # characters of a role's name


def _role(r: Resource) -> Made:
    name = r.named("RoleName", _LONGEST)
    answer = r.call(
        "iam.create_role",
        {
            "RoleName": name,
            "AssumeRolePolicyDocument": apply(policy_text, r.need("AssumeRolePolicyDocument")),
            **r.given("Description", "MaxSessionDuration", "Path", "PermissionsBoundary", "Tags"),
        },
    )
    _attach(r, name)
    for policy, path in r.mappings("Policies"):
        if policy.keys() != {"PolicyName", "PolicyDocument"}:
            raise PropertyError(path, f"{dotted(path)}: each of them has PolicyName and PolicyDocument")
        _put(r, name, policy["PolicyName"], policy["PolicyDocument"])
    return Made(name, {"Arn": answer("Role.Arn"), "RoleId": answer("Role.RoleId")})


def _attach(r: Resource, role: Any) -> None:
    for one in r.items("ManagedPolicyArns"):
        r.call("iam.attach_role_policy", {"RoleName": role, "PolicyArn": one})


def _put(r: Resource, role: Any, name: Any, document: Any) -> None:
    r.call(
        "iam.put_role_policy", {"RoleName": role, "PolicyName": name, "PolicyDocument": apply(policy_text, document)}
    )


def _policy(r: Resource) -> Made:
    for one in r.items("Roles"):
        _put(r, one, r.need("PolicyName"), r.need("PolicyDocument"))
    return Made(r.name())


def _managed_policy(r: Resource) -> Made:
    answer = r.call(
        "iam.create_policy",
        {
            "PolicyName": r.named("ManagedPolicyName", 128),
            "PolicyDocument": apply(policy_text, r.need("PolicyDocument")),
            **r.given("Description", "Path", "Tags"),
        },
    )
    arn = answer("Policy.Arn")
    for one in r.items("Roles"):
        r.call("iam.attach_role_policy", {"RoleName": one, "PolicyArn": arn})
    return Made(arn, {"PolicyArn": arn, "PolicyId": answer("Policy.PolicyId")})


def _instance_profile(r: Resource) -> Made:
    name = r.named("InstanceProfileName", 128)
    answer = r.call("iam.create_instance_profile", {"InstanceProfileName": name, **r.given("Path")})
    for one in r.items("Roles"):
        r.call("iam.add_role_to_instance_profile", {"InstanceProfileName": name, "RoleName": one})
    return Made(name, {"Arn": answer("InstanceProfile.Arn")})


KINDS: dict[str, Kind] = {
    "AWS::IAM::InstanceProfile": kind("InstanceProfileName Path Roles", "Arn", _instance_profile),
    "AWS::IAM::ManagedPolicy": kind(
        "Description ManagedPolicyName Path PolicyDocument Roles Tags", "PolicyArn PolicyId", _managed_policy
    ),
    "AWS::IAM::Policy": kind("PolicyDocument PolicyName Roles", "", _policy),
    "AWS::IAM::Role": kind(
        "AssumeRolePolicyDocument Description ManagedPolicyArns MaxSessionDuration Path PermissionsBoundary Policies "
        "RoleName Tags",
        "Arn RoleId",
        _role,
    ),
}
