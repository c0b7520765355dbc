"""One edge location of CloudFront for one distribution: Varnish, and nginx beside it in one network namespace.

Observations:

- ``cdn.response`` (distribution, method, url, status, x_cache, age): what a viewer got, the first time and whenever
  status or X-Cache of that URL is another than before; ``age`` is None where there is none.
- those of `EdgeFunctions`, where cache behaviours have functions;
- ``cdn.origin_error`` (distribution, url, origin, error): why an origin gave no answer, in nginx's words.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from docker.types import Mount

from sandbox.controllers.edge_functions import SIDES, EdgeFunctions
from sandbox.controllers.interfaces import ImageSource
from sandbox.dataplane.cdn.certificates import Authority
from sandbox.dataplane.cdn.proxy import FIRST_PORT, proxy
from sandbox.dataplane.cdn.vcl import Place, vcl
from sandbox.engine.containers import Containers, Spec
from sandbox.errors import SandboxError
from sandbox.model.cloudfront import patterns
from sandbox.model.cloudfront.config import Distribution

_FOLDER = "/cdn"  # inside the containers
_SOCKETS = "/cdn-sockets"  # the same, of the folder in it that they may write
_HTTPS, _SELF = 8443, 8081
# Varnish's memory for objects, and for what it passes on without keeping it: an endless body ends there.
_KEPT, _PASSED = "256m", "64m"
_UP_WITHIN = 30.0
_LOOK = 1.0  # seconds
_HINT = "the log lines say why; a machine that is short of memory or processor time is slow to compile"
_MOST_URLS = 4096
_LOG = ["varnishlog", "-g", "raw", "-i", "VCL_Log"]
_MARK = b"cdn\t"
_PROBE = "is-the-log-read.invalid"
_ERROR = re.compile(rb"\[error\] \d+#\d+: (?:\*\d+ )?(.*?)(?: while [a-z ]+)?, client: .*?upstream: \"([^\"]*)\"")
_UNRESOLVED = re.compile(rb"\[error\] \d+#\d+: (?:\*\d+ )?((\S+) could not be resolved[^,]*)")
_ASKED = re.compile(rb"request: \"\S+ (\S+) ")


@dataclass(frozen=True)
class Surroundings:
    """Where an edge location is.

    Attributes:
        network: The name of the sandbox's internet, and the address in it that viewers connect to.
        resolver: Its DNS server.
        folder: For configurations, certificates.
        speed: Divides every time of AWS's.
    """

    network: str
    address: str
    resolver: IPv4Address
    folder: Path
    speed: float


# gcc takes four times as long to optimize a configuration as to translate it, and requests do not notice. What it warns
# of without optimizing would be an error.
_COMPILED = ("-p", "cc_warnings=-w", "-p", "cc_command=%D -O0")


class EdgeLocation:
    """Serves a distribution from its first `serve` until `close`.

    Args:
        distribution_id: As in the API.
        containers: The run's.
        images: Where images come from.
        where: Its surroundings.
        authority: Issues the certificate that viewers see.
        functions: Makes what runs the Lambda@Edge functions, of the folder for its sockets.
        record: Gets the observations.
    """

    def __init__(
        self,
        distribution_id: str,
        containers: Containers,
        images: ImageSource,
        where: Surroundings,
        authority: Authority,
        functions: Callable[[Path], EdgeFunctions],
        record: Callable[..., object],
    ) -> None:
        self._id = distribution_id
        self._containers = containers
        self._images = images
        self._where = where
        self._authority = authority
        self._record = record
        self._sockets = where.folder / "sockets"
        self._functions = functions(self._sockets)
        self._ports: dict[str, int] = {}
        self._number = 0
        self._loaded = "boot"
        self._token = secrets.token_hex(5)
        self._names: frozenset[str] = frozenset()
        self._varnish = self._nginx = ""
        self._logging = threading.Event()
        self._seen: dict[tuple[str, str], tuple[str, str]] = {}

    def serve(self, distribution: Distribution) -> None:
        """Carry out a distribution from now on; what is kept stays kept. Returns when viewers see it.

        Raises:
            SandboxError: Varnish or nginx refused, or did not come up; the last log lines are in the error.
        """
        self._number += 1
        for origin in distribution.origins:
            self._ports.setdefault(origin, FIRST_PORT + len(self._ports))
        self._write(distribution)
        if not self._varnish:
            self._start()
        else:
            self._reload(distribution)

    def invalidate(self, paths: Sequence[str]) -> None:
        """Remove what is kept of these paths, which the model has found to be such."""
        for path in paths:
            quoted = patterns.invalidation_expression(path).replace("\\", "\\\\").replace('"', '\\"')
            self._admin(f'ban obj.http.X-{self._token}-Uri ~ "{quoted}"')
        self._seen.clear()

    def stop_functions(self) -> None:
        """Lead no more requests through functions."""
        self._functions.close()

    def close(self) -> None:
        """Remove the containers."""
        self.stop_functions()
        for container in (self._nginx, self._varnish):
            if container:
                self._containers.remove(container)
        self._varnish = self._nginx = ""

    # -- files --

    def _write(self, distribution: Distribution) -> None:
        folder, speed = self._where.folder, self._where.speed
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)  # Varnish's user reads there
        self._sockets.mkdir(exist_ok=True)
        self._sockets.chmod(0o777)  # its user and nginx's make sockets there
        hops = None
        if any(behavior.functions for behavior in distribution.behaviors):
            self._functions.serve(distribution, self._ports, self._token)
            hops = {side: Place(f"{_SOCKETS}/{side}-functions.sock") for side in SIDES}
        places = {origin: Place(f"127.0.0.1:{self._ports[origin]}") for origin in distribution.origins}
        text = vcl(distribution, places, Place(f"127.0.0.1:{_SELF}"), hops, token=self._token, speed=speed)
        (folder / f"v{self._number}.vcl").write_text(text)
        names = frozenset((distribution.domain_name, *distribution.aliases))
        if names != self._names:
            issued = self._authority.issue([distribution.domain_name, *distribution.aliases])
            (folder / "viewer.pem").write_bytes(issued.certificate)
            key = folder / "viewer.key"
            key.touch(0o600)
            key.write_bytes(issued.key)
            (folder / "ca.pem").write_bytes(self._authority.certificate)
            self._names = names
        conf = proxy(
            distribution,
            self._ports,
            folder=_FOLDER,
            sockets=_SOCKETS,
            https_port=_HTTPS,
            resolver=self._where.resolver,
            token=self._token,
            speed=speed,
        )
        (folder / "proxy.conf").write_text(conf)

    # -- containers --

    def _start(self) -> None:
        mounts = [
            Mount(_FOLDER, str(self._where.folder), type="bind", read_only=True),
            Mount(_SOCKETS, str(self._sockets), type="bind"),
        ]
        command = f"""
            -F -f {_FOLDER}/v{self._number}.vcl -s malloc,{_KEPT} -s Transient=malloc,{_PASSED}
            -a http=:80 -a https=127.0.0.1:{_HTTPS},PROXY -a self=127.0.0.1:{_SELF}
            -a viewed={_SOCKETS}/viewed.sock,PROXY,mode=666
            -p feature=+http2 -p http_max_hdr=128 -p vsl_mask=none,+VCL_Log -p thread_pools=1 -p thread_pool_min=20
        """
        self._varnish = self._containers.run_new(
            Spec(
                f"cdn-{self._id}",
                self._images.ensure("varnish"),
                entrypoint=["varnishd"],
                command=[*command.split(), *_COMPILED],
                networks=[(self._where.network, self._where.address)],
                mounts=mounts,
                cap_drop=["ALL"],
            )
        )
        proxy = Spec(
            f"cdn-proxy-{self._id}",
            self._images.ensure("nginx"),
            entrypoint=["nginx"],
            command=["-c", f"{_FOLDER}/proxy.conf", "-g", "daemon off;"],
            network_of=self._varnish,
            mounts=mounts,
        )
        try:
            self._await_port(self._varnish, 80)
            responses = self._containers.stream(self._varnish, _LOG)
            self._nginx = self._containers.run_new(proxy)
            self._await_port(self._nginx, 443)
        except SandboxError:
            self.close()
            raise
        for said, tell in ((responses, self._tell_response), (self._containers.follow(self._nginx), self._tell_error)):
            threading.Thread(target=_tell, args=(said, tell), name=f"cdn-{self._id}", daemon=True).start()
        self._await_log()

    def _reload(self, distribution: Distribution) -> None:
        for command in (["-t", "-q"], ["-s", "reload"]):
            code, out, err = self._containers.execute(self._nginx, ["nginx", "-c", f"{_FOLDER}/proxy.conf", *command])
            if code:
                raise SandboxError(f"nginx refused the configuration of distribution {self._id}", state=out + err)
        self._await_origins(self._ports[origin] for origin in distribution.origins)
        name = f"v{self._number}"
        self._admin(f"vcl.load {name} {_FOLDER}/{name}.vcl")
        self._admin(f"vcl.use {name}")
        self._admin(f"vcl.discard {self._loaded}")
        self._loaded = name
        self._seen.clear()

    def _admin(self, command: str) -> None:
        code, out, err = self._containers.execute(self._varnish, ["varnishadm", "-t", f"{_UP_WITHIN:g}", command])
        if code:
            raise SandboxError(
                f"Varnish refused `{command.partition(' ')[0]}` of distribution {self._id}", state=out + err
            )

    def _await_port(self, container: str, port: int) -> None:
        """Nobody tells when a server listens: it is asked, and the engine, which has more to do, each second."""
        begun = looked = time.monotonic()
        while True:
            try:
                with socket.create_connection((self._where.address, port), timeout=1):
                    return
            except OSError as error:
                now = time.monotonic()
                if now < looked + _LOOK:
                    time.sleep(0.05)
                    continue
                looked = now
                if now < begun + _UP_WITHIN and self._containers.runs(container):
                    continue
                raise SandboxError(
                    f"{self._containers.name(container)} of distribution {self._id} did not come up",
                    state=f"port {port}: {error}",
                    log=self._containers.log_tail(container),
                    hint=_HINT,
                ) from error

    def _await_origins(self, ports: Iterable[int]) -> None:
        """Until nginx listens for each origin; a reload takes it some milliseconds."""
        wanted = {f"0100007F:{port:04X}" for port in ports}
        deadline = time.monotonic() + _UP_WITHIN
        while True:
            _, table, _ = self._containers.execute(self._nginx, ["cat", "/proc/net/tcp"])
            listening = {line.split()[1] for line in table.splitlines()[1:] if line.split()[3] == "0A"}
            if wanted <= listening:
                return
            if time.monotonic() > deadline:
                raise SandboxError(
                    f"nginx of distribution {self._id} does not listen for its origins",
                    state=f"it listens at {', '.join(sorted(listening)) or 'nothing'}",
                    log=self._containers.log_tail(self._nginx),
                    hint=_HINT,
                )
            time.sleep(0.05)

    # -- what they say --

    def _await_log(self) -> None:
        """Until the log's reader is there: what comes before it is not told of."""
        deadline = time.monotonic() + _UP_WITHIN
        while not self._logging.wait(0.05):
            if time.monotonic() > deadline:
                raise SandboxError(
                    f"Varnish of distribution {self._id} tells nothing of what it answers",
                    log=self._containers.log_tail(self._varnish),
                    hint=_HINT,
                )
            with (
                contextlib.suppress(OSError),  # it is asked again
                socket.create_connection((self._where.address, 80), timeout=1) as viewer,
            ):
                viewer.sendall(f"GET / HTTP/1.1\r\nHost: {_PROBE}\r\nConnection: close\r\n\r\n".encode())
                while viewer.recv(4096):
                    pass

    def _tell_response(self, line: bytes) -> None:
        _, marked, told = line.partition(_MARK)
        if not marked:
            return
        method, status, x_cache, age, url = told.decode(errors="replace").split("\t", 4)
        if url.startswith(_PROBE):
            self._logging.set()
            return
        what = (status, x_cache)
        if self._seen.get((method, url)) == what or len(self._seen) >= _MOST_URLS:
            return
        self._seen[method, url] = what
        self._record(
            "cdn.response",
            distribution=self._id,
            method=method,
            url=url,
            status=int(status),
            x_cache=x_cache.removesuffix(" from cloudfront"),
            age=int(age) if age.isdecimal() else None,
        )

    def _tell_error(self, line: bytes) -> None:
        found = _ERROR.search(line) or _UNRESOLVED.search(line)
        if found is None:
            return
        asked = _ASKED.search(line)
        self._record(
            "cdn.origin_error",
            distribution=self._id,
            url=asked[1].decode(errors="replace") if asked else "",
            origin=found[2].decode(errors="replace"),
            error=found[1].decode(errors="replace"),
        )


def _tell(pieces: Iterator[bytes], tell: Callable[[bytes], None]) -> None:
    for line in _lines(pieces):
        tell(line)


def _lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    left = b""
    for piece in pieces:
        *whole, left = (left + piece).split(b"\n")
        yield from whole
    if left:
        yield left
