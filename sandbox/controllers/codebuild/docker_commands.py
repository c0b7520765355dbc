"""Carries out the ``docker`` of a build: images are built by the engine, and pushed to the sandbox's registry.

The build's container has a script in Docker's place (`SHIM`), which sends its arguments to the sandbox's endpoint. So
the container needs no socket, and gets no more of Docker than `sandbox.model.codebuild.docker_cli` understands.
"""

from __future__ import annotations

import base64
import binascii
import posixpath
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.aws.protocol import HttpResponse
from sandbox.controllers.registry import Registry
from sandbox.engine import archives
from sandbox.engine.containers import Containers
from sandbox.engine.image_builds import BuildRequest
from sandbox.engine.images import Images
from sandbox.errors import SandboxError
from sandbox.model import dockerfile
from sandbox.model.codebuild import docker_cli

PATH = "/_sandbox/docker/"
URL_VARIABLE = "SANDBOX_DOCKER"

# The answer's first line is the exit code, the rest is what the command prints.
SHIM = f"""\
#!/bin/sh
answer=$(curl -sS --noproxy '*' -X POST \
"${URL_VARIABLE}/$(printf '%s\\0' "$PWD" "$@" | base64 -w0 | tr '+/' '-_')" </dev/null) || exit 1
printf '%s\\n' "$answer" | tail -n +2
exit "$(printf '%s\\n' "$answer" | head -n 1)"
"""


@dataclass
class Names:
    """The names that one build has given to images, as its own Docker would know them."""

    container: str
    images: dict[str, str] = field(default_factory=dict)


class DockerCommands:
    """Answers the scripts of the builds that are under way.

    Args:
        containers: The run's.
        images: What Dockerfiles begin with.
        registry: Where images are pushed to.
    """

    def __init__(self, containers: Containers, images: Images, registry: Registry) -> None:
        self._containers = containers
        self._images = images
        self._registry = registry
        self._builds: dict[str, Names] = {}

    def open(self, build: str, container: str) -> None:
        """Take commands of a build's container; ``build`` is what nobody else knows."""
        self._builds[build] = Names(container)

    def close(self, build: str) -> None:
        """Take no more."""
        self._builds.pop(build, None)

    def answer(self, path: str) -> HttpResponse:
        """POST of `PATH`, a build's name and its arguments."""
        build, _, coded = path.removeprefix(PATH).partition("/")
        names = self._builds.get(build)
        try:
            words = base64.urlsafe_b64decode(coded).decode().split("\0")[:-1]
        except (binascii.Error, ValueError):
            words = []
        if names is None or not words:
            return HttpResponse(404, {}, b"1\nthere is no such build\n")
        said: list[str] = []
        code = 0
        try:
            self._carry_out(names, words[0], docker_cli.parse(words[1:]), said.append)
        except docker_cli.DockerCommandError as error:
            code = 1
            said.append(str(error))
        except SandboxError as error:
            code = 1
            said.append(error.state or error.message)
        return HttpResponse(200, {"Content-Type": "text/plain"}, "\n".join([str(code), *said, ""]).encode())

    def _carry_out(
        self,
        names: Names,
        folder: str,
        command: docker_cli.Build | docker_cli.Tag | docker_cli.Push | docker_cli.Login,
        say: Callable[[str], None],
    ) -> None:
        match command:
            case docker_cli.Build():
                image = self._build(names, folder, command, say)
                names.images[image] = image
                names.images.update(dict.fromkeys(command.tags, image))
                for tag in command.tags:
                    say(f"Successfully tagged {tag}")
            case docker_cli.Tag(source, target):
                names.images[target] = _known(names, source)
            case docker_cli.Push(reference):
                self._registry.push(_known(names, reference), reference, say)
            case docker_cli.Login():
                say("Login Succeeded")

    def _build(self, names: Names, folder: str, command: docker_cli.Build, say: Callable[[str], None]) -> str:
        context = posixpath.normpath(posixpath.join(folder, command.context))
        name = posixpath.relpath(posixpath.join(folder, command.file), context) if command.file else "Dockerfile"
        arguments = {key: value for key, value in command.arguments.items() if value is not None}
        with tempfile.TemporaryDirectory(dir=self._containers.run.folder) as made:
            here = Path(made)
            if not archives.fetch(self._containers.client, names.container, context, here):
                raise SandboxError(f"unable to prepare context: path {command.context!r} not found")
            if not (here / name).is_file() or name.startswith(".."):
                raise SandboxError(f"unable to prepare context: the context has no {name}")
            text = (here / name).read_text(errors="replace")
            text = dockerfile.rebased(text, arguments, lambda image: self._base(names, image))
            archive = archives.build_context(here, {name: text.encode()})
        request = BuildRequest(archive, name, arguments, command.target, command.no_cache)
        return self._registry.builder.build(request, say)

    def _base(self, names: Names, image: str) -> str:
        return names.images.get(docker_cli.with_tag(image)) or self._images.resolve(image)


def _known(names: Names, reference: str) -> str:
    try:
        return names.images[reference]
    except KeyError:
        raise SandboxError(
            f"there is no image {reference}", state=f"An image does not exist locally with the tag: {reference}"
        ) from None
