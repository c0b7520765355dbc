"""Images of somebody's own stack: those that stand for others, those that are built, and whether all can be had."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.controllers.stack_file import StackDefinition
from sandbox.engine.archives import build_context
from sandbox.engine.image_builds import BuildRequest, ImageBuilder
from sandbox.engine.images import Images
from sandbox.errors import SandboxError
from sandbox.model.own import FILE

if TYPE_CHECKING:
    from sandbox.model.own.settings import Build


def prepare(
    definition: StackDefinition, images: Images, builder: ImageBuilder, progress: Callable[[str], None]
) -> None:
    """Build what is to be built, and make sure of every image before the first call.

    Raises:
        SandboxError: An image cannot be built or had; the error names the container and the table to mend it in.
    """
    for reference, instead in definition.overrides.items():
        if isinstance(instead, str):
            images.overrides[reference] = instead
        else:
            progress(f"building {reference} of {instead.folder}")
            images.overrides[reference] = _build(definition.folder, reference, instead, builder, progress)
    for reference, user in definition.references.items():
        try:
            images.resolve(reference)
        except SandboxError as error:
            wanted = images.overrides.get(reference, reference)
            raise SandboxError(
                f"{definition.folder / FILE}: {user}: {error.message}",
                state=error.state,
                hint=f'docker build -t {wanted} FOLDER; or, in {FILE}: [images] "{reference}" = {{ build = "FOLDER" }}',
            ) from error


def unused(definition: StackDefinition, ecs: Any) -> tuple[str, ...]:
    """For each image in the place of another that no task definition names: what is to be told.

    Args:
        definition: A stack that has been made by others than its calls.
        ecs: boto3's client.
    """
    if not definition.overrides:
        return ()
    named = {
        container.get("image", "")
        for page in ecs.get_paginator("list_task_definitions").paginate()
        for arn in page["taskDefinitionArns"]
        for container in ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]["containerDefinitions"]
    }
    there = ", ".join(sorted(named)) or "none"
    return tuple(
        f'[images] "{one}" is the image of no container; those that there are: {there}'
        for one in definition.overrides
        if one not in named
    )


def _build(folder: Path, reference: str, build: Build, builder: ImageBuilder, progress: Callable[[str], None]) -> str:
    place = f'{folder / FILE}: image "{reference}"'
    context = folder / build.folder
    if not (context / build.dockerfile).is_file():
        raise SandboxError(f"{place}: there is no file {context / build.dockerfile}")
    try:
        request = BuildRequest(build_context(context, {}), build.dockerfile, build.arguments, build.target)
    except OSError as error:
        raise SandboxError(f"{place}: {context} cannot be read", state=str(error)) from error
    try:
        return builder.build(request, progress)
    except SandboxError as error:
        raise SandboxError(f"{place}: {error.message}", state=error.state, log=error.log) from error
