"""A real browser: Chromium in a container, driven by Playwright over Chromium's DevTools protocol.

Playwright runs on a thread and an event loop of its own, so that what happens in a tab is gathered as it happens, also
while a deployment goes on and nobody looks, and so that a tab may be used from any thread. What lets a user down (no
page, a dead button) is data, a `PageVisit`; what the browser cannot do (it has crashed, there is nothing to click on)
is an error.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from sandbox.errors import SandboxError
from sandbox.probes.page import TEXT_LIMIT, FailedRequest, PageVisit, refused

if TYPE_CHECKING:  # Playwright is optional
    from playwright.async_api import BrowserContext, ConsoleMessage, Page, Playwright, Request, Response

T = TypeVar("T")
WIDTH, HEIGHT = 1280, 720  # of the window
WITHIN = 10.0  # seconds for a page to load, a click to have its effect
QUIET = 1.0  # seconds without a request, after which nothing more is expected of a page
_CONNECT_WITHIN = 30.0
_MARGIN = 20.0  # seconds beyond the bounds within, after which the browser does not answer at all
_TEXT_WITHIN = 5.0
_LOG_LINES = 8
_ENDING = {"script", "stylesheet", "image", "font"}  # requests of these kinds end; a fetch may be a long poll
_LEFT = "net::ERR_ABORTED"  # the user, or the page itself, has gone on to another one
_GONE = ("has been closed", "crashed")  # in Playwright's words: there is no tab any more
_TRUE = "() => {{ try {{ return Boolean({}) }} catch {{ return false }} }}"  # not yet there is not yet true


class Browser:
    """A browser with any number of tabs; each has the cache and the cookies of a new visitor.

    Args:
        endpoint: Of the DevTools protocol, http://127.0.0.1:PORT.
        record: Writes an observation: kind and fields.
        folder: Where screenshots go; made with the first.
        log: The last lines of the browser's own log.

    Raises:
        SandboxError: It cannot be connected to.
    """

    def __init__(
        self, endpoint: str, record: Callable[..., Any], folder: Path, log: Callable[[], Sequence[str]]
    ) -> None:
        self.record = record
        self.folder = folder
        self._log = log
        self._numbers = itertools.count(1)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="browser", daemon=True)
        self._thread.start()
        self._playwright: Playwright | None = None
        try:
            self.do("connect to the browser", self._connect(endpoint), _CONNECT_WITHIN)
        except BaseException:
            self.close()
            raise

    async def _connect(self, endpoint: str) -> None:
        from playwright.async_api import async_playwright

        self._playwright = await async_playwright().start()
        chromium = self._playwright.chromium
        self._browser = await chromium.connect_over_cdp(endpoint, timeout=_CONNECT_WITHIN * 1000)

    def open(self, url: str, *, selector: str = "", expression: str = "", within: float = WITHIN) -> Tab:
        """Open ``url`` as a new visitor, in a tab that stays open; `Tab.open` has the arguments.

        What the visitor sees is the tab's ``visit``.
        """
        tab = self.do(f"make a tab for {url}", self._new_tab(), within)
        tab.open(url, selector=selector, expression=expression, within=within)
        return tab

    async def _new_tab(self) -> Tab:
        # The sandbox's certificates are by an authority that Chromium does not know, and has no option to trust.
        context = await self._browser.new_context(ignore_https_errors=True, viewport={"width": WIDTH, "height": HEIGHT})
        return Tab(self, next(self._numbers), context, await context.new_page())

    def do(
        self,
        what: str,
        work: Coroutine[Any, Any, T],
        within: float,
        log: Callable[[], Sequence[str]] = lambda: (),
    ) -> T:
        """Have ``work`` done on the browser's thread.

        Args:
            what: In words, for the error.
            work: Has bounds of its own.
            within: The bound; some seconds are added to it for a browser that is slow to say so.
            log: Gives lines for the error; those of the browser are taken where there are none.

        Raises:
            SandboxError: Playwright's or the browser's own failure.
        """
        from playwright.async_api import Error

        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(within + _MARGIN)
        except Error as error:
            raise SandboxError(
                f"could not {what}",
                state=str(error).splitlines()[0],
                log=log() or self._log(),
                hint="if the browser has crashed, its own words are in the log lines",
            ) from error
        except TimeoutError as error:
            future.cancel()
            raise SandboxError(
                f"could not {what}: the browser does not answer", state="it may hang", log=log() or self._log()
            ) from error

    def close(self) -> None:
        """Close all tabs and end Playwright. A second call does nothing."""
        from playwright.async_api import Error

        if self._loop.is_closed():
            return
        playwright, self._playwright = self._playwright, None
        try:
            if playwright is not None:
                asyncio.run_coroutine_threadsafe(playwright.stop(), self._loop).result(_MARGIN)
        except (Error, TimeoutError):  # the browser has gone before
            pass
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Tab:
    """A tab of a `Browser`. It stays as it is until something is done in it, whatever is deployed meanwhile.

    Attributes:
        visit: What was seen when it was looked at last.
    """

    visit: PageVisit

    def __init__(self, browser: Browser, number: int, context: BrowserContext, page: Page) -> None:
        self._browser = browser
        self._number = number
        self._context = context
        self._page = page
        self._asked = ""
        self._status = 0
        self._error = ""
        self._loaded = 0.0  # when the last document had loaded, on the monotonic clock
        self._console: list[str] = []
        self._failures: list[FailedRequest] = []
        self._page_errors: list[str] = []
        self._under_way: set[Request] = set()
        self._answered_badly: set[Request] = set()
        self._traffic = asyncio.Event()
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self._page_errors.append(str(error)))
        page.on("load", lambda page: self._on_load())
        page.on("request", self._on_request)
        page.on("response", self._on_response)
        page.on("requestfinished", self._on_end)
        page.on("requestfailed", self._on_failed)

    def open(self, url: str, *, selector: str = "", expression: str = "", within: float = WITHIN) -> PageVisit:
        """Go to ``url`` in this tab, with its cache and cookies; recorded as ``browser.visited``.

        It is over when the page works, or when it has loaded and asked for nothing for a second, or the time is up.

        Args:
            url: http://NAME/PATH, or with https; any certificate is taken.
            selector: The page works only when this element (CSS) is visible.
            expression: The page works only when this expression of JavaScript is true, such as
                ``document.querySelector("#app").__vue_app__ !== undefined``: it is hydrated.
            within: The bound in seconds.

        Raises:
            SandboxError: The browser has failed. A page that does is data.
        """
        self._asked = url
        return self._look("open", "", self._open(url, within), selector, expression, within)

    def click(self, target: str, *, selector: str = "", expression: str = "", within: float = WITHIN) -> PageVisit:
        """Click on the first element that ``target`` (CSS) selects; recorded as ``browser.visited``.

        Args:
            target: What is clicked on, once it is visible.
            selector: As of `open`: what is to be visible afterwards.
            expression: As of `open`: what is to be true afterwards.
            within: The bound in seconds, for the click and for its effect together.

        Raises:
            SandboxError: There is nothing to click on, or the browser has failed.
        """
        return self._look("click", target, self._click(target, within), selector, expression, within)

    def look(self, *, selector: str = "", expression: str = "", within: float = WITHIN) -> PageVisit:
        """What the user sees now, and what has happened since the last look; recorded as ``browser.visited``."""
        return self._look("look", "", None, selector, expression, within)

    def screenshot(self, name: str) -> Path:
        """Keep the picture of the window as ``NAME.png`` in the browser's folder; ``browser.screenshot``.

        Raises:
            SandboxError: The name is no file name, or the browser has failed.
        """
        if not re.fullmatch(r"[\w.-]+", name):
            raise SandboxError(f"screenshot '{name}' is no file name", hint="letters, digits, '.', '_' and '-'")
        path = self._browser.folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        self._do(f"take screenshot '{name}'", self._take(path), WITHIN)
        self._browser.record(
            "browser.screenshot", tab=self._number, url=self._shown(), file=str(path), bytes=path.stat().st_size
        )
        return path

    def close(self) -> None:
        """Close the tab and forget its cache and cookies."""
        self._do("close the tab", self._close(), WITHIN)

    # -- on the browser's thread --

    async def _open(self, url: str, within: float) -> None:
        from playwright.async_api import Error
        from playwright.async_api import TimeoutError as TooLate

        self._status, self._error = 0, ""
        self._under_way.clear()
        try:
            # Its parts may come, or not, while the page works already.
            await self._page.goto(url, timeout=within * 1000, wait_until="commit")
        except TooLate:
            self._error = f"no answer within {within:g} s"
        except Error as error:
            told = re.search(r"net::\w+", str(error))
            if told is None:
                raise
            self._error = told[0]

    async def _click(self, target: str, within: float) -> None:
        await self._page.locator(target).first.click(timeout=within * 1000)

    async def _take(self, path: Path) -> None:
        await self._page.screenshot(path=path, timeout=WITHIN * 1000)

    async def _close(self) -> None:
        await self._context.close()

    async def _settle(self, selector: str, expression: str, within: float) -> bool | None:
        """Wait until the page works, or is quiet; whether it works, None where nothing is asked."""
        from playwright.async_api import Error

        quiet = asyncio.create_task(self._quiet())
        waits = {quiet}
        if selector or expression:
            waits.add(asyncio.create_task(self._wait_works(selector, expression, within)))
        try:
            await asyncio.wait(waits, timeout=within, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if not selector and not expression:
            return None
        try:  # which waits for its turn in a page that is busy
            return await asyncio.wait_for(self._works(selector, expression), within)
        except (Error, TimeoutError):
            return False

    async def _wait_works(self, selector: str, expression: str, within: float) -> None:
        from playwright.async_api import Error

        with contextlib.suppress(Error):  # its time is up; or the page is being left, which the next look shows
            if selector:
                await self._page.locator(selector).first.wait_for(state="visible", timeout=within * 1000)
            if expression:
                await self._page.wait_for_function(_TRUE.format(expression), timeout=within * 1000)

    async def _works(self, selector: str, expression: str) -> bool:
        if selector and not await self._page.locator(selector).first.is_visible():
            return False
        return not expression or bool(await self._page.evaluate(_TRUE.format(expression)))

    async def _quiet(self) -> None:
        while True:
            self._traffic.clear()
            try:
                await asyncio.wait_for(self._traffic.wait(), None if self._under_way else QUIET)
            except TimeoutError:
                return

    async def _text(self) -> tuple[str, str]:
        """Title and visible text; a page that is being left, or is none, has neither."""
        from playwright.async_api import Error

        try:
            text = await self._page.locator("body").inner_text(timeout=_TEXT_WITHIN * 1000)
            return await self._page.title(), text[:TEXT_LIMIT]
        except Error as error:
            if any(word in str(error) for word in _GONE):
                raise
            return "", ""

    async def _seen(
        self, action: Coroutine[Any, Any, Any] | None, selector: str, expression: str, within: float
    ) -> PageVisit:
        begun = time.monotonic()
        if action is not None:
            await action
        works: bool | None = False if selector or expression else None
        acted = time.monotonic()
        if not self._error:
            works = await self._settle(selector, expression, max(within - (acted - begun), 0.1))
        # Without a question, waiting for silence is not the page's time.
        seconds = (time.monotonic() if works is not None else max(acted, self._loaded)) - begun
        if not works and time.monotonic() - begun >= within:
            self._give_up(within)
        title, text = await self._text()
        seen = PageVisit(
            self._shown(),
            self._status,
            title,
            text,
            works,
            seconds,
            self._error,
            tuple(self._console),
            tuple(self._failures),
            tuple(self._page_errors),
        )
        for gathered in (self._console, self._failures, self._page_errors):
            gathered.clear()
        return seen

    def _give_up(self, within: float) -> None:
        for request in self._under_way:
            if request.resource_type in _ENDING:
                told = FailedRequest(request.url, 0, request.resource_type, f"no answer within {within:g} s")
                self._failures.append(told)

    def _on_load(self) -> None:
        self._loaded = time.monotonic()
        self._traffic.set()

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            where = message.location.get("url", "")
            self._console.append(message.text if not where or where in message.text else f"{message.text} ({where})")

    def _on_request(self, request: Request) -> None:
        self._under_way.add(request)
        self._traffic.set()

    def _on_response(self, response: Response) -> None:
        request = response.request
        if self._is_document(request):
            self._status, self._error = response.status, ""
        kind, status = request.resource_type, response.status
        error = refused(kind, response.headers.get("content-type", "")) if status < 300 else ""
        if error or status >= 400:
            self._failures.append(FailedRequest(response.url, status, kind, error))
            self._answered_badly.add(request)

    def _on_end(self, request: Request) -> None:
        self._under_way.discard(request)
        self._answered_badly.discard(request)
        self._traffic.set()

    def _on_failed(self, request: Request) -> None:
        if request not in self._answered_badly:  # a module that is answered 404 is aborted, too
            self._failures.append(FailedRequest(request.url, 0, request.resource_type, request.failure or ""))
        if self._is_document(request) and request.failure != _LEFT:
            self._asked, self._status, self._error = request.url, 0, request.failure or ""
        self._on_end(request)

    def _is_document(self, request: Request) -> bool:
        return request.is_navigation_request() and request.frame == self._page.main_frame

    # -- on the caller's --

    def _look(
        self,
        action: str,
        target: str,
        work: Coroutine[Any, Any, Any] | None,
        selector: str,
        expression: str,
        within: float,
    ) -> PageVisit:
        what = f"click on '{target}'" if target else action
        seen = self._seen(work, selector, expression, within)
        self.visit = self._do(what, seen, 2 * within)
        self._browser.record("browser.visited", tab=self._number, action=action, target=target, **self.visit.facts())
        return self.visit

    def _do(self, what: str, work: Coroutine[Any, Any, T], within: float) -> T:
        def log() -> list[str]:
            return [*self._console, *map(str, self._failures), *self._page_errors][-_LOG_LINES:]

        return self._browser.do(f"{what} in the tab with {self._shown()}", work, within, log)

    def _shown(self) -> str:
        shown = self._page.url
        return self._asked if shown in {"", "about:blank"} or shown.startswith("chrome-error:") else shown
