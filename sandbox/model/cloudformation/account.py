"""What the stacks of one plan share: the calls so far, exports, and what one resource knows another by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.model.cloudformation.resources.kind import Made
from sandbox.model.cloudformation.shapes import Shape
from sandbox.model.own.plan import Place
from sandbox.model.own.secrets import secret_name
from sandbox.model.own.settings import Settings
from sandbox.model.own.step import Computed, Reference, Step


@dataclass(frozen=True)
class Finished:
    """A resource that has its calls.

    Attributes:
        label: Its logical id, after those of the nested stacks that it is in.
    """

    label: str
    type: str
    properties: Mapping[str, Any]
    made: Made


@dataclass
class Account:
    """Shared by a stack and those that are nested in it.

    Attributes:
        settings: What the sandbox.toml says.
        read: The text of a file of the folder; None where it is not there.
        shape: The shape of an operation's request.
    """

    settings: Settings
    place: Place
    read: Callable[[str], str | None]
    shape: Callable[[str], Shape]
    imports: Mapping[str, Any]
    steps: list[Step] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    exports: dict[str, Any] = field(default_factory=dict)
    finished: list[Finished] = field(default_factory=list)
    used_imports: set[str] = field(default_factory=set)
    used_secrets: set[str] = field(default_factory=set)
    used_templates: set[str] = field(default_factory=set)
    used_code: set[str] = field(default_factory=set)
    used_ignore: set[str] = field(default_factory=set)
    used_zones: set[str] = field(default_factory=set)
    used_certificates: dict[str, str] = field(default_factory=dict)  # by ARN: names of answers
    _remembered: list[tuple[str, Any, Any]] = field(default_factory=list)  # keys may stand for what is known later
    _before: dict[str, str] = field(default_factory=dict)  # hosted zones that are there beforehand: names of answers

    # -- what resources know each other by --

    def remember(self, kind: str, key: Any, value: Any) -> None:
        """Something that other resources look up."""
        self._remembered.append((kind, _zone_name(key) if kind == "zone" else key, value))

    def remembered(self, kind: str, key: Any) -> Any:
        """The same; None where nothing is remembered."""
        return next((value for one, name, value in self._remembered if one == kind and name == key), None)

    def secret(self, name: Any, label: str) -> str | None:
        """The value that is given for a secret of the template by its name or label."""
        for one in (name, label):
            if isinstance(one, str) and one in self.settings.secrets:
                self.used_secrets.add(one)
                return _text(self.settings.secrets[one])
        return None

    def look(self, kind: str, key: Any) -> Any:
        """What a dynamic reference stands for: what the template has made, or what [secrets] has; None: neither."""
        made = self.remembered(kind, key)
        if made is not None or not isinstance(key, str):
            return made
        names = (key, secret_name(key)) if kind == "secret" else (key, key.rpartition(":parameter")[2])
        for name in names:
            if name in self.settings.secrets:
                self.used_secrets.add(name)
                return self.settings.secrets[name]
        return None

    def parameter(self, name: str) -> str | None:
        """The value of a Systems Manager parameter that a template's parameter names."""
        found = self.look("parameter", name)
        return None if found is None or isinstance(found, Reference | Computed) else _text(found)

    def imported(self, name: str) -> Any:
        """What is exported by that name, here or by a stack that the settings stand for.

        Raises:
            ValueError: Nothing is; the message is CloudFormation's.
        """
        if name in self.exports:
            return self.exports[name]
        if name in self.imports:
            self.used_imports.add(name)
            return self.imports[name]
        raise ValueError(f'No export named {name} found; [cloudformation.imports] "{name}" = "VALUE" gives it')

    # -- hosted zones --

    def zone(self, hosted_zone_id: Any, hosted_zone_name: Any) -> Any:
        """The id of a hosted zone that a record set names: the template's, or one that is there beforehand.

        Raises:
            ValueError: It names none, or an id of which nothing is known.
        """
        given = self.settings.cloudformation.hosted_zones if self.settings.cloudformation else {}
        if isinstance(hosted_zone_id, Reference | Computed):
            return hosted_zone_id
        if isinstance(hosted_zone_id, str):
            if hosted_zone_id not in given:
                raise ValueError(
                    f"there is no hosted zone {hosted_zone_id}: "
                    f'[cloudformation.hosted_zones] "{hosted_zone_id}" = "example.com" makes one'
                )
            self.used_zones.add(hosted_zone_id)
            return self.zone_named(given[hosted_zone_id])
        if not isinstance(hosted_zone_name, str) or not _zone_name(hosted_zone_name):
            raise ValueError("a record set has HostedZoneId or HostedZoneName, which is known beforehand")
        return self.zone_named(hosted_zone_name, told=True)

    def zone_named(self, name: str, *, told: bool = False) -> Any:
        """The same by its name; ``told``: that it is made beforehand is news."""
        own = self.remembered("zone", _zone_name(name))
        if own is not None:
            return own
        zone = _zone_name(name)
        told = told and zone not in self._before
        if zone not in self._before:
            self._before[zone] = f"zone#{len(self._before)}"
        if told:
            self.notes.append(f"the hosted zone {zone} is not the template's: an empty one is made beforehand")
        return Reference(f"{self._before[zone]}.HostedZone.Id")

    # -- certificates --

    def certificate(self, arn: Any) -> Any:
        """The ARN of a certificate: the template's, or one that is issued beforehand for the names that are given.

        Raises:
            ValueError: It is neither.
        """
        if not isinstance(arn, str):
            return arn
        if arn not in self._certificates:
            raise ValueError(
                f"there is no certificate {arn}: "
                f'[cloudformation.certificates] "{arn}" = "www.example.com" issues one for that name'
            )
        answer = self.used_certificates.setdefault(arn, f"certificate#{len(self.used_certificates)}")
        return Reference(f"{answer}.CertificateArn")

    @property
    def _certificates(self) -> Mapping[str, str]:
        return self.settings.cloudformation.certificates if self.settings.cloudformation else {}

    # -- what is there beforehand --

    def before(self) -> list[Step]:
        """The calls that come before those of the stack."""
        zones = [
            Step("route53.create_hosted_zone", {"Name": name, "CallerReference": name}, answer)
            for name, answer in self._before.items()
        ]
        return zones + [
            Step("acm.request_certificate", _request(self._certificates[arn]), answer)
            for arn, answer in self.used_certificates.items()
        ]


def _request(names: str) -> dict[str, Any]:
    first, *others = names.split()
    return {"DomainName": first, **({"SubjectAlternativeNames": others} if others else {})}


def _zone_name(name: Any) -> Any:
    return name.rstrip(".").lower() if isinstance(name, str) else name


def _text(value: Any) -> str:
    import json

    return value if isinstance(value, str) else json.dumps(value)
