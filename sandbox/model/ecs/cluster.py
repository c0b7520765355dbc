"""Clusters: what holds tasks and services together.

Rules: API reference "CreateCluster", "DeleteCluster" and "Cluster".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.model.ecs.deployment import pending_count, running_count
from sandbox.model.ecs.errors import EcsError
from sandbox.model.ecs.service import Service
from sandbox.model.ecs.task import Task


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

    def delete(self, tasks: Collection[Task], services: Collection[Service]) -> None:
        """Become INACTIVE; ``tasks`` and ``services`` are those in it.

        Raises:
            EcsError: ClusterContainsServicesException or ClusterContainsTasksException.
        """
        if any(service.status == "ACTIVE" for service in services):
            raise EcsError(
                "ClusterContainsServicesException", "The Cluster cannot be deleted while Services are active."
            )
        if any(task.last_status != "STOPPED" for task in tasks):
            raise EcsError("ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active.")
        self.status = "INACTIVE"

    def describe(self, tasks: Sequence[Task], services: Collection[Service]) -> dict[str, Any]:
        """The cluster as DescribeClusters shows it; ``tasks`` and ``services`` are those in it."""
        return {
            "clusterArn": self.arn,
            "clusterName": self.name,
            "status": self.status,
            "registeredContainerInstancesCount": 0,
            "runningTasksCount": running_count(tasks),
            "pendingTasksCount": pending_count(tasks),
            "activeServicesCount": sum(service.status == "ACTIVE" for service in services),
            "statistics": [],
            "tags": list(self.raw.get("tags", ())),
            "settings": list(self.raw.get("settings", ())),
            "capacityProviders": list(self.raw.get("capacityProviders", ())),
            "defaultCapacityProviderStrategy": list(self.default_strategy),
        }
