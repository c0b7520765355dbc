"""DiscoverInstances: which instances of a service are found (AWS Cloud Map API Reference, "DiscoverInstances")."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

from sandbox.model.cloudmap_records import Instance, Service

MAX_DISCOVERED = 100
"""Instances that are found at most, unless MaxResults says otherwise."""


def discover(service: Service, request: Mapping[str, Any], rng: Random) -> list[Instance]:
    """Instances in random order, by default healthy ones.

    Developer Guide, "AWS Cloud Map service health check configuration".
    """
    found = [one for one in service.instances.values() if _matches(one, request.get("QueryParameters", {}))]
    optional = [one for one in found if _matches(one, request.get("OptionalParameters", {}))]
    found = _of_health(service, optional or found, request.get("HealthStatus", "HEALTHY"))
    return rng.sample(found, min(len(found), request.get("MaxResults", MAX_DISCOVERED)))


def _matches(instance: Instance, wanted: Mapping[str, str]) -> bool:
    return all(instance.attributes.get(name) == value for name, value in wanted.items())


def _of_health(service: Service, found: list[Instance], wanted: str) -> list[Instance]:
    """The health is ignored for services without a health check."""
    if wanted == "ALL" or not (service.custom_health or service.health_check):
        return found
    healthy = [instance for instance in found if instance.healthy]
    if wanted == "UNHEALTHY":
        return [instance for instance in found if not instance.healthy]
    return healthy or (found if wanted == "HEALTHY_OR_ELSE_ALL" else [])
