"""A CloudFormation template as somebody's own stack: every type of resource, with a real sandbox."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from sandbox.aws.account import ACCOUNT_ID, REGION
from sandbox.controllers import own_stack, stacks
from sandbox.model.cloudformation.account import Account
from sandbox.model.cloudformation.document import document
from sandbox.model.cloudformation.resources import KINDS, STACK
from sandbox.model.cloudformation.stack import Stack
from sandbox.model.own.plan import Place

SHOP = Path(__file__).parent / "templates" / "shop"
TEMPLATES = ["template.yaml", "nested/network.yaml", "nested/rest.yaml"]


@pytest.fixture
def folder(cli):
    made = cli.folder / "shop"
    shutil.copytree(SHOP, made)
    return made


def test_the_shop_s_templates_have_every_type():
    """So that the calls of each are made below, of a real sandbox."""
    contents = [document((SHOP / name).read_text()).content for name in TEMPLATES]
    assert {one["Type"] for content in contents for one in content["Resources"].values()} == set(KINDS)


def test_each_type_has_the_attributes_that_it_says():
    given = own_stack.load(SHOP)
    account = Account(
        given, Place(REGION, ACCOUNT_ID), lambda name: (SHOP / name).read_text(), own_stack.request_shape, {}
    )
    Stack(account, "shop", "template.yaml").make(given.cloudformation.parameters)
    for one in account.finished:
        if one.type != STACK:
            assert sorted(one.made.attributes) == sorted(KINDS[one.type].attributes), one.type


@pytest.mark.docker
@pytest.mark.long(30)
def test_a_template_comes_up_and_its_checks_hold_or_fail(cli, folder):
    code, out, err = cli.run("test", folder, "--speed", "10", "--timelines", folder / "seen", within=240)
    assert code == 1, out + err
    assert "✓ shop / http-1: holds" in out
    assert "✗ shop / http-2: fails" in out
    assert "its body does not contain 'nothing of the kind'; it begins with 'stage test key local user shop'" in out
    assert "✓ shop / http-3: holds" in out  # a file that [efs] has put on the template's own file system
    assert "✓ shop / http-4: holds" in out  # with a certificate that is there beforehand
    assert "✓ shop / dns-5: holds" in out
    outputs = dict(line.strip().removeprefix("output ").split(" = ", 1) for line in out.splitlines() if " = " in line)
    assert outputs["Service"].startswith("shop-Service-")
    assert outputs["Url"] == f"http://{outputs['Url'][7:].rstrip('/')}/"
    assert outputs["Resolved"] == "x-one-local"  # of a parameter of the template's, and of one of [secrets]
    assert outputs["FromSecret"] == "b"
    balancer, group = outputs["FullNames"].split("|")
    assert balancer.startswith("app/shop-Rest-")
    assert group.startswith("targetgroup/shop-Rest-")
    assert all(arn.startswith("arn:aws:") for arn in outputs["Arns"].split())
    assert len(outputs["Arns"].split()) == 9
    zone, hosted, mount, point, distribution, version, endpoint = outputs["Ids"].split()
    assert (mount[:5], point[:5], version, endpoint[:5]) == ("fsmt-", "fsap-", "1", "vpce-")
    assert zone.startswith("Z")
    assert hosted.isalnum()
    assert distribution.startswith("E")
    assert outputs["Scaled"].endswith(f"/{outputs['Service']}|ecs:service:DesiredCount|ecs")
    assert outputs["ByCpu"].startswith("arn:aws:autoscaling:us-east-1:123456789012:scalingPolicy:")
    assert outputs["ByCpu"].endswith(f"/{outputs['Service']}:policyName/cpu")
    assert "note: Logs (AWS::Logs::LogGroup): DeletionPolicy: no effect" in out
    # The template's rule sends the task's events to its function, whose code stands in it.
    seen = [json.loads(line) for line in (folder / "seen" / "shop.up.jsonl").read_text().splitlines()]
    invoked = [one for one in seen if one["kind"] == "lambda.invocation"]
    assert invoked
    assert {one["status"] for one in invoked} == {"Success"}
    assert all("-Inline-" in one["function"] for one in invoked)
    # Its scalable target is registered, which is told, and nobody scales the service.
    assert [one["service"] for one in seen if one["kind"] == "scaling.target"] == [outputs["Service"]]
    assert "5 of 6 checks hold" in out
    assert cli.in_engine() == []


BAD = {
    "Type: AWS::ECS::Cluster\n": (
        "Type: AWS::ECS::Clutser\n",
        "resource 'Cluster': the type AWS::ECS::Clutser is not supported",
        "is 'AWS::ECS::Cluster' meant?",
    ),
    "RequiresCompatibilities: [FARGATE]": (
        "RequiresCompatibility: [FARGATE]",
        "resource 'Task' (AWS::ECS::TaskDefinition): property RequiresCompatibility is not supported",
        "is 'RequiresCompatibilities' meant?",
    ),
    "!GetAtt Registry.Arn": (
        "!GetAtt Registry.Zone",
        "resource Registry does not support attribute type Zone in Fn::GetAtt",
        "",
    ),
}


@pytest.mark.parametrize("good", BAD)
def test_what_is_wrong_with_a_template_exits_2_and_names_file_and_line(cli, folder, good):
    bad, message, hint = BAD[good]
    file = folder / "template.yaml"
    text = file.read_text()
    assert good in text
    line = text[: text.index(good)].count("\n") + 1
    file.write_text(text.replace(good, bad))
    code, out, err = cli.run("test", folder)
    assert (code, out) == (2, "")
    said = " ".join(err.split())
    assert f"{folder}/template.yaml:{line}: " in said
    assert message in said
    assert hint in said


def test_a_parameter_that_is_missing_or_not_allowed_exits_2(cli, folder):
    file = folder / "sandbox.toml"
    text = file.read_text()
    for parameters, message in (
        ("{}", "Parameters: [Stage] must have values"),
        ('{ Stage = "live" }', "Parameter 'Stage' must be one of AllowedValues: test, prod"),
        ('{ Stage = "test", Tasks = 11 }', "Parameter 'Tasks' must be a number not greater than 10"),
    ):
        file.write_text(text.replace('{ Stage = "test" }', parameters))
        code, out, err = cli.run("test", folder)
        assert (code, out) == (2, "")
        assert message in " ".join(err.split())


def test_init_writes_what_up_takes(cli, folder):
    (folder / "sandbox.toml").unlink()
    code, out, _ = cli.run("init", folder)
    assert code == 0
    assert f"wrote {folder}/sandbox.toml for template.yaml" in out
    file = folder / "sandbox.toml"
    text = file.read_text()
    text = text.replace('# Stage = "VALUE"', 'Stage = "test"').replace('# Rest = "FILE"', 'Rest = "nested/rest.yaml"')
    file.write_text(text.replace('# "/shop/key" = "VALUE"', '"/shop/key" = "k"\noutside = "o"'))
    made = stacks.find(f"{folder}/")
    assert [one.url for one in made.ready] == ["http://shop.example.com/"]
    assert made.name == "shop"


def rows():
    """The table of types, as docs/cloudformation.md has it."""
    yield "| Type | Properties | Attributes |"
    yield "|---|---|---|"
    for name, one in sorted(KINDS.items()):
        attributes = ", ".join("`Outputs.NAME`" if each == "Outputs" else f"`{each}`" for each in one.attributes)
        yield f"| {name} | {', '.join(f'`{each}`' for each in sorted(one.properties))} | {attributes} |"


def test_the_page_has_every_type_with_its_properties_and_attributes():
    """To write it anew: python -c "from tests.test_cloudformation import rows; print(*rows(), sep=chr(10))"."""
    page = (Path(__file__).parents[1] / "docs" / "cloudformation.md").read_text()
    assert "\n".join(rows()) in page


def test_init_takes_the_template_that_imports_and_names_the_others(cli):
    folder = cli.folder / "two"
    folder.mkdir()
    cluster = "Resources: {C: {Type: AWS::ECS::Cluster, Properties: {ClusterName: NAME}}}\n"
    (folder / "a-network.yaml").write_text(cluster + "Outputs: {N: {Value: x, Export: {Name: 'net:name'}}}\n")
    (folder / "service.yaml").write_text(cluster.replace("NAME", "!ImportValue net:name"))
    (folder / "values.yaml").write_text("Resources: none of CloudFormation\n")
    code, out, _ = cli.run("init", folder)
    assert (code, out.splitlines()[0]) == (0, f"wrote {folder}/sandbox.toml for service.yaml")
    text = (folder / "sandbox.toml").read_text()
    (folder / "sandbox.toml").write_text(
        text.replace("# [cloudformation.stacks.NAME]", "[cloudformation.stacks.net]").replace("# template", "template")
    )
    first, second = stacks.find(f"{folder}/").calls
    assert (first.source[:14], second.parameters) == ("a-network.yaml", {"clusterName": "x"})


SMALL = """\
Parameters: {Name: {Type: String, Default: small}}
Resources:
  Cluster: {Type: AWS::ECS::Cluster, Properties: {ClusterName: !Ref Name}}
Outputs:
  Arn: {Value: !GetAtt Cluster.Arn}
"""
REFUSED = """\
  Service: {Type: AWS::ECS::Service, Properties: {Cluster: none, TaskDefinition: none, LaunchType: FARGATE}}
"""


@pytest.mark.docker
def test_up_prints_outputs_and_what_aws_refuses_is_told_of_the_resource(cli):
    folder = cli.folder / "small"
    folder.mkdir()
    file = folder / "template.yaml"
    file.write_text(SMALL)
    (folder / "sandbox.toml").write_text('[cloudformation]\ntemplate = "template.yaml"\n')
    command = cli.start("up", folder)
    command.wait_for("output Arn = arn:aws:ecs:us-east-1:123456789012:cluster/small", within=60)
    command.interrupt()
    assert command.end() == 130
    file.write_text(SMALL.replace("Outputs:", f"{REFUSED}Outputs:"))
    code, out, err = cli.run("up", folder, within=60)
    assert (code, out) == (2, "")
    said = " ".join(err.split())
    assert f"{file}:4: Service (AWS::ECS::Service): ecs.create_service was refused last state: ClusterNotFound" in said
    assert cli.in_engine() == []
