"""MongoDB as stacks have it: the stand-in that is built here and, where it can be had, the official image."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pymongo
import pytest
from pymongo.errors import ConnectionFailure

from sandbox.engine import daemon, sweep
from sandbox.engine.containers import Containers, Spec
from sandbox.engine.images import Images
from sandbox.engine.run import Run
from sandbox.errors import SandboxError

START_TIMEOUT = 60.0


@dataclass
class Mongo:
    """Starts servers from one image.

    Attributes:
        stand_in: Whether it is the one that is built here.
    """

    containers: Containers
    image: str
    stand_in: bool
    clients: list[pymongo.MongoClient] = field(default_factory=list)

    def run(self, name: str, command: Sequence[str] | None = None, *, volume: str | None = None, **options) -> str:
        """Start a container, and wait for nothing."""
        mounts = [{"Target": "/data/db", "Source": volume, "Type": "volume"}] if volume else []
        mounts += options.pop("mounts", [])
        publish = options.pop("publish", {27017: 0})
        return self.containers.run_new(Spec(name, self.image, command, mounts=mounts, publish=publish, **options))

    def start(self, name: str, command: Sequence[str] | None = None, **options) -> str:
        """Start a container, and wait until its server answers."""
        container = self.run(name, command, **options)
        self.until_it_answers(container)
        return container

    def until_it_answers(self, container: str, port: int = 27017) -> None:
        """Wait for a container's server."""
        try:
            with pymongo.MongoClient(
                "127.0.0.1", self.port(container, port), serverSelectionTimeoutMS=START_TIMEOUT * 1000
            ) as client:
                client.admin.command("ping")
        except ConnectionFailure as error:
            raise AssertionError(f"{error}\n" + "\n".join(self.log(container))) from error

    def port(self, container: str, port: int = 27017) -> int:
        """Where a container's server is on 127.0.0.1."""
        return self.containers.published(container, port)

    def client(self, container: str, **options) -> pymongo.MongoClient:
        """A client of a container's server, which answers already."""
        options = {"serverSelectionTimeoutMS": 5_000, **options}
        made: pymongo.MongoClient = pymongo.MongoClient("127.0.0.1", self.port(container), **options)
        self.clients.append(made)
        return made

    def log(self, container: str) -> list[str]:
        """What a container has said."""
        return self.containers.output(container).decode().splitlines()

    def wait_for(self, container: str, text: str, within: float = START_TIMEOUT) -> str:
        """The first line with ``text``."""
        deadline = time.monotonic() + within
        while True:
            lines = self.log(container)
            found = [line for line in lines if text in line]
            if found:
                return found[0]
            assert time.monotonic() < deadline, "\n".join(lines)
            time.sleep(0.05)  # a log that has ended is not told of

    def wait_for_tini(self, container: str, within: float = START_TIMEOUT) -> None:
        """Wait until tini has started what it passes signals on to; the kernel drops those that come while it loads."""
        deadline = time.monotonic() + within
        while True:
            found = self.containers.client.api.top(container)["Processes"]
            if len(found) > 1 and any(process[-1].startswith("tini") for process in found):
                return
            assert time.monotonic() < deadline, f"{found}\n" + "\n".join(self.log(container))
            time.sleep(0.02)  # nobody tells of a process's start

    def exit_code(self, container: str, within: float = START_TIMEOUT) -> int:
        """Wait for a container's end."""
        return self.containers.client.api.wait(container, timeout=within)["StatusCode"]


@pytest.fixture(scope="module", params=["stand-in", "official"])
def mongo(request) -> Iterator[Mongo]:
    """Both images; skipped for the official one where no registry has it."""
    client = daemon.connect()
    run = Run.begin()
    containers = Containers(client, run)
    mode = {"stand-in": "build", "official": "official"}[request.param]
    made: Mongo | None = None
    try:
        try:
            image = Images(client, mode, lambda text: None).ensure("mongo")
        except SandboxError as error:
            if request.param == "stand-in":
                raise
            pytest.skip(f"the official image cannot be had here: {error.state or error.message}")
        made = Mongo(containers, image, request.param == "stand-in")
        yield made
    finally:
        if made is not None:
            with ThreadPoolExecutor(20) as pool:  # one whose server has gone away looks for it once more
                list(pool.map(pymongo.MongoClient.close, made.clients))
        containers.close()
        sweep.remove_run(client, run.id)
        run.end()
        client.close()


@pytest.fixture(scope="module")
def server(mongo) -> str:
    """A server for all tests of a module."""
    return mongo.start("server")


@pytest.fixture(scope="module")
def client(mongo, server) -> pymongo.MongoClient:
    """A client of it."""
    return mongo.client(server)


@pytest.fixture
def db(client, request) -> Iterator[pymongo.database.Database]:
    """A database of this test's own."""
    name = request.node.originalname.removeprefix("test_")[:60]
    yield client[name]
    client.drop_database(name)


@pytest.fixture
def refused() -> Callable[..., pymongo.errors.OperationFailure]:
    """The error with a code that a call must raise: ``refused(11000, lambda: ...)``."""

    def call(code: int, function: Callable[[], object]) -> pymongo.errors.OperationFailure:
        with pytest.raises(pymongo.errors.OperationFailure) as caught:
            function()
        assert caught.value.code == code, caught.value
        return caught.value

    return call
