"""Cloud Map services for the registries that ECS services name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sandbox.model.own.errors import OwnError
from sandbox.model.own.step import Reference, Step

_TTL = 10  # seconds


class Discovery:
    """Collects the registries, then has the calls that make them.

    Args:
        settings: NAME.NAMESPACE, by the id or the ARN of a Cloud Map service.
    """

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._settings = settings
        self._used: dict[str, str] = {}  # record type by NAME.NAMESPACE

    def use(self, service: str, registry: Mapping[str, Any]) -> dict[str, Any]:
        """An entry of ``serviceRegistries`` with the sandbox's registry in the place of its own.

        Raises:
            OwnError: The settings do not name it.
        """
        arn = str(registry.get("registryArn"))
        key = arn.rpartition("/")[2]
        name = self._settings.get(key, self._settings.get(arn))
        if name is None:
            raise OwnError(
                f"service '{service}': by which name the registry {arn} is found is not given",
                f'in [registries]: "{key}" = "NAME.NAMESPACE"; aws servicediscovery get-service --id {key} shows it',
            )
        if not all((*name.partition("."),)):
            raise OwnError(f'[registries] "{key}" is NAME.NAMESPACE, such as redis.chat.local', f"found {name!r}")
        # SRV records have a port; without one given the records are A records (API reference: ServiceRegistry).
        self._used[name] = "SRV" if registry.get("containerPort") or registry.get("port") else "A"
        return {**registry, "registryArn": Reference(f"registry-{_saved(name)}.Service.Arn")}

    def steps(self) -> Iterator[Step]:
        """The calls: each namespace, with its services."""
        namespaces: dict[str, str] = {}
        for name, kind in self._used.items():
            own, _, namespace = name.partition(".")
            if namespace not in namespaces:
                made = namespaces[namespace] = f"namespace{len(namespaces)}"
                yield Step(
                    "servicediscovery.create_private_dns_namespace",
                    {"Name": namespace, "Vpc": Reference("sandbox.vpc")},
                    f"{made}-begun",
                )
                yield Step(
                    "servicediscovery.get_operation", {"OperationId": Reference(f"{made}-begun.OperationId")}, made
                )
            yield Step(
                "servicediscovery.create_service",
                {
                    "Name": own,
                    "NamespaceId": Reference(f"{namespaces[namespace]}.Operation.Targets.NAMESPACE"),
                    "DnsConfig": {"DnsRecords": [{"Type": kind, "TTL": _TTL}]},
                    "HealthCheckCustomConfig": {"FailureThreshold": 1},
                },
                f"registry-{_saved(name)}",
            )


def _saved(name: str) -> str:
    """A name for an answer: references are split at dots."""
    return name.replace(".", "-")
