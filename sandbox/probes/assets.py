"""A crowd of browsers' worth of page loads, while something happens: which are broken, when, and why.

Each visitor fetches the page and what it refers to; a tab that was left open asks later for what its scripts load then
(`sandbox.model.assets.scripts` says what is recognised). A load is broken when the page, a script or a style sheet
cannot be used.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import random
import ssl
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, TypeVar

from sandbox.errors import SandboxError
from sandbox.model.assets.loads import FIRST, TAB, Answer, PageLoad, Summary, summarize
from sandbox.model.assets.references import Reference
from sandbox.model.assets.urls import Scope, place
from sandbox.probes.asset_client import Client, Where
from sandbox.probes.asset_visitor import Reader, Visitor

IN_FLIGHT = 256  # page loads at once
TOLD = 100  # broken loads of a crowd that are recorded one by one
_LINGER = 2.0  # times the time-out of an answer, at the end, for the loads under way
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Plan:
    """Who comes, and when it ends.

    Attributes:
        pages: URLs of http or https; each visitor takes one, as the seed says.
        rate: Page loads that begin in a second, whether or not earlier ones have ended; 0: none.
        visitors: Instead: so many at any time, who come again at once.
        seconds: After which nobody is due any more, at a rate, or comes again.
        count: Page loads, at most.
        seed: Of the order of pages.
        timeout: Seconds for one answer.
        hosts: Beside those of the pages, hosts that may be asked for assets: "NAME" or "NAME:PORT".
        headers: Sent with each request.
        context: Whom to trust for HTTPS; None: this machine's authorities.
        knows: Whether a host that is named nowhere may be asked for assets.
    """

    pages: Sequence[str]
    rate: float = 0.0
    visitors: int = 0
    seconds: float = 3_600.0
    count: int = 100_000
    seed: int = 0
    timeout: float = 10.0
    hosts: Sequence[str] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    context: ssl.SSLContext | None = None
    knows: Callable[[str], bool] = lambda name: False

    def __post_init__(self) -> None:
        wrong = [url for url in self.pages if not url.startswith(("http://", "https://")) or not place(url)[1]]
        if wrong or not self.pages:
            raise SandboxError(
                f"{wrong[0] if wrong else 'no page'}: no URL to load", hint="such as http://example.org/"
            )
        if self.rate and self.visitors:
            raise SandboxError("a crowd comes at a rate or has a number of visitors, not both")
        if min(self.rate, self.visitors, self.count) < 0 or min(self.seconds, self.timeout) <= 0:
            raise SandboxError("rate, visitors, seconds, count and timeout of a crowd are not negative")


class Crowd:
    """Comes at the start of a ``with`` block and leaves at its end; the loads under way then are waited for.

    Not so where the block ends with an error: they are broken off.

    Observations:

    - ``page.broken`` (load, number, url, cause, failures): a broken page load, or return to a tab; the first `TOLD`.
    - ``page.loads`` (load, and the fields of `Summary` but the buckets; shed, abandoned): at the end, and for each
      return to the tabs.

    Attributes:
        shed: Visitors who did not come, since `IN_FLIGHT` loads were under way: the site takes too long for the rate.
        abandoned: Loads that had not ended long after the end.

    Args:
        plan: Who comes.
        where: Where a name leads (`sandbox.probes.asset_client.Where`).
        source: The address that connections come from.
        record: Writes an observation: kind and fields.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        where: Where | None = None,
        source: tuple[str, int] | None = None,
        record: Callable[..., Any] = lambda kind, **fields: None,
    ) -> None:
        self.plan = plan
        self.shed = self.abandoned = 0
        self._record = record
        self._scope = Scope([*_hosts(plan.pages), *plan.hosts], plan.knows)
        self._client = Client(
            self._scope,
            where=where,
            source=source,
            timeout=plan.timeout,
            headers=plan.headers,
            context=plan.context,
        )
        self._reader = Reader()
        self._numbers = iter(range(plan.count))
        self._choice = random.Random(plan.seed)
        self._news = threading.Condition()
        self._loads: list[PageLoad] = []
        self._returns: list[PageLoad] = []
        self._tabs: list[Visitor] = []
        self._told = 0
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._linger = _LINGER * plan.timeout
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="page-loads", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            self._linger = 0.0
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()
        if error is None:
            self._check()
            self._tell_all(FIRST, self.summary())

    @property
    def loads(self) -> tuple[PageLoad, ...]:
        """The loads so far, in the order in which they ended; tabs that were opened too, returns to them not."""
        with self._news:
            return tuple(self._loads)

    @property
    def returns(self) -> tuple[PageLoad, ...]:
        """The returns to tabs so far, one of each tab each time."""
        with self._news:
            return tuple(self._returns)

    def loads_since(self, number: int) -> tuple[PageLoad, ...]:
        """The loads but for the first so many."""
        with self._news:
            return tuple(self._loads[number:])

    def summary(self, *, since: float = float("-inf"), until: float = float("inf"), bucket: float = 1.0) -> Summary:
        """The loads that began between two times, in seconds since the epoch, counted."""
        return summarize((one for one in self.loads if since <= one.at < until), bucket)

    def wait_loads(self, count: int, within: float) -> None:
        """Wait until so many loads have ended, from the beginning.

        Raises:
            SandboxError: They have not in so many seconds.
        """
        with self._news:
            if not self._news.wait_for(lambda: len(self._loads) >= count or self._failure is not None, within):
                raise SandboxError(
                    f"{count} page loads have not ended within {within:g} s",
                    state=str(summarize(self._loads)),
                )
        self._check()

    def open_tabs(self, count: int, *, within: float = 60.0) -> Summary:
        """Load a page in so many new tabs, which are left open; returns when all are loaded."""
        return summarize(self._await(self._open(count), within, f"{count} tabs were not opened"))

    def return_to_tabs(self, *, within: float = 120.0) -> Summary:
        """Use every open tab: its scripts load what they load later. The tabs stay open.

        What has come is not asked for again; what has failed is, at the next return.
        """
        summary = summarize(self._await(self._come_back(), within, "the tabs were not returned to"))
        self._tell_all(TAB, summary)
        return summary

    def ask(self, reference: Reference, *, within: float = 60.0) -> Answer:
        """Ask for one file, as somebody new."""
        return self._await(self._ask(reference), within, f"{reference.url} was not answered")

    @property
    def tabs(self) -> tuple[Visitor, ...]:
        """The tabs that are open: what they have got (`Visitor.answers`), and what their scripts load later."""
        return tuple(self._tabs)

    @property
    def left_out(self) -> tuple[str, ...]:
        """The hosts that pages, or their scripts, have named and that were not asked."""
        return tuple(sorted(self._scope.left_out))

    def _await(self, work: Coroutine[Any, Any, _Result], within: float, otherwise: str) -> _Result:
        self._check()
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(within)
        except concurrent.futures.TimeoutError:
            future.cancel()
            raise SandboxError(f"{otherwise} within {within:g} s") from None

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._come())
        except Exception as error:
            with self._news:
                self._failure = error
                self._news.notify_all()

    async def _come(self) -> None:
        under_way: set[asyncio.Task[None]] = set()
        begun = self._loop.time()
        until = begun + self.plan.seconds
        if self.plan.rate:
            await self._at_a_rate(under_way, begun, until)
        for _ in range(self.plan.visitors):
            self._start(under_way, self._again_and_again(until))
        await self._stop.wait()
        if under_way:
            _, late = await asyncio.wait(under_way, timeout=self._linger)
            self.abandoned = len(late)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for tab in self._tabs:
            await tab.close()
        await self._client.close()

    async def _at_a_rate(self, under_way: set[asyncio.Task[None]], begun: float, until: float) -> None:
        """Who is due before the end comes, however late: a busy machine makes no fewer of them."""
        for number in self._numbers:
            due = begun + number / self.plan.rate
            if due >= until or await self._stopped_by(due):
                return
            if len(under_way) < IN_FLIGHT:
                self._start(under_way, self._visit(number, self._page()))
            else:
                self.shed += 1

    async def _again_and_again(self, until: float) -> None:
        for number in self._numbers:
            await self._visit(number, self._page())
            if self._stop.is_set() or self._loop.time() >= until:
                return

    def _start(self, under_way: set[asyncio.Task[None]], work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        under_way.add(task)
        task.add_done_callback(under_way.discard)
        task.add_done_callback(self._ended)

    async def _stopped_by(self, when: float) -> bool:
        """Wait for a time of the loop's clock; whether the end came before it."""
        left = when - self._loop.time()
        if left > 0:
            try:
                async with asyncio.timeout(left):
                    await self._stop.wait()
            except TimeoutError:
                pass
        else:
            await asyncio.sleep(0)
        return self._stop.is_set()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            with self._news:
                self._failure = self._failure or error
                self._news.notify_all()

    def _page(self) -> str:
        return self._choice.choice(self.plan.pages) if len(self.plan.pages) > 1 else self.plan.pages[0]

    async def _visit(self, number: int, url: str) -> None:
        visitor = Visitor(number, url, self._client, self._reader, self._scope)
        try:
            self._add(await visitor.load())
        finally:
            await visitor.close()

    async def _ask(self, reference: Reference) -> Answer:
        async with self._client.visitor() as session:
            return (await self._client.fetch(session, reference)).answer

    async def _open(self, count: int) -> list[PageLoad]:
        opened = [
            Visitor(len(self._tabs) + number, self._page(), self._client, self._reader, self._scope)
            for number in range(count)
        ]
        self._tabs += opened
        found = await self._of_each(opened, Visitor.load)
        for load in found:
            self._add(load)
        return found

    async def _come_back(self) -> list[PageLoad]:
        found = await self._of_each(self._tabs, Visitor.come_back)
        with self._news:
            self._returns += found
        for load in found:
            self._tell(load)
        return found

    async def _of_each(
        self, tabs: Iterable[Visitor], do: Callable[[Visitor], Coroutine[Any, Any, PageLoad]]
    ) -> list[PageLoad]:
        few = asyncio.Semaphore(IN_FLIGHT // 8)

        async def one(tab: Visitor) -> PageLoad:
            async with few:
                return await do(tab)

        return list(await asyncio.gather(*(one(tab) for tab in tabs)))

    def _add(self, load: PageLoad) -> None:
        with self._news:
            self._loads.append(load)
            self._news.notify_all()
        self._tell(load)

    def _tell(self, load: PageLoad) -> None:
        if load.broken and self._told < TOLD:
            self._told += 1
            failures = [str(one) for one in load.failures[:5]]
            self._record(
                "page.broken", load=load.kind, number=load.number, url=load.url, cause=load.cause, failures=failures
            )

    def _tell_all(self, kind: str, summary: Summary) -> None:
        fields = summary.as_json()
        del fields["buckets"], fields["bucket"]
        self._record("page.loads", load=kind, **fields, shed=self.shed, abandoned=self.abandoned)


def _hosts(pages: Iterable[str]) -> list[str]:
    found = []
    for url in pages:
        name, port = place(url)
        found.append(f"[{name}]:{port}" if ":" in name else f"{name}:{port}" if port not in {80, 443} else name)
    return found
