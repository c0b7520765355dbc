"""``sandbox init``: a sandbox.toml for what a folder has."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from sandbox.controllers import stack_file
from sandbox.errors import SandboxError
from sandbox.model.cloudformation.beginning import nested_templates
from sandbox.model.cloudformation.document import DocumentError, document
from sandbox.model.cloudformation.template import is_template
from sandbox.model.own import beginning
from sandbox.model.own.beginning import Found
from sandbox.model.own.settings import FILE

COMPOSE_FILES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
_LARGEST = 1_000_000  # bytes of a JSON file that may be a task definition
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
    if not found.has_stack and found.compose is None and found.template is None and not found.task_definitions:
        raise SandboxError(
            f"nothing to begin with in {folder}",
            state=f"looked for {', '.join((stack_file.FILE, *COMPOSE_FILES))}, task definitions (*.json, */*.json) and "
            "CloudFormation templates (*.yaml, *.yml, *.json, *.template)",
            hint="aws ecs describe-task-definition --task-definition FAMILY > taskdef.json",
        )
    try:
        with file.open("x") as stream:
            stream.write(beginning.text(found))
    except OSError as error:
        raise SandboxError(f"{file} cannot be written", state=error.strerror or str(error)) from error
    return file, found


def look(folder: Path) -> Found:
    """What a folder has. Task definitions and templates come before a compose file: they are what production runs."""
    task_definitions, services = {}, {}
    for path in _json_files(folder):
        content = _read(path)
        name = str(path.relative_to(folder))
        if (one := beginning.as_task_definition(content)) is not None:
            task_definitions[name] = one
        elif many := beginning.as_services(content):
            services[name] = many
    template = None if task_definitions else _template(folder)
    compose = None if task_definitions or template else _compose(folder)
    has_stack = (folder / stack_file.FILE).is_file()
    return Found(compose, task_definitions, services, has_stack, template, folder.resolve().name)


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


def _json_files(folder: Path) -> Iterator[Path]:
    for pattern in ("*.json", "*/*.json"):
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
