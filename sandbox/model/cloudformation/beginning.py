"""What ``sandbox init`` writes of a template: its table, with comments for what only its owner knows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sandbox.model.cloudformation.parameters import has_value
from sandbox.model.cloudformation.resources import KINDS, STACK

_BALANCER = "AWS::ElasticLoadBalancingV2::LoadBalancer"
_TASK = "AWS::ECS::TaskDefinition"
_DYNAMIC = re.compile(r"\{\{resolve:(?:ssm|ssm-secure|secretsmanager):((?:arn:(?:[^:{}]*:){5})?[^:{}$]+)")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_LONGEST = 100  # characters of a description


class Beginning:
    """Reads what a template has, as far as it can be told without evaluating it.

    Args:
        file: Its name.
        content: Its content, with functions as mappings.
        others: Other templates beside it.
        name: The folder's name, of which hosts are made.
        quoted: Writes a text, or a list of them, as TOML has it.
    """

    def __init__(self, file: str, content: Mapping[str, Any], others: Sequence[str], name: str, quoted: Any) -> None:
        self._file = file
        self._others = others
        self._content = content
        self._quoted = quoted
        balancers = [logical for logical, kind, _ in self._resources() if kind == _BALANCER]
        named = self._aliases()
        without = [logical for logical in balancers if logical not in named]
        self.hosts = {logical: host(name if len(without) == 1 else logical) for logical in without}

    def urls(self) -> list[str]:
        """The URLs that can be asked for."""
        return [f"http://{host}/" for host in self.hosts.values()]

    def lines(self) -> Iterator[str]:
        """The tables."""
        quoted = self._quoted
        yield "[cloudformation]\n"
        yield f"template = {quoted(self._file)}\n"
        unsupported = [kind for _, kind, _ in self._resources() if kind not in KINDS]
        if unsupported:
            yield "# The sandbox does not carry out these types; this leaves them out.\n"
            yield f"# ignore = {quoted(list(dict.fromkeys(unsupported)))}\n"
        yield from self._before()
        yield from self._parameters()
        yield from self._nested()
        if self.hosts:
            yield "\n# Names that lead to its load balancers.\n[cloudformation.hosts]\n"
            yield from (f"{_key(logical, quoted)} = {quoted(host)}\n" for logical, host in self.hosts.items())
        certificates = dict.fromkeys(self._certificates())
        if certificates:
            yield "\n# Certificates that are there beforehand: the names that they are for.\n"
            yield "[cloudformation.certificates]\n"
            names = quoted(" ".join(self.hosts.values()) or host("www"))
            yield from (f"{quoted(arn)} = {names}\n" for arn in certificates)
        images = dict.fromkeys(self._images())
        yield "\n[images]\n# Local images, or builds, in the place of those that this machine cannot pull.\n"
        yield from (f'# {quoted(image)} = {{ build = "." }}\n' for image in images or ("IMAGE",))
        secrets = dict.fromkeys(self._secrets())
        if secrets:
            yield "\n[secrets]\n# Values for this machine; none of production's is read.\n"
            yield from (f'# {quoted(name)} = "VALUE"\n' for name in secrets)

    def _before(self) -> Iterator[str]:
        if self._others:
            yield "# Stacks that are made before, and whose exports it imports; NAME is the stack's.\n"
        for other in self._others:
            yield f"# [cloudformation.stacks.NAME]\n# template = {self._quoted(other)}\n"

    def _parameters(self) -> Iterator[str]:
        declared = self._content.get("Parameters")
        if not isinstance(declared, Mapping) or not declared:
            return
        yield "\n[cloudformation.parameters]\n"
        missing = {name: one for name, one in declared.items() if isinstance(one, Mapping) and not has_value(one)}
        given = {name: one for name, one in declared.items() if isinstance(one, Mapping) and has_value(one)}
        for title, ones in (("They have no default.", missing), ("They have a value without one here.", given)):
            if ones:
                yield f"# {title}\n"
            for name, one in ones.items():
                said = _comment(self._said(one))
                default = self._quoted(_text(one.get("Default", "VALUE")))
                yield f"# {_key(name, self._quoted)} = {default}{f'  # {said}' if said else ''}\n"

    def _said(self, one: Mapping[str, Any]) -> str:
        allowed = one.get("AllowedValues")
        parts = [
            _comment(str(one.get("Description", "")))[:_LONGEST],
            f"one of {', '.join(map(_text, allowed))}" if isinstance(allowed, list) else "",
            str(one.get("Type", "")) if str(one.get("Type", "")) != "String" else "",
        ]
        return "; ".join(filter(None, parts))

    def _nested(self) -> Iterator[str]:
        urls = {logical: one.get("TemplateURL") for logical, kind, one in self._resources() if kind == STACK}
        far = [logical for logical, url in urls.items() if not isinstance(url, str) or _SCHEME.match(url)]
        if far:
            yield "\n# The files of nested stacks whose templates are not in this folder.\n[cloudformation.templates]\n"
            yield from (f'# {_key(logical, self._quoted)} = "FILE"\n' for logical in far)

    def _resources(self) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
        """Logical id, type and properties of each."""
        return _resources(self._content)

    def _aliases(self) -> set[str]:
        """The load balancers that a record set of the template names."""
        records = (one for _, kind, one in self._resources() if kind.startswith("AWS::Route53::RecordSet"))
        return {name for one in records for name in _attributes(one, "DNSName")}

    def _certificates(self) -> Iterator[str]:
        for _, _, properties in self._resources():
            for one in _members(properties, "CertificateArn", "AcmCertificateArn"):
                yield from self._known(one)

    def _known(self, value: Any) -> Iterator[str]:
        """A text that is written out, or is the default of the parameter that is referred to."""
        declared = self._content.get("Parameters")
        name = value.get("Ref") if isinstance(value, Mapping) else None
        parameter = declared.get(name) if isinstance(declared, Mapping) and isinstance(name, str) else None
        text = parameter.get("Default") if isinstance(parameter, Mapping) else value
        if isinstance(text, str) and text:
            yield text

    def _images(self) -> Iterator[str]:
        for _, kind, one in self._resources():
            containers = one.get("ContainerDefinitions") if kind == _TASK else None
            for container in containers if isinstance(containers, list) else ():
                if isinstance(container, Mapping):
                    yield from self._known(container.get("Image"))

    def _secrets(self) -> Iterator[str]:
        for text in _texts(self._content.get("Resources")):
            yield from _DYNAMIC.findall(text)
        declared = self._content.get("Parameters")
        for one in declared.values() if isinstance(declared, Mapping) else ():
            if isinstance(one, Mapping) and str(one.get("Type", "")).startswith("AWS::SSM::Parameter::Value"):
                default = one.get("Default")
                if isinstance(default, str) and not default.startswith("/aws/service/"):
                    yield default


def host(name: str) -> str:
    """A host name for what has a name that need not be one: a folder, a service, a logical id."""
    label = re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-") or "web"
    return f"{label}.example.com"


def nested_templates(content: Mapping[str, Any]) -> list[str]:
    """The paths of templates that a template nests, as far as they are written out."""
    urls = [one.get("TemplateURL") for _, kind, one in _resources(content) if kind == STACK]
    return [url for url in urls if isinstance(url, str)]


def imports(content: Any) -> bool:
    """Whether a template imports what another stack exports."""
    if isinstance(content, Mapping):
        return "Fn::ImportValue" in content or any(map(imports, content.values()))
    return isinstance(content, list) and any(map(imports, content))


def _resources(content: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    found = content.get("Resources")
    for logical, one in found.items() if isinstance(found, Mapping) else ():
        if isinstance(one, Mapping):
            properties = one.get("Properties")
            yield logical, str(one.get("Type")), properties if isinstance(properties, Mapping) else {}


def _attributes(value: Any, name: str) -> Iterator[str]:
    """The resources of which an attribute is taken, as Fn::GetAtt or in Fn::Sub."""
    if isinstance(value, Mapping):
        found = value.get("Fn::GetAtt")
        if isinstance(found, list) and len(found) == 2 and found[1] == name:
            yield str(found[0])
    if isinstance(value, str):
        yield from re.findall(rf"\$\{{([A-Za-z0-9]+)\.{name}\}}", value)
    for one in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        yield from _attributes(one, name)


def _members(value: Any, *names: str) -> Iterator[Any]:
    """What stands under one of these names, at any depth."""
    if isinstance(value, Mapping):
        yield from (one for name, one in value.items() if name in names)
    for one in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        yield from _members(one, *names)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for one in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        yield from _texts(one)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(_text, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _comment(text: str) -> str:
    """A text on one line, without what TOML takes in no comment."""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())


def _key(name: str, quoted: Callable[[str], str]) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else quoted(name)
