"""``sandbox.toml``: what it may say. docs/own-stacks.md describes each table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.model.own.checks import Check, checks, is_url
from sandbox.model.own.errors import OwnError
from sandbox.model.own.tables import Fields, read, texts
from sandbox.model.own.terraform import check_value

_STACK: Fields = {
    "name": str,
    "description": str,
    "cluster": str,
    "task_definitions": list,
    "services": list,
    "ignore": list,
}
_COMPOSE: Fields = {
    "file": str,
    "task": list,
    "private": list,
    "public": dict,
    "namespace": str,
    "ignore": list,
    "cpu": int,
    "memory": int,
}
_CLOUDFORMATION: Fields = {
    "template": str,
    "stack_name": str,
    "parameters": dict,
    "templates": dict,
    "imports": dict,
    "hosts": dict,
    "hosted_zones": dict,
    "certificates": dict,
    "code": dict,
    "stacks": dict,
    "ignore": list,
}
_OTHER_STACK: Fields = {"template": str, "parameters": dict}
_PUBLIC: Fields = {"port": int, "host": str, "health_check": str, "matcher": str}
_BUILD: Fields = {"build": str, "dockerfile": str, "target": str, "arguments": dict}
_GROUP: Fields = {
    "host": str,
    "health_check": str,
    "matcher": str,
    "interval": int,
    "timeout": int,
    "healthy": int,
    "unhealthy": int,
    "deregistration_delay": int,
    "sticky": bool,
}
_INSTANCES: Fields = {"type": str, "count": int}
_TERRAFORM: Fields = {"folder": str, "variables": dict, "var_files": list, "within": (int, float)}
_READY: Fields = {"url": str, "status": int, "within": (int, float)}
TABLES: Fields = {
    "stack": dict,
    "images": dict,
    "secrets": dict,
    "environment": dict,
    "environment_files": dict,
    "efs": dict,
    "target_groups": dict,
    "registries": dict,
    "desired_counts": dict,
    "instances": dict,
    "compose": dict,
    "terraform": dict,
    "cloudformation": dict,
    "ready": list,
    "check": list,
}
"""The tables of the file."""

KEYS: Mapping[str, Fields] = {
    "stack": _STACK,
    "images": _BUILD,
    "target_groups": _GROUP,
    "instances": _INSTANCES,
    "compose": _COMPOSE,
    "compose.public": _PUBLIC,
    "terraform": _TERRAFORM,
    "cloudformation": _CLOUDFORMATION,
    "ready": _READY,
}
"""What tables may have. A table that is not here has names of the user's own; that of checks is `checks.KINDS`."""

# Tables that a compose file, or a template, has no use for, and Terraform: it makes such things itself.
_OF_DEFINITIONS = ("environment_files", "target_groups", "registries", "instances")
_NOT_OF_TERRAFORM = (
    "environment",
    "environment_files",
    "efs",
    "target_groups",
    "registries",
    "desired_counts",
    "instances",
    "compose",
    "cloudformation",
)

_WORDS = {"compose": "compose file", "cloudformation": "template"}


@dataclass(frozen=True)
class Build:
    """An image that is built of a folder; paths are relative to the file that names it."""

    folder: str
    dockerfile: str = "Dockerfile"
    target: str = ""
    arguments: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Group:
    """How a target group is made; None is AWS's default. Times are in seconds."""

    host: str = ""
    health_check: str = "/"
    matcher: str = "200"
    interval: int | None = None
    timeout: int | None = None
    healthy: int | None = None
    unhealthy: int | None = None
    deregistration_delay: int | None = None
    sticky: bool = False


@dataclass(frozen=True)
class Public:
    """How a compose service is reached from outside: by a load balancer, at a port of the container (0: published)."""

    port: int = 0
    host: str = ""
    health_check: str = "/"
    matcher: str = "200"


@dataclass(frozen=True)
class Compose:
    """The table ``compose``: what the compose file leaves open."""

    file: str
    tasks: tuple[tuple[str, ...], ...] = ()
    private: tuple[str, ...] = ()
    public: Mapping[str, Public] = field(default_factory=dict)
    namespace: str = ""
    ignore: tuple[str, ...] = ()
    cpu: int = 512
    memory: int = 1024


@dataclass(frozen=True)
class Terraform:
    """The table ``terraform``: a root module, and what it is applied with.

    Attributes:
        folder: Of the root module; paths are relative to the folder of the sandbox.toml.
        variables: By name; whatever TOML has but dates and times.
        var_files: Files of variables, in the order in which later ones win; ``variables`` wins over all.
        within: Seconds that ``terraform apply`` may take.
    """

    folder: str = "."
    variables: Mapping[str, Any] = field(default_factory=dict)
    var_files: tuple[str, ...] = ()
    within: float = 1800.0


@dataclass(frozen=True)
class OtherStack:
    """A stack that is made before, whose exports are imported."""

    template: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CloudFormation:
    """The table ``cloudformation``: a template, and what it leaves open.

    Attributes:
        template: The file.
        stack_name: "": the folder's name.
        parameters: Values by name: texts, numbers, truth values, or lists of them.
        templates: By the logical id or URL of a nested stack: its file.
        imports: By the name of an export of another stack: its value.
        hosts: By the logical id of a load balancer: a name that leads to it.
        hosted_zones: By the id of a hosted zone that is not the template's: its name.
        certificates: By the ARN of a certificate that is not the template's: the names that it is for, with spaces
            between them.
        code: By the logical id of a function: the folder with its code.
        stacks: By name: stacks that are made before, in this order.
        ignore: Logical ids, properties (``LogicalId.Property``), types and sections that are left out on purpose.
    """

    template: str
    stack_name: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    templates: Mapping[str, str] = field(default_factory=dict)
    imports: Mapping[str, Any] = field(default_factory=dict)
    hosts: Mapping[str, str] = field(default_factory=dict)
    hosted_zones: Mapping[str, str] = field(default_factory=dict)
    certificates: Mapping[str, str] = field(default_factory=dict)
    code: Mapping[str, str] = field(default_factory=dict)
    stacks: Mapping[str, OtherStack] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()


@dataclass(frozen=True)
class Settings:
    """What a sandbox.toml says.

    Attributes:
        images: By the reference in a task definition: another reference, or what to build.
        secrets: By ARN or name: the value, or (of Secrets Manager) keys and values.
        environment: By container: variables in the place of its own.
        environment_files: By the S3 ARN: a file.
        efs: By file system id and directory: a folder whose files are there beforehand.
        registries: By the id or ARN of a Cloud Map service: NAME.NAMESPACE.
        desired_counts: By service: instead of its own.
        instances: Type and number of EC2 instances, if there are to be any.
        ignore: What of task definitions and services is left out on purpose, see `left_out`.
    """

    name: str = ""
    description: str = ""
    cluster: str = ""
    task_definitions: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    images: Mapping[str, str | Build] = field(default_factory=dict)
    secrets: Mapping[str, str | Mapping[str, Any]] = field(default_factory=dict)
    environment: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    environment_files: Mapping[str, str] = field(default_factory=dict)
    efs: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    target_groups: Mapping[str, Group] = field(default_factory=dict)
    registries: Mapping[str, str] = field(default_factory=dict)
    desired_counts: Mapping[str, int] = field(default_factory=dict)
    instances: tuple[str, int] | None = None
    compose: Compose | None = None
    cloudformation: CloudFormation | None = None
    ready: tuple[Mapping[str, Any], ...] = ()
    checks: tuple[Check, ...] = ()
    terraform: Terraform | None = None
    ignore: tuple[str, ...] = ()


def settings(content: Mapping[str, Any]) -> Settings:
    """Read what TOML has been parsed to.

    Raises:
        OwnError: A table or key is unknown or of the wrong kind; the message names both.
    """
    read("", content, TABLES)
    stack = read("[stack]", content.get("stack", {}), _STACK)
    _check_made_of(content, stack)
    return Settings(
        stack.get("name", ""),
        stack.get("description", ""),
        stack.get("cluster", ""),
        texts("[stack]", "task_definitions", stack.get("task_definitions", [])),
        texts("[stack]", "services", stack.get("services", [])),
        {name: _image(name, value) for name, value in content.get("images", {}).items()},
        {name: _secret(name, value) for name, value in content.get("secrets", {}).items()},
        {name: _mapping(f"[environment.{name}]", value) for name, value in content.get("environment", {}).items()},
        _mapping("[environment_files]", content.get("environment_files", {})),
        {name: _mapping(f"[efs.{name}]", value) for name, value in content.get("efs", {}).items()},
        {name: _group(name, value) for name, value in content.get("target_groups", {}).items()},
        _mapping("[registries]", content.get("registries", {})),
        _counts(content.get("desired_counts", {})),
        _instances(content["instances"]) if "instances" in content else None,
        _compose(content["compose"]) if "compose" in content else None,
        _cloudformation(content["cloudformation"]) if "cloudformation" in content else None,
        tuple(_ready(index, value) for index, value in enumerate(content.get("ready", ()), 1)),
        checks(content.get("check", ())),
        _terraform(content["terraform"], content) if "terraform" in content else None,
        texts("[stack]", "ignore", stack.get("ignore", [])),
    )


def _check_made_of(content: Mapping[str, Any], stack: Mapping[str, Any]) -> None:
    """A stack is made of one thing, and what is about another one has no meaning."""
    made_of = [table for table in ("compose", "cloudformation") if table in content]
    if len(made_of) > 1:
        raise OwnError("[compose], [cloudformation]: a stack is made of a compose file or of a template")
    for table in made_of:
        if "ignore" in stack:
            raise OwnError("[stack] ignore is about task definitions and services", f"[{table}] has its own ignore")
        if "task_definitions" in stack or "services" in stack:
            raise OwnError(
                f"[{table}]: a stack is made of a {_WORDS[table]}, or of the task_definitions and services of [stack]"
            )
        for other in (*_OF_DEFINITIONS, *(("secrets",) if table == "compose" else ())):
            if other in content:
                raise OwnError(f"[{other}] is about task definitions; the stack is a {_WORDS[table]}'s")
        if table == "cloudformation" and "cluster" in stack:
            raise OwnError("[stack] cluster: the stack is a template's, which has its clusters")


def _image(name: str, value: Any) -> str | Build:
    if isinstance(value, str) and value:
        return value
    place = f'[images."{name}"]'
    if not isinstance(value, dict) or "build" not in value:
        raise OwnError(
            f'[images] "{name}" is a reference, or a table with build', '"local/app:dev", { build = "./app" }'
        )
    read(place, value, _BUILD)
    arguments = _mapping(f"{place} arguments", value.get("arguments", {}))
    return Build(value["build"], value.get("dockerfile", "Dockerfile"), value.get("target", ""), arguments)


def _secret(name: str, value: Any) -> str | Mapping[str, Any]:
    if isinstance(value, str) or (isinstance(value, dict) and value):
        return value
    raise OwnError(f'[secrets] "{name}" is a text, or a table of a secret\'s keys', f"found {value!r}")


def _mapping(place: str, value: Any) -> Mapping[str, str]:
    if not isinstance(value, dict):
        raise OwnError(f"{place} is a table of names and texts", f"found {value!r}")
    for name, text in value.items():
        if not isinstance(text, str):
            raise OwnError(f'{place} "{name}" is a text', f"found {text!r}")
    return value


def _group(name: str, value: Any) -> Group:
    return Group(**read(f"[target_groups.{name}]", value, _GROUP))


def _counts(value: Mapping[str, Any]) -> Mapping[str, int]:
    for name, count in value.items():
        if type(count) is not int or count < 0:
            raise OwnError(f'[desired_counts] "{name}" is a whole number, 0 or more', f"found {count!r}")
    return value


def _instances(value: Any) -> tuple[str, int]:
    found = read("[instances]", value, _INSTANCES)
    if not found.get("type") or found.get("count", 1) < 1:
        raise OwnError("[instances] has a type, and may have a count of 1 or more", 'type = "t3.small"')
    return found["type"], found.get("count", 1)


def _compose(value: Any) -> Compose:
    found = read("[compose]", value, _COMPOSE)
    given = found.get("task", [])
    # One task may be given as a list of names, several as a list of such lists.
    tasks = [given] if given and isinstance(given[0], str) else given
    public = {
        name: Public(**read(f"[compose.public.{name}]", one, _PUBLIC)) for name, one in found.get("public", {}).items()
    }
    return Compose(
        found.get("file", "compose.yaml"),
        tuple(texts("[compose]", "task", one) for one in tasks),
        texts("[compose]", "private", found.get("private", [])),
        public,
        found.get("namespace", ""),
        texts("[compose]", "ignore", found.get("ignore", [])),
        found.get("cpu", Compose.cpu),
        found.get("memory", Compose.memory),
    )


def _terraform(value: Any, content: Mapping[str, Any]) -> Terraform:
    found = read("[terraform]", value, _TERRAFORM)
    for table in _NOT_OF_TERRAFORM:
        if table in content:
            raise OwnError(
                f"[{table}] is about other stacks; this one is what Terraform makes", "[terraform] variables"
            )
    for key in ("cluster", "task_definitions", "services"):
        if key in content.get("stack", {}):
            raise OwnError(f"[stack] {key} is about other stacks; this one is what Terraform makes")
    for name, one in found.get("variables", {}).items():
        check_value(f"[terraform] variables.{name}", one)
    if not 0 < found.get("within", 1) < math.inf:
        raise OwnError("[terraform] within is more than 0 seconds", f"found {found['within']!r}")
    return Terraform(
        found.get("folder", Terraform.folder),
        found.get("variables", {}),
        texts("[terraform]", "var_files", found.get("var_files", [])),
        float(found.get("within", Terraform.within)),
    )


def _cloudformation(value: Any) -> CloudFormation:
    found = read("[cloudformation]", value, _CLOUDFORMATION)
    if not found.get("template"):
        raise OwnError("[cloudformation] template names the file", 'template = "template.yaml"')

    def named(key: str) -> Mapping[str, str]:
        return _mapping(f"[cloudformation.{key}]", found.get(key, {}))

    return CloudFormation(
        found["template"],
        found.get("stack_name", ""),
        found.get("parameters", {}),
        named("templates"),
        found.get("imports", {}),
        named("hosts"),
        named("hosted_zones"),
        _certificates(named("certificates")),
        named("code"),
        {name: _other_stack(name, one) for name, one in found.get("stacks", {}).items()},
        texts("[cloudformation]", "ignore", found.get("ignore", [])),
    )


def _certificates(given: Mapping[str, str]) -> Mapping[str, str]:
    for arn, names in given.items():
        if not names.split():
            raise OwnError(f'[cloudformation.certificates] "{arn}" has the names that it is for', '"www.example.com"')
    return given


def _other_stack(name: str, value: Any) -> OtherStack:
    place = f"[cloudformation.stacks.{name}]"
    found = read(place, value, _OTHER_STACK)
    if not found.get("template"):
        raise OwnError(f"{place} template names the file", 'template = "network.yaml"')
    return OtherStack(found["template"], found.get("parameters", {}))


def _ready(number: int, value: Any) -> Mapping[str, Any]:
    found = read(f"[[ready]] number {number}", value, _READY)
    if not is_url(found.get("url", "")) or not 0 < found.get("within", 1) < math.inf:
        raise OwnError(
            f"[[ready]] number {number}: url is http://NAME/PATH, or with https, and within is more than 0 s"
        )
    return found
