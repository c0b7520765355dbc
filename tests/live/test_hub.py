"""Between the stack and its viewers: what is dropped is said, and nothing is drawn while nobody looks."""

from __future__ import annotations

import asyncio

from sandbox.live.hub import MOST_WAITING, Hub
from sandbox.live.nodes import Answered
from sandbox.live.render import Renderer
from tests.live.seen import STORY, change, seen


def made():
    return Hub(Renderer(), lambda name, kind: Answered("NXDOMAIN", (), False), lambda task, container, since: iter(()))


def test_too_much_at_once_is_dropped_and_said():
    async def flood():
        hub = made()
        for number in range(MOST_WAITING + 7):
            hub.put(change(float(number), "a.example.com", [str(number)], kind="NS"))
        hub.put(STORY[3])
        hub.begin(())
        return [line.text for line in hub.feed.after(0)[0]]

    lines = asyncio.run(flood())
    assert lines[-1].startswith("task aaaaaaaa PENDING"), "the newest are kept"
    assert len(lines) == 2000


def test_how_much_was_dropped():
    async def flood():
        hub = made()
        for number in range(MOST_WAITING + 7):
            hub.put(seen(float(number), "stack.call", call="x"))  # which is no line
        hub.begin(())
        return [line.text for line in hub.feed.after(0)[0]]

    assert asyncio.run(flood()) == ["(7 observations or lines were dropped: too many at once)"]


def test_nothing_is_drawn_while_nobody_looks():
    async def look():
        hub = made()
        hub.begin(STORY)
        drawing = asyncio.ensure_future(hub.draw())
        for _ in range(10):
            await asyncio.sleep(0)  # lets the others go on
        before = dict(hub.parts)
        with hub.watched(5):
            while not hub.parts:
                await asyncio.wait_for(hub.news.wait(), 10)
        drawing.cancel()
        return before, hub.parts

    before, after = asyncio.run(look())
    assert before == {}
    assert set(after) == {"topology", "faults", "targets", "plot-5"}
