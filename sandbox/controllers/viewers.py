"""Clients on the sandbox's internet: what they see is recorded."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.controllers.network import RunNetwork
from sandbox.dataplane.internet import Door, Internet
from sandbox.engine.containers import Containers
from sandbox.engine.images import Images
from sandbox.errors import SandboxError
from sandbox.probes import burst, dns, http, shared_tls
from sandbox.probes.visitor import INTERVAL, Visitor
from sandbox.timeline import Timeline

if TYPE_CHECKING:
    from sandbox.controllers.browser import Browsers
    from sandbox.controllers.cloudfront import CloudFrontController
    from sandbox.probes import assets
    from sandbox.probes.browser import Browser
    from sandbox.probes.socketio_crowd import Crowd
    from sandbox.probes.socketio_session import Step


class Viewers:
    """The part of a `Sandbox` that asks from outside.

    Attributes:
        dns_address: Where the sandbox's DNS server listens on this machine.
        evidence_folder: Where screenshots go: beside the timeline's file, else where they go with the run.
    """

    timeline: Timeline
    dns_address: tuple[str, int]
    evidence_folder: Path
    _containers: Containers
    _images: Images
    _network: RunNetwork
    _internet: Internet
    _cloudfront: CloudFrontController
    _ending: threading.Event
    _closers: list[Callable[[], object]]
    _browsers: Browsers | None = None
    _javascript = ""  # the container of socket.io-client, once it is wanted

    def http_get(self, url: str, *, timeout: float = 10.0, headers: Mapping[str, str] | None = None) -> http.HttpResult:
        """One request from the internet, by name; recorded as ``http.response``."""
        result = http.get(self._in_viewer, url, timeout=timeout, headers=headers, authority=self._authority_of(url))
        self.timeline.record("http.response", **result.facts())
        return result

    def http_fetch(self, url: str, *, headers: Mapping[str, str] | None = None) -> http.HttpResult:
        """GET from this machine as a viewer, up to 8 MiB of the body as ``content``; recorded as ``http.response``."""
        result = http.request(self._connector(url), url, 30.0, headers=headers, limit=8 << 20)
        self.timeline.record("http.response", **result.facts())
        return result

    def http_send(
        self, method: str, url: str, *, address: str = "", headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> http.HttpResult:
        """One request that is no GET, from this machine as a viewer; recorded as ``http.response`` with its method.

        Args:
            method: "POST", "PUT", ...
            url: http://NAME/PATH, or with https.
            address: Where to connect, for a client that goes on with an address it has ("": ask DNS).
            headers: Beside Host.
            body: What is sent.
        """
        result = http.request(self._connector(url, address), url, 10.0, method=method, headers=headers, body=body)
        self.timeline.record("http.response", method=method, **result.facts())
        return result

    def http_get_until(self, url: str, *, status: int = 200, within: float = 60.0) -> http.HttpResult:
        """Ask until ``url`` answers ``status``; the last result is recorded and returned either way."""
        result = http.get_until(self._connector(url), url, status=status, within=within, stop=self._ending)
        self.timeline.record("http.response", **result.facts())
        return result

    def wait_serving(self, url: str, *, within: float = 120.0) -> None:
        """Wait until ``url`` answers 200; recorded as by `http_get_until`.

        Raises:
            SandboxError: It does not; the last state is what it answered.
        """
        result = self.http_get_until(url, within=within)
        if result.status != 200:
            raise SandboxError(f"{url} did not answer 200 within {within:g} s", state=str(result))

    def resolve(self, name: str, record_type: str = "A") -> dns.DnsResult:
        """Ask the sandbox's DNS; recorded as ``dns.probe``."""
        result = dns.query(name, record_type, self.dns_address)
        self.timeline.record("dns.probe", name=name, type=record_type, rcode=result.rcode, answers=list(result.values))
        return result

    def http_burst(self, url: str, requests: int, *, at_once: int = 4, timeout: float = 10.0) -> burst.Burst:
        """So many requests from this machine as viewers, some at once; recorded as one ``http.burst``.

        Args:
            url: http://NAME/PATH, or with https.
            requests: How many.
            at_once: How many of them at any time.
            timeout: Seconds to connect, and for each read.
        """
        result = burst.ask(self._connector(url), url, requests, at_once, timeout)
        self.timeline.record("http.burst", **result.facts())
        return result

    def visit(self, url: str, *, timeout: float = 1.0, interval: float = INTERVAL) -> Visitor:
        """A visitor who asks for ``url`` all through a ``with`` block and keeps the name's address for its TTL.

        Recorded as ``visitor.outcome`` and ``visitor.end`` (see `Visitor`).

        Args:
            url: http://NAME/PATH, or with https.
            timeout: Seconds to connect, and for each read.
            interval: Seconds from the end of a request to the next one.
        """
        ask = partial(dns.query, rdtype="A", server=self.dns_address)
        connect = partial(self._connector, url)
        return Visitor(url, ask, connect, self.timeline.record, timeout=timeout, interval=interval)

    def socketio_session(
        self, url: str, *, client: str = "python", within: float = 5.0, idle: float = 0.0
    ) -> list[Step]:
        """One session of a Socket.IO client from the internet; each step is recorded as ``socketio.step``.

        Args:
            url: Where the page of compose/socketio/app is, http://NAME[:PORT], or with https.
            client: "python", "javascript", or "javascript-2", which speaks to servers of 2020.
            within: Seconds for each wait.
            idle: Seconds that an idle WebSocket is watched (0: it is not).
        """
        from sandbox.probes import socketio_session

        if client == "python":
            steps = socketio_session.run(url, self._connector(url), within=within, idle=idle)
        else:
            if not self._javascript:
                image = self._images.ensure("socketio-client")
                self._javascript = self._network.add_client("socketio-client", image)
            steps = socketio_session.run_javascript(
                partial(self._containers.execute, self._javascript),
                url,
                version=2 if client == "javascript-2" else 4,
                within=within,
                idle=idle,
                authority=self._authority_of(url),
            )
        for step in steps:
            self.timeline.record("socketio.step", client=client, url=url, **step.facts())
        return steps

    def crowd(self, url: str, clients: int, *, reconnects: bool) -> Crowd:
        """Socket.IO clients on the internet that stay connected all through a ``with`` block (see `Crowd`)."""
        from sandbox.probes.socketio_crowd import Crowd

        return Crowd(url, clients, reconnects=reconnects, connect=self._connector(url), record=self.timeline.record)

    def browser(self) -> Browser:
        """A real browser on the internet (see `Browser`); closed with the sandbox, or at the end of a ``with`` block.

        Raises:
            NotRunnable: Playwright or Chromium's image is not to be had; the variant is reported as not run.
        """
        if self._browsers is None:
            from sandbox.controllers.browser import Browsers

            self._browsers = Browsers(
                self._containers,
                self._images,
                self._network,
                self.timeline.record,
                self.evidence_folder,
                self._ending,
            )
        browser = self._browsers.connect()
        self._closers.append(browser.close)
        return browser

    def page_loads(
        self,
        pages: str | Sequence[str],
        *,
        rate: float = 0.0,
        visitors: int = 0,
        seed: int = 0,
        timeout: float = 10.0,
        hosts: Sequence[str] = (),
    ) -> assets.Crowd:
        """Browsers on the internet that load pages and their assets all through a ``with`` block (see `assets.Crowd`).

        Args:
            pages: URLs by name; each visitor takes one of them.
            rate: Page loads that begin in a second.
            visitors: Instead of a rate: so many at any time. Without either only tabs are opened.
            seed: Of the order of pages.
            timeout: Seconds for one answer.
            hosts: Further hosts that assets may come from.
        """
        from sandbox.probes.assets import Plan

        urls = [pages] if isinstance(pages, str) else list(pages)
        return self.crowd_of(Plan(urls, rate, visitors, seed=seed, timeout=timeout, hosts=hosts))

    def crowd_of(self, plan: assets.Plan) -> assets.Crowd:
        """The crowd of a plan, on the internet: names are those of the sandbox's DNS, and so is who is trusted."""
        from sandbox.probes.assets import Crowd

        return Crowd(
            replace(plan, context=self.trust()),
            where=lambda name, port: (self._internet.addresses(name)[0], port),
            source=self._internet.source,
            record=self.timeline.record,
        )

    def is_reached(self, name: str) -> bool:
        """Whether a name leads to an address of the sandbox's internet."""
        try:
            return bool(self._internet.addresses(name))
        except OSError:
            return False

    def door(self, name: str, *, port: int = 0, target_port: int = 80, ends_tls: bool = False) -> str:
        """A URL on 127.0.0.1 that leads to ``name`` as a viewer would reach it (DNS is asked for each connection).

        Args:
            name: A DNS name.
            port: The port of 127.0.0.1 (0: any free one).
            target_port: The port at the name.
            ends_tls: Whether the door speaks TLS to the name, and looks at the certificate, for a client of plain HTTP.
        """
        door = Door(self._internet, name, target_port, port, self.trust() if ends_tls else None)
        self._closers.append(door.close)
        return f"http://127.0.0.1:{door.port}"

    def trust(self) -> ssl.SSLContext:
        """For clients of this process: a certificate counts if it is for the name, and by the run's own authority."""
        return ssl.create_default_context(cadata=self._cloudfront.authority.certificate.decode())

    def _connector(self, url: str, address: str = "") -> http.Connect:
        """What connects to a URL's name, or to an address in its place: with TLS, and its certificate looked at."""
        context = self.trust() if _is_secure(url) else None

        def connect(name: str, port: int, timeout: float) -> socket.socket:
            plain = self._internet.connect(address or name, port, timeout)
            return plain if context is None else shared_tls.connect(context, plain, name)

        return connect

    def _authority_of(self, url: str) -> str:
        """For clients in containers: the certificate (PEM) of the authority that is trusted for a URL with https."""
        return self._cloudfront.authority.certificate.decode() if _is_secure(url) else ""

    def _in_viewer(self, command: Any) -> tuple[int, str, str]:
        return self._containers.execute(self._network.viewer(), command, prints=True)


def _is_secure(url: str) -> bool:
    return url.startswith("https:")
