"""Chromium in a sandbox, with the catalogue's nginx as the site: one of each for all tests."""

from __future__ import annotations

import re
import struct
import threading
from types import SimpleNamespace

import pytest
from docker.types import Mount

from sandbox.controllers import browser as browsers
from sandbox.controllers.sandbox import Sandbox
from sandbox.engine.catalogue import CATALOGUE, Component
from sandbox.engine.containers import Spec
from sandbox.engine.images import Images
from sandbox.engine.run import LABEL_RUN
from sandbox.errors import NotRunnable, SandboxError

pytestmark = pytest.mark.docker

SITE = "http://shop.example.org"
CONF = """\
server {
    listen 8888;
    location / { limit_rate 1; return 200 "it takes a second for each of its letters, and there are many"; }
}
server {
    listen 80;
    listen 443 ssl;
    ssl_certificate /site/certificate.pem;
    ssl_certificate_key /site/key.pem;
    root /site;
    location / { try_files $uri $uri/ =404; }
    location /hangs { proxy_pass http://127.0.0.1:8888; }
    location /fallback/ { try_files $uri /fallback/index.html; }
}
"""
# The buttons do nothing until the script has come; the second one's part of it comes when it is wanted.
PAGE = """\
<!doctype html><title>Shop</title>
<h1>Shop</h1><p id="count">0</p><button id="buy">Buy</button> <button id="lazy">Details</button>
<div id="details"></div><p hidden>out of sight</p><a href="/good/?next">Next</a> <a id="away" href="http://no-such.example.org/">Away</a>
<script type="module" src="{script}"></script>
"""
SCRIPT = """\
let count = 0
buy.onclick = () => { document.querySelector("#count").textContent = ++count }
lazy.onclick = async () => { (await import("./chunk.js")).show() }
window.app = { ready: true }
"""
# Asks again and again, as a page with live data does: it is never quiet.
LIVE = """\
setInterval(async () => { if (!(await fetch("feed")).ok) { window.lost = true } }, 50)
"""
CHUNK = 'export const show = () => { details.innerHTML = "<em>The details</em>" }'
READY = "window.app.ready"


@pytest.fixture(scope="module")
def sandbox(request, tmp_path_factory):
    timeline = tmp_path_factory.mktemp("run") / "timeline.jsonl"
    with Sandbox(
        site=request.getfixturevalue("sandbox_site"),
        images=request.config.getoption("--sandbox-images"),
        timeline_file=timeline,
    ) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def files(sandbox, tmp_path_factory):
    """The site's folder; nginx serves what is in it at the moment."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "default.conf").write_text(CONF)
    site = folder / "site"
    for name, script in (("good", "app.js"), ("missing", "gone.js"), ("fallback", "app.1234.js"), ("live", "app.js")):
        (site / name).mkdir(parents=True)
        (site / name / "index.html").write_text(PAGE.format(script=script))
    (site / "good" / "app.js").write_text(SCRIPT)
    (site / "hanging").mkdir()
    (site / "hanging" / "index.html").write_text('<!doctype html><title>Shop</title><img src="/hangs.png">')
    (site / "live" / "app.js").write_text(LIVE)
    (site / "live" / "feed").write_text("news")
    issued = sandbox.authority.issue(["shop.example.org"])
    (site / "certificate.pem").write_bytes(issued.certificate)
    (site / "key.pem").write_bytes(issued.key)
    folder.chmod(0o755)
    address = sandbox._network.public.take()
    sandbox._containers.run_new(
        Spec(
            "site",
            sandbox._images.ensure("nginx"),
            networks=[(sandbox._network.internet.name, address)],
            mounts=[
                Mount("/etc/nginx/conf.d", str(folder), type="bind", read_only=True),
                Mount("/site", str(site), type="bind", read_only=True),
            ],
        )
    )
    route53 = sandbox.aws("route53")
    zone = route53.create_hosted_zone(Name="example.org", CallerReference="browser")["HostedZone"]["Id"]
    record = {"Name": "shop.example.org", "Type": "A", "TTL": 1, "ResourceRecords": [{"Value": address}]}
    change = {"Action": "CREATE", "ResourceRecordSet": record}
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [change]})
    sandbox.wait_serving(f"{SITE}/good/")
    return site


@pytest.fixture(scope="module")
def browser(sandbox, files):
    with sandbox.browser() as browser:
        yield browser


@pytest.fixture
def tab(browser):
    """Opens a tab and closes it again."""
    opened = []

    def open_tab(path, **asked):
        opened.append(browser.open(SITE + path, **asked))
        return opened[-1]

    yield open_tab
    for one in opened:
        one.close()


def last(sandbox, kind):
    return [seen for seen in sandbox.timeline.since() if seen.kind == kind][-1]


def test_the_browser_is_here():
    """Elsewhere tests with a browser may be skipped; here they are not."""
    assert browsers.playwright_version()
    assert browsers.install_playwright() == f"python -m pip install playwright=={browsers.playwright_version()}"


def test_a_page_that_works(tab, sandbox, files):
    (files / "good" / "chunk.js").write_text(CHUNK)
    shop = tab("/good/", expression=READY)
    visit = shop.visit
    assert (visit.url, visit.status, visit.title, visit.works) == (f"{SITE}/good/", 200, "Shop", True)
    assert visit.text.split() == ["Shop", "0", "Buy", "Details", "Next", "Away"]
    assert (visit.error, visit.console, visit.failures, visit.page_errors) == ("", (), (), ())
    assert 0 < visit.seconds < 10
    assert not visit.failed
    seen = last(sandbox, "browser.visited")
    assert (seen["action"], seen["target"], seen["url"], seen["works"]) == ("open", "", f"{SITE}/good/", True)
    shop.click("#buy")
    assert shop.visit.text.split()[1] == "1"
    shop.click("#lazy", selector="#details em")
    assert (shop.visit.works, "The details" in shop.visit.text, shop.visit.failures) == (True, True, ())
    assert last(sandbox, "browser.visited")["target"] == "#lazy"


def test_a_link_leads_to_another_page(tab):
    shop = tab("/missing/")
    seen = shop.click("a", expression=READY)
    assert (seen.url, seen.status, seen.works, shop.visit) == (f"{SITE}/good/?next", 200, True, seen)
    away = shop.click("#away")
    assert (away.url, away.status, away.error) == ("http://no-such.example.org/", 0, "net::ERR_NAME_NOT_RESOLVED")
    assert away.failed
    assert not shop.open(f"{SITE}/good/", expression=READY).failed


def test_https_by_the_sandboxs_authority(browser):
    assert browser.open("https://shop.example.org/good/", expression=READY).visit.works


def test_a_page_whose_script_is_not_there_has_a_dead_button(tab):
    shop = tab("/missing/", expression=READY)
    visit = shop.visit
    assert (visit.status, visit.works, visit.failed) == (200, False, True)
    assert [str(one) for one in visit.failures] == [f"script {SITE}/missing/gone.js: HTTP 404"]
    (line,) = visit.console
    assert "404" in line
    assert f"{SITE}/missing/gone.js" in line
    shop.click("#buy")
    assert shop.visit.text.split()[1] == "0"
    assert shop.visit.failures == ()  # those of before have been told


def test_a_script_that_is_a_page_is_refused(tab):
    visit = tab("/fallback/", expression=READY).visit
    assert visit.works is False
    assert [str(one) for one in visit.failures] == [
        f"script {SITE}/fallback/app.1234.js: HTTP 200 answered as text/html"
    ]
    assert any('MIME type of "text/html"' in line for line in visit.console)


def test_a_tab_left_open_over_a_deployment_asks_for_what_is_gone(tab, files, sandbox):
    (files / "good" / "chunk.js").write_text(CHUNK)
    shop = tab("/good/", expression=READY)
    (files / "good" / "chunk.js").unlink()
    shop.click("#lazy", selector="#details em")
    visit = shop.visit
    assert (visit.works, visit.status, visit.failed) == (False, 200, True)
    assert [str(one) for one in visit.failures] == [f"script {SITE}/good/chunk.js: HTTP 404"]
    assert any("Failed to fetch dynamically imported module" in error for error in visit.page_errors)
    fields = last(sandbox, "browser.visited").fields
    assert fields["failures"] == [{"url": f"{SITE}/good/chunk.js", "status": 404, "kind": "script", "error": ""}]


def test_what_happens_while_nobody_looks_is_told_at_the_next_look(tab, files):
    live = tab("/live/", within=3)  # the bound ends it
    assert (live.visit.status, live.visit.failures, live.visit.failed) == (200, (), False)
    (files / "live" / "feed").unlink()
    seen = live.look(expression="window.lost")
    assert seen.works
    assert {str(one) for one in seen.failures} == {f"fetch {SITE}/live/feed: HTTP 404"}


def test_a_screenshot_is_evidence(tab, sandbox):
    path = tab("/good/", expression=READY).screenshot("shop")
    assert path == sandbox.evidence_folder / "shop.png"
    assert path.parent.name == "timeline"
    picture = path.read_bytes()
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", picture[16:24]) == (1280, 720)
    assert 3_000 < len(picture) < 200_000
    seen = last(sandbox, "browser.screenshot")
    assert (seen["file"], seen["bytes"], seen["url"]) == (str(path), len(picture), f"{SITE}/good/")


def test_a_part_that_does_not_come_is_told_and_does_not_keep_a_page_from_working(tab):
    assert tab("/hanging/", expression="document.title", within=5).visit.works
    seen = tab("/hanging/", within=3).visit
    assert [str(one) for one in seen.failures] == [f"image {SITE}/hangs.png: no answer within 3 s"]
    assert (seen.status, seen.error, seen.failed) == (200, "", True)


def test_what_cannot_be_loaded_is_data(tab, browser):
    assert (tab("/nowhere").visit.status, tab("/nowhere").visit.failed) == (404, True)
    unknown = browser.open("http://no-such.example.org/").visit
    assert (unknown.url, unknown.status, unknown.error, unknown.failed) == (
        "http://no-such.example.org/",
        0,
        "net::ERR_NAME_NOT_RESOLVED",
        True,
    )
    refused = browser.open(f"{SITE}:81/").visit
    assert refused.error == "net::ERR_CONNECTION_REFUSED"


def test_a_tab_keeps_its_visitor_and_a_new_one_is_another(tab, browser):
    shop = tab("/good/", expression=READY)
    shop.open(f"{SITE}/good/?again", expression="document.cookie = 'seen=1', true")
    assert shop.open(f"{SITE}/good/", expression="document.cookie === 'seen=1'").works
    assert not tab("/good/", expression="document.cookie !== ''").visit.works


def test_what_is_not_there_cannot_be_clicked_on(tab):
    shop = tab("/missing/")
    with pytest.raises(SandboxError, match=f"could not click on '#none' in the tab with {re.escape(SITE)}/missing/"):
        shop.click("#none", within=0.5)
    with pytest.raises(SandboxError, match=r"screenshot '\.\./x' is no file name"):
        shop.screenshot("../x")
    assert shop.look().status == 200


def test_without_playwright_nothing_is_run(sandbox, monkeypatch):
    monkeypatch.setattr(browsers, "playwright_version", lambda: "")
    with pytest.raises(NotRunnable) as refused:
        sandbox.browser()
    assert refused.value.command == browsers.install_playwright()
    assert refused.value.hint == refused.value.command


def test_without_its_image_nothing_is_run(sandbox, monkeypatch, tmp_path):
    monkeypatch.setitem(CATALOGUE, "chromium", Component("chromium", "", "no-such-folder", ""))
    images = Images(sandbox._containers.client, "build", lambda text: None)
    record, ending = sandbox.timeline.record, threading.Event()
    lacking = browsers.Browsers(sandbox._containers, images, sandbox._network, record, tmp_path, ending)
    with pytest.raises(NotRunnable, match="image 'chromium' could not be built") as refused:
        lacking.connect()
    assert refused.value.command == "sandbox images build chromium"


def test_a_browser_that_ends_at_once_is_not_waited_for(sandbox, tmp_path):
    """HAProxy does where it has no configuration."""
    images = SimpleNamespace(ensure=lambda component: sandbox._images.ensure("haproxy"))
    record, ending = sandbox.timeline.record, threading.Event()
    ended = browsers.Browsers(sandbox._containers, images, sandbox._network, record, tmp_path, ending)
    ended._started = 100  # the name of its container is another one's
    with pytest.raises(SandboxError, match="Chromium ended before it was up") as caught:
        ended.connect()
    assert "haproxy.cfg" in "\n".join(caught.value.log)
    labels = {"label": f"{LABEL_RUN}={sandbox.run_id}"}
    left = sandbox._containers.client.api.containers(all=True, filters=labels)
    assert not [one for one in left if one["Names"][0].endswith("-browser-101")]


def test_a_browser_that_has_died_says_so_and_the_next_one_is_new(sandbox, files):
    dying = sandbox.browser()
    shop = dying.open(f"{SITE}/good/")
    sandbox._containers.client.api.kill(sandbox._browsers._container)
    with pytest.raises(SandboxError, match=f"could not look in the tab with {re.escape(SITE)}/good/"):
        shop.look()
    dying.close()
    with sandbox.browser() as browser:
        assert browser.open(f"{SITE}/good/").visit.status == 200
