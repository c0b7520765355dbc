"""Container definitions: what RegisterTaskDefinition takes of one container, refuses and fills in.

Rules: API reference "ContainerDefinition"; developer guide "Amazon ECS task definition parameters".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.model.ecs import dependencies, environment_files, health, linux_parameters, logs, restart, secrets
from sandbox.model.ecs.dependencies import Dependency
from sandbox.model.ecs.environment_files import EnvironmentFile
from sandbox.model.ecs.errors import client_exception, not_carried_out
from sandbox.model.ecs.health import HealthCheck
from sandbox.model.ecs.linux_parameters import LinuxParameters
from sandbox.model.ecs.logs import LogTarget
from sandbox.model.ecs.restart import RestartPolicy
from sandbox.model.ecs.secrets import Secret

DEFAULT_STOP_TIMEOUT = 30
MIN_START_TIMEOUT = 2
MAX_PORT = 65535
MAX_TIMEOUT = 120  # of startTimeout, and of stopTimeout on Fargate

_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")

# Parameters that change what a container does and that are not carried out yet.
_NOT_YET_IN_CONTAINER = (
    "repositoryCredentials",
    "firelensConfiguration",
    "systemControls",
    "resourceRequirements",
    "credentialSpecs",
)

# "Not valid in Fargate tasks" (developer guide "Amazon ECS task definition differences for Fargate"), or with awsvpc.
_NEVER_ON_FARGATE = (
    "disableNetworking",
    "dnsSearchDomains",
    "dnsServers",
    "dockerSecurityOptions",
    "extraHosts",
    "hostname",
    "privileged",
)


@dataclass(frozen=True)
class ContainerDefinition:
    """One container of a task definition; ``raw`` is the API's own object. Times are in seconds.

    ``links`` has the aliases of other containers, by their names.
    """

    name: str
    image: str
    essential: bool
    stop_timeout: int
    raw: Mapping[str, Any]
    start_timeout: int | None = None
    health_check: HealthCheck | None = None
    depends_on: tuple[Dependency, ...] = ()
    secrets: tuple[Secret, ...] = ()
    environment_files: tuple[EnvironmentFile, ...] = ()
    log: LogTarget | None = None
    linux: LinuxParameters = field(default_factory=LinuxParameters)
    restart: RestartPolicy | None = None
    volumes_from: tuple[str, ...] = ()
    links: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def waits_for(self) -> tuple[Dependency, ...]:
        """What must have happened before it is started: dependsOn, and the containers that it links or mounts from."""
        return (*self.depends_on, *(Dependency(name, "START") for name in (*self.volumes_from, *self.links)))

    @property
    def needs_resources(self) -> bool:
        """Whether something of AWS has to be there before it can start."""
        return bool(self.secrets or self.environment_files or self.log)


def parse(
    definition: Mapping[str, Any], *, fargate: bool, memory: int | None, network_mode: str = "awsvpc"
) -> ContainerDefinition:
    """Check a container definition and fill in what it leaves out.

    Args:
        definition: In the API's names.
        fargate: The task definition requires Fargate.
        memory: The task's, in MiB; without it the container needs a limit of its own.
        network_mode: The task's.

    Raises:
        EcsError: ClientException, with AWS's message where one is known.
    """
    name, image = definition.get("name"), definition.get("image")
    if not name:
        raise client_exception("Container.name should not be null or empty.")
    if not _NAME.fullmatch(name):
        raise client_exception(
            f"Invalid setting for container '{name}'. Its name has up to 255 letters (uppercase and lowercase), "
            "numbers, hyphens, and underscores."
        )
    if not image:
        raise client_exception("Container.image should not be null or empty.")
    if memory is None and not (definition.get("memory") or definition.get("memoryReservation")):
        raise client_exception(
            f"Invalid setting for container '{name}'. At least one of 'memory' or 'memoryReservation' must be "
            "specified."
        )
    _check_memory(name, definition, memory)
    for parameter in _NOT_YET_IN_CONTAINER:
        if definition.get(parameter):
            raise not_carried_out(f"containerDefinitions[name={name}].{parameter}")
    for parameter in _NEVER_ON_FARGATE:
        if definition.get(parameter):
            if not fargate:
                raise not_carried_out(f"containerDefinitions[name={name}].{parameter}")
            raise client_exception(
                f"Invalid setting for container '{name}'. '{parameter}' is not supported on Fargate."
            )
    stop_timeout = int(definition.get("stopTimeout", DEFAULT_STOP_TIMEOUT))
    start_timeout = definition.get("startTimeout")
    if start_timeout is not None and not MIN_START_TIMEOUT <= start_timeout <= MAX_TIMEOUT:
        raise client_exception(
            f"Invalid 'startTimeout' for container '{name}': {MIN_START_TIMEOUT} to {MAX_TIMEOUT} seconds are allowed."
        )
    if stop_timeout < 0 or (fargate and stop_timeout > MAX_TIMEOUT):
        raise client_exception(
            f"Invalid 'stopTimeout' for container '{name}': Fargate allows {MAX_TIMEOUT} seconds at most."
        )
    essential = bool(definition.get("essential", True))
    raw = {
        "cpu": 0,
        "portMappings": [],
        "environment": [],
        "mountPoints": [],
        "volumesFrom": [],
        **{parameter: value for parameter, value in definition.items() if value is not None},
        "essential": essential,
    }
    raw["portMappings"] = [_port_mapping(name, mapping, network_mode) for mapping in raw["portMappings"]]
    if raw.get("healthCheck"):
        raw["healthCheck"] = health.shown(raw["healthCheck"])
    return ContainerDefinition(
        name,
        image,
        essential,
        stop_timeout,
        raw,
        start_timeout=start_timeout,
        health_check=health.parse(name, raw.get("healthCheck")),
        depends_on=dependencies.parse(raw.get("dependsOn")),
        secrets=secrets.parse(name, raw),
        environment_files=environment_files.parse(name, raw.get("environmentFiles")),
        log=logs.parse(name, raw.get("logConfiguration"), fargate=fargate),
        linux=linux_parameters.parse(name, raw.get("linuxParameters"), fargate=fargate),
        restart=restart.parse(name, raw.get("restartPolicy")),
        volumes_from=tuple(item.get("sourceContainer") or "" for item in raw["volumesFrom"]),
        links=_links(name, raw.get("links") or (), network_mode, fargate=fargate),
    )


def _links(container: str, given: Sequence[str], network_mode: str, *, fargate: bool) -> Mapping[str, tuple[str, ...]]:
    if given and fargate:
        raise client_exception(f"Invalid setting for container '{container}'. 'links' is not supported on Fargate.")
    if given and network_mode != "bridge":
        raise client_exception(f"Links are not supported when networkMode={network_mode}.")
    links: dict[str, tuple[str, ...]] = {}
    for link in given:
        name, _, alias = link.partition(":")
        if not _NAME.fullmatch(name) or not _NAME.fullmatch(alias or name) or name == container:
            raise client_exception(f"Invalid link '{link}' of container '{container}'.")
        links[name] = (*links.get(name, ()), alias or name)
    return links


def _check_memory(name: str, definition: Mapping[str, Any], task: int | None) -> None:
    limit, reserved = definition.get("memory"), definition.get("memoryReservation")
    if task is not None and max(limit or 0, reserved or 0) > task:
        raise client_exception("The 'memory' setting for container is greater than for the task.")
    if limit and reserved and reserved > limit:
        raise client_exception(
            f"Invalid setting for container '{name}'. 'memory' must be at least 'memoryReservation'."
        )


def _port_mapping(container: str, mapping: Mapping[str, Any], network_mode: str) -> dict[str, Any]:
    if mapping.get("containerPortRange"):
        raise not_carried_out(f"containerDefinitions[name={container}].portMappings.containerPortRange")
    port = mapping.get("containerPort")
    if port is None:
        raise client_exception(f"Invalid port mapping for container '{container}': containerPort is required.")
    if not 1 <= port <= MAX_PORT or not 0 <= mapping.get("hostPort", 0) <= MAX_PORT:
        raise client_exception(f"Invalid port mapping for container '{container}': ports are 1 to {MAX_PORT}.")
    if network_mode == "none":
        raise client_exception("When networkMode=none, port mappings can not be specified.")
    if network_mode == "bridge":
        return {"protocol": "tcp", **mapping, "hostPort": mapping.get("hostPort", 0)}
    host_port = mapping.get("hostPort", port)
    if host_port != port:
        raise client_exception(
            f"When networkMode={network_mode}, the host ports and container ports in port mappings must match."
        )
    return {"protocol": "tcp", **mapping, "hostPort": host_port}
