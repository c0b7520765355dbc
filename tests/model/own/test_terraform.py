"""What is read of a Terraform configuration beforehand, and what an apply tells."""

from __future__ import annotations

import json
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.own import terraform
from sandbox.model.own.errors import OwnError
from sandbox.model.own.terraform import Configuration, Diagnostic, Told

MAIN = """\
terraform {
  backend "s3" { bucket = "states" }
}
variable "name" {}
# variable "commented" {}
variable "tags" {
  default = { a = "}" }
}
provider "aws" {
  region = "eu-west-1"
  default_tags { tags = { stack = "${var.name}-${lookup(var.tags, "a")}" } }
}
provider "aws" {
  default_tags { tags = {} }
  alias = "edge"
}
provider "random" { alias = "other" }
/* provider "aws" { alias = "gone" } */
locals {
  text = <<-EOT
    provider "aws" {
      alias = "text"
    }
  EOT
}
locals {
  containers = jsonencode([{ image = "shop:42" }, { image = "${var.name}:1" }])
}
module "app" { source = "../modules/app" }
"""


def named(files):
    return terraform.configuration([(PurePosixPath(name), text) for name, text in files.items()])


def test_variables_aliases_and_what_is_above():
    assert named({"main.tf": MAIN}) == Configuration(
        ("name", "tags"), ("name",), frozenset({"", "edge"}), ("shop:42",), 1
    )


def test_modules_below_have_variables_of_their_own_and_may_lead_beside_them():
    below = {"modules/a/main.tf": 'variable "x" {}\nmodule "b" { source = "../b" }\n'}
    assert named(below) == Configuration((), (), frozenset(), (), 0)
    assert named({"modules/a/main.tf": 'file("${path.module}/../../../lambda/x.py")'}).above == 1


def test_json_is_read_too():
    content = {
        "variable": {"name": {}},
        "provider": {"aws": [{"region": "r"}, {"alias": "edge"}]},
        "module": {"a": {"source": "../../x"}},
    }
    assert named({"main.tf.json": json.dumps(content)}) == Configuration(
        ("name",), ("name",), frozenset({"", "edge"}), (), 2
    )
    assert named({"main.tf.json": "{"}) == Configuration((), (), frozenset(), (), 0)


def test_an_apply_as_a_transcript():
    told = Told()
    lines = [
        {"@message": "Terraform 1.11.4", "type": "version"},
        {"@message": "Plan: 1 to add", "type": "change_summary"},
        {"@message": "Outputs: 1", "type": "outputs", "outputs": {"url": {"sensitive": False, "action": "create"}}},
        {
            "@message": "aws_sqs_queue.a: Creating...",
            "type": "apply_start",
            "hook": {"resource": {"addr": "aws_sqs_queue.a"}, "action": "create"},
        },
        {
            "@message": "aws_sqs_queue.a: Creation complete after 1s",
            "type": "apply_complete",
            "hook": {"resource": {"addr": "aws_sqs_queue.a"}, "action": "create", "elapsed_seconds": 1},
        },
        {
            "@message": "Outputs: 2",
            "type": "outputs",
            "outputs": {"url": {"sensitive": False, "value": "u"}, "key": {"sensitive": True, "type": "string"}},
        },
    ]
    seen = [told.take(json.dumps(line)) for line in lines]
    assert [one for one in seen if one] == [
        {
            "text": "aws_sqs_queue.a: Creating...",
            "address": "aws_sqs_queue.a",
            "action": "create",
            "state": "start",
            "seconds": 0,
        },
        {
            "text": "aws_sqs_queue.a: Creation complete after 1s",
            "address": "aws_sqs_queue.a",
            "action": "create",
            "state": "complete",
            "seconds": 1,
        },
    ]
    assert told.outputs == {"url": "u", "key": None}
    assert list(terraform.outputs_in_words(told)) == ['output url = "u"', "output key = (sensitive)"]
    assert told.errors == []


def test_an_error_names_the_resource_and_its_place():
    told = Told()
    diagnostic = {
        "severity": "error",
        "summary": "creating ECS Service",
        "detail": "ClientException: no",
        "address": "aws_ecs_service.web",
        "range": {"filename": "main.tf", "start": {"line": 7}},
    }
    told.take(json.dumps({"type": "diagnostic", "diagnostic": {**diagnostic, "severity": "warning"}}))
    told.take(json.dumps({"type": "diagnostic", "diagnostic": diagnostic}))
    (error,) = told.errors
    assert error == Diagnostic(
        "error", "creating ECS Service", "ClientException: no", "aws_ecs_service.web", "main.tf:7"
    )
    assert str(error) == "main.tf:7: aws_ecs_service.web: creating ECS Service"


def test_outputs_in_urls():
    assert terraform.filled("http://${output.name}:${output.port}/", {"name": "a.b", "port": 80}) == "http://a.b:80/"
    with pytest.raises(OwnError, match="Terraform has no output 'nam'") as caught:
        terraform.filled("http://${output.nam}/", {"name": "a"})
    assert caught.value.hint == "outputs: name"
    with pytest.raises(OwnError, match="output 'name' is no text"):
        terraform.filled("http://${output.name}/", {"name": None})


@given(st.text())
def test_whatever_is_told_nothing_else_comes_of_it(line):
    told = Told()
    assert isinstance(told.take(line), dict)
    assert told == Told() or told.diagnostics or told.outputs
    assert named({"main.tf": line, "x/main.tf": line}).above >= 0
