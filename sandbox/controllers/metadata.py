"""Answers of the metadata and credentials endpoints of tasks (see `sandbox.controllers.task_endpoint`)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network
from typing import Any

from sandbox.aws.clients import Clients
from sandbox.aws.protocol import HttpResponse
from sandbox.aws.sessions import Sessions
from sandbox.controllers.ecs import EcsController
from sandbox.controllers.task_endpoint import CREDENTIALS, PREFIX
from sandbox.engine.containers import Containers
from sandbox.model.ecs import metadata
from sandbox.model.ecs.control import Ecs
from sandbox.model.ecs.metadata import Subnet
from sandbox.model.ecs.task import Task

_CREDENTIALS_LAST = timedelta(hours=6)


class Metadata:
    """Answers the requests.

    Args:
        ecs: Has the tasks, and knows the containers that own their networks.
        aws: Clients of the sandbox's endpoint: EC2 knows the subnets.
        resolver: The address of the VPC's DNS server.
        containers: The run's; for statistics.
        sessions: Gives each task credentials of its role.
    """

    def __init__(
        self, ecs: EcsController, aws: Clients, resolver: str, containers: Containers, sessions: Sessions
    ) -> None:
        self._ecs = ecs
        self._aws = aws
        self._resolver = resolver
        self._containers = containers
        self._sessions = sessions

    def answer(self, path: str) -> HttpResponse:
        """The answer to GET ``path``."""
        content = self._credentials(path) if path.startswith(CREDENTIALS) else self._metadata(path)
        if content is None:
            return HttpResponse(404, {"Content-Type": "application/json"}, b'"there is no such container or task"')
        return HttpResponse(200, {"Content-Type": "application/json"}, json.dumps(content).encode())

    def _metadata(self, path: str) -> Any:
        container_id, _, what = path.removeprefix(PREFIX).rstrip("/").partition("/")
        task, name = self._ecs.read(lambda ecs: _find(ecs, container_id))
        if task is None or (task.interface is None and task.host is None):
            return None
        subnet = self._subnet(task.interface.subnet_id) if task.interface else None
        content: Any = None
        match what:
            case "":
                content = self._ecs.read(lambda ecs: metadata.of_container(task, name, subnet))
            case "task":
                content = self._ecs.read(lambda ecs: metadata.of_task(task, subnet))
            case "taskWithTags":
                tags = {tag["key"]: tag.get("value", "") for tag in task.tags}
                content = {**self._ecs.read(lambda ecs: metadata.of_task(task, subnet)), "TaskTags": tags}
            case "stats":
                content = self._stats(task.arn, task.containers[name].runtime_id)
            case "task/stats":
                ids = [container.runtime_id for container in task.containers.values()]
                content = {found: self._stats(task.arn, found) for found in ids if found}
        return content

    def _subnet(self, subnet_id: str) -> Subnet:
        (subnet,) = self._aws("ec2").describe_subnets(SubnetIds=[subnet_id])["Subnets"]
        block = IPv4Network(subnet["CidrBlock"])
        return Subnet(str(block), str(block.network_address + 1), self._resolver)

    def _stats(self, task_arn: str, container_id: str | None) -> Any:
        """As Docker has them, like AWS's; the network's are those of the task."""
        stats = self._containers.stats(container_id) if container_id else None
        interface = self._ecs.interface(task_arn)
        if stats is not None and interface:
            stats["networks"] = (self._containers.stats(interface, once=True) or {}).get("networks", {})
        return stats

    def _credentials(self, path: str) -> Any:
        found = self._ecs.read(lambda ecs: _role(ecs, path.removeprefix(CREDENTIALS)))
        if found is None:
            return None
        role, task_id = found
        session = self._sessions.issue(role, task_id)
        expiration = datetime.now(UTC) + _CREDENTIALS_LAST
        return {
            "RoleArn": role,
            "AccessKeyId": session.access_key_id,
            "SecretAccessKey": session.secret_access_key,
            "Token": session.token,
            "Expiration": expiration.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }


def _find(ecs: Ecs, container_id: str) -> tuple[Task | None, str]:
    for task in ecs.tasks.values():
        if container_id.startswith(task.id):
            for name in task.containers:
                if metadata.container_id(task.id, name) == container_id:
                    return task, name
    return None, ""


def _role(ecs: Ecs, credentials_id: str) -> tuple[str, str] | None:
    """The role of a task and the task's id."""
    for task in ecs.tasks.values():
        role = task.definition.raw.get("taskRoleArn")
        if role and task.last_status != "STOPPED" and metadata.credentials_id(task.arn) == credentials_id:
            return str(role), task.id
    return None
