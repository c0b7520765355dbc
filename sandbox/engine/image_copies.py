"""Images on their way from one engine to another, as ``docker save | docker load`` does it: no registry is asked."""

from __future__ import annotations

from collections.abc import Callable

import docker
from docker.errors import APIError, ImageNotFound

from sandbox.engine import hosts, placement
from sandbox.errors import SandboxError


class OtherEngines:
    """The images of the other engines of the list. With one engine there are none.

    Args:
        host: Of the engine that is to have images.
        say: Told what is copied.
    """

    def __init__(self, host: str, say: Callable[[str], object]) -> None:
        self._host = host
        self._say = say

    @property
    def are_there(self) -> bool:
        """Whether the list has others."""
        return len(hosts.listed()) > 1

    def bring(self, reference: str) -> bool:
        """Copy an image that this engine lacks from the first other engine that has it; whether one had.

        Raises:
            SandboxError: It could not be copied.
        """
        return self._copy(reference, only_first=False)

    def renew(self, reference: str) -> bool:
        """Copy an image that the first engine of the list has, unless it is here already, the same by its id.

        Somebody's own image is built again and again under one name: what the list's first engine has is what counts.

        Raises:
            SandboxError: It could not be copied.
        """
        return self._copy(reference, only_first=True)

    def _copy(self, reference: str, *, only_first: bool) -> bool:
        listed = hosts.listed()
        if not self.are_there or (only_first and listed[0] == self._host):
            return False
        with placement.opened() as engines:
            target = engines.answering[self._host]
            here = image_id(target, reference)
            for host, source in engines.answering.items():
                if host == self._host or (only_first and host != listed[0]):
                    continue
                there = image_id(source, reference)
                if there and there != here:
                    self._say(f"copying image {reference} from engine {host}")
                    copy(source, target, reference)
                    return True
        return False


def image_id(client: docker.DockerClient, reference: str) -> str:
    """The id of an image that an engine has, "" where it has none of that name."""
    try:
        return str(client.api.inspect_image(reference)["Id"])
    except (ImageNotFound, APIError):  # 400: it is no reference at all
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
