"""The sandbox.toml that ``sandbox init`` writes: what a folder has, and comments for what is to be filled in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.model.cloudformation.beginning import Beginning, host
from sandbox.model.ecs.errors import EcsError
from sandbox.model.ecs.secrets import ManagedSecret, source
from sandbox.model.own.compose import values
from sandbox.model.own.compose.containers import SUPPORTED
from sandbox.model.own.definitions import is_on_instances
from sandbox.model.own.errors import OwnError
from sandbox.model.own.terraform import Configuration

# Ports of what browsers do not speak to: databases, caches, queues.
_PRIVATE_PORTS = frozenset({1433, 1521, 3306, 4222, 5432, 5672, 6379, 6380, 9092, 9200, 9300, 11211, 27017})
_HANDLER = re.compile(r"^(?:async )?def ([a-z_]\w*)\(event(?:: [^,]+)?, context\b", re.MULTILINE)
_GROUP = re.compile(r":targetgroup/([A-Za-z0-9-]+)/")

_HEAD = """\
# What `sandbox up` and `sandbox test` do with this folder. docs/own-stacks.md of the sandbox describes every table.
"""
_CHECKS = """
# What `sandbox test` asks of the stack. Kinds: http, dns, cache, websocket, assets, replay, eni, purge.
"""
_FURTHER = """
# Would CloudFront keep it?
# [[check]]
# kind = "cache"
# url = {url}

# Do WebSockets get through?
# [[check]]
# kind = "websocket"
# url = {url}
"""
_ENI = """
# Have production's tasks a place on the instances: network interfaces, CPU, memory, ports? Nothing is started.
# [[check]]
# kind = "eni"
"""
_REPLAY = """
# Does the function leave the record right, whatever order ECS's events come in? Nothing is started.
# [[check]]
# kind = "replay"
# events = ["replace"]
# handler = {handler}
# order = "shuffled"
# zones = ["example.com=Z0EXAMPLE"]
# environment = {{ HOSTED_ZONE_ID = "Z0EXAMPLE" }}
# invariants = ["record-points-at-running-task"]
"""
_PURGE = """
# Does a purge reach every machine of the group, and does each show what is new afterwards?
# [[check]]
# kind = "purge"
# group = {group}
# url = {url}
# change = "COMMAND"
# commands = ["curl --fail http://localhost/purge"]
# contains = "TEXT OF THE NEW PAGE"
"""


@dataclass(frozen=True)
class Found:
    """What a folder has.

    Attributes:
        compose: The name and content of a compose file.
        task_definitions: By file name, as they are in the file.
        services: The same.
        has_stack: There is a stack.yaml, which is the stack then.
        handlers: Lambda functions that keep Route 53 right, as FILE:FUNCTION.
        groups: The names of Auto Scaling groups in the stack.yaml.
        terraform: The folder of a root module, what it says, and files of variables, where there is one.
        template: The name and content of a CloudFormation template.
        others: The names of other templates, which it may import from.
        name: The folder's.
    """

    compose: tuple[str, Mapping[str, Any]] | None
    task_definitions: Mapping[str, Mapping[str, Any]]
    services: Mapping[str, Sequence[Mapping[str, Any]]]
    has_stack: bool = False
    handlers: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    terraform: tuple[str, Configuration, Sequence[str]] | None = None
    template: tuple[str, Mapping[str, Any]] | None = None
    others: tuple[str, ...] = ()
    name: str = ""


def as_task_definition(content: Any) -> Mapping[str, Any] | None:
    """The task definition that a JSON file is, if it is one."""
    inner = content.get("taskDefinition", content) if isinstance(content, dict) else None
    if not isinstance(inner, dict) or not isinstance(inner.get("containerDefinitions"), list):
        return None
    return inner if all(isinstance(one, dict) for one in inner["containerDefinitions"]) else None


def as_services(content: Any) -> Sequence[Mapping[str, Any]]:
    """The services that a JSON file is of; none if it is something else."""
    found = content
    if isinstance(content, dict):
        found = content.get("services", [content.get("service", content)])
    if not isinstance(found, list):
        return []
    return [one for one in found if isinstance(one, dict) and "serviceName" in one and "taskDefinition" in one]


def handler_of(code: str) -> str:
    """The function of a Python module that is a Lambda function about Route 53; "" where there is none."""
    found = _HANDLER.search(code)
    return found[1] if found is not None and "route53" in code else ""


def groups_of(stack: Any) -> tuple[str, ...]:
    """The names of the Auto Scaling groups that a stack.yaml makes."""
    calls = stack.get("calls") if isinstance(stack, dict) else None
    made = [
        one["autoscaling.create_auto_scaling_group"]
        for one in (calls if isinstance(calls, list) else ())
        if isinstance(one, dict) and isinstance(one.get("autoscaling.create_auto_scaling_group"), dict)
    ]
    return tuple(str(one["AutoScalingGroupName"]) for one in made if one.get("AutoScalingGroupName"))


def text(found: Found) -> str:
    """The file."""
    if found.has_stack:
        lines: Iterator[str] = iter(("# The stack is that of stack.yaml; [images] may put local builds into it.\n",))
        urls: list[str] = []
    elif found.terraform is not None:
        lines, urls = _terraform(*found.terraform), []
    elif found.template is not None:
        begun = Beginning(*found.template, found.others, found.name, _toml)
        lines, urls = begun.lines(), begun.urls()
    elif found.compose is not None:
        lines, urls = _compose(*found.compose), _compose_urls(found.compose[1])
    else:
        lines, urls = _definitions(found), [f"http://{host(group)}/" for group in _groups(found)]
    url = _toml(urls[0] if urls else "http://NAME/")
    asked = [f'[[check]]\nkind = "http"\nurl = {_toml(one)}\nstatus = 200\nwithin = 30\n' for one in urls]
    further = [_FURTHER.format(url=url)]
    if found.groups or any(is_on_instances(one) for many in found.services.values() for one in many):
        further.append(_ENI)
    further += [_REPLAY.format(handler=_toml(one)) for one in found.handlers]
    further += [_PURGE.format(group=_toml(one), url=url) for one in found.groups]
    return "".join((_HEAD, "\n", *lines, _CHECKS, "\n".join(asked), *further))


def _definitions(found: Found) -> Iterator[str]:
    services = [one for many in found.services.values() for one in many]
    yield "[stack]\n"
    yield f"task_definitions = {_toml(list(found.task_definitions))}\n"
    if services:
        yield f"services = {_toml(list(found.services))}\n"
    else:
        yield "# No service was found: aws ecs describe-services --cluster C --services S > service.json\n"
        yield '# services = ["service.json"]\n'
    containers = [c for one in found.task_definitions.values() for c in one["containerDefinitions"]]
    yield "\n[images]\n# Local images, or builds, in the place of those that this machine cannot pull.\n"
    for image in dict.fromkeys(str(c.get("image")) for c in containers):
        yield f'# {_toml(image)} = {{ build = "." }}\n'
    yield from _secrets(containers)
    files = [str(f.get("value")) for c in containers for f in c.get("environmentFiles") or ()]
    if files:
        yield "\n[environment_files]\n"
        yield from (f'# {_toml(arn)} = "local.env"\n' for arn in dict.fromkeys(files))
    for group in _groups(found):
        yield f'\n[target_groups.{group}]\nhost = "{host(group)}"\nhealth_check = "/"\nmatcher = "200"\n'
    registries = [
        str(r.get("registryArn")).rpartition("/")[2] for s in services for r in s.get("serviceRegistries") or ()
    ]
    if registries:
        yield "\n[registries]\n# By which name each is found: aws servicediscovery get-service --id ID\n"
        yield from (f'# {_toml(one)} = "NAME.NAMESPACE"\n' for one in dict.fromkeys(registries))
    many = [str(s["serviceName"]) for s in services if isinstance(s.get("desiredCount"), int) and s["desiredCount"] > 1]
    if many:
        yield "\n# Instead of production's numbers, where this machine is too small for them.\n[desired_counts]\n"
        yield from (f"# {_toml(name)} = 1\n" for name in many)
    if any(is_on_instances(one) for one in services):
        yield '\n# For launch type EC2.\n[instances]\ntype = "t3.small"\ncount = 1\n'


def _terraform(folder: str, says: Configuration, var_files: Sequence[str]) -> Iterator[str]:
    yield "# Applied in a copy: nothing is written into the folder, and no state of yours is read.\n"
    yield f"[terraform]\nfolder = {_toml(folder)}\n"
    if var_files:
        yield f"# var_files = {_toml(var_files)}\n"
    if says.required:
        yield "\n# Those without a default.\n[terraform.variables]\n"
        yield from (f'# {name} = "VALUE"\n' for name in says.required)
    yield "\n[images]\n# Local images, or builds, in the place of those that this machine cannot pull.\n"
    yield from (f'# {_toml(image)} = {{ build = "." }}\n' for image in says.images)
    yield "\n[secrets]\n# Values of secrets and parameters that the configuration finds, and does not make.\n"
    yield '# "/NAME" = "VALUE"\n'
    yield "\n# When it is up: a name, or an output of the configuration.\n"
    yield '# [[ready]]\n# url = "http://${output.NAME}/"\n'


def _secrets(containers: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    wanted: dict[str, set[str]] = {}
    for container in containers:
        for secret in container.get("secrets") or ():
            try:
                one = source(str(container.get("name")), str(secret.get("valueFrom")))
            except EcsError:
                continue
            if isinstance(one, ManagedSecret):
                wanted.setdefault(one.arn, set()).update({one.json_key} if one.json_key else ())
            else:
                wanted.setdefault(one.name, set())
    if wanted:
        yield "\n[secrets]\n# Values for this machine; none of production's is read.\n"
    for name, keys in wanted.items():
        value = ", ".join(f'{_toml(key)} = "VALUE"' for key in sorted(keys))
        yield f"# {_toml(name)} = {'{ ' + value + ' }' if keys else _toml('VALUE')}\n"


def _groups(found: Found) -> list[str]:
    arns = [
        str(balancer.get("targetGroupArn"))
        for many in found.services.values()
        for one in many
        for balancer in one.get("loadBalancers") or ()
    ]
    return list(dict.fromkeys(match[1] for arn in arns if (match := _GROUP.search(arn))))


def _toml(value: str | Sequence[str]) -> str:
    """A text, or a list of texts: JSON's are TOML's, but for pairs of surrogates and DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


# -- compose --


def _compose(name: str, content: Mapping[str, Any]) -> Iterator[str]:
    services = _services(content)
    yield "[compose]\n"
    yield f"file = {_toml(name)}\n"
    yield "# Each service is a task of its own, found as NAME.NAMESPACE; these would be containers of one task:\n"
    yield f"# task = {_toml(list(services)[:2])}\n"
    private = [one for one, ports in services.items() if ports and set(ports) <= _PRIVATE_PORTS]
    if private:
        yield "# They publish ports, and nobody outside is to reach them.\n"
        yield f"private = {_toml(private)}\n"
    unsupported = _unsupported(content)
    if unsupported:
        yield "# ECS has no counterpart for these; this leaves them out.\n"
        yield f"# ignore = {_toml(unsupported)}\n"
    for one, ports in services.items():
        if ports and one not in private:
            yield f"\n[compose.public.{_toml(one)}]\nport = {ports[0]}\nhost = {_toml(host(one))}\n"
            yield 'health_check = "/"\nmatcher = "200"\n'
    yield '\n# [environment.SERVICE]\n# REDIS_URL = "redis://redis.NAMESPACE:6379"\n'


def _services(content: Mapping[str, Any]) -> dict[str, list[int]]:
    """By service: the container's ports that it publishes, as far as they can be read."""
    found: dict[str, list[int]] = {}
    services = content.get("services")
    for name, one in services.items() if isinstance(services, dict) else ():
        ports = []
        for item in (one.get("ports") or ()) if isinstance(one, dict) else ():
            try:
                ports.append(values.port("", values.interpolate(item, {}))[0])
            except OwnError:
                continue
        found[str(name)] = ports
    return found


def _compose_urls(content: Mapping[str, Any]) -> list[str]:
    services = _services(content)
    return [f"http://{host(one)}/" for one, ports in services.items() if ports and not set(ports) <= _PRIVATE_PORTS]


def _unsupported(content: Mapping[str, Any]) -> list[str]:
    services = content.get("services")
    keys: dict[str, None] = {}
    for one in services.values() if isinstance(services, dict) else ():
        if isinstance(one, dict):
            keys |= {str(key): None for key in one if key not in SUPPORTED and not str(key).startswith("x-")}
    top = [str(key) for key in content if key in {"networks", "configs", "secrets"}]
    return list(dict.fromkeys((*keys, *top)))
