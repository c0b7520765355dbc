"""The functions of templates: what each comes to, at once or later, and what CloudFormation says where it cannot."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.cloudformation.values import concatenated, is_known, joined, selected, split, text
from sandbox.model.own.errors import OwnError
from sandbox.model.own.step import Computed, Reference
from tests.model.cloudformation.planned import calls, outcome, planned, value

CLUSTER = Reference("C#0.cluster.clusterName")
ARN = Reference("C#0.cluster.clusterArn")
SECTIONS = """
Parameters:
  Stage: {Type: String, Default: test}
  Names: {Type: CommaDelimitedList, Default: "a, b,c"}
  Vpc: {Type: "AWS::EC2::VPC::Id"}
  Nets: {Type: "List<AWS::EC2::Subnet::Id>"}
Mappings:
  Sizes: {test: {Cpu: 256, Zones: [x, y]}, prod: {Cpu: 512}}
Conditions:
  Prod: !Equals [!Ref Stage, prod]
  Test: !Not [!Condition Prod]
  Both: !And [!Condition Test, !Equals ["1", 1]]
  Either: !Or [!Condition Prod, !Condition Both]
"""


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("!Ref Stage", "test"),
        ("!Ref Names", ["a", "b", "c"]),
        ("!Ref AWS::Region", "us-east-1"),
        ("!Ref AWS::AccountId", "123456789012"),
        ("!Ref AWS::StackName", "shop"),
        ("!Ref AWS::NotificationARNs", []),
        ('!Sub "${AWS::Partition}.${AWS::URLSuffix}"', "aws.amazonaws.com"),
        ("!Ref C", CLUSTER),
        ("!GetAtt C.Arn", ARN),
        ('!Sub "x-${C}-${!Lit}-${Stage}"', Computed(concatenated, ("x-", CLUSTER, "-${Lit}-test"))),
        ('!Sub ["${A}${Stage}", {A: !GetAtt C.Arn}]', Computed(concatenated, (ARN, "test"))),
        ('!Sub "${C.Arn}/x"', Computed(concatenated, (ARN, "/x"))),
        ('!Join ["-", [a, !Ref Stage, 1, true]]', "a-test-1-true"),
        ('!Join [",", !Ref Names]', "a,b,c"),
        ('!Join [",", !Ref Nets]', Computed(joined, (",", Reference("sandbox.subnets")))),
        ('!Join ["/", [x, !Ref C]]', Computed(concatenated, ("x/", CLUSTER))),
        ("!Select [1, !Ref Names]", "b"),
        ('!Select ["0", [!Ref C, x]]', CLUSTER),
        ("!Select [1, !Ref Nets]", Computed(selected, (1, Reference("sandbox.subnets")))),
        ('!Split ["|", "a|b"]', ["a", "b"]),
        ('!Select [5, !Split [":", !GetAtt C.Arn]]', Computed(selected, (5, Computed(split, (":", ARN))))),
        ("!FindInMap [Sizes, !Ref Stage, Cpu]", 256),
        ("!FindInMap [Sizes, test, Zones]", ["x", "y"]),
        ("!If [Prod, a, b]", "b"),
        ("!If [Either, a, b]", "a"),
        ("[a, !If [Prod, x, !Ref AWS::NoValue]]", ["a"]),
        ("{k: !Ref AWS::NoValue, l: 1}", {"l": 1}),
        ('!Select [2, !GetAZs ""]', "us-east-1c"),
        ("!Select [0, !GetAZs {Ref: AWS::Region}]", "us-east-1a"),
        ("!Cidr [10.0.0.0/16, 2, 8]", ["10.0.0.0/24", "10.0.1.0/24"]),
        ("!Cidr [10.0.0.0/24, 1]", "Fn::Cidr wants a block, a count and the number of bits of hosts"),
        ("!Base64 hi", base64.b64encode(b"hi").decode()),
        ("!Ref Vpc", Reference("sandbox.vpc")),
        # What CloudFormation says
        ("!Ref None", "Template format error: Unresolved resource dependencies [None] in the Resources block"),
        ("!Ref AWS::None", "there is no pseudo parameter AWS::None"),
        ("!GetAtt C.Size", "C does not support attribute type Size in Fn::GetAtt (AWS::ECS::Cluster has here: Arn)"),
        ("!GetAtt C", "every Fn::GetAtt object requires two non-empty parameters"),
        ("!Select [7, !Ref Names]", "Fn::Select cannot select nonexistent value at index 7"),
        ("!FindInMap [Sizes, test, Gpu]", "Unable to get mapping for Sizes::test::Gpu"),
        ("!FindInMap [Sizes, !Ref C, Cpu]", "known before anything is made"),
        ("!If [None, a, b]", "Unresolved condition dependency None"),
        ("!If [Prod, a]", "Fn::If requires a list argument with three elements"),
        ("!Sub [a]", "Fn::Sub wants a text"),
        ('!Sub "${Names}"', "a text is wanted, and not"),
        ("!Join [1, [a]]", "Fn::Join wants a text as its delimiter"),
        ("!Join [a]", "Fn::Join wants a delimiter and a list"),
        ("!GetAZs eu-west-1", "the sandbox has the region us-east-1 alone"),
        ("!ImportValue other-Vpc", "No export named other-Vpc found"),
        ("!Cidr [10.0.0.0/24, 1, 16]", "Fn::Cidr: there is no /16 in 10.0.0.0/24"),
        ("!Cidr [10.0.0.0/16, 300, 8]", "Fn::Cidr makes 1 to 256 blocks"),
        ("!Equals [a, b]", "Fn::Equals is a function of conditions alone"),
        ("{'Fn::Sub': a, x: 1}", "Fn::Sub stands beside other keys"),
        ("{'Fn::Transform': {Name: 'AWS::Include'}}", "the function Fn::Transform is not supported"),
    ],
)  # fmt: skip
def test_a_function_comes_to(expression, wanted):
    found = outcome(value, expression, SECTIONS)
    if isinstance(found, OwnError):
        assert str(wanted) in found.message
        assert found.message.startswith("t.yaml:")
    else:
        assert found == wanted


def test_imports_are_given_or_exported_by_another_stack():
    table = {"imports": {"other-Vpc": "${sandbox.vpc}"}}
    assert value("!ImportValue other-Vpc", cloudformation=table) == Reference("sandbox.vpc")
    assert value('!ImportValue {Fn::Sub: "${AWS::StackName}-x"}', cloudformation={"imports": {"shop-x": "y"}}) == "y"
    with pytest.raises(OwnError, match="unknown import 'none'"):
        value("x", cloudformation={"imports": {"none": "y"}})


def test_conditions_may_not_be_made_of_themselves_or_of_resources():
    with pytest.raises(OwnError, match="Circular dependency between conditions: A"):
        value("x", "Conditions: {A: !Not [!Condition B], B: !Not [!Condition A]}")
    with pytest.raises(OwnError, match="Cannot reference resources in the Conditions block"):
        value("x", "Conditions: {A: !Equals [!Ref C, c]}")
    with pytest.raises(OwnError, match=r"t.yaml:2: Conditions 'A': .* wants a list of 2 to 10 conditions"):
        value("x", "Conditions: {A: !Or [!Equals [a, a]]}")


def test_a_secret_of_the_template_is_resolved_when_it_is_made():
    made = planned("""
        Resources:
          S: {Type: AWS::SecretsManager::Secret, Properties: {Name: db, SecretString: '{"user": "u", "n": 1}'}}
          P: {Type: AWS::SSM::Parameter, Properties: {Name: /p, Type: String, Value: v}}
          A:
            Type: AWS::SSM::Parameter
            DependsOn: P
            Properties:
              Type: String
              Value: !Sub >-
                {{resolve:secretsmanager:${S}:SecretString:user}}@{{resolve:ssm:/p:1}}/{{resolve:ssm-secure:/q}}
        """, secrets={"/q": "w"})  # fmt: skip
    assert calls(made)[-1][1]["Value"] == "u@v/w"


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("{{resolve:ssm:/none}}", "no value is given for the parameter /none"),
        ("{{resolve:secretsmanager:db:SecretString:none}}", "the secret has no key 'none'"),
        ("{{resolve:secretsmanager:db:SecretBinary}}", "SecretBinary is not SecretString"),
        ("{{resolve:ssm:/a:b}}", "is no dynamic reference"),
        ("{{resolve:other:/a}}", "dynamic references of other are not supported"),
    ],
)
def test_a_dynamic_reference_without_a_value_is_named(reference, message):
    template = f"Resources: {{P: {{Type: AWS::SSM::Parameter, Properties: {{Type: String, Value: '{reference}'}}}}}}"
    with pytest.raises(OwnError) as refused:
        planned(template, secrets={"db": {"user": "u"}})
    assert message in refused.value.message
    assert refused.value.message.startswith("t.yaml:1: resource 'P' (AWS::SSM::Parameter)")


def test_a_secret_may_be_named_by_its_arn():
    arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db-AbCdEf"
    text = f"Resources: {{P: {{Type: AWS::SSM::Parameter, Properties: {{Type: String, Value: 'x{{{{resolve:secretsmanager:{arn}:SecretString:user}}}}'}}}}}}"  # noqa: E501
    assert calls(planned(text, secrets={"db": {"user": "u"}}))[-1][1]["Value"] == "xu"


NAMES = st.text(st.characters(min_codepoint=97, max_codepoint=122), min_size=1, max_size=5)
PLAIN = st.text(st.characters(exclude_characters='${}"\\\n', exclude_categories=["Cs", "Cc"]), max_size=8)


@given(st.lists(PLAIN | NAMES.map(lambda name: f"${{!{name}}}"), max_size=5))
def test_sub_of_what_has_no_variables_is_what_it_escapes(parts):
    written = "".join(parts)
    assert value(f'!Sub "{written}"') == written.replace("${!", "${")


@given(st.lists(st.text(max_size=4) | st.integers() | st.just(CLUSTER), max_size=6), st.text(max_size=3))
def test_a_text_of_parts_is_the_parts_one_after_another_once_they_are_known(parts, instead):
    def known(one):
        return instead if one == CLUSTER else str(one)

    found = text(parts)
    if isinstance(found, Computed):
        assert CLUSTER in parts
        found = found.function(*map(known, found.arguments))
    assert found == "".join(map(known, parts))
    assert is_known(found)
