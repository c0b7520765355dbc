"""The live view in a real browser, of a real stack that is up once for all of it: `sandbox up --ui`."""

from __future__ import annotations

import re

import pytest
import requests

from sandbox.report.page.entry import observations
from tests.chromium import CONTRASTS
from tests.conftest import Cli, _short_folder
from tests.live.browser import chromium
from tests.live.stack import make_live_stack
from tests.report.page.pages import HOSTILE

pytestmark = pytest.mark.docker

WITHIN = 20_000  # milliseconds


class View:
    """The page of a stack that is up, and the command that serves it."""

    def __init__(self, browser, cut, cli, up, url):
        self.browser = browser
        self.cut = cut
        self.cli = cli
        self.up = up
        self.url = url
        self.complaints = []
        self.page = self.open()

    def open(self, **options):
        page = self.browser.new_context(**{"viewport": {"width": 1400, "height": 900}, **options}).new_page()
        page.set_default_timeout(WITHIN)
        page.on("console", lambda it: self.complaints.append(it.text) if it.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: (self.complaints.append(dialog.message), dialog.dismiss()))
        page.goto(self.url)
        return page

    def node(self, title):
        """The thing whose title it is."""
        return self.page.locator(".node").filter(has=self.page.locator(f":scope > .head > strong:text-is('{title}')"))

    def state(self, title, expected):
        """Wait until the state of a thing, which it shows after its title, is this."""
        self.node(title).locator(":scope > .head > .state", has_text=re.compile(expected)).first.wait_for()

    @property
    def task(self):
        """The first task of the service that is RUNNING: its node."""
        shown = self.page.locator("#topology [id^='task:']").filter(
            has=self.page.locator(":scope > .head > .state:text-is('RUNNING')")
        )
        shown.first.wait_for()
        return shown.first

    def said(self, expected):
        """Wait for the outcome of an action."""
        self.page.locator("#said", has_text=re.compile(expected)).wait_for()
        return self.page.locator("#said").inner_text()

    def event(self, expected):
        self.page.locator("#events p", has_text=re.compile(expected)).first.wait_for()


@pytest.fixture(scope="module")
def view(request, tmp_path_factory):
    stack = make_live_stack(tmp_path_factory.mktemp("live") / "small")
    timeline = tmp_path_factory.mktemp("timeline") / "live.jsonl"
    cli = Cli(_short_folder())
    try:
        up = cli.start("up", stack, "--ui", "--speed", "10", "--timeline", timeline)
        url = re.search(r"http://127\.0\.0\.1:\d+/#[\w-]+", up.wait_for("live view: "))[0]
        up.wait_for("takes it down")
        port = int(re.search(r":(\d+)/", url)[1])
        with chromium(port, request.config.getoption("--sandbox-images")) as (browser, cut):
            made = View(browser, cut, cli, up, url)
            yield made
            made.page.get_by_role("button", name="Block a port of front").click()
            made.page.keyboard.press("Enter")
            made.said("port-closed of balancer:front, is in force")
            up.interrupt()
            made.page.locator("#link", has_text="The stack is being taken down.").wait_for()
        assert up.end() == 130
        assert cli.left() == []
        *_, last = [one for one in observations(str(timeline)) if one.kind.startswith("fault.")]
        assert (last.kind, last["target"]) == ("fault.ended", "balancer:front"), "it is lifted with the stack"
    finally:
        cli.close()


@pytest.fixture(autouse=True)
def _no_complaint(view):
    yield
    view.page.evaluate("document.querySelector('dialog').close()")  # of a test that has failed
    assert view.complaints == []


def test_the_way_from_viewers_to_containers(view):
    view.state("web", "1 of 1 healthy")
    view.state("small", "1 of 1 running")
    for title in ("Viewers", "www.example.org", "small.example.org", "front", "nginx"):
        assert view.node(title).first.is_visible()
    task = view.task
    name = task.locator(":scope > .head > strong").inner_text()
    assert "FARGATE_SPOT" in task.inner_text()
    assert f"leads to {name}" in view.node("small.example.org").inner_text()
    assert "leads to front" in view.node("www.example.org").inner_text()
    assert view.page.locator("#lines g path").count() >= 5
    assert re.search(r"answers now: 198\.[\d.]+$", view.node("www.example.org").inner_text(), re.MULTILINE)
    assert view.page.locator("#link").inner_text() == "live"


def test_what_happened_with_its_arrows_events_and_logs(view):
    told = view.page.get_by_role("region", name="What happened, over").aria_snapshot()
    assert re.search(r"Tasks, small \w{8}: .*RUNNING", told)
    assert re.search(r"Functions, writes-dns: .*Success", told)
    assert view.page.locator(".over line").count() >= 2
    view.event(r"task \w{8} RUNNING")
    view.page.locator("#logs p", has_text="ELB-HealthChecker").first.wait_for()
    view.page.locator("#minutes").select_option("1")
    view.page.locator("#link", has_text="live").wait_for()
    lines = view.page.locator("#events p").all_inner_texts()
    assert len(lines) == len(set(lines)), "what it had already does not come again"


def test_the_last_event_of_a_task_is_delivered_again_also_over_a_bad_connection(view):
    told = "function writes-dns: "
    before = view.up.out.count(told)
    dropped = []

    def drop_the_first(route):
        if dropped:
            route.continue_()
        else:
            dropped.append(route.request.url)
            route.abort("connectionreset")

    view.page.route("**/do/replay", drop_the_first)
    view.page.get_by_role("button", name="Replay the last event of a task").click()
    view.said(r"replayed: task \w{8} RUNNING, version \d+, event \w{8}")
    view.page.unroute("**/do/replay")
    view.up.wait_for_count(told, before + 1)
    assert len(dropped) == 1
    view.complaints = [one for one in view.complaints if "ERR_CONNECTION_RESET" not in one]


def test_a_task_that_is_stopped_is_replaced_and_the_name_leads_to_the_new_one(view):
    old = view.task.get_attribute("id")
    address = re.search(r"A: (\S+),", view.node("small.example.org").inner_text())[1]
    view.task.get_by_role("button", name=re.compile("^Stop task")).click()
    view.said(r"task \w{8} is to stop")
    view.page.locator(f"[id='{old}'] > .head > .state", has_text=re.compile("STOP")).wait_for()
    view.page.locator(f"[id^='task:']:not([id='{old}']) > .head > .state:text-is('RUNNING')").wait_for()
    view.event(rf"small\.example\.org A \['{re.escape(address)}'\] -> ")
    new = re.search(r"A: (\S+),", view.node("small.example.org").inner_text())[1]
    assert new != address
    view.node("small.example.org").get_by_text(f"answers now: {new}").wait_for()
    view.state("web", "1 of 1 healthy")


def test_a_deployment(view):
    view.page.get_by_role("button", name="Deploy service small anew").click()
    view.said(r"service small: deployment ecs-svc/\d+ has begun")
    number = re.search(r"ecs-svc/\d+", view.page.locator("#said").inner_text())[0]
    view.event(f"{number}\\) deployment completed")
    view.state("small", r"^1 of [12] running")


def test_a_spot_interruption(view):
    view.state("small", "^1 of 1 running")
    old = view.task.get_attribute("id")
    view.task.get_by_role("button", name=re.compile("^Spot interruption of task")).click()
    view.said("its Spot capacity is taken back")
    view.page.locator(f"[id='{old}'] .line", has_text="SpotInterruption").wait_for()
    view.page.locator(f"[id^='task:']:not([id='{old}']) > .head > .state:text-is('RUNNING')").wait_for()
    view.state("web", "1 of 1 healthy")


def test_a_port_is_blocked_by_keyboard_and_opened_again(view):
    button = view.page.get_by_role("button", name="Block a port of small")
    button.focus()
    view.page.keyboard.press("Enter")
    dialog = view.page.get_by_role("dialog", name="Put in a fault")
    dialog.wait_for()
    assert view.page.evaluate("document.activeElement.name") == "port"
    assert dialog.get_by_label("Target").input_value() == "service:small"
    assert dialog.get_by_role("spinbutton", name="The port").input_value() == "80"
    view.page.keyboard.press("Enter")
    view.said(r"fault \d+, port-closed of service:small, is in force until it is lifted")
    view.page.locator("#faults", has_text="port-closed of service:small port=80 mode=drop").wait_for()
    view.state("web", "0 of 1 healthy")
    lift = view.page.get_by_role("button", name=re.compile(r"Lift fault \d+, port-closed"))
    lift.focus()
    view.page.keyboard.press("Enter")
    view.said(r"fault \d+ is lifted")
    view.page.locator("#faults", has_text="None.").wait_for()
    assert view.page.evaluate("document.activeElement.id") == "faults-h", "the focus is not lost with the button"
    view.state("web", "1 of 1 healthy")


def test_latency_is_added_and_taken_away(view):
    view.page.get_by_role("button", name="Add latency of front").click()
    dialog = view.page.get_by_role("dialog", name="Put in a fault")
    dialog.get_by_role("spinbutton", name="How late (ms)").fill("700")
    dialog.get_by_role("button", name="Put it in").click()
    view.said("latency of balancer:front, is in force")
    view.page.locator("#faults", has_text="latency of balancer:front milliseconds=700").wait_for()
    view.page.get_by_role("button", name=re.compile("Lift fault .*latency")).click()
    view.page.locator("#faults", has_text="None.").wait_for()


def test_what_cannot_be_done_is_said(view):
    view.page.get_by_role("button", name="Put in a fault ...").click()
    dialog = view.page.get_by_role("dialog", name="Put in a fault")
    dialog.get_by_role("combobox", name="Fault").select_option("kill")
    dialog.get_by_label("Target").fill("service:nope")
    dialog.get_by_role("button", name="Put it in").click()
    said = view.said("there is no service 'nope'")
    assert "next: there are: service:small" in said
    assert "bad" in view.page.locator("#said").get_attribute("class")
    assert view.page.locator("#said").get_attribute("aria-live") == "polite"
    view.complaints = [one for one in view.complaints if "409" not in one]  # Chromium tells of every such status


def test_a_fault_that_a_command_has_put_in_is_shown_and_lifted(view):
    command = view.cli.start("fault", "event-drop", "rule:running")
    command.wait_for("until Ctrl-C")
    view.page.get_by_role("button", name=re.compile("Lift fault .*event-drop of rule:running")).click()
    view.said("is lifted")
    view.page.locator("#faults", has_text="None.").wait_for()
    assert command.end() == 2
    assert "has ended" in command.err


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1400, "light")])
def test_it_fits_and_can_be_read(view, width, scheme):
    page = view.open(viewport={"width": width, "height": 800}, color_scheme=scheme, reduced_motion="reduce")
    page.locator("#topology .node").first.wait_for()
    page.locator(".plot").wait_for()
    page.locator("#logs p").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(CONTRASTS) == []
    moving = "[...document.querySelectorAll('*')].filter((e) => getComputedStyle(e).transitionDuration !== '0s').length"
    assert page.evaluate(moving) == 0
    page.get_by_role("button", name="Replay the last event of a task").click()
    page.locator("#said", has_text="replayed").wait_for()
    page.locator("#logs").scroll_into_view_if_needed()
    assert page.evaluate("scrollY") > 0
    assert page.locator("#said").bounding_box()["y"] >= 0, "what came of an action is in sight"
    page.get_by_role("button", name="Put in a fault ...").click()
    page.get_by_role("dialog").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(CONTRASTS) == []
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="hidden")
    page.context.close()


# What has no name a screen reader could say, ids that are not unique, and references to ids that are not there.
FLAWS = """() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const named = (e) => e.getAttribute("aria-label") || e.getAttribute("aria-labelledby") || e.textContent.trim()
    || e.closest("label");
  const nameless = all("button, input, select, [role]:not([role=status]), dialog, section").filter((e) => !named(e));
  const ids = all("[id]").map((e) => e.id);
  const twice = ids.filter((id, place) => ids.indexOf(id) !== place);
  const references = ["aria-labelledby", "list"].flatMap((name) => all(`[${name}]`).map((e) => e.getAttribute(name)));
  const lost = references.filter((id) => !document.getElementById(id));
  const levels = all("h1, h2, h3, h4").map((e) => Number(e.tagName[1]));
  const jumps = levels.filter((level, place) => place && level > levels[place - 1] + 1);
  return [...nameless.map((e) => e.outerHTML), ...twice, ...lost, ...jumps];
}"""


def test_a_screen_reader_and_a_keyboard_get_all_of_it(view):
    page = view.open()
    page.locator(".plot").wait_for()
    page.get_by_role("button", name=re.compile("^Stop task")).first.wait_for()
    assert page.evaluate(FLAWS) == []
    assert page.evaluate("document.documentElement.lang") == "en"
    reached = []
    for _ in range(25):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate("document.activeElement.getAttribute('aria-label') || document.activeElement.textContent")
        )
    assert reached[0] == "Skip to the stack"
    for name in (
        "Replay the last event",
        "Put in a fault",
        "Deploy service small",
        "Block a port of front",
        "Stop task",
    ):
        assert any(one.startswith(name) for one in reached), (name, reached)
    page.context.close()


def test_a_page_that_has_lost_its_connection_goes_on_where_it_was(view, until):
    page = view.page
    before = page.evaluate("""() => {
      window.numbers = [];
      source.addEventListener("lines", (it) => numbers.push(...JSON.parse(it.data).lines.map((line) => line.number)));
      return last;
    }""")
    view.cut()
    page.locator("#link", has_text="The connection is lost; trying again").wait_for()
    page.locator("#link", has_text="live").wait_for()
    until(lambda: page.evaluate("last") > before + 2, within=20)  # health checks make lines
    numbers = page.evaluate("numbers")
    assert numbers == list(range(before + 1, before + 1 + len(numbers))), "none is missing, and none comes twice"
    view.complaints = [one for one in view.complaints if "ERR_" not in one]  # of the cut


def test_a_stranger_gets_nothing(view):
    stranger = view.browser.new_context().new_page()
    stranger.goto(view.url.partition("#")[0])
    stranger.locator("#link", has_text="Refused. Open the URL that sandbox up has printed").wait_for()
    assert stranger.locator("#topology").inner_text() == ""
    stranger.context.close()


def test_hostile_text_stays_text(view):
    from boto3 import client

    endpoint = re.search(r"AWS_ENDPOINT_URL=(\S+)", view.up.out)[1]
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": "us-east-1"}
    route53 = client("route53", endpoint_url=endpoint, **keys)
    zone = route53.list_hosted_zones()["HostedZones"][0]["Id"]
    text = HOSTILE.replace('"', "")
    record = {"Name": "hostile.example.org", "Type": "TXT", "TTL": 5, "ResourceRecords": [{"Value": f'"{text}"'}]}
    changes = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=changes)
    url = re.search(r"(http://127\.0\.0\.1:\d+/)  leads to", view.up.out)[1]
    requests.get(url, headers={"User-Agent": HOSTILE}, timeout=10, proxies={"http": "", "https": ""})
    view.page.locator("#logs p", has_text="onerror=alert(1)").first.wait_for()
    view.node("hostile.example.org").get_by_text("onerror=alert(1)").first.wait_for()
    assert text in view.node("hostile.example.org").inner_text()
    assert view.page.locator("img").count() == 0
    assert view.page.title() == "small, live"
