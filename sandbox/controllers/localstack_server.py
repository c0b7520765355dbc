"""A LocalStack that the sandboxes of this process use one after another.

It takes seconds to start and to load its services, and is emptied in a fraction of one.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from sandbox.aws.backends.localstack import readiness
from sandbox.aws.backends.localstack.connection import Connection
from sandbox.aws.backends.localstack.container import SOCKETS, Container, Options
from sandbox.aws.backends.localstack.services import LAMBDA_RETRY_SECONDS
from sandbox.controllers.network import DNS_UDP, GATEWAY, OUTSIDE, RESOLVER, RunNetwork
from sandbox.engine import hosts, networks, placement, sweep
from sandbox.engine.image_copies import OtherEngines
from sandbox.engine.images import Images
from sandbox.engine.run import Run
from sandbox.errors import SandboxError
from sandbox.interrupts import held_back

LOCALSTACK = "localstack"
EXECUTOR = "SANDBOX_LAMBDA_EXECUTOR"
"""The environment variable that says what functions are: "process" (where it is not set) or "container"."""
_RESET = "/_localstack/sandbox/reset"
_RESET_WITHIN = 120.0  # seconds
_EXCERPT = 300
_OUTSIDE_DNS = OUTSIDE + DNS_UDP
_SERVED = (GATEWAY, _OUTSIDE_DNS)  # the sockets of a sandbox that LocalStack gets to see


class LocalStackServer(Protocol):
    """A LocalStack for one sandbox at a time: `begin`, then `end`."""

    @property
    def connection(self) -> Connection:
        """To LocalStack; waits until it is ready.

        Raises:
            SandboxError: It is not, and why.
        """

    def begin(self, network: RunNetwork, sockets: Path, on_death: Callable[[SandboxError], None]) -> None:
        """Wait until every service that is needed answers, and let LocalStack reach a sandbox.

        Args:
            network: The sandbox's.
            sockets: The folder of its gateway's and its DNS server's sockets.
            on_death: Called, on any thread, when LocalStack ends before `end`.

        Raises:
            SandboxError: A service does not answer; the error names it and has LocalStack's last log lines.
        """

    def check(self) -> None:
        """Whether it is still there.

        Raises:
            SandboxError: It is not, and why.
        """

    def end(self) -> None:
        """Forget everything that the sandbox has made there."""


class OwnedServer:
    """A LocalStack that we start, in the background, from the catalogue's image. `close` removes it.

    Args:
        images: "auto", "official" or "build".
        speed: Divides the delays after which Lambda tries an asynchronous invocation again.
        progress: Told what is being built, pulled or waited for.
        memory: A limit of the container's memory in MiB (None: none).
        environment: LocalStack's own settings, beside ours.

    Raises:
        SandboxError: No engine answers, or `EXECUTOR` says something else.
    """

    def __init__(
        self,
        images: str = "auto",
        speed: float = 1.0,
        progress: Callable[[str], None] = lambda text: None,
        memory: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._environment = environment or {}
        self._closing = ExitStack()
        self._on_death: Callable[[SandboxError], None] = lambda error: None
        self._joined: str | None = None
        self._speed = speed
        self._memory = memory
        self._container: Container | None = None
        self._made: Future[Container] = Future()  # it runs, and may not be ready yet
        self._joining = threading.Lock()
        self._url_is_known = False
        executor = os.environ.get(EXECUTOR) or "process"
        if executor not in {"process", "container"}:
            raise SandboxError(f"{EXECUTOR}={executor}: there is no such executor", hint="process or container")
        self._functions_are_containers = executor == "container"
        try:
            with placement.placing(progress) as self._client:
                self._closing.callback(self._client.close)
                with held_back():  # its folder is there before its end is arranged for
                    self._run = Run.begin()
                    self._closing.callback(self._run.end)
            placement.remove_dead_runs(self._client)
            self._closing.callback(lambda: sweep.remove_run(self._client, self._run.id))
            self._folder = self._run.folder / "localstack"
            self._folder.mkdir()
            self._resolv_conf = self._run.folder / "resolv-localstack.conf"
            self._resolv_conf.write_text("")
            self._images = Images(self._client, images, progress, OtherEngines(hosts.here(), progress))
            pool = ThreadPoolExecutor(1, thread_name_prefix="localstack")
            with held_back():  # a pool does not wait for a thread in whose start it was interrupted
                self._starting: Future[Connection] = pool.submit(self._start)
                self._closing.callback(self._stop)
            pool.shutdown(wait=False)
        except BaseException:
            self.close()
            raise

    @property
    def connection(self) -> Connection:
        """See `LocalStackServer`."""
        return self._starting.result()

    def begin(self, network: RunNetwork, sockets: Path, on_death: Callable[[SandboxError], None]) -> None:
        """See `LocalStackServer`."""
        container = self._made.result()
        if self._starting.done():
            _ = self.connection  # or why there is none
            self.check()
        self._on_death = on_death
        for name in _SERVED:
            # A socket is found by its inode: a second name of it leads to the same listener.
            (self._folder / name).unlink(missing_ok=True)
            os.link(sockets / name, self._folder / name)
        (self._folder / "internet").write_text(f"{network.internet.cidr} {SOCKETS / _OUTSIDE_DNS}")
        with self._joining:  # beside LocalStack's own start, unless that has ended
            if self._url_is_known:
                _ = self.connection  # its port moves: nobody is to be asking there
            self._joined = network.internet.id
            container.connect(network.internet.id, network.public.take())
            if self._url_is_known:
                self.connection.move_to(container.url())
        _ = self.connection
        # Written in place: the container has this very file. Services that are loading would wait for names meanwhile.
        self._resolv_conf.write_text(f"nameserver {network.internet.address(RESOLVER)}\noptions timeout:2 attempts:2\n")

    def check(self) -> None:
        """See `LocalStackServer`."""
        container = self._running()
        if container.has_died or not container.is_running:
            raise container.lost("")

    def end(self) -> None:
        """See `LocalStackServer`.

        Raises:
            SandboxError: LocalStack could not forget; the next sandbox would find what is left.
        """
        self._on_death = lambda error: None
        joined, self._joined = self._joined, None
        if joined is None or self._container is None:
            return
        is_ready = self._starting.done() and self._starting.exception() is None
        try:
            if is_ready and not self._container.has_died:
                self.forget()  # ends functions, which are still calling the sandbox
        finally:
            if not self._container.has_died:
                self._container.disconnect(joined)
            if is_ready and not self._container.has_died:
                self.connection.move_to(self._container.url())
            for name in (*_SERVED, "internet"):
                (self._folder / name).unlink(missing_ok=True)

    def forget(self) -> None:
        """Empty LocalStack; its services stay loaded.

        Raises:
            SandboxError: It could not.
        """
        status, _, body = self.connection.ask("POST", _RESET, {}, timeout=_RESET_WITHIN)
        if status != 200:
            said = body[:_EXCERPT].decode(errors="replace")
            raise SandboxError("LocalStack could not be emptied", state=f"HTTP {status}: {said}")

    def close(self) -> None:
        """Remove the container and all else. A second call does nothing."""
        with held_back():
            self._closing.close()

    def _start(self) -> Connection:
        try:
            container = self._run_container()
        except BaseException as error:
            self._made.set_exception(error)
            raise
        self._made.set_result(container)
        container.wait_ready()
        with self._joining:
            connection = Connection(container.url(), lost=container.lost)
            self._url_is_known = True
        self._closing.callback(connection.close)
        container.watch(lambda: self._on_death(container.lost("its container has ended")))
        readiness.check(connection)
        return connection

    def _run_container(self) -> Container:
        image = self._images.ensure("localstack")
        functions = self._images.ensure("localstack-lambda") if self._functions_are_containers else ""
        self._network = networks.create_outlet(self._client, self._run, "localstack")
        retry = max(1, round(LAMBDA_RETRY_SECONDS / self._speed))
        self._container = Container(
            Options(
                image,
                self._run.name("localstack"),
                self._run.labels,
                self._folder,
                self._network.name,
                self._resolv_conf,
                {"LAMBDA_RETRY_BASE_DELAY": str(retry), **self._environment},
                self._memory,
                functions,
                hosts.socket_path(),
            )
        )
        self._container.start()
        return self._container

    def _running(self) -> Container:
        assert self._container is not None
        return self._container

    def _stop(self) -> None:
        self._images.close()  # a build of its image takes minutes
        self._made.exception()  # what is being made is made, and goes with the rest
        if self._container is not None:
            self._container.close()  # with it ends the wait until it is ready, of two minutes at most
        self._starting.exception()


class UsersServer:
    """A LocalStack of the user's own, by its URL. It is neither started nor emptied nor ended here.

    Args:
        url: ``http://HOST:PORT``.

    Raises:
        SandboxError: Nothing answers there, or not as LocalStack does.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SandboxError(
                f"--aws {url} is no URL of a LocalStack", hint=f"use embedded, {LOCALSTACK} or http://HOST:PORT"
            )
        if parts.hostname.endswith("amazonaws.com"):
            raise SandboxError(f"--aws {url} is the real AWS", hint="the sandbox never calls it")
        self._connection = Connection(
            url.rstrip("/"),
            lost=lambda cause: SandboxError(
                f"the LocalStack at {url} does not answer", state=cause, hint="is it running? its own log says why"
            ),
        )
        readiness.check(self._connection)

    @property
    def connection(self) -> Connection:
        """See `LocalStackServer`."""
        return self._connection

    def begin(self, network: RunNetwork, sockets: Path, on_death: Callable[[SandboxError], None]) -> None:
        """Nothing: a LocalStack of the user's own reaches the sandbox as its settings say."""

    def check(self) -> None:
        """See `LocalStackServer`."""
        self._connection.ask("GET", "/_localstack/health", {}, timeout=_RESET_WITHIN)

    def end(self) -> None:
        """Nothing: what is in there may be the user's."""

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()


@contextlib.contextmanager
def opened(
    aws: str, images: str = "auto", speed: float = 1.0, progress: Callable[[str], None] = lambda text: None
) -> Iterator[OwnedServer | UsersServer]:
    """The LocalStack that ``--aws`` names, for as long as the block lasts.

    Args:
        aws: "localstack", or the URL of a LocalStack of the user's own.
        images: "auto", "official" or "build".
        speed: See `OwnedServer`.
        progress: Told what is being built, pulled or waited for.

    Raises:
        SandboxError: No such choice, or it could not be had.
    """
    server = OwnedServer(images, speed, progress) if aws == LOCALSTACK else UsersServer(aws)
    try:
        yield server
    finally:
        server.close()
