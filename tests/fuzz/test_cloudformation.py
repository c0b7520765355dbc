"""CloudFormation templates: any text becomes a plan whose values can be had, or is refused by an `OwnError`."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sandbox.model.cloudformation.document import FUNCTIONS, document
from sandbox.model.own.errors import OwnError
from tests.conftest import examples
from tests.fuzz.documents import TEXTS, VALUES, changed, yaml_texts
from tests.model.cloudformation.planned import outcome, planned

SHOP = Path(__file__).parents[1] / "templates" / "shop"
DOCUMENTS = [
    document((SHOP / name).read_text()).content for name in ("template.yaml", "nested/network.yaml", "nested/rest.yaml")
]
NESTED = {"nested/network.yaml": (SHOP / "nested/network.yaml").read_text()}


def is_planned_or_refused(text):
    made = outcome(planned, text, NESTED)
    if isinstance(made, OwnError):
        assert made.message
    else:
        assert made.steps or made.outputs is not None


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(yaml_texts(*DOCUMENTS))
@example("Resources: {A: {Type: AWS::ECS::Cluster, Properties: {Tags: {a: b}}}}")
def test_any_template_is_planned_or_refused(text):
    is_planned_or_refused(text)


def without_functions(value):
    """The value with texts in the place of functions, so that it stands for itself."""
    if isinstance(value, dict):
        if len(value) == 1 and next(iter(value)) in FUNCTIONS:
            return "text"
        return {key: without_functions(one) for key, one in value.items()}
    return [without_functions(one) for one in value] if isinstance(value, list) else value


RESOURCES = [
    (one["Type"], without_functions(one.get("Properties", {"Tags": []})))
    for content in DOCUMENTS
    for one in content["Resources"].values()
]


def alone(kind, properties):
    return json.dumps({"Resources": {"X": {"Type": kind, "Properties": properties}}})


def with_its_type(resource):
    return changed(resource[1]).map(lambda properties: (resource[0], properties))


@settings(max_examples=examples(200), suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(RESOURCES).flatmap(with_its_type))
def test_any_properties_of_any_type_are_calls_or_refused(resource):
    is_planned_or_refused(alone(*resource))


def test_most_of_the_properties_that_are_changed_come_to_calls():
    """Else nothing but the first look at them would be tried."""
    refused = [
        kind for kind, properties in RESOURCES if isinstance(outcome(planned, alone(kind, properties)), OwnError)
    ]
    assert len(refused) < len(RESOURCES) / 4


ARGUMENTS = st.recursive(
    VALUES | st.sampled_from([{"Ref": "C"}, {"Fn::GetAtt": ["C", "Arn"]}, {"Ref": "AWS::NoValue"}, ["a", "b"]]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(st.sampled_from(sorted(FUNCTIONS)), inner).map(lambda pair: {pair[0]: pair[1]})
    ),
    max_leaves=8,
)


@given(st.sampled_from(sorted(FUNCTIONS)), ARGUMENTS, TEXTS)
def test_any_arguments_of_a_function_are_evaluated_or_refused(function, arguments, key):
    template = {
        "Conditions": {"No": {"Fn::Equals": [arguments, key]}} if len(key) % 2 else {},
        "Mappings": {"M": {"a": {"b": arguments}}},
        "Resources": {"C": {"Type": "AWS::ECS::Cluster"}},
        "Outputs": {"X": {"Value": {function: arguments}}},
    }
    is_planned_or_refused(json.dumps(template))
