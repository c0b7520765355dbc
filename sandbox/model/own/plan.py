"""The AWS API calls that bring somebody's own task definitions and services up in a sandbox.

Definitions stay as they are but for what is of one account: docs/own-stacks.md has the list. Whatever they need that is
not in them (values of secrets, health checks of target groups, names of registries) comes from the settings, or the
error says in which table it is to be given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.model.own.balancing import Balancing
from sandbox.model.own.definitions import is_on_instances
from sandbox.model.own.discovery import Discovery
from sandbox.model.own.errors import OwnError, unknown
from sandbox.model.own.secrets import Secrets, with_environment
from sandbox.model.own.settings import Settings
from sandbox.model.own.step import Reference, Step

Request = Mapping[str, Any]

_ARN = re.compile(r"(arn:[^:]+:[^:]+):([^:]*):([^:]*):")
_FAMILY = re.compile(r"(?:arn:[^/]*:task-definition/)?([^:/]+)(?::\d+)?")


@dataclass(frozen=True)
class Place:
    """Where the calls are made."""

    region: str
    account: str


@dataclass(frozen=True)
class Own:
    """What somebody's own files come to.

    Attributes:
        name: The stack's.
        settings: What the sandbox.toml says.
        task_definitions: RegisterTaskDefinition requests, each with its file.
        services: CreateService requests, each with its file.
        files: The contents of environment files, by their ARNs.
        notes: What is to be told to whoever brings it up.
    """

    name: str
    settings: Settings
    task_definitions: Sequence[tuple[str, Request]]
    services: Sequence[tuple[str, Request]]
    files: Mapping[str, bytes]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """The calls in their order, URLs that must answer (as ``[[ready]]`` has them), and what is to be told."""

    steps: tuple[Step, ...]
    ready: tuple[Mapping[str, Any], ...]
    notes: tuple[str, ...]


def plan(own: Own, place: Place) -> Plan:
    """Make the plan.

    Raises:
        OwnError: Something that is needed is not given, or what is given is not used.
    """
    planner = _Planner(own, place)
    steps = planner.steps()
    return Plan(tuple(steps), own.settings.ready or tuple(planner.balancing.ready()), tuple(planner.notes))


class _Planner:
    def __init__(self, own: Own, place: Place) -> None:
        self._own = own
        self._settings = own.settings
        self._place = place
        self._families = {str(request["family"]): request for _, request in own.task_definitions}
        self.notes = list(own.notes)
        self._secrets = Secrets(own.settings.secrets, own.settings.environment, self.notes)
        self.balancing = Balancing(own.settings.target_groups, self.notes)
        self._discovery = Discovery(own.settings.registries)

    def steps(self) -> list[Step]:
        self._check_names()
        before = [*self._resources()]
        services = [self._service(file, request) for file, request in self._own.services]
        clusters = dict.fromkeys(str(step.parameters["cluster"]) for step in services)
        made = [Step("ecs.create_cluster", {"clusterName": name}) for name in clusters or (self._cluster({}),)]
        registered = [
            Step("ecs.register_task_definition", self._definition(request), source=file)
            for file, request in self._own.task_definitions
        ]
        unused = set(self._families) - {str(step.parameters["taskDefinition"]) for step in services}
        self.notes += [f"task definition {name} is registered, and no service runs it" for name in sorted(unused)]
        return [
            *before,
            *self._discovery.steps(),
            *self.balancing.steps(),
            *made,
            *self._instances(list(clusters), services),
            *registered,
            *services,
        ]

    def _check_names(self) -> None:
        """Tables that name what there is not are misspelt."""
        containers = {str(c["name"]) for _, c in self._containers()}
        images = {str(c.get("image")) for _, c in self._containers()}
        names = [str(request["serviceName"]) for _, request in self._own.services]
        for table, given, known, what in (
            ("[environment]", self._settings.environment, containers, "container"),
            ("[desired_counts]", self._settings.desired_counts, names, "service"),
            ("[images]", self._settings.images, images, "image"),
            ("[secrets]", self._settings.secrets, self._secrets.names(self._containers()), "secret"),
            ("[environment_files]", self._settings.environment_files, self._environment_file_names(), "file"),
            ("[registries]", self._settings.registries, self._registry_names(), "registry"),
        ):
            for name in given:
                if name not in known:
                    raise unknown(table, name, known, what)
        for name in names:
            if names.count(name) > 1:
                raise OwnError(f"two services are named '{name}'")

    def _environment_file_names(self) -> set[str]:
        return {str(f.get("value")) for _, c in self._containers() for f in c.get("environmentFiles") or ()}

    def _registry_names(self) -> set[str]:
        entries = (one for _, request in self._own.services for one in request.get("serviceRegistries") or ())
        arns = {str(one.get("registryArn")) for one in entries}
        return arns | {arn.rpartition("/")[2] for arn in arns}

    def _containers(self) -> Iterator[tuple[str, Request]]:
        for _, request in self._own.task_definitions:
            for container in request["containerDefinitions"]:
                yield str(request["family"]), container

    # -- what containers need --

    def _resources(self) -> Iterator[Step]:
        yield from self._secrets.steps(self._containers())
        yield from self._environment_files()
        groups: dict[str, None] = {}
        for _, container in self._containers():
            log = container.get("logConfiguration") or {}
            options = log.get("options") or {}
            group = str(options.get("awslogs-group") or "")
            if log.get("logDriver") == "awslogs" and group and options.get("awslogs-create-group") != "true":
                groups[group] = None
        for group in groups:
            yield Step("logs.create_log_group", {"logGroupName": group})

    def _environment_files(self) -> Iterator[Step]:
        wanted = {
            str(file.get("value")): str(container["name"])
            for _, container in self._containers()
            for file in container.get("environmentFiles") or ()
        }
        buckets: set[str] = set()
        for arn, container in wanted.items():
            if arn not in self._own.files:
                raise OwnError(
                    f"no file is given for the environment file {arn} of container '{container}'",
                    f'in [environment_files]: "{arn}" = "FILE"',
                )
            bucket, _, key = arn.rpartition(":")[2].partition("/")
            if bucket not in buckets:
                buckets.add(bucket)
                yield Step("s3.create_bucket", {"Bucket": bucket})
            yield Step("s3.put_object", {"Bucket": bucket, "Key": key, "Body": self._own.files[arn]})

    # -- definitions and services --

    def _definition(self, request: Request) -> dict[str, Any]:
        made = {**request, "containerDefinitions": [self._container(c) for c in request["containerDefinitions"]]}
        for member in ("taskRoleArn", "executionRoleArn"):
            if member in made:
                made[member] = self._here(str(made[member]))
        return made

    def _container(self, container: Request) -> dict[str, Any]:
        name = str(container["name"])
        made = with_environment(container, self._settings.environment.get(name, {}))
        if container.get("secrets"):
            made["secrets"] = [self._secrets.here(name, item) for item in self._secrets.own(container)]
        if made.get("logConfiguration"):
            made["logConfiguration"] = self._log(name, made["logConfiguration"])
        return made

    def _log(self, container: str, log: Request) -> dict[str, Any]:
        made = dict(log)
        if log.get("logDriver") == "awslogs" and "awslogs-region" in (log.get("options") or {}):
            made["options"] = {**log["options"], "awslogs-region": self._place.region}
        if log.get("secretOptions"):
            made["secretOptions"] = [self._secrets.here(container, item) for item in log["secretOptions"]]
        return made

    def _service(self, file: str, request: Request) -> Step:
        name = str(request["serviceName"])
        match = _FAMILY.fullmatch(str(request["taskDefinition"]))
        family = match[1] if match else str(request["taskDefinition"])
        definition = self._families.get(family)
        if definition is None:
            known = ", ".join(sorted(self._families)) or "none"
            raise OwnError(
                f"service '{name}': there is no task definition '{family}'",
                f"name its file in task_definitions of [stack]; those that are named: {known}",
            )
        made = {**request, "cluster": self._cluster(request), "taskDefinition": family}
        if name in self._settings.desired_counts:
            made["desiredCount"] = self._settings.desired_counts[name]
        if "role" in made:
            made["role"] = self._here(str(made["role"]))
        vpc = (request.get("networkConfiguration") or {}).get("awsvpcConfiguration")
        if vpc is not None:
            groups = [Reference("sandbox.security_group")]
            here = {**vpc, "subnets": Reference("sandbox.subnets"), "securityGroups": groups}
            made["networkConfiguration"] = {"awsvpcConfiguration": here}
        in_vpc = definition.get("networkMode") == "awsvpc"
        if request.get("loadBalancers"):
            made["loadBalancers"] = [self.balancing.use(name, one, in_vpc=in_vpc) for one in request["loadBalancers"]]
        if request.get("serviceRegistries"):
            made["serviceRegistries"] = [self._discovery.use(name, one) for one in request["serviceRegistries"]]
        return Step("ecs.create_service", made, source=file)

    def _cluster(self, request: Request) -> str:
        return self._settings.cluster or str(request.get("cluster") or self._own.name).rpartition("/")[2]

    def _instances(self, clusters: Sequence[str], services: Sequence[Step]) -> Iterator[Step]:
        wanting = [str(s.parameters["serviceName"]) for s in services if is_on_instances(s.parameters)]
        if self._settings.instances is None:
            if wanting:
                raise OwnError(
                    f"service '{wanting[0]}' has launch type EC2, and there are no instances",
                    'in [instances]: type = "t3.small" and count = 1',
                )
            return
        kind, count = self._settings.instances
        for cluster in clusters:
            yield Step(
                "ec2.run_instances",
                {
                    "ImageId": "ami-0123456789abcdef0",
                    "InstanceType": kind,
                    "MinCount": count,
                    "MaxCount": count,
                    "SubnetId": Reference("sandbox.subnets.0"),
                    "SecurityGroupIds": [Reference("sandbox.security_group")],  # the VPC's own lets nobody else in
                    "UserData": f"#!/bin/bash\necho ECS_CLUSTER={cluster} >> /etc/ecs/ecs.config\n",
                },
            )

    def _here(self, arn: str) -> str:
        """An ARN of the sandbox's account, and of its region where it has one."""

        def moved(match: re.Match[str]) -> str:
            region = self._place.region if match[2] else ""
            return f"{match[1]}:{region}:{self._place.account if match[3] else ''}:"

        return _ARN.sub(moved, arn, count=1)
