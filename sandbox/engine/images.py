"""Images: present, else pulled, else built from package registries.

Without a container registry the base comes from mmdebstrap, and each component from its Dockerfile in
``compose/images``; the tags of those builds carry a hash of what they are made of, so an edited Dockerfile is built
again and a stale image is never used.
"""

from __future__ import annotations

import contextlib
import io
import os
import queue
import re
import shutil
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, InvalidStateError
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import docker
import requests
import urllib3
from docker.auth import resolve_repository_name
from docker.errors import APIError, DockerException, ImageNotFound
from docker.utils import parse_repository_tag

from sandbox.engine import catalogue, daemon
from sandbox.engine.catalogue import CATALOGUE, Component
from sandbox.engine.image_copies import OtherEngines
from sandbox.engine.turns import turn
from sandbox.errors import SandboxError

T = TypeVar("T")

LOG_LINES = 20
_AT_ONCE = 2  # images that are made
_CA_IN_CONTEXT = "host-ca.crt"
_CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "NODE_EXTRA_CA_CERTS")
_CA_FILES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
# A package index or a proxy that the host is told to use is used in builds too. None of them stays in an image: the
# first two are arguments of build stages, and Docker keeps the names of proxies out of the history.
_PASSED_ARGUMENTS = (
    "PIP_INDEX_URL",
    "NPM_CONFIG_REGISTRY",
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")  # the engine prints what a step wrote to standard error in red
_BUILDERS_OWN = (" ---> ", "Removing intermediate container ")
# What the engine's connection raises when the engine ends in the middle of a pull or a build.
LOST = (requests.RequestException, urllib3.exceptions.HTTPError)
_EXCLUDED = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/info/*")


@dataclass(frozen=True)
class Row:
    """A line of ``sandbox images list``.

    ``origin`` is "official", "built" or "" where the image is not present; ``engine`` is "" where there is but one.
    """

    name: str
    official: str
    reference: str
    origin: str
    megabytes: int
    contract: str
    engine: str = ""

    def as_json(self) -> dict[str, Any]:
        """The row as docs/formats.md has it."""
        return asdict(self)


class Images:
    """Gets images from one engine. Safe to use from several threads; each image is made once.

    Args:
        client: The engine's.
        mode: "auto" (present, else pull, else build), "official" (present or pull) or "build" (our builds only).
        progress: Told what is being pulled or built.
        others: Have images that need not be pulled or built.

    Attributes:
        in_registry: The image that a reference to a registry of the sandbox's own stands for; None for any other.
        overrides: References that are used in the place of others.
    """

    def __init__(
        self,
        client: docker.DockerClient,
        mode: str,
        progress: Callable[[str], None],
        others: OtherEngines | None = None,
    ) -> None:
        self._api = client.api
        self._others = others
        self._mode = mode
        self._progress = progress
        self._known: dict[str, str] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()
        self._out_of_reach: dict[str, str] = {}  # registry: its words
        self._refusal = ""
        self._awaited: set[Future[Any]] = set()
        self._closed = False
        self.in_registry: Callable[[str], str | None] = lambda reference: None
        self.overrides: dict[str, str] = {}

    def ensure(self, name: str) -> str:
        """The reference of a component's image, which is there when this returns.

        Raises:
            SandboxError: There is no such component, or its image can neither be pulled nor built.
        """
        if name not in CATALOGUE:
            raise SandboxError(f"there is no component '{name}'", hint=f"components: {', '.join(CATALOGUE)}")
        with self._lock:
            lock = self._locks.setdefault(name, threading.Lock())
        with lock:
            if name not in self._known:
                self._known[name] = self._unless_closed(lambda: self._get(CATALOGUE[name]))
            return self._known[name]

    def ensure_all(self, names: Iterable[str]) -> None:
        """Make sure of several components, two at a time: a build waits for registries as long as it uses a core.

        Raises:
            SandboxError: As `ensure`; nothing more is begun then.
        """
        by_folder: dict[str, list[str]] = {}
        for name in names:
            by_folder.setdefault(_folder(name), []).append(name)
        todo: queue.SimpleQueue[list[str]] = queue.SimpleQueue()
        done: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        for together in by_folder.values():  # they share stages, which are made once in turn
            todo.put(together)
        over = threading.Event()

        def work() -> None:
            while not over.is_set():
                try:
                    for name in todo.get_nowait():
                        self.ensure(name)
                except queue.Empty:
                    return
                except BaseException as error:
                    over.set()  # here, not where it is raised: this thread would begin the next before that
                    done.put(error)
                else:
                    done.put(None)

        # None is waited for after an error or an interruption: the engine ends a build whose connection ends.
        for _ in range(_AT_ONCE):
            threading.Thread(target=work, name="images", daemon=True).start()
        try:
            for _ in by_folder:
                if (error := done.get()) is not None:
                    raise error
        finally:
            over.set()

    def resolve(self, reference: str) -> str:
        """The reference to run for an ``image`` of a task definition.

        The official image of a component may be our build of it; any other is used as it is, and pulled where it is
        not present.

        Raises:
            SandboxError: It is not present and cannot be pulled; the registry's own words are in the error.
        """
        reference = self.overrides.get(reference, reference)
        component = catalogue.component_of(reference)
        if component is not None:
            return self.ensure(component)
        if (own := self.in_registry(reference)) is not None:
            return own
        others = self._others
        if others is not None and others.are_there:
            self._unless_closed(lambda: self._renewed(others, reference))
        if self._present(reference):
            return reference
        if self._unless_closed(lambda: self._copied(reference) or self._pull(reference)):
            return reference
        raise SandboxError(
            f"image '{reference}' is not on this machine and cannot be pulled",
            state=self._refusal,
            hint=f"docker build -t {reference} FOLDER, or use one of: "
            + ", ".join(c.official for c in CATALOGUE.values() if c.official),
        )

    def list(self) -> list[Row]:
        """All components and whether their image is present."""
        return [self._row(component) for component in CATALOGUE.values()]

    def close(self) -> None:
        """Let nobody wait for an image any more, now or later: a registry may answer never.

        The engine ends a pull or a build whose connection ends, with this process at the latest.
        """
        with self._lock:
            self._closed = True
            awaited = list(self._awaited)
        for one in awaited:
            with contextlib.suppress(InvalidStateError):  # it has come meanwhile
                one.set_exception(_closed())

    def _unless_closed(self, work: Callable[[], T]) -> T:
        """What ``work`` gives, which is done on a thread of its own; nobody waits for that after `close`."""
        awaited: Future[T] = Future()

        def do() -> None:
            with contextlib.suppress(InvalidStateError):  # nobody wants to know
                try:
                    result = work()
                except BaseException as error:
                    awaited.set_exception(error)
                else:
                    awaited.set_result(result)

        with self._lock:
            if self._closed:
                raise _closed()
            self._awaited.add(awaited)
        threading.Thread(target=do, name="image", daemon=True).start()
        try:
            return awaited.result()
        finally:
            with self._lock:
                self._awaited.discard(awaited)

    def _row(self, component: Component) -> Row:
        for origin, reference in (("official", component.official), ("built", catalogue.local_tag(component.name))):
            if reference and self._present(reference):
                size = self._api.inspect_image(reference)["Size"] // 1_000_000
                return Row(component.name, component.official, reference, origin, size, component.contract)
        return Row(component.name, component.official, "", "", 0, component.contract)

    # -- getting --

    def _get(self, component: Component) -> str:
        local = catalogue.local_tag(component.name)
        if self._mode != "build" and component.official:
            if self._present(component.official):
                return component.official
            if self._mode == "auto" and self._present(local):
                return local
            if self._copied(component.official):
                return component.official
            if self._mode == "auto" and self._copied(local):
                return local
            if self._pull(component.official):
                return component.official
            if self._mode == "official":
                raise SandboxError(
                    f"image '{component.official}' cannot be pulled",
                    state=self._refusal,
                    hint="--images auto builds it from Debian's packages instead",
                )
        if not self._present(local) and not self._copied(local):
            if component.folder:
                self.ensure(component.base)
            for other in component.images.values():
                self.ensure(other)
            # One at a time of what is of one folder: an image is built once, and so are the stages that it shares.
            with self._turn(f"build-{Path(_folder(component.name)).name}"):
                if not self._present(local):  # another process may have built it while we waited
                    self._build(component, local)
        return local

    def _present(self, reference: str) -> bool:
        try:
            self._api.inspect_image(reference)
        except ImageNotFound:
            return False
        except DockerException as error:  # not a reference at all
            self._refusal = str(error)
            return False
        except LOST as error:
            raise _engine_lost(f"image '{reference}' was being looked up", error) from error
        return True

    def _renewed(self, others: OtherEngines, reference: str) -> bool:
        """Whether the first engine of the list had another image of that name, which is here now."""
        with self._turn("copy"):
            return others.renew(reference)

    def _copied(self, reference: str) -> bool:
        """Whether another engine had the image, which this one has now, too."""
        if self._others is None or not self._others.are_there:
            return False
        with self._turn("copy"):
            return self._present(reference) or self._others.bring(reference)

    def _pull(self, reference: str) -> bool:
        """Pull; False where it cannot be had. A registry that is out of reach is asked once in a run."""
        name, tag = parse_repository_tag(reference)
        try:
            registry, _ = resolve_repository_name(name)
        except DockerException as error:
            self._refusal = str(error)
            return False
        if registry in self._out_of_reach:
            self._refusal = self._out_of_reach[registry]
            return False
        self._progress(f"pulling {reference}")
        try:
            for line in self._api.pull(name, tag=tag or "latest", stream=True, decode=True):
                if "error" in line:
                    return self._refused(registry, line["error"])
        except APIError as error:
            return self._refused(registry, str(error.explanation or error))
        except LOST as error:
            raise _engine_lost(f"image '{reference}' was being pulled", error) from error
        return True

    def _refused(self, registry: str, words: str) -> bool:
        self._refusal = words
        # These are about one image; anything else (no such host, time-out) is about the registry.
        about_image = ("not found", "denied", "manifest unknown", "invalid reference", "unauthorized")
        if not any(part in words for part in about_image):
            self._out_of_reach[registry] = words
        return False

    # -- building --

    def _turn(self, name: str) -> contextlib.AbstractContextManager[None]:
        return turn(name, lambda: self._progress("waiting for an image that is being built or copied already"))

    def _build(self, component: Component, tag: str) -> None:
        begun = time.monotonic()
        self._progress(f"building image {component.name}")
        if not component.folder:
            self._bootstrap(component, tag)
        else:
            base = self.ensure(component.base)
            self._docker_build(component, tag, base)
        self._progress(f"built image {component.name} in {time.monotonic() - begun:.0f} s")

    def _docker_build(self, component: Component, tag: str, base: str) -> None:
        arguments = {**build_arguments(), **component.arguments}
        arguments |= {argument: self.ensure(other) for argument, other in component.images.items()}
        log: list[str] = []
        step = ""
        try:
            for line in self._api.build(
                fileobj=_context(component),
                custom_context=True,
                tag=tag,
                buildargs={"BASE": base, **arguments},
                target=component.target,
                pull=False,
                rm=True,
                forcerm=True,
                decode=True,
            ):
                if "error" in line:
                    raise _build_failed(component, step, log, line["error"])
                for text in plain_lines(line.get("stream", "")):
                    if text.startswith("Step "):
                        step = text
                        self._progress(f"building image {component.name}: {text}")
                    else:
                        log.append(text)
        except APIError as error:
            raise _build_failed(component, step, log, str(error.explanation or error)) from error
        except LOST as error:
            raise _engine_lost(f"image '{component.name}' was being built ({step})", error) from error

    def _bootstrap(self, component: Component, tag: str) -> None:
        """Debian from its packages: mmdebstrap's tar goes into the engine without touching the disk."""
        if shutil.which("mmdebstrap") is None and daemon.may_install():
            daemon.install(["mmdebstrap", "debian-archive-keyring"], self._progress)
        if shutil.which("mmdebstrap") is None:
            raise SandboxError(
                "no container registry can be reached, and there is no mmdebstrap to make a base image from packages",
                state=self._refusal,
                hint=f"apt-get install mmdebstrap, or docker pull {component.official}",
            )
        command = ["mmdebstrap", "--quiet", "--variant=minbase"]
        command += [f"--dpkgopt=path-exclude={pattern}" for pattern in _EXCLUDED]
        # As in Debian's own image: apt keeps no packages and no caches.
        command += [
            '--customize-hook=printf "%s\\n" \'Dir::Cache::pkgcache "";\' \'Dir::Cache::srcpkgcache "";\' '
            "'DPkg::Post-Invoke { \"rm -f /var/cache/apt/archives/*.deb\"; };' "
            '\'Acquire::Languages "none";\' > "$1/etc/apt/apt.conf.d/docker-clean"',
            '--customize-hook=rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*.bin',
            component.suite,
            "-",
        ]
        done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False)
        if done.returncode != 0:
            raise SandboxError(
                "mmdebstrap could not make the base image",
                state=f"it exited with code {done.returncode}",
                log=done.stderr.decode(errors="replace").splitlines()[-LOG_LINES:],
                hint="its mirror must be reachable: see the log lines above",
            )
        name, tag = parse_repository_tag(tag)
        self._api.import_image_from_data(done.stdout, repository=name, tag=tag)


def _folder(name: str) -> str:
    """What components of one Dockerfile have in common."""
    component = CATALOGUE.get(name)
    return component.folder or name if component else name


def host_ca() -> Path | None:
    """The CA bundle that programs of this machine trust, or None."""
    candidates = [os.environ.get(name, "") for name in _CA_VARIABLES] + list(_CA_FILES)
    return next((Path(item) for item in candidates if item and Path(item).is_file()), None)


def _context(component: Component) -> io.BytesIO:
    """The component's files as a build context, and the host's CA bundle with them (an empty file without one)."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for inner, path in component.files():
            tar.add(path, arcname=inner, filter=_reproducible)
    return io.BytesIO(with_host_ca(packed.getvalue()))


def with_host_ca(context: bytes) -> bytes:
    """A build context (a tar archive) with the host's CA bundle beside what it has; an empty file without one."""
    packed = io.BytesIO(context)
    with tarfile.open(fileobj=packed, mode="a") as tar:
        bundle = host_ca()
        content = bundle.read_bytes() if bundle else b""
        entry = tarfile.TarInfo(_CA_IN_CONTEXT)
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def build_arguments() -> dict[str, str]:
    """What builds are told of package indexes and proxies that the host is told to use."""
    return {name: os.environ[name] for name in _PASSED_ARGUMENTS if os.environ.get(name)}


def plain_lines(text: str) -> list[str]:
    """What a step of a build printed, without the engine's colours and remarks of its own."""
    lines = _COLOUR.sub("", text).splitlines()
    return [line for line in lines if line.strip() and not line.startswith(_BUILDERS_OWN)]


def _reproducible(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """The engine's build cache looks at owner and mode, not at the time."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime = 0
    return entry


def _closed() -> SandboxError:
    return SandboxError("the sandbox is being closed, and waits for no image any more")


def _engine_lost(what: str, error: Exception) -> SandboxError:
    return SandboxError(
        f"the Docker engine stopped answering while {what}", state=str(error), hint="sandbox doctor --fix"
    )


def _build_failed(component: Component, step: str, log: list[str], words: str) -> SandboxError:
    return SandboxError(
        f"image '{component.name}' could not be built",
        state=f"{step}: {words}" if step else words,
        log=log[-LOG_LINES:],
        hint=f"mend {component.folder}/Dockerfile, or bring {component.official or 'the image'} onto this machine",
    )
