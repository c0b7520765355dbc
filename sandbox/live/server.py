"""The live view's server: one page, one stream of what happens, and the buttons' actions; on 127.0.0.1 alone.

Other pages of the same browser must not get at it. Each request has to name this server as its Host, so that no name of
theirs leads here (DNS rebinding); the stream and the actions want the token that only the URL has which `sandbox up`
prints, in a part of it that no browser sends on; and an action has to come from this server's own page, by its Origin.
Who has none of that is answered with 403.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import secrets
import socket
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from aiohttp import web

from sandbox.errors import SandboxError
from sandbox.live.actions import Actions
from sandbox.live.hub import Hub
from sandbox.live.nodes import Answered
from sandbox.live.render import MINUTES, Renderer

if TYPE_CHECKING:
    from sandbox.controllers.sandbox import Sandbox

log = logging.getLogger(__name__)

TOKEN_HEADER = "X-Sandbox-Token"
ORDER_HEADER = "X-Sandbox-Order"
"""Unique to an order. A page sends one again whose answer it did not get, and it is carried out once: browsers drop
their connections when a network interface comes or goes, as those of containers do all the time."""
_MOST_STREAMS = 16
_MOST_ORDERS = 200  # that are remembered
_LINES_AT_ONCE = 500
_PAUSE = 0.1  # seconds between two messages of a stream
_ALIVE = 15.0  # seconds after which a stream says that it is alive
_AGAIN = 1000  # milliseconds after which a page connects again
_BODY = 64 * 1024  # bytes of an order
_UP_WITHIN = 30.0  # seconds
_END_WITHIN = 5.0
_AT_ONCE = 4  # actions

_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class LiveServer:
    """Has its port from its construction on, and answers from `begin` until it is closed.

    Args:
        port: Of 127.0.0.1 (0: any free one).

    Attributes:
        port: The port.
        url: With the token.

    Raises:
        SandboxError: The port is in use.
    """

    def __init__(self, port: int = 0) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind(("127.0.0.1", port))
        except OSError as error:
            self._socket.close()
            raise SandboxError(
                f"the live view cannot listen on 127.0.0.1:{port}",
                state=error.strerror or str(error),
                hint="choose another port with --ui-port, or leave it out for any free one",
            ) from error
        self.port = int(self._socket.getsockname()[1])
        self.token = secrets.token_urlsafe(32)
        self.url = f"http://127.0.0.1:{self.port}/#{self.token}"
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Event | None = None
        self._unsubscribe: Callable[[], None] = lambda: None

    def begin(self, sandbox: Sandbox, title: str) -> None:
        """Show a sandbox, from what has happened in it so far on.

        Raises:
            SandboxError: The server did not come up.
        """
        renderer = Renderer()

        def answers(name: str, kind: str) -> Answered:
            inside, outside = sandbox.answers_now(name, kind)
            values = tuple(record.value for record in inside.answers)
            return Answered(str(inside.rcode), values, bool(outside.answers))

        listening = threading.Event()

        async def serve() -> None:
            hub = Hub(renderer, answers, sandbox.follow)
            application = _Application(self, hub, renderer.page(title), renderer.policy, Actions(sandbox))
            self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
            self._unsubscribe = sandbox.timeline.subscribe(hub.put)
            hub.begin(sandbox.timeline.since())
            await application.run(self._socket, listening.set, self._ending)

        failures: list[Exception] = []

        def run() -> None:
            try:
                asyncio.run(serve())
            except Exception as error:
                log.exception("the live view has ended")
                failures.append(error)
                listening.set()

        self._thread = threading.Thread(target=run, name="live-view", daemon=True)
        self._thread.start()
        if not listening.wait(_UP_WITHIN) or failures:
            why = f"{type(failures[0]).__name__}: {failures[0]}" if failures else f"no answer for {_UP_WITHIN:g} s"
            raise SandboxError("the live view did not come up", state=why)

    def close(self) -> None:
        """Tell the pages that this is the end, and listen no more."""
        self._unsubscribe()
        if self._thread is not None and self._loop is not None and self._ending is not None:
            with contextlib.suppress(RuntimeError):  # it has ended by itself
                self._loop.call_soon_threadsafe(self._ending.set)
            self._thread.join(_END_WITHIN)
        self._socket.close()


class _Application:
    """Answers the requests of pages."""

    def __init__(self, server: LiveServer, hub: Hub, page: str, policy: str, actions: Actions) -> None:
        self._hosts = {f"127.0.0.1:{server.port}", f"localhost:{server.port}"}
        self._token = server.token
        self._hub = hub
        self._page = page
        self._policy = policy
        self._actions = actions
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="live-action")
        self._streams = 0
        self._orders: dict[str, asyncio.Future[tuple[int, dict[str, Any]]]] = {}

    async def run(self, listening: socket.socket, ready: Callable[[], None], ending: asyncio.Event) -> None:
        """Serve until ``ending`` is set."""
        application = web.Application(middlewares=[self._guard], client_max_size=_BODY)
        application.router.add_get("/", self._show)
        application.router.add_get("/events", self._stream)
        application.router.add_post("/do/{verb}", self._do)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        await web.SockSite(runner, listening).start()
        drawing = asyncio.ensure_future(self._hub.draw())
        ready()
        await ending.wait()
        self._hub.end()
        drawing.cancel()
        self._pool.shutdown(wait=False, cancel_futures=True)
        await runner.cleanup()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if refusal := self._refusal(request):
            response: web.StreamResponse = _said(403, {"message": refusal})
        else:
            try:
                response = await handler(request)
            except web.HTTPException as error:
                response = _said(error.status, {"message": error.reason})
        if not response.prepared:
            response.headers.update(_HEADERS)
        return response

    def _refusal(self, request: web.Request) -> str:
        """Why a request is not answered ("": it is)."""
        if request.host not in self._hosts:
            return "this server is asked for by another name"
        if request.method in {"GET", "HEAD"} and request.path == "/":
            return ""
        given = request.headers.get(TOKEN_HEADER, "") or request.query.get("token", "")
        if not secrets.compare_digest(given.encode(errors="replace"), self._token.encode()):
            return "the token is missing or is not this stack's: open the URL that sandbox up has printed"
        origin = request.headers.get("Origin")
        wanted = {f"http://{host}" for host in self._hosts}
        if origin not in wanted and (request.method != "GET" or origin is not None):
            return "the request comes from another page"
        if request.method != "GET" and request.headers.get(TOKEN_HEADER) is None:
            return f"an action has its token in {TOKEN_HEADER}"
        return ""

    async def _show(self, request: web.Request) -> web.StreamResponse:
        headers = {"Content-Security-Policy": self._policy}
        return web.Response(text=self._page, content_type="text/html", charset="utf-8", headers=headers)

    async def _do(self, request: web.Request) -> web.StreamResponse:
        try:
            order = json.loads(await request.text())
        except (ValueError, RecursionError):
            return _said(400, {"message": "an order is JSON"})
        if not isinstance(order, dict):
            return _said(400, {"message": "an order is an object"})
        number = request.headers.get(ORDER_HEADER, "")
        done = self._orders.get(number) if number else None
        if done is None:
            done = asyncio.ensure_future(self._carry_out(request.match_info["verb"], order))
            self._orders[number] = done
            while len(self._orders) > _MOST_ORDERS:
                del self._orders[next(iter(self._orders))]
        return _said(*await asyncio.shield(done))

    async def _carry_out(self, verb: str, order: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        try:
            said = await asyncio.get_running_loop().run_in_executor(self._pool, self._actions.carry_out, verb, order)
        except SandboxError as error:
            return 409, _told(error)
        except Exception as error:
            log.exception("the action %s failed", verb)
            return 500, _told(SandboxError.unforeseen(f"the action {verb} failed", error))
        return 200, {"message": said}

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        minutes = _whole(request.query.get("minutes", ""), MINUTES[1])
        if minutes not in MINUTES:
            return _said(400, {"message": f"minutes: one of {', '.join(map(str, MINUTES))}"})
        if self._streams >= _MOST_STREAMS:
            return _said(503, {"message": f"{_MOST_STREAMS} pages look already: close one of them"})
        last = request.headers.get("Last-Event-ID") or request.query.get("after", "")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", **_HEADERS})
        self._streams += 1
        try:
            with self._hub.watched(minutes):
                await response.prepare(request)
                await response.write(f"retry: {_AGAIN}\n\n".encode())
                await self._send(response, _whole(last, 0), {"topology", "faults", "targets", f"plot-{minutes}"})
        except (ConnectionError, TimeoutError):
            log.debug("a page is gone")
        finally:
            self._streams -= 1
        return response

    async def _send(self, response: web.StreamResponse, number: int, wanted: set[str]) -> None:
        """Write what is new, again and again. Only this stream waits for its reader."""
        hub, versions = self._hub, dict.fromkeys(wanted, 0)
        while not hub.over:
            news = hub.news
            parts = {name: hub.parts[name] for name in wanted & hub.parts.keys()}
            parts = {name: part for name, part in parts.items() if part.version != versions[name]}
            versions |= {name: part.version for name, part in parts.items()}
            lines, missed = hub.feed.after(number)
            messages = []
            if lines:
                sent = lines[-_LINES_AT_ONCE:]
                number, missed = sent[-1].number, missed + len(lines) - len(sent)
                told = {"lines": [line.as_json() for line in sent], "missed": missed}
                messages.append(f"id: {number}\nevent: lines\ndata: {json.dumps(told)}\n\n")
            if parts:
                html = {name.partition("-")[0]: part.html for name, part in parts.items()}
                messages.append(f"event: parts\ndata: {json.dumps(html)}\n\n")
            if messages:
                await response.write("".join(messages).encode())
                await asyncio.sleep(_PAUSE)
                continue
            try:
                await asyncio.wait_for(news.wait(), _ALIVE)
            except TimeoutError:
                await response.write(b": alive\n\n")
        await response.write(b"event: over\ndata: {}\n\n")


def _whole(text: str, otherwise: int) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else otherwise


def _told(error: SandboxError) -> dict[str, Any]:
    return {"message": error.message, "state": error.state, "hint": error.hint, "log": list(error.log)}


def _said(status: int, content: dict[str, Any]) -> web.Response:
    return web.json_response(content, status=status)
