"""Parameters: what is given, defaults, and what CloudFormation says of a value that it does not take."""

from __future__ import annotations

import pytest

from sandbox.model.cloudformation.values import listed
from sandbox.model.own.errors import OwnError
from sandbox.model.own.step import Computed, Reference
from tests.model.cloudformation.planned import outcome, planned, value

LISTED = Computed(listed, (Reference("sandbox.subnets"),))


def parameter(declared, secrets=None, **given):
    toml = {"secrets": secrets} if secrets else {}
    return value("!Ref P", f"Parameters: {{P: {declared}}}", cloudformation={"parameters": given}, **toml)


@pytest.mark.parametrize(
    ("declared", "given", "wanted"),
    [
        ("{Type: String}", "x", "x"),
        ("{Type: String}", True, "true"),
        ("{Type: Number}", 7, "7"),
        ("{Type: String, Default: 1.5}", None, "1.5"),
        ("{Type: CommaDelimitedList}", "a,b , c", ["a", "b", "c"]),
        ("{Type: CommaDelimitedList, Default: ''}", None, []),
        ("{Type: CommaDelimitedList}", ["a", "b"], ["a", "b"]),
        ("{Type: List<Number>}", "1,2", ["1", "2"]),
        ("{Type: List<Number>}", "1,x", "Parameter 'P' must be a number"),
        ("{Type: 'AWS::EC2::VPC::Id', Default: vpc-1}", None, Reference("sandbox.vpc")),
        ("{Type: 'AWS::EC2::VPC::Id'}", "vpc-1", "vpc-1"),
        ("{Type: String}", "${sandbox.security_group}", Reference("sandbox.security_group")),
        ("{Type: 'List<AWS::EC2::Subnet::Id>'}", "${sandbox.subnets}", LISTED),
        ("{Type: String, AllowedValues: [a, 1]}", "1", "1"),
        ("{Type: String, AllowedValues: [a, 1]}", "b", "Parameter 'P' must be one of AllowedValues: a, 1"),
        ("{Type: String, AllowedPattern: '[a-z]+'}", "ab1", "Parameter 'P' must match pattern [a-z]+"),
        ("{Type: CommaDelimitedList, AllowedPattern: '[a-z]'}", "a,b", ["a", "b"]),
        ("{Type: String, AllowedPattern: '('}", "a", "AllowedPattern ( is not carried out"),
        ("{Type: String, MinLength: 2}", "a", "Parameter 'P' must contain at least 2 characters"),
        ("{Type: String, MaxLength: 2}", "abc", "Parameter 'P' must contain at most 2 characters"),
        ("{Type: Number, MinValue: 2}", 1, "Parameter 'P' must be a number not less than 2"),
        ("{Type: Number, MaxValue: 2}", "3", "Parameter 'P' must be a number not greater than 2"),
        ("{Type: Number}", "nan", "Parameter 'P' must be a number"),
        ("{Type: String}", None, "Parameters: [P] must have values"),
        ("{Type: Text}", "x", "Unrecognized parameter type: Text (of P)"),
        ("{Type: String, Allowed: [a]}", "x", "Parameters 'P': unknown key 'Allowed'"),
        ("{Type: 'AWS::SSM::Parameter::Value<String>', Default: /k}", None, "the Systems Manager parameter /k"),
        (
            "{Type: 'AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>', "
            "Default: /aws/service/ecs/optimized-ami/amazon-linux-2/recommended/image_id}",
            None,
            "ami-0123456789abcdef0",
        ),
    ],
)  # fmt: skip
def test_a_parameter_is(declared, given, wanted):
    found = outcome(parameter, declared, **({} if given is None else {"P": given}))
    if isinstance(found, OwnError):
        assert str(wanted) in found.message
    else:
        assert found == wanted


def test_a_systems_manager_parameter_has_the_value_of_secrets():
    declared = "{Type: 'AWS::SSM::Parameter::Value<List<String>>', Default: /k}"
    assert parameter(declared, {"/k": "a,b"}) == ["a", "b"]


def test_what_is_missing_is_named_with_the_table_to_give_it_in():
    with pytest.raises(OwnError) as refused:
        parameter("{Type: String, NoEcho: true}")
    assert refused.value.message == "t.yaml:2: Parameters: [P] must have values"
    assert refused.value.hint == 'in [cloudformation.parameters]: P = "VALUE"'
    with pytest.raises(OwnError, match="unknown parameter 'Q'"):
        parameter("{Type: String}", P="x", Q="y")
    with pytest.raises(OwnError, match=r"unknown name 'sandbox.none'"):
        parameter("{Type: String}", P="${sandbox.none}")


RULES = """
Parameters:
  Version: {Type: String, Default: "6"}
  Stages: {Type: CommaDelimitedList, Default: "a,b"}
Rules:
  NotOld:
    Assertions:
      - Assert: !Not [!Contains [["1", 2, "5"], !Ref Version]]
        AssertDescription: CDK bootstrap stack version 6 required.
  OfProd:
    RuleCondition: !EachMemberEquals [!Ref Stages, prod]
    Assertions: [{Assert: !Equals [!Ref Version, "9"]}]
  Known:
    Assertions: [{Assert: !EachMemberIn [!Ref Stages, [a, b, prod]]}]
"""


def test_rules_hold_the_parameters_against_each_other():
    assert value("!Ref Version", RULES) == "6"
    for given, message in (
        ({"Version": "2"}, "t.yaml:9: Rules 'NotOld': CDK bootstrap stack version 6 required."),
        ({"Stages": "prod,prod"}, "Rules 'OfProd': an assertion does not hold"),
        ({"Stages": "a,c"}, "Rules 'Known': an assertion does not hold"),
    ):
        with pytest.raises(OwnError) as refused:
            value("x", RULES, cloudformation={"parameters": given})
        assert message in refused.value.message
    assert value("x", RULES, cloudformation={"parameters": {"Stages": "prod", "Version": 9}}) == "x"
    for rule, message in (
        ("{Assertions: 1}", "Rules 'R' has Assertions"),
        ("{Assertions: [1]}", "Rules 'R': an assertion has Assert"),
        ("{Assertions: [{Assert: !Contains [a, b]}]}", "functions of rules want lists"),
        ("{Assertions: [{Assert: !Ref C}]}", "a condition is one of"),
    ):
        with pytest.raises(OwnError) as refused:
            value("x", f"Rules: {{R: {rule}}}")
        assert message in refused.value.message


def test_the_constraint_s_description_is_the_hint():
    with pytest.raises(OwnError) as refused:
        parameter("{Type: String, AllowedPattern: 'a+', ConstraintDescription: only the letter a}", P="b")
    assert refused.value.hint == "only the letter a"


def test_a_production_s_network_is_the_sandbox_s_and_that_is_told():
    made = planned("""
        Parameters: {V: {Type: "AWS::EC2::VPC::Id"}, S: {Type: "List<AWS::EC2::Subnet::Id>"}}
        Resources: {C: {Type: AWS::ECS::Cluster}}
        """)
    assert made.notes == (
        "parameter V (AWS::EC2::VPC::Id) is the sandbox's own VPC",
        "parameter S (List<AWS::EC2::Subnet::Id>) is the sandbox's own subnets",
    )


def test_subnets_that_are_given_one_by_one_are_in_two_availability_zones_by_turns():
    made = planned("""
        Parameters:
          PublicA: {Type: "AWS::EC2::Subnet::Id"}
          Given: {Type: "AWS::EC2::Subnet::Id"}
          PublicB: {Type: "AWS::EC2::Subnet::Id", Default: subnet-0}
          PrivateA: {Type: "AWS::EC2::Subnet::Id"}
        Resources: {C: {Type: AWS::ECS::Cluster}}
        """, cloudformation={"parameters": {"Given": "subnet-1"}})  # fmt: skip
    assert made.notes == (
        "parameter PublicA (AWS::EC2::Subnet::Id) is the sandbox's own first subnet",
        "parameter PublicB (AWS::EC2::Subnet::Id) is the sandbox's own second subnet",
        "parameter PrivateA (AWS::EC2::Subnet::Id) is the sandbox's own first subnet",
    )
