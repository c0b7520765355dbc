"""A service of a compose file as a container definition. What ECS has no counterpart for is an error that names it.

Rules: Compose file reference "services"; ECS API reference "ContainerDefinition", "HealthCheck".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.model.own.compose import values
from sandbox.model.own.errors import OwnError, unknown
from sandbox.model.own.settings import Build

SUPPORTED = frozenset(
    {
        "build",
        "command",
        "depends_on",
        "deploy",
        "entrypoint",
        "env_file",
        "environment",
        "expose",
        "healthcheck",
        "image",
        "init",
        "labels",
        "network_mode",
        "ports",
        "read_only",
        "restart",
        "scale",
        "stdin_open",
        "stop_grace_period",
        "tty",
        "user",
        "volumes",
        "working_dir",
    }
)
WHY = {
    "container_name": "a container has its service's name",
    "networks": "all tasks are in one VPC; security groups say who reaches whom",
    "links": "a service is found by NAME.NAMESPACE",
    "extra_hosts": "not with awsvpc",
    "hostname": "not with awsvpc",
    "dns": "not with awsvpc",
    "profiles": "take the service into a compose file of its own",
    "extends": "write it out, as docker compose config does",
    "secrets": "take an environment variable, or secrets of a task definition",
    "configs": "COPY it into the image, or mount its folder",
    "mem_limit": "[compose] memory is the task's",
    "cpus": "[compose] cpu is the task's",
    "privileged": "never on Fargate",
}
"""By key: what ECS has instead, or why it has nothing."""

# ECS API reference: HealthCheck; compose name, ECS's name, least and most.
_CHECK = (
    ("interval", "interval", 5, 300),
    ("timeout", "timeout", 2, 60),
    ("retries", "retries", 1, 10),
    ("start_period", "startPeriod", 0, 300),
)
_LONGEST_STOP = 120  # seconds, on Fargate
_FLAGS = {"read_only": "readonlyRootFilesystem", "tty": "pseudoTerminal", "stdin_open": "interactive"}
_CONDITIONS = {
    "service_started": "START",
    "service_healthy": "HEALTHY",
    "service_completed_successfully": "SUCCESS",
}


@dataclass(frozen=True)
class Volume:
    """A mount: a folder of the machine, a volume by its name, or (neither) a new one with each task."""

    path: str
    folder: str = ""
    name: str = ""
    read_only: bool = False


@dataclass
class Container:
    """What a service comes to.

    Attributes:
        definition: The container definition, without mount points and dependencies.
        ports: The container's ports that are published.
        after: By service that it waits for: ECS's condition.
        shares: The service whose network it shares ("": none).
    """

    definition: dict[str, Any]
    build: Build | None = None
    ports: list[int] = field(default_factory=list)
    volumes: list[Volume] = field(default_factory=list)
    after: dict[str, str] = field(default_factory=dict)
    shares: str = ""
    replicas: int = 1


@dataclass(frozen=True)
class Around:
    """What a service is read with.

    Attributes:
        project: The name of images that are built and have none.
        variables: The shell's.
        read: The text of a file beside the compose file; None where it is not there.
        ignore: Keys, or SERVICE.KEY, that are left out on purpose.
        notes: Gets what is to be told.
    """

    project: str
    variables: Mapping[str, str]
    read: Callable[[str], str | None]
    ignore: frozenset[str]
    notes: list[str]


def container(name: str, service: Any, around: Around) -> Container:
    """Read one service.

    Raises:
        OwnError: A key is not supported, or its value is not as it must be; the message names service and key.
    """
    if not isinstance(service, dict):
        raise OwnError(f"service '{name}' is a mapping", f"found {service!r}")
    kept = {key: v for key, v in service.items() if not around.ignore & {key, f"{name}.{key}"}}
    for key in kept:
        if key in WHY:
            raise OwnError(
                f"service '{name}': '{key}' is not supported: {WHY[key]}",
                f'[compose] ignore = ["{key}"] leaves it out',
            )
        if key not in SUPPORTED and not str(key).startswith("x-"):
            error = unknown(f"service '{name}'", str(key), SUPPORTED)
            raise OwnError(
                f"service '{name}': '{key}' is not supported",
                f'{error.hint}; [compose] ignore = ["{key}"] leaves it out',
            )
    place = f"service '{name}': "
    made = Container({"name": name, "essential": True})
    _image(made, place, name, kept, around)
    _process(made, place, kept, around)
    _ports(made, place, kept)
    if "healthcheck" in kept:
        _check(made, place, kept["healthcheck"], around)
    made.volumes = [_volume(f"{place}volumes", item) for item in _list(place, "volumes", kept)]
    made.after = _after(place, kept.get("depends_on", {}))
    made.replicas = _replicas(place, kept)
    made.shares = _shares(place, kept.get("network_mode"))
    if kept.get("restart", "always").partition(":")[0] not in {"always", "unless-stopped", "on-failure"}:
        raise OwnError(
            f"{place}restart: {kept['restart']} is not supported: an ECS service starts what has ended",
            f'[compose] ignore = ["{name}.restart"]',
        )
    return made


def _image(made: Container, place: str, name: str, service: Mapping[str, Any], around: Around) -> None:
    build = service.get("build")
    if not service.get("image") and build is None:
        raise OwnError(f"{place}it has neither image nor build")
    made.definition["image"] = str(service.get("image") or f"{around.project}-{name}")
    if isinstance(build, str):
        made.build = Build(build)
    elif isinstance(build, dict):
        for key in build:
            if key not in {"context", "dockerfile", "target", "args"}:
                raise OwnError(f"{place}build.{key} is not supported", "known: args, context, dockerfile, target")
        arguments = values.environment(f"{place}build.args", build.get("args", {}), around.variables)
        dockerfile, target = str(build.get("dockerfile", "Dockerfile")), str(build.get("target", ""))
        made.build = Build(str(build.get("context", ".")), dockerfile, target, arguments)
    elif build is not None:
        raise OwnError(f"{place}build is a folder, or a mapping", f"found {build!r}")


def _process(made: Container, place: str, service: Mapping[str, Any], around: Around) -> None:
    definition = made.definition
    for key, member in (("command", "command"), ("entrypoint", "entryPoint")):
        if service.get(key) is not None:
            definition[member] = values.words(f"{place}{key}", service[key])
    found = _env_files(place, service.get("env_file", []), around)
    found |= values.environment(f"{place}environment", service.get("environment") or {}, around.variables)
    if found:
        definition["environment"] = [{"name": key, "value": value} for key, value in found.items()]
    if service.get("labels"):
        definition["dockerLabels"] = values.environment(f"{place}labels", service["labels"], around.variables)
    for key, member in (("user", "user"), ("working_dir", "workingDirectory")):
        if service.get(key) is not None:
            definition[member] = str(service[key])
    for key, member in _FLAGS.items():
        if service.get(key):
            definition[member] = _flag(place, key, service[key])
    if service.get("init"):
        definition["linuxParameters"] = {"initProcessEnabled": _flag(place, "init", service["init"])}
    if "stop_grace_period" in service:
        wanted = values.seconds(f"{place}stop_grace_period", service["stop_grace_period"])
        definition["stopTimeout"] = _within(place, "stop_grace_period", wanted, (0, _LONGEST_STOP), around.notes)
    else:
        definition["stopTimeout"] = 10  # compose's default; ECS's is 30


def _flag(place: str, key: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise OwnError(f"{place}{key} is true or false", f"found {value!r}")
    return value


def _env_files(place: str, value: Any, around: Around) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in [value] if isinstance(value, str | dict) else value:
        entry = item if isinstance(item, dict) else {"path": item}
        if set(entry) - {"path", "required"} or not isinstance(entry.get("path"), str):
            raise OwnError(f"{place}env_file is a path, or a list of paths", f"found {item!r}")
        text = around.read(entry["path"])
        if text is None and entry.get("required", True):
            raise OwnError(f"{place}env_file: there is no file {entry['path']}")
        found |= values.dotenv(text or "", around.variables)
    return found


def _list(place: str, key: str, service: Mapping[str, Any]) -> list[Any]:
    value = service.get(key) or []
    if not isinstance(value, list):
        raise OwnError(f"{place}{key} is a list", f"found {value!r}")
    return value


def _ports(made: Container, place: str, service: Mapping[str, Any]) -> None:
    published = [values.port(f"{place}ports", item) for item in _list(place, "ports", service)]
    exposed = [values.port(f"{place}expose", item) for item in _list(place, "expose", service)]
    made.ports = list(dict.fromkeys(number for number, _ in published))
    mappings = dict.fromkeys((*published, *exposed))
    if mappings:
        made.definition["portMappings"] = [{"containerPort": n, "protocol": protocol} for n, protocol in mappings]


def _check(made: Container, place: str, check: Any, around: Around) -> None:
    if not isinstance(check, dict):
        raise OwnError(f"{place}healthcheck is a mapping", f"found {check!r}")
    known = {"test", "disable", *(key for key, *_ in _CHECK)}
    for key in check:
        if key not in known:
            raise unknown(f"{place}healthcheck", key, known)
    test = check.get("test")
    if check.get("disable") or test in (["NONE"], None):
        return
    command = ["CMD-SHELL", test] if isinstance(test, str) else values.words(f"{place}healthcheck.test", test)
    found: dict[str, Any] = {"command": command}
    for key, member, least, most in _CHECK:
        if key in check:
            given = check[key] if key == "retries" else values.seconds(f"{place}healthcheck.{key}", check[key])
            if type(given) not in {int, float}:
                raise OwnError(f"{place}healthcheck.{key} is a number", f"found {given!r}")
            found[member] = _within(place, f"healthcheck.{key}", given, (least, most), around.notes)
    made.definition["healthCheck"] = found


def _within(place: str, key: str, wanted: float, bounds: tuple[int, int], notes: list[str]) -> int:
    """The nearest whole number that ECS takes; another one than the compose file's is told."""
    found = min(max(round(wanted), bounds[0]), bounds[1])
    if found != wanted:
        notes.append(f"{place}{key} is {found}, not {wanted:g}: ECS takes whole numbers of {bounds[0]} to {bounds[1]}")
    return found


def _volume(place: str, item: Any) -> Volume:
    if isinstance(item, str):
        parts = item.split(":")
        if len(parts) > 3 or (len(parts) == 3 and parts[2] not in {"ro", "rw", "z", "Z"}):
            raise OwnError(f"{place}: '{item}' is not [SOURCE:]PATH[:ro]")
        source, path = (parts[0], parts[1]) if len(parts) > 1 else ("", parts[0])
        read_only = parts[2:] == ["ro"]
    elif isinstance(item, dict):
        if set(item) - {"type", "source", "target", "read_only"} or item.get("type") not in {"bind", "volume"}:
            raise OwnError(
                f"{place}: a mount has type (bind or volume), source, target and read_only", f"found {item!r}"
            )
        source, path, read_only = str(item.get("source", "")), str(item.get("target", "")), bool(item.get("read_only"))
    else:
        raise OwnError(f"{place}: it is a text or a mapping", f"found {item!r}")
    if not path.startswith("/"):
        raise OwnError(f"{place}: '{path}' is no absolute path of a container")
    if source.startswith("~"):
        raise OwnError(f"{place}: '{source}' is somebody's home", "name a folder beside the compose file")
    if source.startswith((".", "/")):
        return Volume(path, folder=source, read_only=read_only)
    return Volume(path, name=source, read_only=read_only)


def _after(place: str, value: Any) -> dict[str, str]:
    if isinstance(value, list):
        value = {name: {"condition": "service_started"} for name in value}
    if not isinstance(value, dict):
        raise OwnError(f"{place}depends_on is a list or a mapping", f"found {value!r}")
    found = {}
    for name, one in value.items():
        condition = one.get("condition") if isinstance(one, dict) and set(one) == {"condition"} else None
        if condition not in _CONDITIONS:
            known = ", ".join(_CONDITIONS)
            raise OwnError(f"{place}depends_on.{name} has a condition, and nothing else", f"conditions: {known}")
        found[str(name)] = _CONDITIONS[condition]
    return found


def _replicas(place: str, service: Mapping[str, Any]) -> int:
    deploy = service.get("deploy") or {}
    extra = sorted(set(deploy) - {"replicas"}) if isinstance(deploy, dict) else ["?"]
    if extra:
        raise OwnError(
            f"{place}deploy.{extra[0]} is not supported", "deploy may have replicas; [compose] cpu and memory"
        )
    count = deploy.get("replicas", service.get("scale", 1))
    if type(count) is not int or count < 0:
        raise OwnError(f"{place}deploy.replicas is a whole number", f"found {count!r}")
    return count


def _shares(place: str, mode: Any) -> str:
    if mode is None:
        return ""
    if not str(mode).startswith("service:"):
        raise OwnError(f"{place}network_mode: {mode} is not supported", "service:NAME puts it into NAME's task")
    return str(mode).removeprefix("service:")
