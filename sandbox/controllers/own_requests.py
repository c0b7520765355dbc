"""What a stack asks of ECS and EC2, read from its calls before anything is made: definitions, services, instances."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sandbox.controllers import own_stack, stack_file, stacks
from sandbox.controllers.stack_file import Call, StackDefinition
from sandbox.model.own import FILE, definitions

_SERVICES_A_CALL = 10  # of DescribeServices
Request = Mapping[str, Any]


@dataclass
class Requests:
    """Requests in the API's names.

    Attributes:
        definitions: Of RegisterTaskDefinition.
        services: Of CreateService.
        instances: Type and number of the EC2 instances, each kind once.
        trunking: Whether the account setting awsvpcTrunking is turned on.
    """

    definitions: list[Request] = field(default_factory=list)
    services: list[Request] = field(default_factory=list)
    instances: list[tuple[str, int]] = field(default_factory=list)
    trunking: bool = False


def read(folder: Path) -> Requests:
    """What the stack of a folder asks for. ``[desired_counts]`` is about this machine, and so left out.

    Raises:
        SandboxError: As of `stacks.find`.
    """
    definition = stacks.find(f"{folder}/")
    if not (folder / stack_file.FILE).is_file():
        given = own_stack.load(folder)
        definition = own_stack.define(folder, replace(given, desired_counts={}))
    found = Requests()
    known: dict[str, Any] = {**definition.parameters, "sandbox": _Made("sandbox")}
    known.update({call.save_as: _Made(call.save_as) for call in definition.calls if call.save_as})
    called = _Called()
    for call in definition.calls:
        _add(found, call, _filled(definition, call, known), called)
    return found


def of_account(ecs: Any) -> Requests:
    """What there is in an account, as requests that would make it.

    Args:
        ecs: boto3's client.
    """
    shapes = own_stack.shapes()
    found = Requests()
    for cluster in _pages(ecs, "list_clusters", "clusterArns"):
        services = _pages(ecs, "list_services", "serviceArns", cluster=cluster)
        for first in range(0, len(services), _SERVICES_A_CALL):
            some = services[first : first + _SERVICES_A_CALL]
            shown = ecs.describe_services(cluster=cluster, services=some)
            for request in definitions.services({"services": shown["services"]}, shapes):
                found.services.append({**request, "taskDefinition": _as_family(request["taskDefinition"])})
        hosts = _pages(ecs, "list_container_instances", "containerInstanceArns", cluster=cluster)
        if hosts:
            shown = ecs.describe_container_instances(cluster=cluster, containerInstances=hosts)["containerInstances"]
            for one in shown:
                attributes = {item["name"]: item.get("value", "") for item in one["attributes"]}
                found.instances.append((attributes["ecs.instance-type"], 1))
                found.trunking = found.trunking or "ecs.awsvpc-trunk-id" in attributes
    for arn in _pages(ecs, "list_task_definitions", "taskDefinitionArns"):
        shown = ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
        request = definitions.task_definition({"taskDefinition": shown}, shapes)
        found.definitions.append({**request, "family": _as_family(arn)})
    return found


def _as_family(arn: str) -> str:
    """Each revision as a family of its own: those that are gone do not shift the others."""
    return arn.rpartition("/")[2].replace(":", "_")


def _pages(client: Any, operation: str, member: str, **request: Any) -> list[str]:
    return [one for page in client.get_paginator(operation).paginate(**request) for one in page[member]]


class _Made(str):
    """Stands for what only AWS could answer: an id, an ARN. It can be any part of the answer that has this name."""

    def __new__(cls, name: str) -> _Made:
        return super().__new__(cls, "made-" + re.sub(r"[^\w-]", "-", name))  # as names of clusters are

    def __getitem__(self, part: object) -> _Made:
        return self


def _filled(definition: StackDefinition, call: Call, known: Mapping[str, Any]) -> dict[str, Any]:
    place = f"{definition.folder / (call.source or FILE)}: {call}"
    wanted = {key: value for key, value in call.parameters.items() if key not in {"Code", "Body"}}
    filled: dict[str, Any] = call.fill(wanted, known, definition.folder, place)
    return filled


@dataclass
class _Called:
    """By what an answer is called, what was asked for.

    Attributes:
        families: Of task definitions.
        clusters: Their names.
        types: Instance types of launch templates and configurations, by their names as well.
    """

    families: dict[str, str] = field(default_factory=dict)
    clusters: dict[str, str] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)


def _add(found: Requests, call: Call, request: dict[str, Any], called: _Called) -> None:
    answer = _Made(call.save_as)
    match str(call):
        case "ecs.create_cluster":
            called.clusters[answer] = str(request.get("clusterName"))
        case "ecs.register_task_definition":
            called.families[answer] = str(request.get("family"))
            found.definitions.append(request)
        case "ecs.create_service":
            family, cluster = str(request.get("taskDefinition")), str(request.get("cluster") or "default")
            made = {
                "taskDefinition": called.families.get(family, family),
                "cluster": called.clusters.get(cluster, cluster),
            }
            found.services.append({**request, **made})
        case "ecs.put_account_setting" | "ecs.put_account_setting_default":
            if request.get("name") == "awsvpcTrunking":
                found.trunking = request.get("value") == "enabled"
        case "ec2.run_instances":
            found.instances.append((str(request.get("InstanceType", "")), _number(request.get("MinCount"))))
        case "ec2.create_launch_template":
            kind = str((request.get("LaunchTemplateData") or {}).get("InstanceType", ""))
            called.types |= {answer: kind, str(request.get("LaunchTemplateName")): kind}
        case "autoscaling.create_launch_configuration":
            called.types[str(request.get("LaunchConfigurationName"))] = str(request.get("InstanceType", ""))
        case "autoscaling.create_auto_scaling_group":
            template = request.get("LaunchTemplate") or {}
            named = template.get("LaunchTemplateName") or template.get("LaunchTemplateId")
            kind = called.types.get(str(named or request.get("LaunchConfigurationName")), "")
            found.instances.append((kind, _number(request.get("DesiredCapacity", request.get("MinSize")))))


def _number(given: Any) -> int:
    """A number, also as a text; 1 where none is given, or only AWS could say it."""
    return int(given) if str(given).isdecimal() else 1
