"""``sandbox check assets``: which page loads, and which tabs left open, a deploy breaks, and why."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from sandbox.controllers import commands
from sandbox.errors import SandboxError
from sandbox.model.assets import findings
from sandbox.model.assets.findings import Command, Finding
from sandbox.model.assets.loads import Answer, PageLoad, Summary, summarize
from sandbox.model.assets.references import MODULE, PAGE, SCRIPT, Reference
from sandbox.model.assets.urls import absolute, place
from sandbox.probes.assets import Crowd, Plan

RATE = 10.0
LOOKS = 3  # visitors where nothing is run
BEFORE = 2.0  # seconds of page loads before the command
_TOLD_EVERY = 5.0  # seconds between two lines of progress
Doors = dict[tuple[str, int], tuple[str, int]]
"""Where names lead: address and port by name and port."""
_NAME = re.compile(r"[A-Za-z0-9.-]{1,253}(?::\d{1,5})?")
_UNTRUSTED = "ask it over http:, or give this machine the authority of its certificate (SSL_CERT_FILE=FILE)"
_MADE_UP = "sandbox-check-no-such-file-0a1b2c3d.js"


@dataclass(frozen=True)
class Request:
    """What was asked for; see the command's options."""

    url: str
    during: str = ""
    rate: float | None = None
    visitors: int | None = None
    seconds: float = 600.0
    settle: float = 10.0
    tabs: int = 5
    timeout: float = 10.0
    host: str = ""
    asset_hosts: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Attributes:
        url: The page, by the name that it was asked by.
        files: What came for each file, where nothing was run.
        loads: The page loads.
        tabs: The returns to tabs.
        left_out: The hosts that were named for assets, and not asked.
    """

    url: str
    files: list[Answer]
    loads: list[PageLoad]
    tabs: list[PageLoad]
    command: Command | None
    findings: list[Finding]
    left_out: tuple[str, ...] = ()

    @property
    def summary(self) -> Summary:
        """The page loads, counted."""
        return summarize(self.loads)

    def exit_code(self, severity: str) -> int:
        """1 where a finding is as severe; "never": 0."""
        return int(severity != "never" and findings.at_least(self.findings, severity))

    def as_json(self) -> dict[str, Any]:
        """The format of ``--json``, without the exit code."""
        return {
            "version": 1,
            "url": self.url,
            "command": asdict(self.command) if self.command is not None else None,
            "loads": self.summary.as_json(),
            "tabs": summarize(self.tabs).as_json(),
            "broken": [one.as_json() for one in (*self.loads, *self.tabs) if one.broken],
            "files": [one.as_json() for one in self.files],
            "findings": [asdict(one) for one in self.findings],
        }


def carry_out(request: Request, progress: Callable[[str], None], come: Callable[[Plan], Crowd] = Crowd) -> Outcome:
    """Load pages, with or without a command meanwhile, and judge what came.

    Args:
        request: What was asked for.
        progress: Told what is being done.
        come: Makes the crowd, for names that are those of a sandbox.

    Raises:
        SandboxError: An option is wrong, or the page cannot be reached.
    """
    _check(request)
    url, doors, context = _doors(request)
    plan = Plan(
        [url],
        seconds=2 * request.seconds + request.settle + 60,
        count=1_000_000,
        timeout=request.timeout,
        hosts=[*(one.partition("=")[0] for one in request.asset_hosts), *(f"{name}:{port}" for name, port in doors)],
        headers=request.headers,
        context=context,
    )
    if request.during:
        visitors = request.visitors or 0
        plan = replace(plan, rate=0.0 if visitors else request.rate or RATE, visitors=visitors)

    def where(name: str, port: int) -> tuple[str, int] | None:
        if (name, port) not in doors and any(name == known for known, _ in doors):
            raise socket.gaierror(socket.EAI_NONAME, f"nothing leads to port {port} of {name}")
        return doors.get((name, port))

    with Crowd(plan, where=where) if doors else come(plan) as crowd:
        made = (_during if request.during else _look)(request, url, crowd, progress)
        return replace(made, left_out=crowd.left_out)


def _check(request: Request) -> None:
    if request.rate is not None and request.visitors is not None and request.during:
        raise SandboxError("--rate and --visitors: one of them", hint="a rate goes on, however long a page load takes")
    if request.rate is not None and not request.during:
        raise SandboxError(
            "--rate needs --during", hint="--visitors N says how many look at a site that nothing happens to"
        )


def _doors(request: Request) -> tuple[str, Doors, ssl.SSLContext | None]:
    """The page's URL by its public name, where names lead, and whom to trust, if not this machine's authorities."""
    url, doors, context = _of_a_stack(request.url) if request.url.replace("-", "").isalnum() else ("", {}, None)
    url = url or _named(request.url)
    if context is not None and request.asset_hosts:
        context.load_default_certs()  # they need not be the stack's
    if request.host:
        if not _NAME.fullmatch(request.host):
            raise SandboxError(f"--host {request.host}: it is no name", hint="such as shop.example.org")
        door = _address(url)
        url = absolute(urlsplit(url)._replace(netloc=request.host).geturl(), url)
        doors[place(url)] = door
    for one in request.asset_hosts:
        name, leads, to = one.partition("=")
        if not _NAME.fullmatch(name):
            raise SandboxError(f"--asset-host {one}: it is NAME or NAME=URL", hint="such as cdn.example.org")
        if leads:
            door_url = _named(to)
            doors[place(f"{urlsplit(door_url).scheme}://{name}")] = _address(door_url)
    return url, doors, context


def _of_a_stack(name: str) -> tuple[str, Doors, ssl.SSLContext | None]:
    """A stack that is up stands for its page; its names, to doors; and whom to trust."""
    from sandbox.controllers import up

    state = up.find(name)
    if state is None or not state.page:
        return "", {}, None
    doors = {place(public): _address(door) for public, door in state.urls.items()}
    return absolute("/", state.page), doors, state.trust()


def _address(url: str) -> tuple[str, int]:
    name, port = place(url)
    try:
        return socket.gethostbyname(name), port
    except OSError as error:
        raise SandboxError(f"{url} cannot be reached", state="its name does not resolve") from error


def _named(url: str) -> str:
    text = url if "://" in url else f"http://{url}"
    if "@" in text.partition("://")[2].partition("/")[0]:
        raise SandboxError(
            f"{place(text)[0]}: no name and password in a URL", hint="--header 'Authorization: Basic ...'"
        )
    found = absolute(text, "http://0.0.0.0/") if text.startswith(("http://", "https://")) else ""
    if not found:
        raise SandboxError(f"{url} is no URL to check", hint="such as http://127.0.0.1:8080/, or a stack that is up")
    return found


def _look(request: Request, url: str, crowd: Crowd, progress: Callable[[str], None]) -> Outcome:
    progress(f"load {url}")
    crowd.open_tabs(request.visitors or LOOKS)
    _check_reached(url, crowd)
    tabs: list[PageLoad] = []
    if request.tabs:
        progress("ask for what its scripts load later")
        crowd.return_to_tabs()
        tabs = list(crowd.returns)
    files: dict[str, Answer] = {}
    for tab in crowd.tabs:
        for answer in tab.answers.values():
            files[answer.url] = answer if answer.cause or answer.url not in files else files[answer.url]
    scripts = [one.url for one in files.values() if one.kind in {SCRIPT, MODULE} and not one.cause]
    made_up = None
    if scripts:
        progress("ask for a script that there is not")
        made_up = crowd.ask(Reference(absolute(_MADE_UP, scripts[0]), SCRIPT, False))
    found = findings.of_files(files.values(), made_up)
    return Outcome(url, list(files.values()), list(crowd.loads), tabs, None, found)


def _check_reached(url: str, crowd: Crowd) -> None:
    first = [answer for load in crowd.loads for answer in load.failures if answer.kind == PAGE]
    if first and len(first) == len(crowd.loads) and not any(one.status for one in first):
        hint = "is it running, and is that its address and port?"
        if first[0].cause == "tls":
            hint = _UNTRUSTED if crowd.plan.context is None else "its listener wants a certificate for this name"
        raise SandboxError(f"{url} cannot be reached", state=first[0].error or first[0].cause, hint=hint)


def _during(request: Request, url: str, crowd: Crowd, progress: Callable[[str], None]) -> Outcome:
    watch = _Watch(crowd, progress)
    progress(f"load {url}")
    crowd.open_tabs(max(request.tabs, 1))
    _check_reached(url, crowd)
    begun = time.monotonic()
    while time.monotonic() - begun < BEFORE:
        watch.look("before the command")
    command = _run(request, watch)
    settled = _settle(request, watch)
    tabs: list[PageLoad] = []
    if request.tabs:
        progress(f"return to {request.tabs} tabs")
        crowd.return_to_tabs()
        tabs = list(crowd.returns)
    loads = list(crowd.loads)
    return Outcome(
        url, [], loads, tabs, command, findings.of_loads(loads, tabs, command, shed=crowd.shed, settled=settled)
    )


class _Watch:
    """Waits for page loads, and tells how they go."""

    def __init__(self, crowd: Crowd, progress: Callable[[str], None]) -> None:
        self.crowd = crowd
        self.last_broken = float("-inf")  # on the clock of time.monotonic
        self._progress = progress
        self._seen = self._broken = 0
        self._told = (float("-inf"), 0)

    def look(self, phase: str) -> None:
        """Wait for a further load, or a moment."""
        with contextlib.suppress(SandboxError):
            self.crowd.wait_loads(self._seen + 1, 0.25)
        new = self.crowd.loads_since(self._seen)
        if broken := sum(one.broken for one in new):
            self.last_broken = time.monotonic()
            self._broken += broken
        self._seen += len(new)
        at, told = self._told
        if time.monotonic() - at >= _TOLD_EVERY or (self._broken and not told):
            self._told = (time.monotonic(), self._broken)
            self._progress(f"{phase}: {self._seen} page loads, {self._broken} broken")


def _run(request: Request, watch: _Watch) -> Command:
    """Run the command with its output on standard error; page loads go on meanwhile."""
    began = time.time()
    until = time.monotonic() + request.seconds
    output = sys.stderr.fileno()
    with commands.started(request.during, spares_what_is_left=True, stdout=output) as process:
        while process.poll() is None and time.monotonic() < until:
            watch.look("the command runs")
        exit_code = process.poll()
    return Command(request.during, began, time.time(), exit_code)


def _settle(request: Request, watch: _Watch) -> bool:
    """Go on until no load has been broken for a while; whether that came in time."""
    ended = time.monotonic()
    while time.monotonic() < ended + request.seconds:
        if time.monotonic() >= max(ended, watch.last_broken) + request.settle:
            return True
        watch.look("after the command")
    return False
