"""Images: present, else pulled, else built from package registries.

Without a container registry the base comes from mmdebstrap, and each component from its Dockerfile in
``compose/images``; the tags of those builds carry a hash of what they are made of, so an edited Dockerfile is built
again and a stale image is never used.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, ImageNotFound

from sandbox.engine import catalogue
from sandbox.engine.catalogue import CATALOGUE, Component
from sandbox.errors import SandboxError

LOG_LINES = 20
_CA_IN_CONTEXT = "host-ca.crt"
_CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "NODE_EXTRA_CA_CERTS")
_CA_FILES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
# A package index that the host is told to use is used in builds too.
_PASSED_ARGUMENTS = ("PIP_INDEX_URL", "NPM_CONFIG_REGISTRY")
_EXCLUDED = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/info/*")


@dataclass(frozen=True)
class Row:
    """A line of ``sandbox images list``. ``origin`` is "official", "built" or "" where the image is not present."""

    name: str
    official: str
    reference: str
    origin: str
    megabytes: int
    contract: str

    def as_json(self) -> dict[str, Any]:
        """The row as docs/formats.md has it."""
        return asdict(self)


class Images:
    """Gets images from one engine. Safe to use from several threads; each image is made once.

    Args:
        client: The engine's.
        mode: "auto" (present, else pull, else build), "official" (present or pull) or "build" (our builds only).
        progress: Told what is being pulled or built.
    """

    def __init__(self, client: docker.DockerClient, mode: str, progress: Callable[[str], None]) -> None:
        self._api = client.api
        self._mode = mode
        self._progress = progress
        self._known: dict[str, str] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()
        self._registry_is_out_of_reach = False
        self._refusal = ""

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
                self._known[name] = self._get(CATALOGUE[name])
            return self._known[name]

    def ensure_all(self, names: Iterable[str]) -> None:
        """Make sure of several components, one after another (a build uses all the machine has)."""
        for name in names:
            self.ensure(name)

    def resolve(self, reference: str) -> str:
        """The reference to run for an ``image`` of a task definition.

        The official image of a component may be our build of it; any other is used as it is, and pulled where it is
        not present.

        Raises:
            SandboxError: It is not present and cannot be pulled; the registry's own words are in the error.
        """
        component = catalogue.component_of(reference)
        if component is not None:
            return self.ensure(component)
        if self._present(reference) or self._pull(reference):
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
            if self._pull(component.official):
                return component.official
            if self._mode == "official":
                raise SandboxError(
                    f"image '{component.official}' cannot be pulled",
                    state=self._refusal,
                    hint="--images auto builds it from Debian's packages instead",
                )
        if not self._present(local):
            self._build(component, local)
        return local

    def _present(self, reference: str) -> bool:
        try:
            self._api.inspect_image(reference)
        except ImageNotFound:
            return False
        return True

    def _pull(self, reference: str) -> bool:
        """Pull; False where it cannot be had. A registry that is out of reach is asked once in a run."""
        if self._registry_is_out_of_reach:
            return False
        self._progress(f"pulling {reference}")
        name, _, tag = (
            reference.partition("@")[0].rpartition(":")
            if ":" in reference.rsplit("/", 1)[-1]
            else (
                reference,
                "",
                "latest",
            )
        )
        try:
            for line in self._api.pull(name, tag=tag, stream=True, decode=True):
                if "error" in line:
                    return self._refused(line["error"])
        except APIError as error:
            return self._refused(str(error.explanation or error))
        return True

    def _refused(self, words: str) -> bool:
        self._refusal = words
        # "not found" and "denied" are about one image; anything else (no such host, time-out) is about the registry.
        if not any(about_image in words for about_image in ("not found", "denied", "manifest unknown")):
            self._registry_is_out_of_reach = True
        return False

    # -- building --

    def _build(self, component: Component, tag: str) -> None:
        begun = time.monotonic()
        self._progress(f"building image {component.name}")
        if not component.folder:
            self._bootstrap(tag)
        else:
            base = self.ensure("base")
            self._docker_build(component, tag, base)
        self._progress(f"built image {component.name} in {time.monotonic() - begun:.0f} s")

    def _docker_build(self, component: Component, tag: str, base: str) -> None:
        arguments = {name: os.environ[name] for name in _PASSED_ARGUMENTS if os.environ.get(name)}
        log: list[str] = []
        step = ""
        try:
            for line in self._api.build(
                fileobj=_context(component.context),
                custom_context=True,
                tag=tag,
                buildargs={"BASE": base, **arguments},
                pull=False,
                rm=True,
                forcerm=True,
                decode=True,
            ):
                if "error" in line:
                    raise _build_failed(component, step, log, line["error"])
                for text in line.get("stream", "").splitlines():
                    if text.startswith("Step "):
                        step = text
                        self._progress(f"building image {component.name}: {text}")
                    elif text.strip():
                        log.append(text)
        except APIError as error:
            raise _build_failed(component, step, log, str(error.explanation or error)) from error

    def _bootstrap(self, tag: str) -> None:
        """Debian from its packages: mmdebstrap's tar goes into the engine without touching the disk."""
        if shutil.which("mmdebstrap") is None:
            raise SandboxError(
                "no container registry can be reached, and there is no mmdebstrap to make a base image from packages",
                state=self._refusal,
                hint="apt-get install mmdebstrap, or docker pull " + CATALOGUE["base"].official,
            )
        command = ["mmdebstrap", "--quiet", "--variant=minbase"]
        command += [f"--dpkgopt=path-exclude={pattern}" for pattern in _EXCLUDED]
        # As in Debian's own image: apt keeps no packages and no caches.
        command += [
            '--customize-hook=printf "%s\\n" \'Dir::Cache::pkgcache "";\' \'Dir::Cache::srcpkgcache "";\' '
            "'DPkg::Post-Invoke { \"rm -f /var/cache/apt/archives/*.deb\"; };' "
            '\'Acquire::Languages "none";\' > "$1/etc/apt/apt.conf.d/docker-clean"',
            '--customize-hook=rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*.bin',
            catalogue.DEBIAN,
            "-",
        ]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        assert process.stdout is not None
        assert process.stderr is not None
        name, _, version = tag.rpartition(":")
        data = process.stdout.read()
        errors = process.stderr.read().decode(errors="replace")
        if process.wait() != 0:
            raise SandboxError(
                "mmdebstrap could not make the base image",
                state=f"it exited with code {process.returncode}",
                log=errors.splitlines()[-LOG_LINES:],
                hint="its mirror must be reachable: see the log lines above",
            )
        self._api.import_image_from_data(data, repository=name, tag=version)


def host_ca() -> Path | None:
    """The CA bundle that programs of this machine trust, or None."""
    candidates = [os.environ.get(name, "") for name in _CA_VARIABLES] + list(_CA_FILES)
    return next((Path(item) for item in candidates if item and Path(item).is_file()), None)


def _context(folder: Path) -> io.BytesIO:
    """The folder as a build context, with the host's CA bundle beside the Dockerfile (an empty file without one)."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for path in _files(folder):
            tar.add(path, arcname=str(path.relative_to(folder)), filter=_reproducible)
        bundle = host_ca()
        content = bundle.read_bytes() if bundle else b""
        entry = tarfile.TarInfo(_CA_IN_CONTEXT)
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    packed.seek(0)
    return packed


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _reproducible(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """The engine's build cache looks at owner and mode, not at the time."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime = 0
    return entry


def _build_failed(component: Component, step: str, log: list[str], words: str) -> SandboxError:
    return SandboxError(
        f"image '{component.name}' could not be built",
        state=f"{step}: {words}" if step else words,
        log=log[-LOG_LINES:],
        hint=f"mend {component.folder}/Dockerfile, or bring {component.official or 'the image'} onto this machine",
    )
