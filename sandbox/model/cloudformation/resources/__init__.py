"""The types of resources that are carried out, and why some others are not."""

from __future__ import annotations

from sandbox.model.cloudformation.resources import (
    cloudfront,
    dns,
    ec2,
    ecs,
    elb,
    functions,
    iam,
    messages,
    scaling,
    stores,
)
from sandbox.model.cloudformation.resources.kind import Kind, Made, Resource, kind

STACK = "AWS::CloudFormation::Stack"
"""A nested stack; `sandbox.model.cloudformation.stack` makes it."""

_MODULES = (ecs, elb, ec2, dns, cloudfront, iam, functions, messages, scaling, stores)


def _nothing(r: Resource) -> Made:
    return Made(r.name())


KINDS: dict[str, Kind] = {
    **{name: one for module in _MODULES for name, one in module.KINDS.items()},
    "AWS::CDK::Metadata": kind("Analytics", "", _nothing),
    STACK: kind("Parameters Tags TemplateURL TimeoutInMinutes", "Outputs", _nothing),
}
"""By type."""

REASONS = {
    "AWS::CloudWatch::": "there are no metrics and no alarms here",
    "AWS::ECS::CapacityProvider": "capacity providers of Auto Scaling groups are not carried out",
    "AWS::CloudFormation::CustomResource": "custom resources are not carried out",
    "Custom::": "custom resources are not carried out",
    "AWS::Serverless::": "the Serverless transform is not carried out: sam package writes the template that it makes",
}
"""What is said of types that are refused, by how their names begin."""
