"""The report's page with 10,000 observations: what it weighs, and how long a browser takes until it can be used.

In the sandbox's Chromium; in the same run, a page that is empty but for a heading, which is what a browser takes for
anything. Exit 1 where the page weighs a megabyte or more, or takes a second or more.
"""

from __future__ import annotations

import functools
import random
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from sandbox.clock import RealClock
from sandbox.controllers.browser import COMPONENT, PORT
from sandbox.controllers.ground import Ground
from sandbox.report.page import html
from sandbox.report.page.entry import Entry
from sandbox.timeline import Timeline

OBSERVATIONS, VARIANTS, ROUNDS = 10_000, 20, 5
MOST_BYTES, MOST_SECONDS = 1_000_000, 1.0
EMPTY, OURS = "an empty page", "the report"
INTERACTIVE = "performance.getEntriesByType('navigation')[0].domInteractive / 1000"
FILTERED = """async () => {
  const begun = performance.now(), filter = document.getElementById('filter');
  filter.value = '7'; filter.dispatchEvent(new Event('input'));
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return (performance.now() - begun) / 1000;
}"""
LISTED = """async () => {
  const begun = performance.now(), all = document.querySelector('details.all');
  all.open = true;
  while (!all.querySelector('tbody tr')) await new Promise((done) => setTimeout(done, 5));
  return (performance.now() - begun) / 1000;
}"""


def timeline(file: Path, number: int, chance: random.Random) -> None:
    """So many observations, in the mix that a rolling deploy behind a load balancer makes."""
    clock = RealClock(1.0)
    line = Timeline(clock, file)
    for n in range(number):
        task = f"arn:aws:ecs:us-east-1:123456789012:task/shop/{chance.randrange(8):032x}"
        if n % 10 == 0:
            status = chance.choice(["PENDING", "RUNNING", "STOPPING"])
            state = {"task": task, "group": "service:shop", "last_status": status, "desired_status": "RUNNING"}
            line.record("task.state", **state, version=n, public_ip="", stop_code="", stopped_reason="")
        elif n % 10 == 1:
            health = {"group": "shop", "target": f"10.0.0.{chance.randrange(8)}:80", "reason": "", "description": ""}
            line.record("target.health", state=chance.choice(["initial", "healthy", "draining"]), **health)
        else:
            path = f"/_nuxt/{chance.getrandbits(64):016x}.js"
            asked = {"method": "GET", "url": f"shop.example.com{path}", "target_status": 200, "reason": ""}
            target = f"10.0.0.{chance.randrange(8)}:80"
            line.record(
                "alb.response", balancer="shop", status=chance.choice([200] * 9 + [404]), target=target, **asked
            )
    line.close()
    clock.close()


def page(folder: Path) -> Path:
    """A report of `VARIANTS` variants."""
    chance = random.Random(7)
    entries = []
    for n in range(VARIANTS):
        file = folder / f"{n}.jsonl"
        timeline(file, OBSERVATIONS // VARIANTS, chance)
        facts = tuple(f"fact {one} of what was seen" for one in range(6))
        entries.append(Entry("shop", f"variant-{n}", "holds", "holds", True, 12.0, "", facts, timeline=str(file)))
    return html.write(folder, "benchmark", entries)


def main() -> None:
    """Measure both in turn and print the table."""
    ground = Ground()
    try:
        container = ground.network.add_client("browser", ground.images.ensure(COMPONENT), publish=PORT)
        endpoint = f"http://127.0.0.1:{ground.containers.published(container, PORT)}"
        with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
            file = page(Path(name))
            measure(_connect(playwright, endpoint), {EMPTY: "<!doctype html><h1>empty</h1>", OURS: file.read_text()})
    finally:
        ground.close()


def _connect(playwright: Any, endpoint: str) -> Any:
    deadline, again = time.monotonic() + 30, threading.Event()
    while True:
        try:
            return playwright.chromium.connect_over_cdp(endpoint)
        except Exception:
            if time.monotonic() > deadline:
                raise
            again.wait(0.1)


def _fulfil(content: str, route: Any) -> None:
    route.fulfill(body=content, content_type="text/html; charset=utf-8")


def measure(browser: Any, pages: dict[str, str]) -> None:
    """Each page, several times, in a context of its own."""
    seconds: dict[str, list[float]] = {name: [] for name in pages}
    filtered, listed = [], []
    for _ in range(ROUNDS):
        for name, content in pages.items():
            context = browser.new_context()
            tab = context.new_page()
            tab.route(
                "http://report.invalid/**",
                functools.partial(_fulfil, content),
            )
            tab.goto("http://report.invalid/")
            seconds[name].append(tab.evaluate(INTERACTIVE))
            if name == OURS:
                filtered.append(tab.evaluate(FILTERED))
                listed.append(tab.evaluate(LISTED))
            context.close()
    for name, values in seconds.items():
        print(f"{name:14} {len(pages[name]) / 1000:7.0f} kB   interactive after {statistics.median(values):.2f} s")
    medians = statistics.median(filtered), statistics.median(listed)
    print(f"{OURS}: filtered in {medians[0]:.3f} s, observations listed in {medians[1]:.3f} s")
    good = len(pages[OURS]) < MOST_BYTES and statistics.median(seconds[OURS]) < MOST_SECONDS
    print(f"goal: less than {MOST_BYTES / 1000:.0f} kB, interactive in less than {MOST_SECONDS:g} s")
    sys.exit(not good)


if __name__ == "__main__":
    main()
