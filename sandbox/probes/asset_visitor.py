"""A browser's worth of a page load: the page, what it refers to, and later what its scripts load while it is open."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Iterable

from sandbox.model.assets import references, scripts
from sandbox.model.assets.loads import FIRST, TAB, Answer, PageLoad
from sandbox.model.assets.references import MODULE, NEEDED, PAGE, SCRIPT, Page, Reference
from sandbox.model.assets.scripts import Loads
from sandbox.model.assets.urls import Scope, origin_of
from sandbox.probes.asset_client import Client

MOST = 500  # files of one visitor
_KEPT = 2_000  # documents and scripts whose meaning is kept


class Reader:
    """Reads documents and scripts, each text once: thousands of visitors get the same ones."""

    def __init__(self) -> None:
        self._pages: dict[tuple[str, bytes], Page] = {}
        self._scripts: dict[tuple[str, bool, bytes], Loads] = {}

    def page(self, url: str, body: bytes) -> Page:
        """What a document refers to."""
        key = (url, _digest(body))
        if key not in self._pages:
            _make_room(self._pages)
            self._pages[key] = references.of(body.decode("utf-8", "replace"), url)
        return self._pages[key]

    def script(self, url: str, body: bytes, page: Page, *, module: bool) -> Loads:
        """What a script loads; ``page`` has the import map."""
        key = (url, module, _digest(body + repr(sorted(page.imports.items())).encode() if page.imports else body))
        if key not in self._scripts:
            _make_room(self._scripts)
            self._scripts[key] = scripts.of(body.decode("utf-8", "replace"), url, page.imports, module=module)
        return self._scripts[key]


def _digest(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=16).digest()


def _make_room(kept: dict[tuple[str, bytes], Page] | dict[tuple[str, bool, bytes], Loads]) -> None:
    if len(kept) >= _KEPT:
        kept.clear()


class Visitor:
    """Someone with an empty cache and no cookies, who asks for each URL once.

    Attributes:
        answers: What came, by URL.
        later: What the page and its scripts name for later, and has not been asked for.

    Args:
        number: For `PageLoad.number`.
        url: The page.
        client: Carries the requests.
        reader: Reads what comes.
        scope: The hosts that may be asked; references to others are left out.
    """

    def __init__(self, number: int, url: str, client: Client, reader: Reader, scope: Scope) -> None:
        self.number = number
        self.url = url
        self.answers: dict[str, Answer] = {}
        self.later: dict[str, Reference] = {}
        self._client = client
        self._reader = reader
        self._scope = scope
        self._session = client.visitor()
        self._page = Page(url, ())
        self._origin = origin_of(url)
        self._failed: list[Answer] = []  # at the last return

    async def close(self) -> None:
        """Leave."""
        await self._session.close()

    async def load(self) -> PageLoad:
        """Fetch the page, and all that it needs to work."""
        at, begun = time.time(), time.monotonic()
        page = await self._client.fetch(self._session, Reference(self.url, PAGE, True))
        found = [page.answer]
        self.answers[self.url] = page.answer
        if not page.answer.cause:
            self._page = self._reader.page(page.url, page.body)
            self._origin = origin_of(page.url)
            wave = list(self._page.now)
            self._keep_for_later(self._page.later)
            for text, module in self._page.inline:
                loads = self._reader.script(self._page.base, text.encode("utf-8", "replace"), self._page, module=module)
                wave += loads.now
                self._keep_for_later(loads.later)
            found += await self._fetch_all(wave)
        return self._load(FIRST, at, begun, found)

    async def come_back(self) -> PageLoad:
        """Use the page, which has been open all the time: ask for what its scripts load later, and has not come yet.

        What has failed at the last return is asked for again.
        """
        at, begun = time.time(), time.monotonic()
        found: list[Answer] = []
        for one in self._failed:
            del self.answers[one.url]
            self.later.setdefault(one.url, Reference(one.url, one.kind, one.needed))
        while self.later and len(self.answers) < MOST:
            wave, self.later = list(self.later.values()), {}
            found += await self._fetch_all(wave)
        self._failed = [one for one in found if one.cause]
        return self._load(TAB, at, begun, found)

    async def _fetch_all(self, wave: list[Reference]) -> list[Answer]:
        found: list[Answer] = []
        while wave:
            new = {one.url: one for one in wave if one.url not in self.answers and self._scope.allows(one.url)}
            asked = list(new.values())[: max(MOST - len(self.answers), 0)]
            fetched = await asyncio.gather(*(self._client.fetch(self._session, one, self._origin) for one in asked))
            wave = []
            for one in fetched:
                answer = one.answer
                self.answers[answer.url] = answer
                self.later.pop(answer.url, None)
                found.append(answer)
                if not answer.cause and answer.kind in {SCRIPT, MODULE}:
                    loads = self._reader.script(one.url, one.body, self._page, module=answer.kind == MODULE)
                    wave += loads.now
                    self._keep_for_later(loads.later)
        return found

    def _keep_for_later(self, loads: Iterable[Reference]) -> None:
        for one in loads:
            if one.url not in self.answers and one.kind in NEEDED and self._scope.allows(one.url):
                self.later.setdefault(one.url, one)

    def _load(self, kind: str, at: float, begun: float, found: list[Answer]) -> PageLoad:
        failures = tuple(one for one in found if one.cause)
        return PageLoad(self.number, kind, self.url, at, round(time.monotonic() - begun, 4), len(found), failures)
