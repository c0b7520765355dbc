"""AWS::ApplicationAutoScaling: scalable targets and policies of ECS services. They are registered, and scale nothing.

Sources:
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-applicationautoscaling-scalabletarget.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-applicationautoscaling-scalingpolicy.html
"""

from __future__ import annotations

from typing import Any

from sandbox.model.cloudformation.resources.kind import Kind, Made, Resource, kind
from sandbox.model.cloudformation.shapes import Given, PropertyError, text_or_kind
from sandbox.model.cloudformation.values import apply, is_known, selected, split, text

_TARGET = ("ResourceId", "ScalableDimension", "ServiceNamespace")
_CONFIGURATIONS = {
    "StepScaling": "StepScalingPolicyConfiguration",
    "TargetTrackingScaling": "TargetTrackingScalingPolicyConfiguration",
}


def _scalable_target(r: Resource) -> Made:
    for name in (*_TARGET, "MinCapacity", "MaxCapacity"):
        r.need(name)
    _check_namespace(r)
    target = r.given(*_TARGET)
    given = r.given("MinCapacity", "MaxCapacity", "RoleARN", "SuspendedState")
    r.call("application-autoscaling.register_scalable_target", {**target, **given})
    for action, path in r.mappings("ScheduledActions"):
        members = {name: Given(value, (*path, name)) for name, value in action.items()}
        for name in members:
            if str(name).lower() in {one.lower() for one in _TARGET}:
                raise PropertyError((*path, name), f"property ScheduledActions.{name} is not supported")
        r.call("application-autoscaling.put_scheduled_action", {**target, **members})
    made = text([r.get("ResourceId"), "|", r.get("ScalableDimension"), "|", r.get("ServiceNamespace")])
    return Made(made, {"Id": made})


def _scaling_policy(r: Resource) -> Made:
    r.need("PolicyName")
    kind_of = r.need("PolicyType")
    if is_known(kind_of):
        if not isinstance(kind_of, str) or kind_of not in _CONFIGURATIONS:
            known, said = ", ".join(_CONFIGURATIONS), text_or_kind(kind_of)
            raise PropertyError((*r.path, "PolicyType"), f"PolicyType {said} is not supported", f"known: {known}")
        r.need(_CONFIGURATIONS[kind_of])
    _check_namespace(r)
    given = r.given("PolicyName", "PolicyType", *_CONFIGURATIONS.values())
    answer = r.call("application-autoscaling.put_scaling_policy", {**_target_of(r), **given})
    return Made(answer("PolicyARN"), {"Arn": answer("PolicyARN")})


def _target_of(r: Resource) -> dict[str, Any]:
    """What a policy belongs to: the three members that name it, or the id that is made of them.

    Raises:
        PropertyError: Both are given, or neither.
    """
    parts = [name for name in _TARGET if name in r.properties]
    if "ScalingTargetId" not in r.properties and len(parts) == len(_TARGET):
        return dict(r.given(*_TARGET))
    if "ScalingTargetId" not in r.properties or parts:
        raise PropertyError(r.path, f"either ScalingTargetId, or {', '.join(_TARGET[:-1])} and {_TARGET[-1]}")
    path = (*r.path, "ScalingTargetId")
    id_ = r.get("ScalingTargetId")
    if is_known(id_) and (not isinstance(id_, str) or id_.count("|") != len(_TARGET) - 1):
        raise PropertyError(path, "ScalingTargetId is what Ref returns of a scalable target")
    pieces = apply(split, "|", id_)
    return {name: Given(apply(selected, at, pieces), path) for at, name in enumerate(_TARGET)}


def _check_namespace(r: Resource) -> None:
    given = r.get("ServiceNamespace", "ecs")
    if is_known(given) and given != "ecs":
        raise PropertyError(
            (*r.path, "ServiceNamespace"),
            f"ServiceNamespace {text_or_kind(given)} is not supported: scalable targets here are services of ECS",
            "ServiceNamespace: ecs",
        )


KINDS: dict[str, Kind] = {
    "AWS::ApplicationAutoScaling::ScalableTarget": kind(
        "MaxCapacity MinCapacity ResourceId RoleARN ScalableDimension ScheduledActions ServiceNamespace SuspendedState",
        "Id",
        _scalable_target,
    ),
    "AWS::ApplicationAutoScaling::ScalingPolicy": kind(
        "PolicyName PolicyType ResourceId ScalableDimension ScalingTargetId ServiceNamespace "
        "StepScalingPolicyConfiguration TargetTrackingScalingPolicyConfiguration",
        "Arn",
        _scaling_policy,
    ),
}
