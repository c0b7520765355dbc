"""Decisions as transcripts: policies, a request, what is decided and by which statement; and rules for any policies."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.iam.evaluation import Decision, Principal, Request, evaluate
from sandbox.model.iam.policy import Policy, parse

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/purge"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/purge/function"
PURGE = Principal(SESSION, ROLE, ACCOUNT)
LAMBDA = Principal(service="lambda.amazonaws.com")


def policy(*statements: dict[str, Any], name: str = "p", version: str = "2012-10-17") -> Policy:
    return parse({"Version": version, "Statement": list(statements)}, name)


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Deny", "Action": action, "Resource": resource, **more}


def ask(action: str, on: str | None = "*", /, *identity: Policy, **more: Any) -> Decision:
    context = more.pop("context", {})
    return evaluate(Request(more.pop("principal", PURGE), action, on, context), identity, **more)


# The example of "The difference between explicit and implicit denies".
REPORTS = policy(
    allow(["iam:Get*", "iam:List*"], Sid="AllowGetList"),
    deny("iam:*Report", Sid="DenyReports"),
)


@pytest.mark.parametrize(
    ("action", "allowed", "explicit"),
    [
        ("iam:ListUsers", True, True),
        ("iam:GetRole", True, True),
        ("iam:CreatePolicy", False, False),
        ("iam:GetOrganizationsAccessReport", False, True),
        ("iam:GenerateCredentialReport", False, True),
    ],
)
def test_explicit_and_implicit_denies(action: str, allowed: bool, explicit: bool) -> None:
    decision = ask(action, "*", REPORTS)
    assert (decision.allowed, decision.explicit) == (allowed, explicit)


# The example of "Evaluating identity-based policies with resource-based policies": Carlos's and the bucket's.
BUCKET = "arn:aws:s3:::amzn-s3-demo-bucket-production"
LOGS = "arn:aws:s3:::amzn-s3-demo-bucket-logs"
CARLOS = policy(
    allow(["s3:ListAllMyBuckets", "s3:GetBucketLocation"], "*", Sid="S3BucketListing"),
    allow("s3:ListBucket", [BUCKET], Sid="S3ListBucket"),
    allow(["s3:GetObject", "s3:PutObject"], [f"{BUCKET}/*"], Sid="S3Objects"),
    deny("s3:*", [LOGS, f"{LOGS}/*"], Sid="DenyS3Logs"),
    name="carlos",
)


@pytest.mark.parametrize(
    ("action", "resource", "statement"),
    [
        ("s3:ListBucket", BUCKET, "S3ListBucket"),
        ("s3:PutObject", f"{BUCKET}/a/b.txt", "S3Objects"),
        ("s3:GetObject", f"{LOGS}/2024", "DenyS3Logs"),
        ("s3:DeleteObject", f"{BUCKET}/a", ""),
    ],
)
def test_the_statement_that_decided(action: str, resource: str, statement: str) -> None:
    decision = ask(action, resource, CARLOS)
    assert (decision.statement, decision.policy) == (statement, "carlos" if statement else "")
    assert decision.allowed == statement.startswith("S3")


# "Permissions boundaries for IAM entities": ShirleyRodriguez may create a user by her policy, not by her boundary.
def test_a_boundary_limits_and_grants_nothing() -> None:
    boundary = policy(allow(["s3:*", "cloudwatch:*", "ec2:*"]), name="boundary")
    by_policy = policy(allow("iam:CreateUser"))
    assert ask("iam:CreateUser", "*", by_policy).allowed
    refused = ask("iam:CreateUser", "*", by_policy, boundary=boundary)
    assert (refused.allowed, refused.kind) == (False, "permissions boundary")
    assert not ask("s3:GetObject", "*", by_policy, boundary=boundary).allowed
    assert ask("s3:GetObject", "*", policy(allow("s3:Get*")), boundary=boundary).allowed


TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:done"


def resource_policy(principal: Any, effect: str = "Allow", **more: Any) -> Policy:
    statement = {"Effect": effect, "Principal": principal, "Action": "sns:Publish", "Resource": TOPIC, **more}
    return policy(statement, name="topic")


@pytest.mark.parametrize(
    ("principal", "allowed"),
    [
        ({"AWS": ROLE}, True),
        ({"AWS": SESSION}, True),
        ("*", True),
        ({"AWS": "*"}, True),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, False),  # leaves it to the account's own policies
        ({"AWS": ACCOUNT}, False),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:role/other"}, False),
        ({"Service": "lambda.amazonaws.com"}, False),
    ],
)
def test_within_an_account_either_policy_is_enough(principal: Any, allowed: bool) -> None:
    assert ask("sns:Publish", TOPIC, resource=resource_policy(principal)).allowed == allowed
    assert ask("sns:Publish", TOPIC, policy(allow("sns:Publish")), resource=resource_policy(principal)).allowed


def test_a_resource_s_policy_refuses_whole_accounts_and_all_but_some() -> None:
    may = policy(allow("sns:*"))
    for principal in ({"AWS": ACCOUNT}, {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, {"AWS": ROLE}, "*"):
        refused = ask("sns:Publish", TOPIC, may, resource=resource_policy(principal, "Deny"))
        assert (refused.allowed, refused.explicit, refused.kind) == (False, True, "resource-based policy")
    all_but = {"Effect": "Deny", "NotPrincipal": {"AWS": [ROLE]}, "Action": "*", "Resource": "*"}
    assert ask("sns:Publish", TOPIC, may, resource=policy(all_but)).allowed
    other = Principal(SESSION.replace("purge", "other"), ROLE.replace("purge", "other"), ACCOUNT)
    assert not ask("sns:Publish", TOPIC, may, resource=policy(all_but), principal=other).allowed


def test_a_boundary_does_not_limit_what_names_the_very_session() -> None:
    boundary = policy(allow("s3:*"))
    assert not ask("sns:Publish", TOPIC, boundary=boundary, resource=resource_policy({"AWS": ROLE})).allowed
    assert ask("sns:Publish", TOPIC, boundary=boundary, resource=resource_policy({"AWS": SESSION})).allowed
    forbidding = policy(allow("s3:*"), deny("sns:*"))
    assert not ask("sns:Publish", TOPIC, boundary=forbidding, resource=resource_policy({"AWS": SESSION})).allowed


def trust(principal: Any, **more: Any) -> Policy:
    return policy({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more}, name="trust")


def test_trust_policies_of_services() -> None:
    def may(service: str, trusted: Any) -> bool:
        return ask(
            "sts:AssumeRole", ROLE, principal=Principal(service=service), resource=trust(trusted), resource_decides=True
        ).allowed

    assert may("lambda.amazonaws.com", {"Service": "lambda.amazonaws.com"})
    assert may("ssm.amazonaws.com", {"Service": ["lambda.amazonaws.com", "ssm.amazonaws.com"]})
    assert not may("ecs-tasks.amazonaws.com", {"Service": "ec2.amazonaws.com"})
    assert not may("ec2.amazonaws.com", {"AWS": f"arn:aws:iam::{ACCOUNT}:root"})


def test_trust_policies_of_roles() -> None:
    """A trust policy has to allow it; one that names the account leaves the rest to the caller's policies."""
    may = policy(allow("sts:AssumeRole", "arn:aws:iam::*:role/target"))
    target = f"arn:aws:iam::{ACCOUNT}:role/target"

    def decision(trusted: Any, *identity: Policy) -> Decision:
        return ask("sts:AssumeRole", target, *identity, resource=trust(trusted), resource_decides=True)

    assert decision({"AWS": ROLE}).allowed
    assert decision({"AWS": ACCOUNT}, may).allowed
    assert decision({"AWS": ACCOUNT}).kind == "identity-based policy"
    assert decision({"Service": "lambda.amazonaws.com"}, may).kind == "resource-based policy"


@pytest.mark.parametrize(
    ("pattern", "resource", "matches"),
    [
        ("*", "arn:aws:ec2:us-east-1:123456789012:instance/i-1", True),
        ("arn:aws:ec2:*", "arn:aws:ec2:us-east-1:123456789012:instance/i-1", True),
        ("arn:aws:ec2:*:*:instance/*", "arn:aws:ec2:us-east-1:123456789012:instance/i-1", True),
        ("arn:aws:ec2:*:*:instance/i-?", "arn:aws:ec2:us-east-1:123456789012:instance/i-12", False),
        ("arn:aws:ssm:*:*:document/AWS-RunShellScript", "arn:aws:ssm:us-east-1::document/AWS-RunShellScript", True),
        ("arn:aws:ssm:*:123456789012:document/*", "arn:aws:ssm:us-east-1::document/AWS-RunShellScript", False),
        ("arn:aws:s3:::b/*/test/*", "arn:aws:s3:::b/1/2/test/3.jpg", True),
        ("arn:aws:logs:*:*:*", "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/f:*", True),
        ("arn:aws:iam::123456789012:user/Bob", "arn:aws:iam::123456789012:user/bob", False),
    ],
)
def test_resources(pattern: str, resource: str, matches: bool) -> None:
    assert ask("x:Do", resource, policy(allow("x:Do", pattern))).allowed == matches
    inverse = {"Effect": "Allow", "Action": "x:Do", "NotResource": pattern}
    assert ask("x:Do", resource, policy(inverse)).allowed != matches


def test_actions_know_no_case_and_can_be_all_but_some() -> None:
    assert ask("SNS:Publish", "*", policy(allow("sns:publish"))).allowed
    assert ask("ssm:SendCommand", "*", policy(allow("ssm:Send?ommand"))).allowed
    all_but = policy({"Effect": "Allow", "NotAction": ["iam:*", "sts:*"], "Resource": "*"})
    assert ask("ssm:SendCommand", "*", all_but).allowed
    assert not ask("iam:PassRole", "*", all_but).allowed


def test_variables() -> None:
    """The examples of "IAM policy elements: Variables and tags"."""
    home = "arn:aws:s3:::b/home/${aws:username}/*"
    context = {"aws:username": ["anna"]}
    assert ask("s3:Get", "arn:aws:s3:::b/home/anna/x", policy(allow("s3:*", home)), context=context).allowed
    assert not ask("s3:Get", "arn:aws:s3:::b/home/bob/x", policy(allow("s3:*", home)), context=context).allowed
    assert not ask("s3:Get", "arn:aws:s3:::b/home//x", policy(allow("s3:*", home))).allowed
    defaulted = policy(allow("s3:*", "arn:aws:s3:::b/${aws:PrincipalTag/team, 'company-wide'}/*"))
    assert ask("s3:Get", "arn:aws:s3:::b/company-wide/x", defaulted).allowed
    assert ask("s3:Get", "arn:aws:s3:::b/blue/x", defaulted, context={"aws:principaltag/team": ["blue"]}).allowed
    star = policy(allow("s3:*", "arn:aws:s3:::b/${*}"))
    assert ask("s3:Get", "arn:aws:s3:::b/*", star).allowed
    assert not ask("s3:Get", "arn:aws:s3:::b/x", star).allowed
    wild = {"aws:username": ["*"]}
    assert not ask("s3:Get", "arn:aws:s3:::b/home/bob/x", policy(allow("s3:*", home)), context=wild).allowed
    old = policy(allow("s3:*", home), version="2008-10-17")
    assert not ask("s3:Get", "arn:aws:s3:::b/home/anna/x", old, context=context).allowed
    assert ask("s3:Get", "arn:aws:s3:::b/home/${aws:username}/x", old, context=context).allowed


def test_a_resource_that_is_not_known() -> None:
    """A statement then allows whatever resources it names, and denies only if it names all."""
    assert ask("ec2:RunInstances", None, policy(allow("ec2:*", "arn:aws:ec2:*:*:instance/i-1"))).allowed
    narrow = policy(allow("ec2:*"), deny("ec2:*", "arn:aws:ec2:*:*:instance/i-1"))
    assert ask("ec2:RunInstances", None, narrow).allowed
    assert not ask("ec2:RunInstances", None, policy(allow("ec2:*"), deny("ec2:*"))).allowed
    assert not ask("ec2:RunInstances", None, policy(allow("s3:*"))).allowed


def test_aws_s_words() -> None:
    """Those of "Troubleshoot access denied error messages"."""
    start = f"User: {SESSION} is not authorized to perform: sns:Publish on resource: {TOPIC}"
    said = {
        f"{start} because no identity-based policy allows the sns:Publish action": ask("sns:Publish", TOPIC),
        f"{start} with an explicit deny in an identity-based policy": ask("sns:Publish", TOPIC, policy(deny("sns:*"))),
        f"{start} because no permissions boundary allows the sns:Publish action": ask(
            "sns:Publish", TOPIC, policy(allow("*")), boundary=policy(allow("s3:*"))
        ),
        f"{start} with an explicit deny in a permissions boundary": ask(
            "sns:Publish", TOPIC, policy(allow("*")), boundary=policy(deny("*"))
        ),
        f"{start} with an explicit deny in a resource-based policy": ask(
            "sns:Publish", TOPIC, policy(allow("*")), resource=resource_policy("*", "Deny")
        ),
    }
    assert [decision.message() for decision in said.values()] == list(said)
    unknown = ask("ec2:RunInstances", None)
    assert unknown.message() == (
        f"User: {SESSION} is not authorized to perform: ec2:RunInstances "
        "because no identity-based policy allows the ec2:RunInstances action"
    )


def test_a_decision_explains_itself() -> None:
    assert ask("s3:ListBucket", BUCKET, CARLOS).explain() == (
        f"s3:ListBucket on {BUCKET} allowed to {SESSION} by statement S3ListBucket of the identity-based policy carlos"
    )
    assert ask("s3:GetObject", LOGS, CARLOS).explain() == (
        f"s3:GetObject on {LOGS} denied to {SESSION} by statement DenyS3Logs of the identity-based policy carlos"
    )
    assert ask("sqs:SendMessage", None, CARLOS).explain() == (
        f"sqs:SendMessage denied to {SESSION} because no identity-based policy allows it"
    )


# -- rules that hold for any policies --

ACTIONS = ["a:Get", "a:Put", "b:Get"]
RESOURCES = ["arn:aws:a:::1", "arn:aws:a:::2"]
STATEMENTS = st.builds(
    lambda effect, member, actions, resource: {"Effect": effect, member: actions, "Resource": resource},
    st.sampled_from(["Allow", "Deny"]),
    st.sampled_from(["Action", "NotAction"]),
    st.lists(st.sampled_from([*ACTIONS, "a:*", "*", "*:Get"]), min_size=1, max_size=2),
    st.sampled_from([*RESOURCES, "*", "arn:aws:a:::?"]),
)
POLICIES = st.lists(st.lists(STATEMENTS, max_size=3), max_size=3)
REQUESTS = st.tuples(st.sampled_from(ACTIONS), st.sampled_from([*RESOURCES, None]))


def decided(statements: list[list[dict[str, Any]]], request: tuple[str, str | None], **more: Any) -> Decision:
    return ask(*request, *(policy(*one, name=str(number)) for number, one in enumerate(statements)), **more)


@given(POLICIES, REQUESTS)
def test_a_deny_of_everything_wins(statements: list[list[dict[str, Any]]], request: tuple[str, str | None]) -> None:
    refused = decided([*statements, [deny("*")]], request)
    assert (refused.allowed, refused.explicit) == (False, True)


@given(POLICIES, REQUESTS, st.randoms())
def test_order_does_not_matter(statements: Any, request: tuple[str, str | None], random: Any) -> None:
    before = decided(statements, request)
    shuffled = [random.sample(one, len(one)) for one in random.sample(statements, len(statements))]
    after = decided(shuffled, request)
    assert (before.allowed, before.explicit) == (after.allowed, after.explicit)


@given(POLICIES, REQUESTS)
def test_without_an_allow_nothing_is_allowed(statements: Any, request: tuple[str, str | None]) -> None:
    denies = [[one for one in group if one["Effect"] == "Deny"] for group in statements]
    assert not decided(denies, request).allowed


@given(POLICIES, REQUESTS, st.lists(STATEMENTS, max_size=3))
def test_a_boundary_never_allows_more(statements: Any, request: tuple[str, str | None], limits: Any) -> None:
    limited = decided(statements, request, boundary=policy(*limits, name="boundary"))
    assert not limited.allowed or decided(statements, request).allowed


@given(POLICIES, REQUESTS)
def test_the_document_s_text_says_the_same(statements: Any, request: tuple[str, str | None]) -> None:
    documents = [{"Version": "2012-10-17", "Statement": one} for one in statements]
    parsed = [parse(json.dumps(one), str(number)) for number, one in enumerate(documents)]
    assert ask(*request, *parsed) == decided(statements, request)
