"""A whole compose file as tasks and services.

Each service is an ECS service of its own; those that share a network (``network_mode: service:NAME``) or stand together
in ``[compose] task`` are containers of one task. A task is found by its first service's name in a private namespace.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sandbox.model.own.compose.containers import WHY, Around, Volume, container
from sandbox.model.own.compose.values import interpolate
from sandbox.model.own.errors import OwnError, unknown
from sandbox.model.own.plan import Own
from sandbox.model.own.settings import Compose, Group, Settings

FILE_SYSTEM = "fs-0123456789abcdef0"
_TOP = frozenset({"name", "version", "services", "volumes"})
_OF_HOST = re.compile(r"HOST|URL|URI|ADDR|SERVER|ENDPOINT", re.IGNORECASE)
_ACCOUNT = "us-east-1:123456789012"  # of ARNs that stand for what is made; nobody sees them


@dataclass(frozen=True)
class Machine:
    """What of this machine a compose file asks for.

    Attributes:
        variables: The shell's, and those of ``.env``.
        read: The text of a file beside the compose file; None where it is not there.
        is_folder: Whether a path beside the compose file is a folder.
    """

    variables: Mapping[str, str]
    read: Callable[[str], str | None]
    is_folder: Callable[[str], bool]


def compose(content: Any, name: str, settings: Settings, machine: Machine) -> Own:
    """Translate a compose file.

    Args:
        content: The YAML.
        name: The stack's, where neither the settings nor the file name it.
        settings: What the sandbox.toml says; ``compose`` is in it.
        machine: Where the file is.

    Raises:
        OwnError: A key is not supported, or something is left open; the message names service and key.
    """
    assert settings.compose is not None
    return _Translation(content, name, settings, settings.compose, machine).own()


class _Translation:
    def __init__(self, content: Any, name: str, settings: Settings, given: Compose, machine: Machine) -> None:
        if not isinstance(content, dict) or not isinstance(content.get("services"), dict) or not content["services"]:
            raise OwnError("there are no services in it")
        unset: set[str] = set()
        content = interpolate(content, machine.variables, unset)
        self._given, self._settings, self._machine = given, settings, machine
        for key in content:
            if key not in _TOP and not str(key).startswith("x-") and key not in given.ignore:
                why = f": {WHY[key]}" if key in WHY else ""
                way_out = f'[compose] ignore = ["{key}"] leaves it out'
                hint = way_out if why else f"{unknown('', key, _TOP).hint}; {way_out}"
                raise OwnError(f"'{key}' is not supported at the top{why}", hint)
        self._name = _word(settings.name or str(content.get("name") or name))
        self._namespace = given.namespace or f"{self._name.lower()}.local"
        self._notes = [f"the variable {name} is not set: it is empty" for name in sorted(unset)]
        around = Around(self._name, machine.variables, machine.read, frozenset(given.ignore), self._notes)
        self._containers = {
            str(key): container(str(key), service, around) for key, service in content["services"].items()
        }
        self._volumes = self._named_volumes(content.get("volumes") or {})
        self._efs: dict[str, str] = {}
        self._tasks = self._group()

    def own(self) -> Own:
        self._check_outside()
        self._tell_order_and_names()
        tasks = [(self._given.file, self._task(task)) for task in self._tasks]
        services = []
        groups: dict[str, Group] = {}
        registries = {}
        for task in self._tasks:
            request, group = self._service(task)
            services.append((self._given.file, request))
            registries[f"srv-{task[0]}"] = f"{task[0].lower()}.{self._namespace}"
            groups |= group
        images = {c.definition["image"]: c.build for c in self._containers.values() if c.build is not None}
        efs = {FILE_SYSTEM: self._efs} if self._efs else {}
        changed = replace(
            self._settings,
            images={**images, **self._settings.images},
            efs={**efs, **self._settings.efs},
            target_groups=groups,
            registries=registries,
        )
        return Own(self._name, changed, tasks, services, {}, tuple(self._notes))

    def _group(self) -> list[list[str]]:
        """Which services are one task: in the order of the file, the first being whose network the others share."""
        for given in self._given.tasks:
            for name in given:
                self._known("[compose] task", name)
        home: dict[str, list[str]] = {name: [name] for name in self._containers}
        pairs = [(given[0], name) for given in self._given.tasks for name in given[1:]]
        for name, one in self._containers.items():
            if one.shares:
                self._known(f"service '{name}': network_mode", one.shares)
                pairs.append((one.shares, name))
        for first, name in pairs:
            task, joined = home[first], home[name]
            if task is not joined:
                task += joined
                home |= dict.fromkeys(joined, task)
        return list({id(task): task for task in home.values()}.values())

    def _known(self, place: str, name: str) -> None:
        if name not in self._containers:
            raise unknown(place, name, self._containers, "service")

    def _named_volumes(self, volumes: Any) -> set[str]:
        if not isinstance(volumes, dict):
            raise OwnError("volumes is a mapping", f"found {volumes!r}")
        for name, value in volumes.items():
            if value:
                key = next(iter(value)) if isinstance(value, dict) else value
                raise OwnError(
                    f"volumes: {name}: '{key}' is not supported", "a volume is a folder of a file system (EFS)"
                )
        return set(volumes)

    # -- what is said and left open --

    def _check_outside(self) -> None:
        """Each published port is either behind a load balancer or, on purpose, reached from inside alone."""
        for place, names in (("[compose] private", self._given.private), ("[compose.public]", self._given.public)):
            for name in names:
                self._known(place, name)
        for name, one in self._containers.items():
            said = name in self._given.private or name in self._given.public
            if one.ports and not said:
                ports = ", ".join(map(str, one.ports))
                raise OwnError(
                    f"service '{name}' publishes port {ports}: who reaches it is not said",
                    f'[compose.public.{name}] puts a load balancer before it, [compose] private = ["{name}"] does not',
                )

    def _tell_order_and_names(self) -> None:
        for task in self._tasks:
            for name in task:
                one = self._containers[name]
                for other in one.after:
                    self._known(f"service '{name}': depends_on", other)
                    if other not in task:
                        self._notes.append(
                            f"service '{name}' depends_on {other}: ECS starts services in no order; it has to try again"
                        )
                others = [other for other in self._containers if other not in task]
                for item in one.definition.get("environment", []):
                    self._tell_name(name, item, others)

    def _tell_name(self, name: str, item: Mapping[str, str], others: Sequence[str]) -> None:
        given = self._settings.environment.get(name, {})
        value = given.get(item["name"], item["value"])
        for other in others:
            host = re.compile(rf"(^|//|@|,){re.escape(other)}(?=:(?!//)|[/,]|$)")
            # A word alone may be anything (CACHE=redis), unless the variable is said to be of a host.
            if host.search(value) and (value != other or _OF_HOST.search(item["name"])):
                first = next(task[0] for task in self._tasks if other in task).lower()
                better = host.sub(rf"\g<1>{first}.{self._namespace}", value)
                self._notes.append(
                    f"service '{name}': {item['name']} names '{other}', which ECS does not resolve: "
                    f'[environment.{name}] {item["name"]} = "{better}"'
                )

    # -- requests --

    def _task(self, task: Sequence[str]) -> dict[str, Any]:
        volumes: dict[str, dict[str, Any]] = {}
        definitions = []
        awaited = {other for name in task for other, when in self._containers[name].after.items() if when == "SUCCESS"}
        for name in task:
            one = self._containers[name]
            definition = dict(one.definition)
            definition["essential"] = name not in awaited
            mounts = [self._mount(name, index, volume, volumes) for index, volume in enumerate(one.volumes)]
            if mounts:
                definition["mountPoints"] = mounts
            after = [{"containerName": o, "condition": when} for o, when in one.after.items() if o in task]
            if after:
                definition["dependsOn"] = after
            definitions.append(definition)
        request: dict[str, Any] = {
            "family": f"{self._name}-{task[0]}",
            "networkMode": "awsvpc",
            "requiresCompatibilities": ["FARGATE"],
            "cpu": str(self._given.cpu),
            "memory": str(self._given.memory),
            "containerDefinitions": definitions,
        }
        return {**request, "volumes": list(volumes.values())} if volumes else request

    def _mount(self, name: str, index: int, volume: Volume, volumes: dict[str, dict[str, Any]]) -> dict[str, Any]:
        if volume.name:
            if volume.name not in self._volumes:
                raise unknown(f"service '{name}': volumes", volume.name, self._volumes, "volume")
            source, directory = volume.name, f"/{volume.name}"
        elif volume.folder:
            if not self._machine.is_folder(volume.folder):
                raise OwnError(
                    f"service '{name}': volumes: {volume.folder} is no folder",
                    "a task mounts folders: mount the folder that the file is in, or COPY it into the image",
                )
            source = _word(f"{name}-{index}")
            directory = next((d for d, folder in self._efs.items() if folder == volume.folder), f"/bind-{source}")
            self._efs[directory] = volume.folder
        else:
            source, directory = _word(f"{name}-{index}"), ""
        volumes[source] = {"name": source}
        if directory:
            volumes[source]["efsVolumeConfiguration"] = {"fileSystemId": FILE_SYSTEM, "rootDirectory": directory}
        return {"sourceVolume": source, "containerPath": volume.path, "readOnly": volume.read_only}

    def _service(self, task: Sequence[str]) -> tuple[dict[str, Any], dict[str, Group]]:
        request: dict[str, Any] = {
            "serviceName": task[0],
            "cluster": self._name,
            "taskDefinition": f"{self._name}-{task[0]}",
            "desiredCount": self._replicas(task),
            "launchType": "FARGATE",
            # Compose's containers reach the internet. In a VPC without NAT that needs an address of one's own.
            "networkConfiguration": {"awsvpcConfiguration": {"subnets": [], "assignPublicIp": "ENABLED"}},
            "serviceRegistries": [{"registryArn": f"arn:aws:servicediscovery:{_ACCOUNT}:service/srv-{task[0]}"}],
        }
        groups, balancers = {}, []
        for name in task:
            if name not in self._given.public:
                continue
            public = self._given.public[name]
            group = f"{self._name}-{name}".replace("_", "-")[:32].strip("-")
            groups[group] = Group(
                public.host or f"{_word(name).lower()}.example.com",
                public.health_check,
                public.matcher,
                interval=5,
                timeout=2,
                healthy=2,
            )
            balancers.append(
                {
                    "targetGroupArn": f"arn:aws:elasticloadbalancing:{_ACCOUNT}:targetgroup/{group}/0123456789abcdef",
                    "containerName": name,
                    "containerPort": self._public_port(name, public.port),
                }
            )
        if balancers:
            request |= {"loadBalancers": balancers, "healthCheckGracePeriodSeconds": 120}
        return request, groups

    def _public_port(self, name: str, wanted: int) -> int:
        ports = self._containers[name].ports
        if wanted:
            mapped = [one["containerPort"] for one in self._containers[name].definition.get("portMappings", [])]
            if wanted not in mapped:
                raise OwnError(f"[compose.public.{name}] port: the service has no port {wanted}", f"ports: {mapped}")
            return wanted
        if len(ports) != 1:
            said = f"publishes {', '.join(map(str, ports))}" if ports else "publishes no port"
            raise OwnError(f"[compose.public.{name}]: the service {said}", f"[compose.public.{name}] port = PORT")
        return ports[0]

    def _replicas(self, task: Sequence[str]) -> int:
        counts = {name: self._containers[name].replicas for name in task}
        if len(set(counts.values())) > 1:
            raise OwnError(f"services {', '.join(task)} are one task, and their numbers differ: {counts}")
        return counts[task[0]]


def _word(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9-]+", "-", text).strip("-") or "stack"
