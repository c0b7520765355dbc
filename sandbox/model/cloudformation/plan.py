"""The AWS API calls that bring a template's stack up in a sandbox. docs/own-stacks.md describes what becomes of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.model.cloudformation.account import Account
from sandbox.model.cloudformation.adapt import Adaptation
from sandbox.model.cloudformation.parameters import value_in_toml
from sandbox.model.cloudformation.reach import Reach
from sandbox.model.cloudformation.stack import Stack
from sandbox.model.own.errors import OwnError
from sandbox.model.own.plan import Place
from sandbox.model.own.settings import Settings
from sandbox.model.own.step import Reference, Step

_NAME = re.compile(r"[A-Za-z][-A-Za-z0-9]{0,127}")


@dataclass(frozen=True)
class Plan:
    """What a template comes to.

    Attributes:
        name: The stack's.
        steps: The calls in their order.
        ready: URLs that must answer, as ``[[ready]]`` has them; a url may stand for one that is known later.
        outputs: Their values, which may be known later; those of stacks that are made before with their names.
        efs: Of the template's own file systems, by what stands for the id, and a directory: the folder with its files.
        images: By reference: which container wants it.
        notes: What is to be told.
    """

    name: str
    steps: tuple[Step, ...]
    ready: tuple[Mapping[str, Any], ...]
    outputs: Mapping[str, Any]
    efs: Mapping[Reference, Mapping[str, str]]
    images: Mapping[str, str]
    notes: tuple[str, ...]


def plan(
    settings: Settings, folder: str, read: Callable[[str], str | None], shape: Callable[[str], Any], place: Place
) -> Plan:
    """Make the plan.

    Args:
        settings: What the sandbox.toml says; ``cloudformation`` is in it.
        folder: The folder's name.
        read: The text of a file of the folder; None where it is not there.
        shape: The shape of the request of an operation, ``service.operation`` with boto3's names.
        place: Where the calls are made.

    Raises:
        OwnError: The template, or what the settings say of it, cannot be used as it is.
    """
    given = settings.cloudformation
    assert given is not None
    for other in given.stacks:
        _check_name(f"[cloudformation.stacks.{other}]", other)
    name = given.stack_name or re.sub(r"[^A-Za-z0-9]+", "-", settings.name or folder).strip("-") or "stack"
    name = name if given.stack_name or name[0].isalpha() else f"stack-{name}"
    _check_name("[cloudformation] stack_name", name)
    imports = {key: value_in_toml(value) for key, value in given.imports.items()}
    account = Account(settings, place, read, shape, imports)
    outputs: dict[str, Any] = {}
    for other, stack in given.stacks.items():
        made = Stack(account, other, stack.template, f"{other}/", where=f"[cloudformation.stacks.{other}.parameters]")
        found = made.make({key: value_in_toml(value) for key, value in stack.parameters.items()})
        outputs |= {f"{other}.{key}": value for key, value in found.items()}
    outputs |= Stack(account, name, given.template).make({k: value_in_toml(v) for k, v in given.parameters.items()})
    reach = Reach(account)
    last = reach.steps()
    adaptation = Adaptation(account)
    return Plan(
        name,
        (*adaptation.steps(), *last),
        settings.ready or tuple(reach.ready()),
        outputs,
        adaptation.file_systems(),
        adaptation.images(),
        tuple(account.notes),
    )


def _check_name(place: str, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise OwnError(f"{place}: {name} is no stack's name", "it begins with a letter, and has letters, digits and -")
