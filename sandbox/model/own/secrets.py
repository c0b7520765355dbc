"""Values of secrets and parameters that containers name, and the calls that make them in the sandbox."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.model.ecs.errors import EcsError
from sandbox.model.ecs.secrets import ManagedSecret, Parameter, json_value, source
from sandbox.model.own.errors import OwnError
from sandbox.model.own.step import Reference, Step

Request = Mapping[str, Any]
Value = str | Mapping[str, Any]

_SUFFIX = re.compile(r"-[A-Za-z0-9]{6}$")  # of a secret's ARN, after its name


@dataclass
class _Wanted:
    """A secret or parameter, who wants it first, and which keys of it."""

    source: Parameter | ManagedSecret
    user: str
    keys: set[str] = field(default_factory=set)

    def example(self) -> str:
        keys = ", ".join(f'{key} = "VALUE"' for key in sorted(self.keys))
        return f"{{ {keys} }}" if keys else '"VALUE"'

    def check(self, key: str, text: str) -> None:
        for one in sorted(self.keys):
            try:
                json_value(text, one)
            except LookupError as error:
                raise OwnError(
                    f"[secrets] \"{key}\" has no key '{one}', of which {self.user} is the value", self.example()
                ) from error


class Secrets:
    """The secrets of containers.

    Args:
        given: Values by ARN or name, as ``[secrets]`` has them.
        environment: By container: variables that take the place of its own, or of its secrets.
        notes: Gets what is to be told.
    """

    def __init__(
        self, given: Mapping[str, Value], environment: Mapping[str, Mapping[str, str]], notes: list[str]
    ) -> None:
        self._given = given
        self._environment = environment
        self._notes = notes
        self._answers: dict[str, str] = {}  # by ARN: the name of the answer that has the sandbox's

    def names(self, containers: Iterable[tuple[str, Request]]) -> set[str]:
        """By which names a secret may be given: those that stand in the definitions, and shorter ones."""
        names: set[str] = set()
        for _, container in containers:
            for secret in (*(container.get("secrets") or ()), *_options(container)):
                value_from = str(secret.get("valueFrom"))
                found = _source(str(container["name"]), value_from)
                names |= (
                    {found.arn, secret_name(found.arn)}
                    if isinstance(found, ManagedSecret)
                    else {value_from, found.name}
                )
        return names

    def steps(self, containers: Iterable[tuple[str, Request]]) -> Iterator[Step]:
        """The calls that make what the containers (each with its family) want.

        Raises:
            OwnError: Of one no value is given, or one without a key that is wanted.
        """
        wanted: dict[str, _Wanted] = {}
        for family, container in containers:
            for secret in (*self.own(container), *_options(container)):
                found = _source(str(container["name"]), str(secret.get("valueFrom")))
                key = found.arn if isinstance(found, ManagedSecret) else found.name
                one = wanted.setdefault(key, _Wanted(found, f"{family}/{container['name']}: {secret.get('name')}"))
                if isinstance(found, ManagedSecret) and found.json_key:
                    one.keys.add(found.json_key)
        missing = {key: one for key, one in wanted.items() if self._value(key, one.source) is None}
        if missing:
            many = f"{len(missing)} secrets:" if len(missing) > 1 else "the secret"
            named = "; ".join(f"{key} (of {one.user})" for key, one in missing.items())
            examples = ", ".join(f'"{key}" = {one.example()}' for key, one in missing.items())
            raise OwnError(f"no value is given for {many} {named}", f"in [secrets]: {examples}")
        for key, one in wanted.items():
            value = self._value(key, one.source)
            text = value if isinstance(value, str) else json.dumps(value)
            if isinstance(one.source, Parameter):
                if not isinstance(value, str):
                    raise OwnError(f'[secrets] "{key}" is a parameter of Systems Manager, so it is a text')
                yield Step("ssm.put_parameter", {"Name": one.source.name, "Value": text, "Type": "SecureString"})
                continue
            one.check(key, text)
            self._answers[key] = f"secret{len(self._answers)}"
            parameters = {"Name": secret_name(key), "SecretString": text}
            yield Step("secretsmanager.create_secret", parameters, self._answers[key])

    def own(self, container: Request) -> list[Request]:
        """Those of its secrets whose variable is not given: one that is takes the secret's place."""
        given = self._environment.get(str(container["name"]), {})
        return [item for item in container.get("secrets") or () if item.get("name") not in given]

    def here(self, container: str, item: Request) -> dict[str, Any]:
        """A secret of a container as the sandbox has it, after `steps`."""
        found = _source(container, str(item.get("valueFrom")))
        if isinstance(found, Parameter):
            return {**item, "valueFrom": found.name}
        if found.version_id or found.version_stage not in ("", "AWSCURRENT"):
            self._notes.append(f"container {container}: {item.get('name')} is the value of [secrets], whatever version")
        suffix = f":{found.json_key}::" if found.json_key else ""
        return {**item, "valueFrom": Reference(f"{self._answers[found.arn]}.ARN", suffix)}

    def _value(self, key: str, found: Parameter | ManagedSecret) -> Value | None:
        if isinstance(found, ManagedSecret):
            return self._given.get(key, self._given.get(secret_name(key)))
        arns = (value for name, value in self._given.items() if name.endswith(f":parameter/{found.name.lstrip('/')}"))
        return self._given.get(key, next(arns, None))


def secrets_by_name(given: Mapping[str, Value]) -> list[Step]:
    """Calls that make secrets and parameters of their values alone: no definition says which of the two each is.

    Raises:
        OwnError: A name is neither an ARN nor begins with "/", and its value is no table; or a parameter's is one.
    """
    steps = []
    for key, value in given.items():
        parameter = key.partition(":parameter/")[2]
        if parameter or key.startswith("/"):
            if not isinstance(value, str):
                raise OwnError(f'[secrets] "{key}" is a parameter of Systems Manager, so it is a text')
            name = f"/{parameter}" if parameter else key
            steps.append(Step("ssm.put_parameter", {"Name": name, "Value": value, "Type": "SecureString"}))
            continue
        if ":secret:" not in key and isinstance(value, str):
            raise OwnError(
                f'[secrets] "{key}" is a parameter\'s "/NAME", or an ARN, or has a table of a secret\'s keys',
                f'"/{key}" = ..., or "arn:aws:secretsmanager:REGION:ACCOUNT:secret:{key}" = ...',
            )
        text = value if isinstance(value, str) else json.dumps(value)
        name = secret_name(key) if ":secret:" in key else key
        steps.append(Step("secretsmanager.create_secret", {"Name": name, "SecretString": text}))
    return steps


def with_environment(container: Request, given: Mapping[str, str]) -> dict[str, Any]:
    """A container with variables in the place of its own."""
    if not given:
        return dict(container)
    own = {item["name"]: item["value"] for item in container.get("environment") or ()}
    return {
        **container,
        "environment": [{"name": name, "value": value} for name, value in {**own, **given}.items()],
    }


def secret_name(arn: str) -> str:
    """The name of a secret, whose ARN ends with six characters that Secrets Manager has added."""
    return _SUFFIX.sub("", arn.rpartition(":secret:")[2])


def _options(container: Request) -> list[Request]:
    return (container.get("logConfiguration") or {}).get("secretOptions") or []


def _source(container: str, value_from: str) -> Parameter | ManagedSecret:
    try:
        return source(container, value_from)
    except EcsError as error:
        raise OwnError(str(error)) from error
