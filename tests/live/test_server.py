"""The server without a stack: who is refused, what a stream sends and resumes, and that no viewer holds anyone back."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import threading
import time
from pathlib import Path
from urllib.parse import urlencode

import pytest
import requests

from sandbox.clock import RealClock
from sandbox.controllers.dns import DnsController
from sandbox.errors import SandboxError
from sandbox.live.server import ORDER_HEADER, TOKEN_HEADER, LiveServer
from sandbox.model.route53 import HostedZone, RecordSet
from sandbox.timeline import Timeline
from tests.live.seen import OLD, STORY, change, running
from tests.report.page.pages import HOSTILE

DIRECT = {"http": "", "https": ""}
WITHIN = 10.0


class Site:
    """What the server asks of a sandbox, without an engine: a timeline, DNS, and containers that print."""

    def __init__(self):
        self.timeline = Timeline(RealClock())
        zone = HostedZone("Z", "example.com", record_sets=(RecordSet("www.example.com", "A", 5, ("192.0.2.1",)),))
        self._zones = DnsController(lambda: [zone], Timeline(RealClock()))
        self._zones.refresh()
        self.lines = {}

    def answers_now(self, name, kind):
        return self._zones.look(name, kind), self._zones.look(name, kind, outside=True)

    def follow(self, task, container, since):
        return iter(self.lines.get(container, ()))

    def tell(self, *observations):
        for one in observations:
            self.timeline.record(one.kind, **one.fields)


class Stream:
    """A page's stream, read on a thread."""

    def __init__(self, live, **asked):
        headers = asked.pop("headers", {})
        self._connection = http.client.HTTPConnection("127.0.0.1", live.port, timeout=WITHIN)
        self._connection.request("GET", f"/events?{urlencode({'token': live.token, **asked})}", headers=headers)
        self._response = self._connection.getresponse()
        self.messages = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        fields = {}
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError):  # what closing it ends in
            while line := self._response.readline().decode():
                name, _, value = line.rstrip("\n").partition(": ")
                if name:
                    fields[name] = value
                    continue
                with self._changed:
                    self.messages.append(fields)
                    self._changed.notify_all()
                fields = {}

    def wait(self, what, predicate):
        with self._changed:
            assert self._changed.wait_for(lambda: predicate(self), WITHIN), f"{what}; got {self.messages}"

    def data(self, event):
        return [json.loads(one["data"]) for one in self.messages if one.get("event") == event]

    @property
    def lines(self):
        return [line for one in self.data("lines") for line in one["lines"]]

    @property
    def topology(self):
        return next((one["topology"] for one in reversed(self.data("parts")) if "topology" in one), "")

    def close(self):
        if self._connection.sock is not None:
            with contextlib.suppress(OSError):  # the server has closed it
                self._connection.sock.shutdown(socket.SHUT_RDWR)
        self._reader.join(WITHIN)
        self._connection.close()


def base(live):
    return f"http://127.0.0.1:{live.port}"


@pytest.fixture
def site():
    return Site()


@pytest.fixture
def live(site):
    with contextlib.closing(LiveServer()) as made:
        made.begin(site, "shop")
        yield made


@pytest.fixture
def stream(live):
    opened = []

    def open_(**asked):
        opened.append(Stream(live, **asked))
        return opened[-1]

    yield open_
    for one in opened:
        one.close()


def post(live, verb="nope", order=None, **headers):
    given = {TOKEN_HEADER: live.token, "Origin": base(live), **headers}
    given = {name: value for name, value in given.items() if value is not None}
    return requests.post(f"{base(live)}/do/{verb}", json=order or {}, headers=given, timeout=WITHIN, proxies=DIRECT)


# -- who is refused --


def test_the_url_has_the_token_where_no_browser_sends_it_on(live):
    assert re.fullmatch(rf"http://127\.0\.0\.1:{live.port}/#[\w-]{{40,}}", live.url)


def test_an_order_of_its_own_page_is_taken(live):
    answer = post(live)
    assert answer.status_code == 409
    assert answer.json()["message"] == "there is no action 'nope'"
    local = {"Host": f"localhost:{live.port}", "Origin": f"http://localhost:{live.port}"}
    assert post(live, **local).status_code == 409


@pytest.mark.parametrize(
    "headers",
    [
        {TOKEN_HEADER: None},
        {TOKEN_HEADER: "guessed"},
        {TOKEN_HEADER: "\xe4"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": None},
        {"Origin": "http://127.0.0.1:1"},
        {"Host": "evil.example"},
        {"Host": "127.0.0.1:1"},
        {"Host": "127.0.0.1.evil.example"},
    ],
)
def test_an_order_of_another_page_is_refused(live, headers):
    assert post(live, **headers).status_code == 403


def test_a_token_in_the_url_is_none_for_an_order(live):
    url = f"{base(live)}/do/replay?token={live.token}"
    answer = requests.post(url, data="{}", headers={"Origin": base(live)}, timeout=WITHIN, proxies=DIRECT)
    assert answer.status_code == 403


def test_a_page_that_asks_whether_it_may_is_told_nothing(live):
    asked = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    answer = requests.options(f"{base(live)}/do/stop", headers=asked, timeout=WITHIN, proxies=DIRECT)
    assert answer.status_code == 403
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize(
    ("asked", "headers"),
    [
        ({}, {}),
        ({"token": "guessed"}, {}),
        ({"token": None}, {"Origin": "http://evil.example"}),
        ({"token": None}, {"Host": "evil.example"}),
    ],
)
def test_a_stream_for_another_page_is_refused(live, asked, headers):
    asked = {name: value or live.token for name, value in asked.items()}
    answer = requests.get(f"{base(live)}/events", params=asked, headers=headers, timeout=WITHIN, proxies=DIRECT)
    assert answer.status_code == 403


def test_the_page_itself_has_nothing_and_is_not_given_to_another_name(live):
    page = requests.get(base(live), timeout=WITHIN, proxies=DIRECT)
    assert page.status_code == 200
    assert live.token not in page.text
    rebound = requests.get(base(live), headers={"Host": "evil.example"}, timeout=WITHIN, proxies=DIRECT)
    assert rebound.status_code == 403


def test_the_page_fetches_nothing_and_may_run_its_own_script_alone(live):
    page = requests.get(base(live), timeout=WITHIN, proxies=DIRECT)
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "frame-ancestors 'none'" in policy
    assert "'unsafe-inline'" not in policy.partition("script-src")[2].partition(";")[0]
    assert not re.search(r"(src|href)=[\"'](?!#)", page.text)
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["X-Content-Type-Options"] == "nosniff"


def test_it_listens_on_this_machine_alone(live):
    (row,) = [line for line in _listening() if line.endswith(f":{live.port:04X}")]
    assert row == f"0100007F:{live.port:04X}"


def _listening():
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [row[1] for row in rows if row[3] == "0A"]


def test_a_port_in_use_is_named(live):
    with pytest.raises(SandboxError) as caught:
        LiveServer(live.port)
    assert f"cannot listen on 127.0.0.1:{live.port}" in str(caught.value)
    assert "--ui-port" in caught.value.hint


# -- bad orders --


@pytest.mark.parametrize("body", ["", "{", "[]", "1", "[" * 100_000, "\udcff"])
def test_an_order_that_is_none_is_an_error(live, body):
    answer = requests.post(
        f"{base(live)}/do/stop",
        data=body.encode(errors="surrogateescape"),
        headers={TOKEN_HEADER: live.token, "Origin": base(live)},
        timeout=WITHIN,
        proxies=DIRECT,
    )
    assert answer.status_code in {400, 413}
    assert answer.json()["message"]


@pytest.mark.parametrize(
    ("verb", "order", "message"),
    [
        ("stop", {}, "'cluster' is missing"),
        ("deploy", {"cluster": 7}, "'cluster' is missing"),
        ("lift", {"fault": "1"}, "'fault' is the number of a fault"),
        ("fault", {"name": "latency", "target": "service:x", "options": []}, "options of a fault"),
        ("fault", {"name": "nope", "target": "service:x"}, "there is no fault 'nope'"),
        ("fault", {"name": "latency", "target": "service:x", "options": {"name": "y"}}, "has no option 'name'"),
        ("replay", {}, "there is no event of a task yet"),
    ],
)
def test_an_order_that_lacks_something_says_what(live, verb, order, message):
    answer = post(live, verb, order)
    assert answer.status_code == 409
    assert message in answer.json()["message"]


def test_an_order_that_comes_again_is_carried_out_once(site, live):
    site.replayed = []
    site.replay = site.replayed.extend
    event = {"id": "e1", "detail_type": "ECS Task State Change", "event": {"n": 1}}
    site.timeline.record("event.published", **event, lastStatus="RUNNING", version=3, taskArn=OLD)
    answers = [post(live, "replay", **{ORDER_HEADER: "one"}).json() for _ in range(3)]
    assert answers == [{"message": f"replayed: task {OLD[:8]} RUNNING, version 3, event e1"}] * 3
    assert len(site.replayed) == 1
    post(live, "replay", **{ORDER_HEADER: "two"})
    post(live, "replay")
    post(live, "replay")
    assert len(site.replayed) == 4


def test_what_there_is_not(live):
    headers = {TOKEN_HEADER: live.token, "Origin": base(live)}
    assert requests.get(f"{base(live)}/nope", headers=headers, timeout=WITHIN, proxies=DIRECT).status_code == 404
    assert requests.get(f"{base(live)}/do/stop", headers=headers, timeout=WITHIN, proxies=DIRECT).status_code == 405
    asked = {"token": live.token, "minutes": "7"}
    assert requests.get(f"{base(live)}/events", params=asked, timeout=WITHIN, proxies=DIRECT).status_code == 400


# -- the stream --


def test_what_was_before_and_what_comes(site, live, stream):
    site.tell(*STORY[:8])
    page = stream()
    page.wait("the stack", lambda it: "www.example.com" in it.topology and "1 of 1 healthy" in it.topology)
    assert "answers now: 192.0.2.1" in page.topology
    site.tell(change(9, "new.example.com", ["192.0.2.9"]))
    page.wait("the change", lambda it: "new.example.com" in it.topology)
    page.wait("its line", lambda it: any("new.example.com A None" in line["text"] for line in it.lines))


def test_each_line_comes_once_also_those_from_before(site):
    site.tell(*(change(n, f"n{n}.example.com", ["192.0.2.1"]) for n in range(5)))
    with contextlib.closing(LiveServer()) as live:
        live.begin(site, "shop")
        site.tell(*(change(n, f"n{n}.example.com", ["192.0.2.1"]) for n in range(5, 10)))
        page = Stream(live)
        page.wait("the last line", lambda it: any("n9." in line["text"] for line in it.lines))
        assert [line["text"].partition(" ")[0] for line in page.lines] == [f"n{n}.example.com" for n in range(10)]
        page.close()


@pytest.mark.parametrize("how", ["header", "query"])
def test_who_comes_back_gets_what_it_has_missed(site, stream, how):
    site.tell(*(change(n, f"n{n}.example.com", ["192.0.2.1"]) for n in range(5)))
    first = stream()
    first.wait("five lines", lambda it: len(it.lines) == 5)
    last = [one["id"] for one in first.messages if "id" in one][-1]
    assert last == "5"
    first.close()
    site.tell(change(6, "late.example.com", ["192.0.2.1"]))
    again = stream(headers={"Last-Event-ID": last}) if how == "header" else stream(after=last)
    again.wait("a line", lambda it: it.lines)
    assert [line["number"] for line in again.lines] == [6]
    again.wait("the picture", lambda it: "late.example.com" in it.topology)


def test_of_very_many_lines_the_last_ones_come_and_the_rest_is_counted(site, stream):
    site.tell(*(change(n, f"n{n}.example.com", ["192.0.2.1"]) for n in range(3000)))
    page = stream()
    page.wait("the last line", lambda it: it.lines and it.lines[-1]["number"] == 3000)
    missed = sum(one["missed"] for one in page.data("lines"))
    assert missed + len(page.lines) == 3000
    assert len(page.lines) <= 2000


def test_containers_are_followed(site, stream):
    site.lines["nginx"] = [f"GET /{number}" for number in range(3)]
    site.tell(running(1, OLD, "10.0.0.4"), running(2, OLD, "10.0.0.4", version=2))
    page = stream()
    page.wait("its lines", lambda it: sum(bool(line["source"]) for line in it.lines) == 3)
    assert [(one["source"], one["text"]) for one in page.lines if one["source"]] == [
        (f"nginx {OLD[:8]}", f"GET /{number}") for number in range(3)
    ]


def test_the_log_of_one_that_has_ended_before_it_was_followed(site, stream):
    site.timeline.record("container.exited", task=OLD, container="nginx", exit_code=1, log=["no such file"])
    page = stream()
    page.wait("its line", lambda it: any(line["text"] == "no such file" for line in it.lines))


def test_hostile_text_stays_text(site, stream):
    site.lines[HOSTILE] = [HOSTILE]
    site.tell(running(1, OLD, "10.0.0.4", containers=[{"name": HOSTILE, "status": "RUNNING"}], stopped_reason=HOSTILE))
    site.tell(change(2, "x.example.com", [HOSTILE]))
    page = stream()
    page.wait("it", lambda it: "x.example.com" in it.topology)
    assert "<img" not in page.topology
    assert "<script" not in json.dumps(page.data("parts"))


def test_what_cannot_be_drawn_is_said_and_the_rest_goes_on(site, stream):
    site.timeline.record("target.health", group="web")  # no version of the sandbox writes that
    page = stream()
    page.wait("the error", lambda it: any("the picture cannot be drawn" in line["text"] for line in it.lines))
    site.tell(change(2, "x.example.com", ["192.0.2.1"]))
    page.wait("the change", lambda it: "x.example.com" in it.topology)


def test_a_viewer_that_reads_nothing_holds_nobody_back(site, live, stream):
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    deaf.connect(("127.0.0.1", live.port))
    deaf.sendall(f"GET /events?token={live.token} HTTP/1.1\r\nHost: 127.0.0.1:{live.port}\r\n\r\n".encode())
    page = stream()
    for turn in range(10):  # a megabyte each: more than the kernel keeps for who does not read
        for n in range(500):
            site.timeline.record("service.event", service="arn:x:service/shop/web", message=f"{turn}.{n} " + "x" * 1990)
        page.wait("the last line", lambda it, last=f"{turn}.499 ": any(last in line["text"] for line in it.lines[-1:]))
    deaf.close()


def test_so_many_streams_and_no_more(live, stream):
    for _ in range(16):
        stream()
    answer = requests.get(f"{base(live)}/events", params={"token": live.token}, timeout=WITHIN, proxies=DIRECT)
    assert answer.status_code == 503
    assert "close one of them" in answer.json()["message"]


def test_pages_are_told_of_the_end(site):
    live = LiveServer()
    live.begin(site, "shop")
    page = Stream(live)
    live.close()
    page.wait("the end", lambda it: it.data("over") == [{}])
    live.close()  # a second call does nothing
    with pytest.raises(requests.ConnectionError):
        requests.get(base(live), timeout=WITHIN, proxies=DIRECT)
    deadline = time.monotonic() + WITHIN
    while any(thread.name == "live-view" for thread in threading.enumerate()):
        assert time.monotonic() < deadline
    site.tell(*STORY)  # nobody listens any more
