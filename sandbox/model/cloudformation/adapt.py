"""What a sandbox.toml changes in the calls of a template: images, variables, secrets, numbers of tasks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from sandbox.model.cloudformation.account import Account
from sandbox.model.ecs.errors import EcsError
from sandbox.model.ecs.secrets import ManagedSecret, source
from sandbox.model.own.errors import unknown
from sandbox.model.own.secrets import Secrets, secret_name, with_environment
from sandbox.model.own.step import Reference, Step

_DEFINITION = "ecs.register_task_definition"
_FILE_SYSTEM = "AWS::EFS::FileSystem"
_SERVICE = "ecs.create_service"


class Adaptation:
    """Applies the settings to the calls of an account.

    Args:
        account: After its stacks have been planned.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._settings = account.settings
        self._secrets = Secrets(self._settings.secrets, self._settings.environment, account.notes)
        self._foreign = [(family, self._with_foreign_secrets(one)) for family, one in self._containers()]

    def steps(self) -> list[Step]:
        """All calls: what secrets need, what is there beforehand, and the template's.

        Raises:
            OwnError: The settings name what there is not, or a secret has no value.
        """
        self._check_names()
        before = [*self._secrets.steps(self._foreign), *self._account.before()]
        return [*before, *map(self._adapted, self._account.steps)]

    def images(self) -> dict[str, str]:
        """The images that are known beforehand, and which container wants each."""
        found: dict[str, str] = {}
        for family, container in self._containers():
            image = container.get("image")
            if isinstance(image, str) and image:
                found.setdefault(image, f"container '{container.get('name')}' of {family}")
        return found

    def file_systems(self) -> dict[Reference, Mapping[str, str]]:
        """Which folders are on the template's own file systems beforehand, by what stands for their ids.

        Raises:
            OwnError: There is no such file system; ids of others, which begin with fs-, are as they are.
        """
        made = {one.label: one.made.ref for one in self._account.finished if one.type == _FILE_SYSTEM}
        own = {name: one for name, one in self._settings.efs.items() if not name.startswith("fs-")}
        for name in own:
            if name not in made:
                raise unknown("[efs]", name, made, "file system")
        return {made[name]: directories for name, directories in own.items()}

    def _adapted(self, step: Step) -> Step:
        parameters = step.parameters
        if step.operation == _DEFINITION and isinstance(parameters["containerDefinitions"], list):
            made = [self._container(one) for one in parameters["containerDefinitions"]]
            return replace(step, parameters={**parameters, "containerDefinitions": made})
        if step.operation == _SERVICE:
            for name in (_label(step), parameters["serviceName"]):
                if isinstance(name, str) and name in self._settings.desired_counts:
                    count = self._settings.desired_counts[name]
                    return replace(step, parameters={**parameters, "desiredCount": count})
        return step

    def _container(self, container: Any) -> Any:
        if not isinstance(container, dict) or not isinstance(container.get("name"), str):
            return container
        name = container["name"]
        made = with_environment(container, self._settings.environment.get(name, {}))
        if container.get("secrets"):
            made["secrets"] = [
                self._secrets.here(name, one) if self._is_foreign(one) else one for one in self._secrets.own(container)
            ]
        return made

    def _containers(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for step in self._account.steps:
            if step.operation != _DEFINITION or not isinstance(step.parameters["containerDefinitions"], list):
                continue
            for one in step.parameters["containerDefinitions"]:
                if isinstance(one, dict) and isinstance(one.get("name"), str):
                    yield _label(step), one

    def _with_foreign_secrets(self, container: dict[str, Any]) -> dict[str, Any]:
        """The container with those of its secrets alone that the template does not make itself."""
        secrets = [one for one in container.get("secrets") or () if self._is_foreign(one)]
        return {"name": container["name"], "secrets": secrets}

    def _is_foreign(self, secret: Any) -> bool:
        if not isinstance(secret, Mapping) or not isinstance(secret.get("valueFrom"), str):
            return False
        try:
            found = source("", secret["valueFrom"])
        except EcsError:
            return False  # ECS says so itself
        if isinstance(found, ManagedSecret):
            return self._account.remembered("secret", secret_name(found.arn)) is None
        return self._account.remembered("parameter", found.name) is None

    def _check_names(self) -> None:
        """Tables that name what there is not are misspelt."""
        account, settings = self._account, self._settings
        given = settings.cloudformation
        assert given is not None
        services = [step for step in account.steps if step.operation == _SERVICE]
        counted = {_label(step) for step in services} | {
            name for step in services if isinstance(name := step.parameters["serviceName"], str)
        }
        stacks = [one.label for one in account.finished if one.type == "AWS::CloudFormation::Stack"]
        functions = [one.label for one in account.finished if one.type == "AWS::Lambda::Function"]
        for table, names, known, what in (
            ("[environment]", settings.environment, {str(one["name"]) for _, one in self._containers()}, "container"),
            ("[desired_counts]", settings.desired_counts, counted, "service"),
            ("[images]", settings.images, set(self.images()), "image"),
            ("[secrets]", settings.secrets, account.used_secrets | self._secrets.names(self._foreign), "secret"),
            ("[cloudformation.templates]", given.templates, account.used_templates or set(stacks), "nested stack"),
            ("[cloudformation.imports]", given.imports, account.used_imports, "import"),
            ("[cloudformation.code]", given.code, account.used_code or set(functions), "function"),
            ("[cloudformation.hosted_zones]", given.hosted_zones, account.used_zones, "hosted zone"),
            ("[cloudformation.certificates]", given.certificates, account.used_certificates, "certificate"),
            ("[cloudformation] ignore", given.ignore, account.used_ignore, "name"),
        ):
            for name in names:
                if name not in known:
                    raise unknown(table, name, known, what)


def _label(step: Step) -> str:
    return step.save_as.partition("#")[0]
