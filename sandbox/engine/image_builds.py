"""Builds of other people's Dockerfiles, for releases: the images carry the labels of a run and go with it."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import docker
from docker.errors import APIError, DockerException

from sandbox.engine.archives import packed
from sandbox.engine.images import LOST, build_arguments, plain_lines, with_host_ca
from sandbox.engine.run import LABEL_BUILDS, LABEL_RUN, Run
from sandbox.errors import SandboxError

LOG_LINES = 20


@dataclass(frozen=True)
class BuildRequest:
    """What is to be built.

    Attributes:
        context: A tar archive; it has the Dockerfile under ``dockerfile``.
        arguments: ``--build-arg``.
        target: The stage (""; the last one).
    """

    context: bytes
    dockerfile: str = "Dockerfile"
    arguments: Mapping[str, str] = field(default_factory=dict)
    target: str = ""
    no_cache: bool = False


class ImageBuilder:
    """Builds in one engine for one run.

    Args:
        client: The engine's.
        run: Whose labels the images carry.
    """

    def __init__(self, client: docker.DockerClient, run: Run) -> None:
        self._api = client.api
        self._run = run

    def build(self, request: BuildRequest, say: Callable[[str], None]) -> str:
        """Build and return the image's id; ``say`` gets each line as the engine prints it.

        Raises:
            SandboxError: It failed; the error has the engine's words and the last log lines.
        """
        log: list[str] = []
        image = ""
        try:
            self._api.create_volume(self._run.name("builds"), labels={**self._run.labels, LABEL_BUILDS: ""})
            for line in self._api.build(
                fileobj=io.BytesIO(with_host_ca(request.context)),
                custom_context=True,
                dockerfile=request.dockerfile,
                buildargs={**build_arguments(), **request.arguments},
                target=request.target or None,
                nocache=request.no_cache,
                labels=self._run.labels,
                pull=False,
                rm=True,
                forcerm=True,
                decode=True,
            ):
                if "error" in line:
                    raise SandboxError(
                        "the image could not be built", state=line["error"].strip(), log=log[-LOG_LINES:]
                    )
                image = line.get("aux", {}).get("ID", image)
                for text in plain_lines(line.get("stream", "")):
                    log.append(text)
                    say(text)
        except (APIError, *LOST) as error:
            words = str(getattr(error, "explanation", None) or error)
            raise SandboxError("the image could not be built", state=words, log=log[-LOG_LINES:]) from error
        return image

    def labelled(self, reference: str) -> str:
        """The id of an image of this run that is as ``reference`` is: itself, or one that adds the run's labels.

        Raises:
            SandboxError: The engine has no such image.
        """
        try:
            found = self._api.inspect_image(reference)
        except DockerException as error:
            raise SandboxError(f"image '{reference}' is not on this machine", state=str(error)) from error
        if ((found["Config"] or {}).get("Labels") or {}).get(LABEL_RUN) == self._run.id:
            return str(found["Id"])
        return self.build(BuildRequest(packed({"Dockerfile": f"FROM {reference}\n".encode()})), lambda text: None)
