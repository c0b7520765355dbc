"""``sandbox init``: a sandbox.toml for what a folder has."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from sandbox.controllers import stack_file, terraform_apply
from sandbox.errors import SandboxError
from sandbox.model.cloudformation.beginning import nested_templates
from sandbox.model.cloudformation.document import DocumentError, document
from sandbox.model.cloudformation.template import is_template
from sandbox.model.own import FILE, beginning
from sandbox.model.own.beginning import Found
from sandbox.model.own.terraform import Configuration

COMPOSE_FILES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
_LARGEST = 1_000_000  # bytes of a file that may be a task definition or a function
_TEMPLATES = ("*.yaml", "*.yml", "*.json", "*.template")
_SKIPPED = frozenset({"node_modules", "vendor", "cdk.out", "dist"})


def begin(folder: Path) -> tuple[Path, Found]:
    """Write a sandbox.toml; the file, and what it was made of.

    Raises:
        SandboxError: There is one already, it cannot be written, or nothing was found.
    """
    file = folder / FILE
    if not folder.is_dir():
        raise SandboxError(f"there is no folder {folder}")
    if file.exists():
        raise SandboxError(f"{file} is there already", hint="nothing is overwritten: take it away, or edit it")
    found = look(folder)
    kinds = (found.compose, found.terraform, found.template)
    if not found.has_stack and not found.task_definitions and kinds == (None, None, None):
        raise SandboxError(
            f"nothing to begin with in {folder}",
            state=f"looked for {', '.join((stack_file.FILE, *COMPOSE_FILES))}, Terraform (*.tf, */*.tf), task "
            "definitions (*.json, */*.json) and CloudFormation templates (*.yaml, *.yml, *.json, *.template)",
            hint="aws ecs describe-task-definition --task-definition FAMILY > taskdef.json",
        )
    try:
        with file.open("x") as stream:
            stream.write(beginning.text(found))
    except OSError as error:
        raise SandboxError(f"{file} cannot be written", state=error.strerror or str(error)) from error
    return file, found


def look(folder: Path) -> Found:
    """What a folder has. What production runs comes before a compose file: task definitions, a template, Terraform."""
    task_definitions, services = {}, {}
    for path in _files(folder, "json"):
        content = _read(path)
        name = str(path.relative_to(folder))
        if (one := beginning.as_task_definition(content)) is not None:
            task_definitions[name] = one
        elif many := beginning.as_services(content):
            services[name] = many
    template = None if task_definitions else _template(folder)
    terraform = None if task_definitions or template else _terraform(folder)
    compose = None if task_definitions or template or terraform else _compose(folder)
    stack = folder / stack_file.FILE
    return Found(
        compose,
        task_definitions,
        services,
        stack.is_file(),
        tuple(_handlers(folder)),
        beginning.groups_of(_yaml(stack)),
        terraform,
        template,
        folder.resolve().name,
    )


def _template(folder: Path) -> tuple[str, Mapping[str, Any]] | None:
    """The template of a folder: the first that no other one nests."""
    found: dict[str, Mapping[str, Any]] = {}
    for pattern in _TEMPLATES:
        for path in sorted(folder.glob(pattern)):
            content = _read_template(path) if path.is_file() and path.stat().st_size <= _LARGEST else None
            if content is not None:
                found[path.name] = content
    nested = {Path(url).name for content in found.values() for url in nested_templates(content)}
    return next(((name, content) for name, content in found.items() if name not in nested), None)


def _read_template(path: Path) -> Mapping[str, Any] | None:
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError):
        return None
    if '"Resources"' not in text and "Resources:" not in text:
        return None
    try:
        content = document(text).content
    except ValueError as error:
        if "AWSTemplateFormatVersion" not in text:
            return None
        line = error.line if isinstance(error, DocumentError) else 0
        raise SandboxError(f"{path}{f':{line}' if line else ''}: {error}") from error
    return content if is_template(content) else None


def _terraform(folder: Path) -> tuple[str, Configuration, Sequence[str]] | None:
    """The first folder that has a configuration, this one before those in it."""
    file = next((path for path in _files(folder, "tf") if path.is_file()), None)
    if file is None:
        return None
    files = [
        str(path.relative_to(folder)) for path in _files(folder, "tfvars") if not path.name.endswith(".auto.tfvars")
    ]
    root = file.parent
    loaded = root / "terraform.tfvars"  # Terraform reads it by itself
    named = [name for name in files if folder / name != loaded]
    return str(root.relative_to(folder)), terraform_apply.read(root), named


def _handlers(folder: Path) -> Iterator[str]:
    for path in _files(folder, "py"):
        try:
            name = beginning.handler_of(path.read_text())
        except (OSError, UnicodeDecodeError):
            continue
        if name:
            yield f"{path.relative_to(folder)}:{name}"


def _yaml(file: Path) -> Any:
    try:
        return yaml.safe_load(file.read_text())
    except (OSError, yaml.YAMLError, UnicodeDecodeError):
        return None


def _files(folder: Path, ending: str) -> Iterator[Path]:
    for pattern in (f"*.{ending}", f"*/*.{ending}"):
        for path in sorted(folder.glob(pattern)):
            if path.is_file() and path.parent.name not in _SKIPPED and path.stat().st_size <= _LARGEST:
                yield path


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


def _compose(folder: Path) -> tuple[str, dict[str, Any]] | None:
    for name in COMPOSE_FILES:
        if (folder / name).is_file():
            try:
                content = yaml.safe_load((folder / name).read_text())
            except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
                raise SandboxError(f"{folder / name} is not YAML", state=str(error)) from error
            return name, content if isinstance(content, dict) else {}
    return None
