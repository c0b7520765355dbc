"""Commands in a container whose output is told as it comes, and that end with a code."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Sequence

import docker
from docker.errors import APIError

from sandbox.engine.containers import closed_at_the_end
from sandbox.engine.images import LOST
from sandbox.errors import SandboxError

GONE = -1
"""The code of a command whose container was removed under it."""


def run(client: docker.DockerClient, container: str, command: Sequence[str], say: Callable[[str], None]) -> int:
    """Run a command as root, tell each line that it prints, and return its exit code (`GONE` if the container went).

    Raises:
        SandboxError: The engine could not start it.
    """
    api = client.api
    try:
        started = api.exec_create(container, list(command), user="root")["Id"]
        pieces = api.exec_start(started, stream=True)
    except APIError as error:
        raise SandboxError(f"{command[0]} could not be run", state=str(error.explanation or error)) from error
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    rest = ""
    try:
        for piece in closed_at_the_end(pieces):
            *lines, rest = (rest + decoder.decode(piece)).split("\n")
            for line in lines:
                say(line.rstrip("\r"))
        if rest:
            say(rest)
        code = api.exec_inspect(started)["ExitCode"]
    except (APIError, OSError, *LOST):
        return GONE
    return GONE if code is None else int(code)
