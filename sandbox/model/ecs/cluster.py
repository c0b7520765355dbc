"""Clusters: what holds tasks and services together.

Rules: API reference "CreateCluster", "DeleteCluster", "PutClusterCapacityProviders" and "Cluster".
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.model.ecs.deployment import pending_count, running_count
from sandbox.model.ecs.errors import EcsError, invalid_parameter
from sandbox.model.ecs.launch import FARGATE_PROVIDERS
from sandbox.model.ecs.service import Service
from sandbox.model.ecs.task import Task

_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")


def checked_name(name: str, what: str) -> str:
    """The name of a cluster or of a service; ``what`` says which.

    Raises:
        EcsError: InvalidParameterException.
    """
    if not _NAME.fullmatch(name):
        raise invalid_parameter(
            f"{what} contains invalid characters: up to 255 letters (uppercase and lowercase), numbers, hyphens, "
            "and underscores are allowed."
        )
    return name


@dataclass
class Cluster:
    """A cluster. ``raw`` holds what was given at its creation."""

    name: str
    arn: str
    raw: Mapping[str, Any]
    status: str = "ACTIVE"

    @property
    def default_strategy(self) -> Sequence[Mapping[str, Any]]:
        """The capacity provider strategy for requests that name neither one nor a launch type."""
        return tuple(self.raw.get("defaultCapacityProviderStrategy") or ())

    def delete(self, tasks: Collection[Task], services: Collection[Service], instances: int) -> None:
        """Become INACTIVE; ``tasks``, ``services`` and ``instances`` (how many) are those in it.

        Raises:
            EcsError: ClusterContainsContainerInstancesException, ClusterContainsServicesException or
                ClusterContainsTasksException.
        """
        if instances:
            raise EcsError(
                "ClusterContainsContainerInstancesException",
                "The Cluster cannot be deleted while Container Instances are active or draining.",
            )
        if any(service.status == "ACTIVE" for service in services):
            raise EcsError(
                "ClusterContainsServicesException", "The Cluster cannot be deleted while Services are active."
            )
        if any(task.last_status != "STOPPED" for task in tasks):
            raise EcsError("ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active.")
        self.status = "INACTIVE"

    def put_capacity_providers(self, request: Mapping[str, Any], tasks: Collection[Task]) -> None:
        """PutClusterCapacityProviders: those that are not named any more are disassociated.

        Raises:
            EcsError: InvalidParameterException for a provider that there is not, or a default strategy with one that is
                not associated; ResourceInUseException for one that a task (``tasks`` are those in it) still uses. AWS
                documents the rules, the words are ours.
        """
        providers = list(request["capacityProviders"])
        strategy = list(request["defaultCapacityProviderStrategy"])
        for name in providers:
            if name not in FARGATE_PROVIDERS:
                raise invalid_parameter(f"The specified capacity provider {name} was not found.")
        for item in strategy:
            if item["capacityProvider"] not in providers:
                raise invalid_parameter(
                    f"The default capacity provider strategy names {item['capacityProvider']}, which is not associated "
                    "with the cluster."
                )
        used = {task.capacity_provider for task in tasks if task.last_status != "STOPPED"}
        for name in self.raw.get("capacityProviders", ()):
            if name in used and name not in providers:
                raise EcsError("ResourceInUseException", f"The capacity provider {name} is used by tasks.")
        self.raw = {**self.raw, "capacityProviders": providers, "defaultCapacityProviderStrategy": strategy}

    def describe(self, tasks: Sequence[Task], services: Collection[Service], instances: int) -> dict[str, Any]:
        """The cluster as DescribeClusters shows it; the arguments are those of `delete`."""
        return {
            "clusterArn": self.arn,
            "clusterName": self.name,
            "status": self.status,
            "registeredContainerInstancesCount": instances,
            "runningTasksCount": running_count(tasks),
            "pendingTasksCount": pending_count(tasks),
            "activeServicesCount": sum(service.status == "ACTIVE" for service in services),
            "statistics": [],
            "tags": list(self.raw.get("tags", ())),
            "settings": list(self.raw.get("settings", ())),
            "capacityProviders": list(self.raw.get("capacityProviders", ())),
            "defaultCapacityProviderStrategy": list(self.default_strategy),
        }
