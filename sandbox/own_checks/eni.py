"""The check ``eni``: whether the services of a stack fit on its EC2 instances, and what would take them if not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.controllers import own_requests
from sandbox.controllers.own_requests import Requests
from sandbox.errors import SandboxError
from sandbox.model.ecs.instance_types import InstanceType
from sandbox.model.own import room
from sandbox.model.own.checks import Check
from sandbox.model.own.errors import OwnError, unknown
from sandbox.model.own.room import Fit, Fleet

if TYPE_CHECKING:  # loads Docker and boto3
    from sandbox.controllers.sandbox import Sandbox

_EXAMPLES = ("t3.small", "c5.large", "m5.large", "r5.large")  # of more than a thousand
_SHOWN = 4  # instances


def perform(check: Check, folder: Path) -> tuple[bool, list[str]]:
    """Whether every task finds an instance, and a rolling update of each service its first step. Nothing is started.

    Args:
        check: Of kind ``eni``.
        folder: Has the stack.

    Raises:
        SandboxError: The stack's files are not as they must be, or no instance type is known.
    """
    return judge(check, own_requests.read(folder))


def perform_up(sandbox: Sandbox, check: Check) -> tuple[bool, list[str]]:
    """The same of a stack that is up and was made by others than its calls.

    Raises:
        SandboxError: As of `perform`.
    """
    return judge(check, own_requests.of_account(sandbox.aws("ecs")))


def judge(check: Check, found: Requests) -> tuple[bool, list[str]]:
    """The same of what a stack asks for.

    Raises:
        SandboxError: ECS refuses it, or no instance type is known.
    """
    types = _types()
    try:
        wanted = room.on_instances(_with_counts(found, check))
        fleet, deploy = _fleet(check, found, types), check.bounds.get("deploy", True)
        result = room.place(found.definitions, wanted, fleet, deploy=deploy)
        evidence = [f"on {fleet}", *map(_told, result.fits)]
        if result.holds:
            return True, evidence
        others = room.would_fit(found.definitions, wanted, fleet, list(types.values()), deploy=deploy)
    except OwnError as error:
        raise SandboxError(error.message, hint=error.hint) from error
    evidence += result.left[:_SHOWN]
    if len(result.left) > _SHOWN:
        evidence.append(f"... and {len(result.left) - _SHOWN} more instances")
    evidence += [f"would fit: {other}" for other in others] or ["no instance type, and no number of them, takes all"]
    return False, evidence


def _told(fit: Fit) -> str:
    if fit.reason:
        return (
            f"service {fit.service}: {fit.placed} of {fit.wanted} tasks have a place; the next one fails: {fit.reason}"
        )
    if fit.stuck:
        return f"service {fit.service}: all {fit.wanted} tasks have a place; a deployment cannot start one: {fit.stuck}"
    return f"service {fit.service}: all {fit.wanted} tasks have a place"


def _types() -> dict[str, InstanceType]:
    from sandbox.aws.backends.moto_instances import instance_types  # loads moto's EC2

    return {name: InstanceType.of(described) for name, described in instance_types().items()}


def _with_counts(found: Requests, check: Check) -> list[own_requests.Request]:
    counts = check.bounds.get("desired_counts", {})
    names = [str(request.get("serviceName")) for request in found.services]
    for name in counts:
        if name not in names:
            raise unknown("desired_counts", name, names, "service")
    return [
        {**request, **({"desiredCount": counts[name]} if name in counts else {})}
        for name, request in zip(names, found.services, strict=True)
    ]


def _fleet(check: Check, found: Requests, types: dict[str, InstanceType]) -> Fleet:
    bounds = check.bounds
    kinds = dict.fromkeys(kind for kind, _ in found.instances)
    if "type" not in bounds and (len(kinds) != 1 or "" in kinds):
        has = "no EC2 instances" if not kinds else f"instances of {len(kinds)} types"
        has = "instances of a type that it does not say" if "" in kinds else has
        raise OwnError(f"the stack has {has}", 'the check says which: type = "t3.small" and count = 2')
    name = bounds.get("type", next(iter(kinds), ""))
    if name not in types:
        family = name.partition(".")[0]
        raise unknown("", name, [one for one in types if one.partition(".")[0] == family] or _EXAMPLES, "instance type")
    there = sum(count for _, count in found.instances) if "type" not in bounds or name in kinds else 1
    fleet = Fleet(types[name], bounds.get("count", there), bounds.get("trunking", found.trunking))
    if fleet.trunking and fleet.type.trunked_task_interfaces is None and "trunking" in bounds:
        raise OwnError(f"{name} has no ENI trunking", "c5, m5 and r5 have it, and their successors")
    return fleet
