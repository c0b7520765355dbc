"""Images of somebody's own stack: those that stand for others, those that are built, and whether all can be had."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sandbox.controllers.stack_file import StackDefinition
from sandbox.engine.archives import build_context
from sandbox.engine.image_builds import BuildRequest, ImageBuilder
from sandbox.engine.images import Images
from sandbox.errors import SandboxError
from sandbox.model.own.settings import FILE, Build


def prepare(
    definition: StackDefinition, images: Images, builder: ImageBuilder, progress: Callable[[str], None]
) -> None:
    """Build what is to be built, and make sure of every image before the first call.

    Raises:
        SandboxError: An image cannot be built or had; the error names the container and the table to mend it in.
    """
    for reference, instead in definition.overrides.items():
        if isinstance(instead, Build):
            progress(f"building {reference} of {instead.folder}")
            images.overrides[reference] = _build(definition.folder, reference, instead, builder, progress)
        else:
            images.overrides[reference] = instead
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
