"""Images on their way from one engine to another, as ``docker save | docker load`` does it: no registry is asked."""

from __future__ import annotations

import docker
from docker.errors import APIError, ImageNotFound

from sandbox.errors import SandboxError


def image_id(client: docker.DockerClient, reference: str) -> str:
    """The id of an image that an engine has, "" where it has none of that name."""
    try:
        return str(client.api.inspect_image(reference)["Id"])
    except ImageNotFound:
        return ""


def copy(source: docker.DockerClient, target: docker.DockerClient, reference: str) -> None:
    """Bring an image to another engine, with its name; the image there is the same by its id.

    Args:
        source: Of the engine that has it.
        target: Of the engine that is to have it.
        reference: The image's name and tag.

    Raises:
        SandboxError: One of them refused, or what has come is another image.
    """
    try:
        for line in target.api.load_image(source.api.get_image(reference)):
            if "error" in line:
                raise _failed(reference, str(line["error"]))
    except APIError as error:
        raise _failed(reference, str(error.explanation or error)) from error
    if image_id(source, reference) != image_id(target, reference):
        raise _failed(reference, "the other engine has another image of that name")


def _failed(reference: str, words: str) -> SandboxError:
    return SandboxError(
        f"image '{reference}' could not be copied from one engine to another",
        state=words,
        hint="look at the disk of the engine that was to have it: sandbox doctor",
    )
