"""Plans of templates, for tests."""

from __future__ import annotations

import textwrap

from sandbox.controllers.own_stack import request_shape
from sandbox.model.cloudformation.plan import plan
from sandbox.model.own.errors import OwnError
from sandbox.model.own.plan import Place
from sandbox.model.own.settings import settings

HERE = Place("us-east-1", "123456789012")


def planned(text, files=None, **toml):
    """The plan of a template's text, with a sandbox.toml."""
    files = {"t.yaml": textwrap.dedent(text), **{name: textwrap.dedent(one) for name, one in (files or {}).items()}}
    table = toml.pop("cloudformation", {})
    given = settings({"cloudformation": {"template": "t.yaml", **table}, **toml})
    return plan(given, "shop", files.get, request_shape, HERE)


def outcome(make, *arguments, **toml):
    """What a function makes, or what is wrong: an `OwnError`."""
    try:
        return make(*arguments, **toml)
    except OwnError as error:
        return error


def calls(made):
    """Each call's operation and parameters."""
    return [(step.operation, dict(step.parameters)) for step in made.steps]


def value(expression, sections="", **toml):
    """What a function comes to, as the value of an output; it may be written over several lines."""
    text = (
        "Resources: {C: {Type: AWS::ECS::Cluster, Properties: {ClusterName: c}}}\n"
        f"{textwrap.dedent(sections)}\nOutputs: {{X: {{Value: {expression}}}}}\n"
    )
    return planned(text, **toml).outputs["X"]
