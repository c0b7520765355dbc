"""Stacks of somebody's own files: a folder with a ``sandbox.toml`` that names them. docs/own-stacks.md describes it."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from sandbox.aws.account import ACCOUNT_ID, REGION
from sandbox.controllers import stack_file, terraform_apply
from sandbox.controllers.stack_file import Call, Ready, StackDefinition
from sandbox.errors import SandboxError
from sandbox.model.cloudformation.plan import plan as cloudformation_plan
from sandbox.model.own import FILE, definitions
from sandbox.model.own.compose.stack import Machine, compose
from sandbox.model.own.compose.values import dotenv
from sandbox.model.own.definitions import Shapes
from sandbox.model.own.errors import OwnError
from sandbox.model.own.left_out import leave_out
from sandbox.model.own.plan import Own, Place, plan
from sandbox.model.own.secrets import secrets_by_name
from sandbox.model.own.settings import Compose, Settings, Terraform, settings
from sandbox.model.own.step import Step

# Tables that are about task definitions and services; a stack.yaml says such things itself.
_OF_DEFINITIONS = (
    "name",
    "description",
    "cluster",
    "secrets",
    "environment",
    "environment_files",
    "efs",
    "target_groups",
    "registries",
    "desired_counts",
    "instances",
    "ready",
)


def read(folder: Path) -> StackDefinition:
    """The stack of a folder that has a sandbox.toml.

    Raises:
        SandboxError: A file is not as it must be; the error names file, table and key.
    """
    given = load(folder)
    file = folder / FILE
    has_stack = (folder / stack_file.FILE).is_file()
    if given.terraform is not None:
        if has_stack:
            raise SandboxError(
                f"{folder} has a {stack_file.FILE}, too", hint=f"take it, or [terraform] in {FILE}, away"
            )
        return _of_terraform(folder.resolve(), given, given.terraform)
    if given.compose is None and given.cloudformation is None and not given.task_definitions:
        if not has_stack:
            raise SandboxError(
                f"{file} names no task_definitions, no compose file, no template and no [terraform]",
                hint="docs/own-stacks.md",
            )
        for table in _OF_DEFINITIONS:
            if getattr(given, table):
                raise SandboxError(f"{file}: {table} belongs to task definitions; the stack is {stack_file.FILE}'s")
        return replace(stack_file.load(f"{folder}/"), overrides=given.images)
    if has_stack:
        raise SandboxError(f"{folder} has a {stack_file.FILE}, too", hint=f"take it, or the stack in {FILE}, away")
    return define(folder.resolve(), given)


def load(folder: Path) -> Settings:
    """What the sandbox.toml of a folder says.

    Raises:
        SandboxError: It cannot be read, or is not as it must be.
    """
    file = folder / FILE
    try:
        content = tomllib.loads(file.read_text())
    except OSError as error:
        raise SandboxError(
            f"there is no {file}", state=error.strerror or "", hint=f"sandbox init {folder} writes one"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SandboxError(f"{file} is not TOML", state=str(error)) from error
    with _about(file):
        return settings(content)


def define(folder: Path, given: Settings) -> StackDefinition:
    """The stack that settings of a folder come to.

    Raises:
        SandboxError: A file that they name is not as it must be.
    """
    if given.cloudformation is not None:
        return _template(folder, given)
    file = folder / FILE
    own = _of_json(folder, given) if given.compose is None else _of_compose(folder, given, given.compose)
    with _about(file):
        made = plan(own, Place(REGION, ACCOUNT_ID))
    return StackDefinition(
        own.name,
        folder,
        given.description or ", ".join(dict.fromkeys(source for source, _ in own.task_definitions)),
        {},
        (),
        own.settings.efs,
        tuple(_call(step) for step in made.steps),
        tuple(Ready(**item) for item in made.ready),
        own.settings.images,
        _references(own),
        made.notes,
    )


def _of_terraform(folder: Path, given: Settings, wanted: Terraform) -> StackDefinition:
    terraform_apply.check(folder, wanted)
    with _about(folder / FILE):
        steps = secrets_by_name(given.secrets)
    return StackDefinition(
        given.name or folder.name,
        folder,
        given.description or f"what Terraform makes of {wanted.folder}",
        {},
        (),
        {},
        tuple(_call(step) for step in steps),
        tuple(Ready(**item) for item in given.ready),
        given.images,
        terraform=wanted,
    )


def _template(folder: Path, given: Settings) -> StackDefinition:
    def read(name: str) -> str | None:
        file = folder / name
        try:
            return file.read_text()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as error:
            raise SandboxError(f"{file} cannot be read", state=str(error)) from error

    try:
        made = cloudformation_plan(given, folder.name, read, request_shape, Place(REGION, ACCOUNT_ID))
    except OwnError as error:
        raise SandboxError(f"{folder}/{_place(error.message)}", hint=error.hint) from error
    assert given.cloudformation is not None
    return StackDefinition(
        given.name or made.name,
        folder,
        given.description or given.cloudformation.template,
        {},
        (),
        {name: one for name, one in given.efs.items() if name.startswith("fs-")},
        tuple(_call(step) for step in made.steps),
        tuple(Ready(**item) for item in made.ready),
        given.images,
        made.images,
        made.notes,
        outputs=made.outputs,
        efs_made=made.efs,
    )


def _place(message: str) -> str:
    """The message after the folder: it names a table of the sandbox.toml, or begins with the template's file."""
    return f"{FILE}: {message}" if message.startswith("[") else message


@cache
def request_shape(operation: str) -> Any:
    """The shape of an operation's request, by boto3's names."""
    from botocore import xform_name

    service, _, name = operation.partition(".")
    model = _service_model(service)
    return model.operation_model(next(one for one in model.operation_names if xform_name(one) == name)).input_shape


@cache
def _service_model(service: str) -> Any:
    import botocore.session

    return botocore.session.get_session().get_service_model(service)


def _of_json(folder: Path, given: Settings) -> Own:
    known = shapes()
    task_definitions, services = [], []
    for name in given.task_definitions:
        with _about(folder / name):
            task_definitions.append((name, definitions.task_definition(_json(folder / name), known)))
    for name in given.services:
        with _about(folder / name):
            services += [(name, one) for one in definitions.services(_json(folder / name), known)]
    with _about(folder / FILE):
        kept = leave_out(given.ignore, task_definitions, services)
    files = {arn: _bytes(folder, name) for arn, name in given.environment_files.items()}
    return Own(given.name or folder.name, given, *kept, files)


def _of_compose(folder: Path, given: Settings, wanted: Compose) -> Own:
    file = folder / wanted.file
    try:
        content = yaml.safe_load(file.read_text())
    except OSError as error:
        raise SandboxError(
            f"there is no file {file}", state=error.strerror or "", hint=f'[compose] file = "FILE" in {FILE} names it'
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SandboxError(f"{file} is not YAML", state=str(error)) from error
    beside = file.parent

    def read(name: str) -> str | None:
        try:
            return (beside / name).read_text()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise SandboxError(f"{beside / name} cannot be read", state=str(error)) from error

    with _about(beside / ".env"):
        variables = {**dotenv(read(".env") or "", os.environ), **os.environ}
    with _about(file):
        machine = Machine(variables, read, lambda name: (beside / name).is_dir())
        return compose(content, folder.name, given, machine)


def shapes() -> Shapes:
    """The members of ECS's requests and answers, as botocore has them."""
    model = _service_model("ecs")
    return Shapes(
        frozenset(model.shape_for("TaskDefinition").members),
        frozenset(model.operation_model("RegisterTaskDefinition").input_shape.members),
        frozenset(model.shape_for("Service").members),
        frozenset(model.operation_model("CreateService").input_shape.members),
    )


def _references(own: Own) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for _, request in own.task_definitions:
        for container in request["containerDefinitions"]:
            if container.get("image"):
                found.setdefault(str(container["image"]), f"container '{container['name']}' of {request['family']}")
    return found


def _call(step: Step) -> Call:
    service, _, operation = step.operation.partition(".")
    return Call(service, operation, step.parameters, step.save_as, step.source or FILE)


@contextmanager
def _about(file: Path) -> Iterator[None]:
    try:
        yield
    except OwnError as error:
        raise SandboxError(f"{file}: {error.message}", hint=error.hint) from error


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_text())
    except OSError as error:
        raise SandboxError(f"there is no file {file}", state=error.strerror or "") from None
    except ValueError as error:
        raise SandboxError(f"{file} is not JSON", state=str(error)) from error


def _bytes(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise SandboxError(
            f"{folder / FILE}: [environment_files]: there is no file {folder / name}", state=error.strerror or ""
        ) from None
