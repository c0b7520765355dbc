"""Two engines on a machine apart, and the sandbox on both: prints what was seen as JSON, for `test_several_engines`."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from sandbox.engine import daemon, image_copies
from sandbox.engine.image_copies import OtherEngines
from sandbox.engine.images import Images
from sandbox.engine.run import LABEL_OWNER, LABEL_PROJECT
from tests.apart import Dockerd
from tests.conftest import Cli, Command, make_small_stack

_SIZE = 800  # megabytes
_WORKERS = """\
import os, pathlib
from sandbox.engine import hosts


def test_has_an_engine(sandbox):
    pathlib.Path(os.environ["PYTEST_XDIST_WORKER"]).write_text(hosts.here())
"""


_SANDBOXES = """\
from sandbox.controllers.sandbox import Sandbox
from sandbox.controllers.site import Site
from sandbox.engine import hosts

with Site() as site:
    for _ in range(2):
        with Sandbox(site=site) as made:
            made.vpc  # waits for the networks
        print(hosts.here(), flush=True)
        input()
"""


class Several:
    """The engines, and the command line with both in its list."""

    def __init__(self, folder: Path, images: str) -> None:
        self.engines = [Dockerd(folder / name, _SIZE, number) for number, name in enumerate("ab")]
        for engine in self.engines:
            engine.start()
        self.hosts = [engine.host for engine in self.engines]
        with contextlib.closing(daemon.connect()) as source, contextlib.closing(self.engines[0].client()) as target:
            for name in ("toolbox", "nginx"):
                image_copies.copy(source, target, Images(source, images, lambda text: None).ensure(name))
        (folder / "tmp").mkdir()
        listed = {"SANDBOX_DOCKER_HOSTS": ",".join(self.hosts), "XDG_CACHE_HOME": str(folder / "cache")}
        self.cli = Cli(folder / "tmp", **listed)
        self.stack = make_small_stack(folder / "small")

    def up(self) -> Command:
        """Start a stack; it is up at ``wait_for("is up")``."""
        return self.cli.start("up", self.stack)

    def owners(self) -> list[set[str]]:
        """The processes that have something in each engine."""
        return [{labels[LABEL_OWNER].split(":")[2] for labels in self._labels(engine)} for engine in self.engines]

    def _labels(self, engine: Dockerd) -> Iterator[dict[str, str]]:
        with contextlib.closing(engine.client()) as client:
            filters = {"label": LABEL_PROJECT}
            for thing in (*client.api.containers(all=True, filters=filters), *client.api.networks(filters=filters)):
                yield thing["Labels"]

    def subnets(self) -> list[IPv4Network]:
        """The ranges of the sandbox's networks in all engines."""
        found = []
        for engine in self.engines:
            with contextlib.closing(engine.client()) as client:
                for network in client.api.networks(filters={"label": LABEL_PROJECT}):
                    found.append(IPv4Network(network["IPAM"]["Config"][0]["Subnet"]))
        return found

    def images(self) -> list[dict[str, str]]:
        """Id by name of each engine's images."""
        found = []
        for engine in self.engines:
            with contextlib.closing(engine.client()) as client:
                found.append({name: image["Id"] for image in client.api.images() for name in image["RepoTags"] or ()})
        return found

    def close(self) -> None:
        """End everything."""
        for command in self.cli.commands:
            command.close()
        for engine in self.engines:
            engine.remove()


def look(several: Several) -> dict[str, Any]:
    """Do what several engines are for, and say what was seen."""
    seen: dict[str, Any] = {"hosts": several.hosts}
    ups = [several.up(), several.up()]
    for up in ups:
        up.wait_for("is up", 120)
    seen["owners"] = [sorted(owners) for owners in several.owners()]
    seen["pids"] = sorted(str(up.pid) for up in ups)
    subnets = several.subnets()
    seen["subnets"] = [str(one) for one in subnets]
    seen["overlap"] = any(one.overlaps(two) for i, one in enumerate(subnets) for two in subnets[i + 1 :])
    urls = [re.search(r"http://127\.0\.0\.1:\d+/", up.out) for up in ups]
    seen["answers"] = [urllib.request.urlopen(url[0], timeout=10).read().decode() for url in urls if url]
    seen["copied"] = [line for up in ups for line in up.err.splitlines() if "copying image" in line]
    seen["built"] = [line for up in ups for line in up.err.splitlines() if "building image" in line]
    seen["images"] = several.images()
    seen["doctor"] = json.loads(several.cli.run("doctor", "--json")[1])
    for up in ups:
        up.kill()
    third = several.up()
    third.wait_for("is up", 120)
    seen["after the next run"] = [sorted(owners) for owners in several.owners()]
    seen["third"] = str(third.pid)
    dead = f"unix://{several.cli.folder}/none.sock"
    with_a_dead_one = ",".join([several.hosts[0], dead, several.hosts[1]])
    seen["dead"] = dead
    seen["down"] = several.cli.run("down", within=120, SANDBOX_DOCKER_HOSTS=with_a_dead_one)
    seen["doctor with a dead one"] = several.cli.run("doctor", SANDBOX_DOCKER_HOSTS=with_a_dead_one, COLUMNS="200")
    seen["left"] = [sorted(owners) for owners in several.owners()]
    seen["workers"] = _workers(several, with_a_dead_one)
    seen["moved"] = _moved(several)
    seen["got"] = _got(several)
    return seen


def _workers(several: Several, listed: str) -> dict[str, Any]:
    """The engine of each of two workers of pytest-xdist, which both run one test with a sandbox; what pytest says."""
    folder = several.cli.folder / "pytest"
    folder.mkdir()
    (folder / "test_workers.py").write_text(_WORKERS)
    options = ["-n", "2", "--dist", "each", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(folder)],
        cwd=folder,
        env={**several.cli.environment, "PYTHONPATH": str(Path.cwd()), "SANDBOX_DOCKER_HOSTS": listed},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return {"engines": {file.name: file.read_text() for file in folder.glob("gw*")}, "said": done.stdout + done.stderr}


def _got(several: Several) -> dict[str, Any]:
    """What `images build` and `Images` get for the second engine: what it lacks, and what the first one has anew."""
    nginx = next(name for name in several.images()[1] if "/nginx:" in name)
    with (
        contextlib.closing(several.engines[0].client()) as first,
        contextlib.closing(several.engines[1].client()) as second,
    ):
        second.api.remove_image(nginx, force=True)
        built = several.cli.run("images", "build", "nginx", within=120)
        # An image of somebody's own, built again on the first engine alone.
        first.api.tag(nginx, "shop", "1")
        second.api.tag(next(name for name in several.images()[1] if "/toolbox:" in name), "shop", "1")
        os.environ["SANDBOX_DOCKER_HOSTS"] = ",".join(several.hosts)
        os.environ["XDG_CACHE_HOME"] = several.cli.environment["XDG_CACHE_HOME"]
        said: list[str] = []
        Images(second, "auto", said.append, OtherEngines(several.hosts[1], said.append)).resolve("shop:1")
        ids = [image_copies.image_id(client, "shop:1") for client in (first, second)]
    return {"built": built, "nginx": [images.get(nginx) for images in several.images()], "said": said, "shop": ids}


def _moved(several: Several) -> dict[str, Any]:
    """The engines of two sandboxes of one process, the first of which is killed between them; and what is left then."""
    process = subprocess.Popen(
        [sys.executable, "-c", _SANDBOXES],
        env={**several.cli.environment, "PYTHONPATH": str(Path.cwd())},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    first = process.stdout.readline().strip()
    engine = several.engines[several.hosts.index(first)]
    engine.kill()
    process.stdin.write("\n")
    process.stdin.flush()
    second = process.stdout.readline().strip()
    process.communicate("\n", timeout=60)
    engine.start()
    several.cli.run("down", within=120)
    return {"engines": [first, second], "left": [sorted(owners) for owners in several.owners()]}


def main() -> None:
    """Print what was seen."""
    several = Several(Path(sys.argv[1]), sys.argv[2])
    try:
        print(json.dumps(look(several)))
    finally:
        several.close()


if __name__ == "__main__":
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    main()
