"""The page in a real browser: at a phone's width and a desktop's, in the dark, by keyboard, and with hostile text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.controllers.browser import COMPONENT, PORT, install_playwright, playwright_version
from sandbox.controllers.ground import Ground
from sandbox.errors import NotRunnable
from tests.chromium import CONTRASTS, wait_for
from tests.report.page.pages import HOSTILE, entry, many, write

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    if not playwright_version():
        raise NotRunnable("a browser is needed", command=install_playwright())
    from playwright.sync_api import sync_playwright

    ground = Ground()
    try:
        container = ground.network.add_client("browser", ground.images.ensure(COMPONENT), publish=PORT)
        url = f"http://127.0.0.1:{ground.containers.published(container, PORT)}"
        wait_for(url, lambda: ground.containers.log_tail(container))
        with sync_playwright() as playwright:
            browser = playwright.chromium.connect_over_cdp(url)
            yield browser
            browser.close()
    finally:
        ground.close()


@pytest.fixture
def show(chromium, tmp_path):
    """Shows a page of entries; options are those of Playwright's new_context."""
    contexts = []

    def shown(*entries: Any, **options: Any) -> Any:
        context = chromium.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.complaints = []
        page.on("console", lambda message: page.complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("dialog", lambda dialog: (page.complaints.append(dialog.message), dialog.dismiss()))
        page.set_content(write(tmp_path, *entries))
        return page

    yield shown
    for context in contexts:
        context.close()


def test_hostile_text_stays_text(show, tmp_path):
    page = show(entry(HOSTILE, timeline=many(tmp_path, 120, HOSTILE), evidence=(HOSTILE,), error=HOSTILE))
    page.locator("details.all summary").click()
    page.locator("details.all tbody tr").first.wait_for()
    for summary in page.locator("details:not(.all) summary").all():
        summary.click()
    assert page.title() == "a run"
    assert page.locator("img").count() == 0
    assert HOSTILE in page.locator("ul.evidence").inner_text()
    assert HOSTILE in page.locator("details.all tbody").inner_text()
    assert page.complaints == []


def test_the_table_is_filtered(show):
    page = show(entry("apple"), entry("pear", as_declared=False))
    rows = page.locator("#table tbody tr:visible")
    page.get_by_label("only what is not as declared").check()
    assert [row.inner_text().split("\t")[1] for row in rows.all()] == ["pear"]
    page.get_by_label("Filter", exact=True).fill("apple")
    assert rows.count() == 0
    assert page.get_by_text("Nothing matches.").is_visible()


def test_observations_are_listed_and_filtered(show, tmp_path):
    page = show(entry("one", timeline=many(tmp_path, 800)))
    page.locator("details.all summary").click()
    count = page.locator("details.all .count")
    count.get_by_text("800 of 800, the first 500 shown: filter for others").wait_for()
    page.locator("details.all input").fill("container.exited")
    count.get_by_text("16 of 800").wait_for()
    assert page.locator("details.all tbody tr").count() == 16


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1400, "light")])
def test_it_fits_and_can_be_read(show, tmp_path, width, scheme):
    page = show(
        entry("a-variant-with-a-long-name", timeline=many(tmp_path, 400), evidence=("x" * 400,)),
        viewport={"width": width, "height": 800},
        color_scheme=scheme,
    )
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(CONTRASTS) == []


def test_all_can_be_reached_by_keyboard(show, tmp_path):
    page = show(entry("one", timeline=many(tmp_path, 60)))
    reached = []
    for _ in range(20):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate("document.activeElement.textContent.trim().slice(0, 20) || document.activeElement.id")
        )
    assert reached[:5] == ["Skip to the results", "filter", "only-wrong", reached[3], "one"]
    assert any(text.startswith("All 60 observations") for text in reached)
    page.locator("details.all summary").focus()
    page.keyboard.press("Enter")
    page.locator("details.all tbody tr").first.wait_for()


def test_a_screen_reader_is_told_what_the_bars_show(show, tmp_path):
    page = show(entry("one", timeline=many(tmp_path, 120)))
    region = page.get_by_role("region", name="What happened in shop / one")
    told = region.aria_snapshot()
    assert "Tasks, shop 00000000: 0.0 to 2.5 s PENDING; 2.5 to 5.0 s RUNNING" in told
    assert "Requests, viewer of shop.example.com" in told
