"""The part of the ECS API that only reads, answered from tasks and services as they were at a moment.

For a replay: nothing runs there, so what would start, stop or change a task is not implemented and refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from sandbox.aws.protocol import AwsError, RequestContext

Request = dict[str, Any]
Answer = dict[str, Any]
Shown = Mapping[str, Any]


class Ecs(Protocol):
    """ECS's state of the moment."""

    @property
    def tasks(self) -> Mapping[str, Shown]:
        """Tasks by ARN, as DescribeTasks shows them."""

    @property
    def services(self) -> Mapping[str, Shown]:
        """Services by ARN, as DescribeServices shows them."""


class ShownEcs:
    """DescribeTasks, ListTasks, DescribeServices and ListServices of what `Ecs` shows.

    Answers and errors: Amazon ECS API reference, one page an action.
    """

    service_name = "ecs"
    validation_error_code = "InvalidParameterException"

    def __init__(self, ecs: Ecs) -> None:
        self.ecs = ecs

    def describe_tasks(self, request: Request, context: RequestContext) -> Answer:
        """DescribeTasks; unknown ones are in ``failures`` with reason MISSING."""
        cluster = self._cluster(request)
        return dict(zip(("tasks", "failures"), _each(self.ecs.tasks, request["tasks"], cluster, "task"), strict=True))

    def list_tasks(self, request: Request, context: RequestContext) -> Answer:
        """ListTasks: by family, service, startedBy, launch type and desired status (RUNNING where none is given)."""
        cluster = self._cluster(request)
        wanted = {"desiredStatus": request.get("desiredStatus", "RUNNING")}
        for member in ("startedBy", "launchType"):
            if member in request:
                wanted[member] = request[member]
        if "serviceName" in request:
            wanted["group"] = f"service:{request['serviceName'].rpartition('/')[2]}"
        if "containerInstance" in request:
            wanted["containerInstanceArn"] = request["containerInstance"]
        family = request.get("family")
        return {
            "taskArns": [
                arn
                for arn, task in self.ecs.tasks.items()
                if _is_in(arn, cluster)
                and all(_is(task.get(member), member, value) for member, value in wanted.items())
                and (family is None or _family(task) == family)
            ]
        }

    def describe_services(self, request: Request, context: RequestContext) -> Answer:
        """DescribeServices; unknown ones are in ``failures`` with reason MISSING."""
        self._check_services()
        found = _each(self.ecs.services, request["services"], self._cluster(request), "service")
        return dict(zip(("services", "failures"), found, strict=True))

    def list_services(self, request: Request, context: RequestContext) -> Answer:
        """ListServices."""
        self._check_services()
        cluster = self._cluster(request)
        return {"serviceArns": [arn for arn in self.ecs.services if _is_in(arn, cluster)]}

    def _cluster(self, request: Request) -> str:
        name = str(request.get("cluster", "default")).rpartition("/")[2]
        if not any(_is_in(arn, name) for arn in (*self.ecs.tasks, *self.ecs.services)):
            raise AwsError("ClusterNotFoundException", "Cluster not found.")
        return name

    def _check_services(self) -> None:
        """Events tell of tasks alone: an answer without services would be wrong where a task belongs to one."""
        if not self.ecs.services:
            raise AwsError(
                "NotImplemented",
                "the replayed events do not tell of services; give them in the state to start from",
                501,
            )


def _is(found: Any, member: str, wanted: str) -> bool:
    """A container instance may be named by the last part of its ARN."""
    if member == "containerInstanceArn" and found and not wanted.startswith("arn:"):
        return bool(str(found).rpartition("/")[2] == wanted)
    return bool(found == wanted)


def _each(
    known: Mapping[str, Shown], names: Sequence[str], cluster: str, kind: str
) -> tuple[list[Shown], list[Answer]]:
    found: list[Shown] = []
    failures: list[Answer] = []
    for name in names:
        arn = name if name.startswith("arn:") else _arn(known, name, cluster, kind)
        if arn in known and _is_in(arn, cluster):
            found.append(known[arn])
        else:
            failures.append({"arn": arn, "reason": "MISSING"})
    return found, failures


def _arn(known: Mapping[str, Shown], name: str, cluster: str, kind: str) -> str:
    """The ARN that a name or id has in the account and region of those that are known."""
    prefix = next(iter(known), "arn:aws:ecs:us-east-1:123456789012:").split(":")[:5]
    return f"{':'.join(prefix)}:{kind}/{cluster}/{name}"


def _is_in(arn: str, cluster: str) -> bool:
    return arn.split("/")[-2:-1] == [cluster]


def _family(task: Shown) -> str:
    return str(task.get("taskDefinitionArn", "")).rpartition("/")[2].partition(":")[0]
