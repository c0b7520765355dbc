"""The components that stacks are made of: an official image, and a Dockerfile with the same contract."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox import paths

LOCAL = "aws-container-sandbox"
DEBIAN = "trixie"


@dataclass(frozen=True)
class Component:
    """An image by its role.

    Attributes:
        name: As in ``sandbox images build NAME`` and in ``images`` of a stack.yaml.
        official: The reference in a public registry ("" where only we make one).
        folder: Its folder under compose/images, with a Dockerfile ("" for the base, which has none).
        contract: One line: what the local build has in common with the official image.
    """

    name: str
    official: str
    folder: str
    contract: str

    @property
    def context(self) -> Path:
        """The build context."""
        return paths.share() / "compose" / "images" / self.folder


CATALOGUE: Mapping[str, Component] = {
    component.name: component
    for component in (
        Component("base", f"debian:{DEBIAN}-slim", "", "Debian without documentation and locales"),
        Component("toolbox", "", "toolbox", "tini, socat, curl, nftables, tc: the sandbox's own containers"),
        Component("nginx", "nginx:1.27", "nginx", "/etc/nginx/conf.d, logs to the output, user nginx, SIGQUIT"),
        Component("haproxy", "haproxy:3.0", "haproxy", "user haproxy, /usr/local/etc/haproxy, SIGUSR1, Lua"),
        Component("varnish", "varnish:7.7", "varnish", "user varnish, the modules of varnish-modules, a C compiler"),
        Component(
            "mongo",
            "mongo:7",
            "mongo",
            "port 27017, /data/db, MONGO_INITDB_ROOT_...: a stand-in for MongoDB, no mongosh",
        ),
        Component("ghost", "ghost:6", "ghost", "/var/lib/ghost/content, port 2368, configuration by environment"),
        Component(
            "cache-tests", "", "cache-tests", "the suite http-tests/cache-tests: its origin on port 8000, its client"
        ),
        Component("compose-plugin", "", "compose-plugin", "Docker Compose 2 as one file, for engines without it"),
    )
}


def local_tag(name: str) -> str:
    """The tag of the local build: it changes with the build context and with what the base is made of."""
    digest = hashlib.sha256(f"{DEBIAN}".encode())
    component = CATALOGUE[name]
    if component.folder:
        for path in sorted(component.context.rglob("*")):
            if path.is_file():
                digest.update(str(path.relative_to(component.context)).encode() + b"\0" + path.read_bytes() + b"\0")
    return f"{LOCAL}/{name}:{digest.hexdigest()[:12]}"


def component_of(reference: str) -> str | None:
    """The component whose official image ``reference`` is (another tag is another image), or None."""
    short = reference.removeprefix("docker.io/").removeprefix("library/")
    for component in CATALOGUE.values():
        if component.official and short == component.official:
            return component.name
    return None
