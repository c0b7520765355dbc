"""``sandbox deploy``: a new image for a container of a stack that is up, by the API calls of a deployment script."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sandbox.aws.clients import Clients
from sandbox.controllers.releases import roll
from sandbox.controllers.up import UpState
from sandbox.errors import SandboxError
from sandbox.model.ecs.outcome import outcome_of

_LOOK_AGAIN = 0.5  # seconds; another process has the timeline, so there is nothing to be told by
_AT_ONCE = 10  # services that DescribeServices takes

Tell = Callable[[str], None]


@dataclass
class Outcome:
    """What became of one service.

    Attributes:
        before: The task definition that it had.
        task_definition: The revision that was deployed.
        result: "completed", "rolled back", "failed" or "timed out".
        reason: ECS's rolloutStateReason.
        seconds: How long it took.
        events: What the service said meanwhile.
        stopped: Where it was not completed: which of its tasks stopped first, and why ("": none has).
    """

    cluster: str
    service: str
    images: dict[str, str]
    before: str
    task_definition: str
    deployment: str
    result: str = ""
    reason: str = ""
    seconds: float = 0.0
    events: list[str] = field(default_factory=list)
    stopped: str = ""

    def as_json(self) -> dict[str, Any]:
        """As docs/formats.md has it."""
        return asdict(self)


def find(living: list[UpState], stack: str) -> UpState:
    """The stack of that name that is up.

    Raises:
        SandboxError: There is none.
    """
    for state in living:
        if state.stack == stack:
            return state
    names = ", ".join(sorted({state.stack for state in living}))
    raise SandboxError(
        f"stack '{stack}' is not up",
        state=f"up: {names}" if names else "no stack is up",
        hint=f"bring it up in another terminal: sandbox up {stack}",
    )


def deploy(
    endpoint_url: str, images: Mapping[str, str], *, service: str = "", within: float = 600.0, tell: Tell
) -> list[Outcome]:
    """Give containers new images, and wait until each service's deployment has ended.

    Args:
        endpoint_url: Of the stack that is up.
        images: By the containers' names.
        service: Only this one, where several have a container of that name.
        within: Seconds for each deployment.
        tell: Told of each change of a rollout state, and of each service event.

    Raises:
        SandboxError: No service, or more than one, has such a container, or the sandbox does not answer.
    """
    clients = Clients(endpoint_url)
    ecs = clients("ecs")
    try:
        chosen = _choose(ecs, images, service)
        return [_roll(ecs, found, own, within, tell) for found, own in chosen]
    except ClientError as error:
        refusal = error.response["Error"]
        raise SandboxError("ECS refused", state=f"{refusal['Code']}: {refusal['Message']}") from error
    except BotoCoreError as error:
        raise SandboxError("the sandbox does not answer", state=str(error), hint="is the stack still up?") from error
    finally:
        clients.close()


def _choose(ecs: Any, images: Mapping[str, str], service: str) -> list[tuple[dict[str, Any], dict[str, str]]]:
    """The services to deploy to, with the images that concern them."""
    known: list[tuple[dict[str, Any], set[str]]] = []
    for found in _services(ecs):
        definition = ecs.describe_task_definition(taskDefinition=found["taskDefinition"])["taskDefinition"]
        names = {container["name"] for container in definition["containerDefinitions"]}
        known.append((found, names))
    if service:
        known = [item for item in known if item[0]["serviceName"] == service]
    for name in images:
        having = [item[0]["serviceName"] for item in known if name in item[1]]
        if not having:
            there = sorted(f"{item[0]['serviceName']}: {', '.join(sorted(item[1]))}" for item in known)
            where = f"service '{service}'" if service else "any service"
            raise SandboxError(
                f"there is no container '{name}' in {where}", state="; ".join(there) or "there is no service"
            )
        if len(having) > 1:
            raise SandboxError(
                f"more than one service has a container '{name}'",
                state=", ".join(having),
                hint="choose one with --service",
            )
    chosen = [(found, {name: images[name] for name in images if name in names}) for found, names in known]
    return [item for item in chosen if item[1]]


def _services(ecs: Any) -> Iterator[dict[str, Any]]:
    for cluster in ecs.list_clusters()["clusterArns"]:
        arns = [
            arn for page in ecs.get_paginator("list_services").paginate(cluster=cluster) for arn in page["serviceArns"]
        ]
        for start in range(0, len(arns), _AT_ONCE):
            yield from ecs.describe_services(cluster=cluster, services=arns[start : start + _AT_ONCE])["services"]


def _roll(ecs: Any, found: Mapping[str, Any], own: dict[str, str], within: float, tell: Tell) -> Outcome:
    name, cluster = found["serviceName"], found["clusterArn"]
    said = {event["id"] for event in found["events"]}
    begun = time.monotonic()
    revision, service = roll(ecs, found, own)
    deployment = next(one["id"] for one in service["deployments"] if one["status"] == "PRIMARY")
    outcome = Outcome(
        cluster.rpartition("/")[2], name, own, _short(found["taskDefinition"]), _short(revision), deployment
    )
    tell(f"{name}: {outcome.before} -> {outcome.task_definition} ({', '.join(f'{k}={v}' for k, v in own.items())})")
    state = ""
    paused = threading.Event()
    while not outcome.result:
        for event in reversed(service["events"]):
            if event["id"] not in said:
                said.add(event["id"])
                outcome.events.append(event["message"])
                tell(f"  {event['message']}")
        now, outcome.reason, outcome.result = outcome_of(service, deployment)
        if now != state:
            state = now
            tell(f"  deployment {deployment} is {state}: {outcome.reason}")
        if not outcome.result and time.monotonic() - begun > within:
            outcome.result = "timed out"
        if not outcome.result:
            paused.wait(_LOOK_AGAIN)
            (service,) = ecs.describe_services(cluster=cluster, services=[name])["services"]
    outcome.seconds = round(time.monotonic() - begun, 1)
    if outcome.result != "completed":
        outcome.stopped = _first_stopped(ecs, cluster, deployment)
        if outcome.stopped:
            tell(f"  {outcome.stopped}")
    tell(f"{name}: {outcome.result} after {outcome.seconds:g} s")
    return outcome


def _first_stopped(ecs: Any, cluster: str, deployment: str) -> str:
    arns = ecs.list_tasks(cluster=cluster, startedBy=deployment, desiredStatus="STOPPED")["taskArns"]
    tasks = ecs.describe_tasks(cluster=cluster, tasks=arns[:100])["tasks"] if arns else []
    if not tasks:
        return ""
    first = min(tasks, key=lambda task: task["createdAt"])
    codes = [f"{one['name']}: exit code {one['exitCode']}" for one in first["containers"] if one.get("exitCode")]
    why = f" ({', '.join(codes)})" if codes else ""
    return f"task {_short(first['taskArn'])} stopped: {first.get('stoppedReason', '')}{why}"


def _short(arn: str) -> str:
    return arn.rpartition("/")[2]
