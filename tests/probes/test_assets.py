"""The crowd against a real nginx: what is missing, wrong, slow or cut, and tabs that are left open over a deploy."""

from __future__ import annotations

import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sandbox.clock import RealClock
from sandbox.dataplane.cdn.certificates import Authority
from sandbox.errors import SandboxError
from sandbox.probes.assets import Crowd, Plan
from sandbox.timeline import Timeline
from tests.checks.websocket_servers import free_port
from tests.probes import asset_sites
from tests.secure import serving, trusting

pytestmark = pytest.mark.docker
PAGE_OF_MANY = """<script src="https://cdn.example.net/absolute.js"></script>
<script src="//cdn.example.net/like-the-page.js"></script><script src="http://cdn.example.net/plain.js"></script>
<script src="https://other.example.net/uncertified.js"></script><script src="https://ads.example.com/x.js"></script>
<img src="http://shop.example.org/logo.png">"""
FILES = 5  # of the site's page: itself, two modules, a style sheet, an image


@pytest.fixture
def timeline():
    return Timeline(RealClock())


def one_load(url, **plan):
    with Crowd(Plan([url], **plan)) as crowd:
        crowd.open_tabs(1)
    (load,) = crowd.loads
    return load


def failures(load):
    return [(one.url.rpartition("/")[2], one.cause, one.status) for one in load.failures]


def test_a_page_that_works(nginx):
    url, _ = asset_sites.serve(nginx, "works")
    with Crowd(Plan([url])) as crowd:
        assert str(crowd.open_tabs(2)) == "0 of 2 page loads broken (0.0%)"
        assert [load.requests for load in crowd.loads] == [FILES, FILES]
        assert [one.rpartition("/")[2] for one in crowd.tabs[0].later] == ["about.a1b2c3d4.js", "about.a1b2c3d4.css"]
        assert crowd.return_to_tabs().requests == 4
        assert crowd.return_to_tabs().requests == 0  # nothing is asked for twice


def test_a_tab_left_open_over_a_deploy_misses_its_chunks_and_a_first_load_does_not(nginx, timeline):
    url, folder = asset_sites.serve(nginx, "deploy")
    with Crowd(Plan([url], rate=20), record=timeline.record) as crowd:
        crowd.open_tabs(3)
        asset_sites.deploy(folder, "b1b2c3d4")
        came = len(crowd.loads)
        crowd.wait_loads(came + 10, 30)
        back = crowd.return_to_tabs()
        deployed = crowd.loads[came + 5].at
        assert (back.loads, back.broken, back.causes) == (3, 3, {"missing": 3})
        assert crowd.summary(since=deployed).broken == 0
        asset_sites.deploy(folder, "a1b2c3d4")  # a rollback gives the tabs their chunks again
        assert crowd.return_to_tabs().broken == 0
    broken = [seen for seen in timeline.since() if seen.kind == "page.broken" and seen["load"] == "tab"]
    assert len(broken) == 3
    assert f"{url}_nuxt/about.a1b2c3d4.js: missing, HTTP 404" in broken[0]["failures"]
    sums = [seen for seen in timeline.since() if seen.kind == "page.loads"]
    assert [(seen["load"], seen["broken"]) for seen in sums[:2]] == [("tab", 3), ("tab", 0)]
    assert (sums[2]["load"], sums[2]["loads"]) == ("first", len(crowd.loads))


@pytest.mark.parametrize(
    ("name", "server", "failed"),
    [
        ("missing", "location = /_nuxt/vendor.js { return 404; }", [("vendor.js", "missing", 404)]),
        ("fails", "location = /_nuxt/vendor.js { return 503; }", [("vendor.js", "server error", 503)]),
        ("denied", "location = /_nuxt/vendor.js { return 403; }", [("vendor.js", "denied", 403)]),
        (
            "fallback",
            "location = /_nuxt/vendor.js { try_files /nothing /index.html; }",
            [("vendor.js", "wrong type", 200)],
        ),
        (
            "plain",
            "location = /_nuxt/vendor.js { types {} default_type text/plain; }",
            [("vendor.js", "wrong type", 200)],
        ),
        ("reset", "location = /_nuxt/vendor.js { return 444; }", [("vendor.js", "connection reset", 0)]),
        ("circle", "location = /_nuxt/vendor.js { return 302 /_nuxt/vendor.js; }", [("vendor.js", "redirect", 302)]),
        ("away", "location = /_nuxt/vendor.js { return 302 http://127.0.0.2/; }", [("vendor.js", "redirect", 302)]),
        ("moved", "location = /_nuxt/vendor.js { return 301 /_nuxt/about.a1b2c3d4.js; }", []),
        ("page", "location = / { return 500; }", [("", "server error", 500)]),
    ],
)
def test_a_page_that_is_broken(nginx, name, server, failed):
    url, _ = asset_sites.serve(nginx, name, server)
    load = one_load(url)
    assert failures(load) == failed
    assert load.broken is bool(failed)


def test_what_a_page_refers_to_is_relative_to_where_it_was_redirected_to(nginx):
    url, folder = asset_sites.serve(nginx, "redirected", "location = / { return 302 /en/; }")
    asset_sites.build(folder / "en", "a1b2c3d4")
    page = folder / "en" / "index.html"
    page.write_text(page.read_text().replace('"/_nuxt/', '"_nuxt/').replace('"/logo', '"logo'))
    (folder / "logo.png").unlink()
    load = one_load(url)
    assert (load.requests, load.failures) == (FILES, ())


def test_an_image_that_is_missing_breaks_no_page(nginx):
    url, folder = asset_sites.serve(nginx, "image")
    (folder / "logo.png").unlink()
    load = one_load(url)
    assert failures(load) == [("logo.png", "missing", 404)]
    assert not load.broken


def test_nobody_listens():
    load = one_load(f"http://127.0.0.1:{free_port()}/")
    assert failures(load) == [("", "connection refused", 0)]
    assert load.broken


def test_a_name_that_there_is_not():
    def nowhere(name, port):
        raise socket.gaierror(socket.EAI_NONAME, "the name does not resolve")

    with Crowd(Plan(["http://nothing.example.org/"]), where=nowhere) as crowd:
        assert crowd.open_tabs(1).causes == {"no such name": 1}


@pytest.fixture
def raw():
    """Serves bytes to everybody, whatever is asked for; then waits for the client to leave."""
    listening = socket.create_server(("127.0.0.1", 0))

    def start(answer, *, close):
        def serve():
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                connection.recv(65_536)
                connection.sendall(answer)
                if not close:
                    connection.recv(65_536)
                connection.close()

        threading.Thread(target=serve, daemon=True).start()
        return f"http://127.0.0.1:{listening.getsockname()[1]}/"

    yield start
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()


@pytest.mark.parametrize(
    ("answer", "close", "cause"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 100\r\n\r\nshort", True, "cut off"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 100\r\n\r\nslow", False, "timeout"),
        (b"", False, "timeout"),
        (b"", True, "connection reset"),
        (b"rubbish\r\n\r\n", True, "malformed answer"),
    ],
)
def test_answers_that_are_none(raw, answer, close, cause):
    load = one_load(raw(answer, close=close), timeout=0.5)
    assert [one.cause for one in load.failures] == [cause]


STICKY = """ split_clients $request_id $by_chance { 50% old; * new; }
map $cookie_AWSALB $build { "" $by_chance; default $cookie_AWSALB; } """


@pytest.mark.parametrize("sticky", [True, False])
def test_each_visitor_keeps_cookies_of_their_own(nginx, sticky):
    name = "sticky" if sticky else "not-sticky"
    cookie = 'add_header Set-Cookie "AWSALB=$build; Path=/" always;' if sticky else ""
    around, root = f"{asset_sites.TYPES}{STICKY}", f"root FOLDER/$build; {cookie}"
    for build in ("old", "new"):
        asset_sites.build(nginx.folder / name / build, f"{build}12345")
    url, _ = nginx.serve(name, f"user root;\nhttp {{ {around} server {{ listen 127.0.0.1:PORT; {root} }} }}")
    with Crowd(Plan([url], visitors=4, count=60)) as crowd:
        crowd.wait_loads(60, 30)
        tabs = crowd.open_tabs(20)
    summary = crowd.summary()
    assert (summary.broken, tabs.broken) == (0, 0) if sticky else summary.broken > 20


def test_other_hosts_are_never_asked(nginx):
    asked = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        threading.Thread(target=lambda: (other.accept(), asked.set()), daemon=True).start()
        url, folder = asset_sites.serve(nginx, "elsewhere")
        page = folder / "index.html"
        page.write_text(page.read_text() + f'<script src="http://127.0.0.1:{port}/x.js"></script>')
        load = one_load(url)
        assert (load.requests, load.broken, asked.is_set()) == (FILES, False, False)
        assert one_load(url, hosts=[f"127.0.0.1:{port}"], timeout=0.5).broken
        assert asked.is_set()


@pytest.mark.parametrize("allow", ["", "*", "$http_origin"])
def test_modules_of_another_host_need_its_leave(nginx, allow):
    name = f"cors-{len(allow)}"
    leave = f'add_header Access-Control-Allow-Origin "{allow}";' if allow else ""
    assets, _ = asset_sites.serve(nginx, f"{name}-assets", leave)
    url, folder = asset_sites.serve(nginx, name)
    page = folder / "index.html"
    page.write_text(page.read_text().replace('="/_nuxt', f'="{assets}_nuxt'))
    load = one_load(url, hosts=[assets.removeprefix("http://").rstrip("/")])
    assert load.requests == FILES
    assert {(one.cause, one.kind) for one in load.failures} == (set() if allow else {("cross origin", "module")})


def test_a_name_leads_where_it_is_told_to(nginx):
    url, _ = asset_sites.serve(
        nginx, "named", "server_name shop.example.org; if ($host != shop.example.org) { return 421; }"
    )
    port = int(url.rstrip("/").rpartition(":")[2])
    with Crowd(Plan(["http://shop.example.org/"]), where=lambda name, _: ("127.0.0.1", port)) as crowd:
        assert crowd.open_tabs(1).broken == 0


def test_loads_begin_at_the_rate_and_end_in_time(nginx):
    url, _ = asset_sites.serve(nginx, "rate")
    began = time.time()
    with Crowd(Plan([url], rate=50, seconds=1.0)) as crowd:
        crowd.wait_loads(50, 30)
        with pytest.raises(SandboxError, match="51 page loads have not ended"):
            crowd.wait_loads(51, 0.2)
    loads = {load.number: load.at for load in crowd.loads}
    assert sorted(loads) == list(range(50))
    early = {number: at for number, at in loads.items() if at < began + number / 50 - 0.005}  # clocks are set
    assert early == {}
    assert sum(one.loads for one in crowd.summary(bucket=0.25).buckets) == 50


def test_a_machine_that_is_busy_until_after_the_end_makes_no_fewer_loads(nginx):
    url, _ = asset_sites.serve(nginx, "busy")
    port = int(url.rstrip("/").rpartition(":")[2])
    asked = []

    def where(name, _):
        if not asked:
            threading.Event().wait(0.5)  # nothing else of the crowd goes on meanwhile
        asked.append(name)
        return "127.0.0.1", port

    with Crowd(Plan(["http://shop.example.org/"], rate=50, seconds=0.2), where=where) as crowd:
        crowd.wait_loads(10, 10)
    assert sorted(load.number for load in crowd.loads) == list(range(10))


def test_visitors_come_again_until_their_number_is_reached(nginx):
    url, _ = asset_sites.serve(nginx, "again")
    with Crowd(Plan([url], visitors=3, count=30)) as crowd:
        crowd.wait_loads(30, 30)
    assert sorted(load.number for load in crowd.loads) == list(range(30))


def test_the_seed_says_who_takes_which_page(nginx):
    url, _ = asset_sites.serve(nginx, "pages")
    pages = [url, f"{url}index.html"]

    def order(seed):
        with Crowd(Plan(pages, visitors=2, count=20, seed=seed)) as crowd:
            crowd.wait_loads(20, 30)
        return [load.url for load in sorted(crowd.loads, key=lambda load: load.number)]

    assert order(1) == order(1) != order(2)


def test_a_site_that_is_too_slow_for_the_rate_sheds(raw, monkeypatch):
    monkeypatch.setattr("sandbox.probes.assets.IN_FLIGHT", 5)
    with Crowd(Plan([raw(b"", close=False)], rate=100, count=20, timeout=1.0)) as crowd:
        crowd.wait_loads(5, 30)
    assert crowd.shed == 15


def test_waiting_for_what_does_not_come(raw):
    url = raw(b"", close=False)
    with Crowd(Plan([url], timeout=1.0)) as crowd:
        with pytest.raises(SandboxError, match=r"2 page loads have not ended within 0.2 s"):
            crowd.wait_loads(2, 0.2)
        with pytest.raises(SandboxError, match=r"1 tabs were not opened within 0.2 s"):
            crowd.open_tabs(1, within=0.2)


def test_an_error_in_the_block_does_not_wait_for_loads(raw):
    began = time.monotonic()
    with pytest.raises(KeyError), Crowd(Plan([raw(b"", close=False)], visitors=2, timeout=60.0)):
        raise KeyError
    assert time.monotonic() - began < 30


def test_a_fault_of_our_own_is_told(nginx):
    def where(name, port):
        raise RuntimeError("a fault")

    with (
        pytest.raises(RuntimeError, match="a fault"),
        Crowd(Plan(["http://shop.example.org/"], rate=10), where=where) as crowd,
    ):
        crowd.wait_loads(1, 30)


@pytest.fixture
def secure():
    """A page over HTTPS, which names scripts of the same and of other hosts, and who vouches for it."""
    authority = Authority()
    files = {"/": ("text/html", PAGE_OF_MANY), "/bare": ("text/html", ""), "/logo.png": ("image/png", "")}

    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            kind, text = files.get(self.path, ("text/javascript", ""))
            asked.append(f"{self.headers['Host']}{self.path}")
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    asked: list[str] = []
    context = serving(authority, "shop.example.org", "cdn.example.net")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield authority, server.server_address[1], asked
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("trusted", [True, False])
def test_https(secure, trusted):
    authority, port, _ = secure
    plan = Plan(["https://shop.example.org/bare"], context=trusting(authority) if trusted else None)
    with Crowd(plan, where=lambda name, _: ("127.0.0.1", port)) as crowd:
        assert crowd.open_tabs(1).causes == ({} if trusted else {"tls": 1})


def test_files_of_other_hosts_of_a_page_by_https(secure):
    authority, port, asked = secure
    known = {"cdn.example.net", "other.example.net"}
    plan = Plan(["https://shop.example.org/"], context=trusting(authority), knows=known.__contains__)
    with Crowd(plan, where=lambda name, _: ("127.0.0.1", port)) as crowd:
        crowd.open_tabs(1)
        (load,) = crowd.loads
        assert crowd.left_out == ("ads.example.com",)
    assert sorted(asked) == [
        *("cdn.example.net/absolute.js", "cdn.example.net/like-the-page.js"),
        *("shop.example.org/", "shop.example.org/logo.png"),
    ]
    assert {(one.url, one.cause) for one in load.failures} == {
        ("http://cdn.example.net/plain.js", "mixed content"),
        ("https://other.example.net/uncertified.js", "tls"),
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"pages": []},
        {"pages": ["x"]},
        {"pages": ["ftp://x/"]},
        {"rate": 1, "visitors": 1},
        {"rate": -1},
        {"timeout": 0},
    ],
)
def test_plans_that_make_no_sense(wrong):
    with pytest.raises(SandboxError):
        Plan(**{"pages": ["http://x/"], **wrong})
