"""Task definitions and services as ``aws ecs`` prints them, turned back into the requests that make them.

What ``describe-*`` answers has members that only AWS writes. Which these are is told by the API itself: a member that
the answer's shape has and the request's has not is left out; one that neither has is an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.model.own.errors import OwnError, unknown

# DescribeServices shows these of the primary deployment alone, though CreateService takes them.
_OF_DEPLOYMENT = ("serviceConnectConfiguration", "volumeConfigurations", "vpcLatticeConfigurations")


@dataclass(frozen=True)
class Shapes:
    """Names of members in the API's model: what is shown, and what is taken.

    Attributes:
        task_definition: Of ``TaskDefinition``, shown by DescribeTaskDefinition.
        register: Of RegisterTaskDefinition's request.
        service: Of ``Service``, shown by DescribeServices.
        create: Of CreateService's request.
    """

    task_definition: frozenset[str]
    register: frozenset[str]
    service: frozenset[str]
    create: frozenset[str]


def task_definition(content: Any, shapes: Shapes) -> dict[str, Any]:
    """The RegisterTaskDefinition request of a file.

    Args:
        content: What DescribeTaskDefinition or RegisterTaskDefinition answers, or a request of the latter.
        shapes: The API's.

    Raises:
        OwnError: It is neither; the message names the member.
    """
    if isinstance(content, dict) and "taskDefinition" in content and "containerDefinitions" not in content:
        extra = sorted(set(content) - {"taskDefinition", "tags"})
        if extra:
            raise unknown("beside taskDefinition", extra[0], ("taskDefinition", "tags"), "member")
        inner = content["taskDefinition"]
        if not isinstance(inner, dict):
            raise OwnError("taskDefinition is not an object", f"found {inner!r}")
        content = {**inner, "tags": content.get("tags") or []}
    if not isinstance(content, dict) or "containerDefinitions" not in content:
        raise OwnError(
            "there are no containerDefinitions in it",
            "aws ecs describe-task-definition --task-definition FAMILY > FILE",
        )
    request = _taken(content, shapes.task_definition, shapes.register, "a task definition")
    if not isinstance(request.get("family"), str):
        raise OwnError("a task definition has a family")
    containers = request.get("containerDefinitions")
    if not isinstance(containers, list) or not all(isinstance(c, dict) and c.get("name") for c in containers):
        raise OwnError("containerDefinitions is a list of objects that have a name")
    return request


def services(content: Any, shapes: Shapes) -> list[dict[str, Any]]:
    """The CreateService requests of a file.

    Args:
        content: What DescribeServices, CreateService or UpdateService answers, or a request of the second.
        shapes: The API's.

    Raises:
        OwnError: It is none of them, or AWS has not found a service; the message names the member.
    """
    if isinstance(content, dict) and content.get("failures"):
        failure = content["failures"][0]
        said = f"{failure.get('arn')} {failure.get('reason')}" if isinstance(failure, dict) else str(failure)
        raise OwnError(f"AWS has not found a service: {said}", "describe services that there are")
    found = content
    if isinstance(content, dict):
        found = content.get("services", [content["service"]] if "service" in content else [content])
    if not isinstance(found, list) or not found or not all(isinstance(one, dict) for one in found):
        raise OwnError("there is no service in it", "aws ecs describe-services --cluster C --services S > FILE")
    return [_service(one, shapes) for one in found]


def is_on_instances(request: Mapping[str, Any]) -> bool:
    """Whether a CreateService request is for EC2 instances: they are the default."""
    return not request.get("capacityProviderStrategy") and request.get("launchType", "EC2") == "EC2"


def _service(shown: Mapping[str, Any], shapes: Shapes) -> dict[str, Any]:
    if not shown.get("serviceName"):
        raise OwnError("a service has a serviceName", "aws ecs describe-services --cluster C --services S > FILE")
    name = shown["serviceName"]
    request = _taken(shown, shapes.service, shapes.create, f"service '{name}'")
    request.pop("clientToken", None)
    if "clusterArn" in shown:
        request["cluster"] = str(shown["clusterArn"])
    if shown.get("roleArn") and "AWSServiceRoleForECS" not in str(shown["roleArn"]):
        request["role"] = shown["roleArn"]
    for deployment in shown.get("deployments") or ():
        if deployment.get("status") == "PRIMARY":
            request |= {member: deployment[member] for member in _OF_DEPLOYMENT if deployment.get(member)}
    # The answer shows both; a request takes one of them.
    if request.get("capacityProviderStrategy"):
        request.pop("launchType", None)
    # Shown as 0 where there is no load balancer, and refused then.
    if not request.get("healthCheckGracePeriodSeconds"):
        request.pop("healthCheckGracePeriodSeconds", None)
    if not request.get("taskDefinition"):
        raise OwnError(f"service '{name}' names no taskDefinition")
    return request


def _taken(content: Mapping[str, Any], shown: frozenset[str], taken: frozenset[str], what: str) -> dict[str, Any]:
    """The members that a request takes, without those that say nothing (as a skeleton has them)."""
    for member in content:
        if member not in shown | taken:
            raise unknown(what, member, taken, "member")
    nothing: Sequence[Any] = ("", [], {}, None)
    return {name: value for name, value in content.items() if name in taken and value not in nothing}
