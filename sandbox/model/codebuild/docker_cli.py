"""What a build may ask of Docker: the commands of a release, and no more.

A build's container has no Docker socket. Its ``docker`` is a script that hands its arguments to the sandbox, which
carries out what this module understands: it makes and names images, and never runs a container for the build.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_WITH_VALUE = {
    "-t": "tag",
    "--tag": "tag",
    "-f": "file",
    "--file": "file",
    "--build-arg": "build-arg",
    "--target": "target",
    "--platform": "platform",
    "--progress": "progress",
}
_FLAGS = frozenset({"--no-cache", "--pull", "-q", "--quiet", "--rm", "--force-rm"})
_SAID = "the sandbox's docker carries out build, tag, push, login and logout"


class DockerCommandError(Exception):
    """A command that is not carried out; the message is for who wrote it."""


@dataclass(frozen=True)
class Build:
    """``docker build``. ``context`` and ``file`` are as given; ``file`` is "" where it is the context's Dockerfile."""

    context: str
    tags: tuple[str, ...] = ()
    file: str = ""
    arguments: Mapping[str, str | None] = field(default_factory=dict)
    target: str = ""
    no_cache: bool = False


@dataclass(frozen=True)
class Tag:
    """``docker tag``."""

    source: str
    target: str


@dataclass(frozen=True)
class Push:
    """``docker push``."""

    reference: str


@dataclass(frozen=True)
class Login:
    """``docker login`` and ``docker logout``: nobody checks who pushes."""


def parse(arguments: Sequence[str]) -> Build | Tag | Push | Login:
    """The command that follows ``docker``.

    Raises:
        DockerCommandError: It is none of them, or has an option that would have to be ignored.
    """
    command, *rest = [*arguments] or [""]
    if command in {"image", "buildx"} and rest:
        command, *rest = rest
    match command:
        case "build":
            return _build(rest)
        case "tag" if len(rest) == 2:
            return Tag(with_tag(rest[0]), with_tag(rest[1]))
        case "push":
            names = [item for item in rest if item not in {"-q", "--quiet"}]
            if len(names) == 1 and not names[0].startswith("-"):
                return Push(with_tag(names[0]))
        case "login" | "logout":
            return Login()
    raise DockerCommandError(f"docker {' '.join(arguments)}: not carried out; {_SAID}")


def with_tag(name: str) -> str:
    """The name with the tag that it has where none is given."""
    return name if ":" in name.rpartition("/")[2] or "@" in name else f"{name}:latest"


def _build(rest: Sequence[str]) -> Build:
    values: dict[str, list[str]] = {}
    places: list[str] = []
    flags: set[str] = set()
    words = iter(rest)
    for word in words:
        option, equals, value = word.partition("=")
        if option in _WITH_VALUE:
            given = value if equals else next(words, None)
            if given is None:
                raise DockerCommandError(f"docker build: {option} wants a value")
            values.setdefault(_WITH_VALUE[option], []).append(given)
        elif word in _FLAGS:
            flags.add(word)
        elif word.startswith("-"):
            raise DockerCommandError(f"docker build: {option} is not carried out by the sandbox")
        else:
            places.append(word)
    if len(places) != 1 or places[0].startswith(("http://", "https://", "git@")):
        raise DockerCommandError("docker build: wants one folder as its context")
    platform = values.get("platform", ["linux/amd64"])[-1]
    if platform != "linux/amd64":
        raise DockerCommandError(f"docker build: --platform {platform} is not carried out by the sandbox")
    pairs = [item.partition("=") for item in values.get("build-arg", ())]
    return Build(
        places[0],
        tuple(with_tag(item) for item in values.get("tag", ())),
        values.get("file", [""])[-1],
        {name: value if equals else None for name, equals, value in pairs},
        values.get("target", [""])[-1],
        "--no-cache" in flags,
    )
