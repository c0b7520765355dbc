"""`sandbox check websocket` as a user has it: real nginx before real Flask-SocketIO, exit codes, wrong input."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import threading

import pytest

from sandbox.dataplane.cdn.certificates import Authority
from tests.checks.websocket_command import (
    HOST,
    MAP,
    RIGHT,
    UPGRADE,
    VERSION,
    check,
    command,
    gets,
    result,
    rules,
    text_of,
)

pytestmark = pytest.mark.docker

REPLACED = {
    "none": (RIGHT, "ip_hash;"),
    "no upgrade headers": (f"{VERSION}\n{HOST}", "ip_hash;"),
    "no Connection": (RIGHT.replace("proxy_set_header Connection $connection_upgrade;", ""), "ip_hash;"),
    "HTTP/1.0": (f"{UPGRADE}\n{HOST}", "ip_hash;"),
    "no stickiness": (RIGHT, ""),
    "$host": (RIGHT.replace("$http_host", "$host"), "ip_hash;"),
    "no Host": (f"{VERSION}\n{UPGRADE}", "ip_hash;"),
    "read timeout": (f"{RIGHT}\nproxy_read_timeout 2s;", "ip_hash;"),
}
STAYS = "stays on polling"
INVALID = "400 invalid session"
ORIGIN = "400 not an accepted origin"


@pytest.fixture(scope="module")
def processes(apps):
    """Three processes of each kind."""
    return {mode: [apps.start(mode) for _ in range(3)] for mode in ("threading", "gevent")}


@pytest.fixture
def served(nginx, processes):
    """An nginx with a fault before three processes: its URL, its configuration, its origin."""
    number = 0

    def serve(mode, fault):
        nonlocal number
        number += 1
        name = f"{mode}-{''.join(filter(str.isalnum, fault))}-{number}"
        url, file = nginx.serve(name, text_of(*REPLACED[fault], processes[mode]))
        return url, file, f"http://127.0.0.1:{processes[mode][0]}/"

    return serve


@pytest.mark.parametrize("mode", ["threading", "gevent"])
def test_a_right_configuration_has_no_finding(served, mode):
    url, file, origin = served(mode, "none")
    found = result(url, "--nginx", file, "--behind", origin, "--idle", 0)
    assert (found["exit_code"], found["findings"]) == (0, [])
    for one in found["urls"]:
        assert [(client["client"], client["ok"]) for client in one["clients"]] == [
            ("polling", True),
            ("polling, no cookies kept", True),
            ("polling, then upgrade", True),
            ("websocket only", True),
            ("reconnect", True),
        ]


# The table "WebSockets through nginx, measured": the fault; what a client that polls first and a websocket-only one
# get; the finding and the line of configuration behind it.
@pytest.mark.parametrize(
    ("mode", "fault", "polls", "only", "rule", "why"),
    [
        ("threading", "no upgrade headers", "400 invalid transport", "400 invalid websocket upgrade", "upgrade-lost",
         "no proxy_set_header Upgrade, no proxy_set_header Connection"),
        ("gevent", "no upgrade headers", "400 invalid transport", "400 invalid websocket upgrade", "upgrade-lost",
         "no proxy_set_header Upgrade, no proxy_set_header Connection"),
        ("gevent", "no Connection", "broken off", "500 internal server error", "upgrade-lost",
         "no proxy_set_header Connection"),
        ("gevent", "HTTP/1.0", "broken off", "broken off", "upgrade-lost", "is spoken to with HTTP/1.0"),
        ("threading", "no stickiness", "400 invalid session", "works", "unknown-session", "to 3 servers in turn"),
        ("gevent", "no stickiness", "101, then broken", "works", "unknown-session", "to 3 servers in turn"),
        ("threading", "$host", ORIGIN, ORIGIN, "origin-refused", "$host has no port"),
        ("gevent", "$host", ORIGIN, "101, then broken", "origin-refused", "$host has no port"),
        ("threading", "no Host", ORIGIN, ORIGIN, "origin-refused", "no proxy_set_header Host"),
        ("gevent", "no Host", ORIGIN, "101, then broken", "origin-refused", "no proxy_set_header Host"),
    ],
)  # fmt: skip
def test_a_fault_its_symptoms_its_hop_and_its_line(served, mode, fault, polls, only, rule, why):
    url, file, origin = served(mode, fault)
    found = result(url, "--nginx", file, "--behind", origin, "--idle", 0, "--timeout", 3)
    assert gets(found, "polling, then upgrade").startswith(polls)
    assert gets(found, "websocket only").startswith(only)
    (one,) = found["findings"]
    assert (one["rule"], one["severity"], found["exit_code"]) == (rule, "error", 1)
    assert why in one["why"]
    assert one["hop"] == url
    assert one["known_by"] == f"it is not so at {origin}"
    (where,) = one["where"]
    path, _, line = where.rpartition(":")
    assert path == str(file)
    assert where in one["fix"] or file.read_text().splitlines()[int(line) - 1].strip()
    assert result(url, "--idle", 0, "--timeout", 3)["findings"][0]["rule"] == rule, "without the configuration, too"


def test_clients_that_poll_first_stay_on_polling_in_silence(served):
    code, out, _ = command(served("threading", "no upgrade headers")[0], "--idle", 0)
    assert code == 1
    assert "clients that poll first stay on polling in silence; websocket-only ones: 400" in out
    assert "proxy_set_header Upgrade $http_upgrade;" in out


def test_http_1_0_is_a_warning_where_the_server_does_not_mind(served):
    url, file, _ = served("threading", "HTTP/1.0")
    found = result(url, "--nginx", file, "--idle", 0)
    assert (rules(found), found["exit_code"]) == ({"http-version": "warning"}, 0)
    assert found["findings"][0]["text"].endswith("with this server it goes well all the same")


def test_a_read_timeout_below_the_ping_interval(served):
    url, file, origin = served("threading", "read timeout")
    found = result(url, "--nginx", file, "--behind", origin, "--idle", 10)
    (one,) = found["findings"]
    assert (one["rule"], one["hop"], one["where"]) == ("idle-cut", url, [f"{file}:20"])
    assert re.match(r"an idle WebSocket lives (1\.[5-9]|2\.\d) s: cut without a Close frame \(1006\)", one["text"])
    assert "before the first ping (every 25 s)" in one["text"]
    outer, inner = (next(c for c in one["clients"] if c["client"] == "idle") for one in found["urls"])
    assert 1.5 < outer["lived"] < 3 < inner["lived"] < 6
    assert (outer["ok"], inner["ok"]) == (False, True)


def test_an_idle_connection_that_is_pinged_lives(apps, nginx):
    port = apps.start("threading", "ping_interval=1")
    url, file = nginx.serve("pinged", text_of(f"{RIGHT}\nproxy_read_timeout 2s;", "", [port]))
    found = result(url, "--nginx", file, "--idle", 5)
    (idle,) = [one for one in found["urls"][0]["clients"] if one["client"] == "idle"]
    assert (found["exit_code"], idle["ok"], idle["ping_interval"]) == (0, True, 1)
    assert idle["pings"] >= 3
    quick = result(url)["urls"][0]["clients"][-1]
    assert (quick["client"], quick["waited"], quick["pings"] >= 1) == ("idle", 3, True), "until a ping was due"


def test_a_long_poll_is_cut_where_there_is_no_websocket(apps, nginx):
    port = apps.start("threading", "ping_interval=4")
    url, _ = nginx.serve("long-poll", text_of(f"{VERSION}\n{HOST}\nproxy_read_timeout 2s;", "", [port]))
    found = result(url, "--idle", 6)
    assert rules(found) == {"upgrade-lost": "error", "idle-cut": "error"}
    text = {one["rule"]: one["text"] for one in found["findings"]}["idle-cut"]
    assert re.match(r"a poll that waits is ended after 2\.\d s: 504", text)


def test_the_asobann_author_s_case(processes, nginx):
    """A location that sets Upgrade loses the Host line of the level above: 101, and then no OPEN packet."""
    text = text_of(f"{VERSION}\n{UPGRADE}", "", processes["gevent"][:1]).replace("server {", f"{HOST}\nserver {{", 1)
    url, file = nginx.serve("asobann", text)
    found = result(url, "--nginx", file, "--idle", 0)
    assert gets(found, "websocket only") == "101, then broken"
    (one,) = found["findings"]
    assert one["rule"] == "origin-refused"
    assert "'proxy_set_header Host $http_host'" in one["why"]
    assert "is not inherited, because" in one["why"]
    file.write_text(file.read_text().replace(VERSION, f"{VERSION} {HOST}"))
    assert result("--nginx", file)["findings"] == [], "the line that is told mends it"


def test_what_the_application_itself_does_is_told_as_such(apps, nginx):
    port = apps.start("threading", 'cors_allowed_origins="https://elsewhere.example"')
    url, file = nginx.serve("cors", text_of(RIGHT, "", [port]))
    (one,) = result(url, "--nginx", file, "--behind", f"http://127.0.0.1:{port}/", "--idle", 0)["findings"]
    assert (one["rule"], one["hop"]) == ("origin-refused", f"http://127.0.0.1:{port}/")
    assert one["known_by"] == "it is so there, too"
    assert one["fix"].startswith("cors_allowed_origins=")
    right = result(url, "--origin", "https://elsewhere.example", "--idle", 0)
    assert right["findings"] == []
    assert right["urls"][0]["origin"] == "https://elsewhere.example"


def test_a_public_name_is_sent_as_host_and_origin(processes):
    port = processes["threading"][0]
    found = result(f"http://127.0.0.1:{port}/", "--host", "board.example.org", "--idle", 0)
    assert found["findings"] == []
    assert (found["urls"][0]["host"], found["urls"][0]["origin"]) == ("board.example.org", "http://board.example.org")


def test_a_stack_that_is_up_is_named_and_asked_by_its_public_name(processes, monkeypatch):
    from sandbox.controllers import up

    urls = {
        "http://board.invalid/health": f"http://127.0.0.1:{processes['gevent'][0]}/health",
        "https://x.invalid/": "https://127.0.0.1:1/",
    }
    state = up.UpState("board", os.getpid(), urls, [], "", "", {})
    monkeypatch.setattr(up, "living", lambda: [state])
    found = result("board", "--idle", 0)
    assert (found["findings"], found["urls"][0]["origin"]) == ([], "http://board.invalid")
    assert check("other", "--idle", 0)[0] == 2


def test_a_broadcast_reaches_the_clients_of_one_process_and_not_those_of_others(processes, nginx):
    ports = processes["threading"]
    event = ("--emit", "say", "--expect", "said", "--data", '"hello"', "--idle", 0)
    found = result(f"http://127.0.0.1:{ports[0]}/", *event)
    assert (found["urls"][0]["broadcast"], found["findings"]) == ({"listeners": 3, "received": 3}, [])
    url, _ = nginx.serve("broadcast", text_of(RIGHT, "hash $remote_port;", ports))
    found = result(url, *event, "--clients", 12, "--timeout", 2)
    assert found["urls"][0]["broadcast"]["received"] < 11
    assert rules(found)["broadcast-lost"] == "error"


def test_stickiness_by_cookie_is_for_clients_that_keep_cookies(apps, nginx):
    ports = [apps.start("threading"), apps.start("threading")]
    pinned = "".join(f'"{port}" 127.0.0.1:{port}; ' for port in ports)
    text = text_of(RIGHT, "", ports)
    text = text.replace("http {", f"http {{\nsplit_clients $request_id $some {{ 50% {ports[0]}; * {ports[1]}; }}", 1)
    text = text.replace("upstream", f"map $cookie_route $chosen {{ {pinned} default 127.0.0.1:$some; }}\nupstream", 1)
    text = text.replace(
        "map $cookie_route", 'map $cookie_route $given { "" $some; default $cookie_route; }\nmap $given'
    )
    text = text.replace(
        "proxy_pass http://app;", 'proxy_pass http://$chosen; add_header Set-Cookie "route=$given" always;'
    )
    url, _ = nginx.serve("by-cookie", text.replace("default 127.0.0.1:$some; ", ""))
    for _ in range(5):  # chance may be kind to those without cookies
        found = rules(result(url, "--idle", 0))
        if found:
            break
    assert found == {"cookies-needed": "warning"}


def test_a_path_where_nothing_is(processes):
    url = f"http://127.0.0.1:{processes['threading'][0]}"
    assert rules(result(url, "--path", "/chat/", "--idle", 0)) == {"wrong-path": "error"}
    assert rules(result(f"{url}/chat/", "--idle", 0)) == {"wrong-path": "error"}
    assert result(f"{url}/socket.io", "--idle", 0)["findings"] == []


def test_bad_gateway_and_redirects_and_static_files(nginx):
    text = """http { server { listen 127.0.0.1:PORT;
        location /down/ { proxy_pass http://127.0.0.1:1; }
        location /moved/ { return 301 https://example.org$request_uri; }
        location /static/ { return 200 "<html>a page</html>"; }
        location /locked/ { return 401; } } }"""
    url, file = nginx.serve("others", text)
    for path, rule in (
        ("down", "gateway-error"),
        ("moved", "redirected"),
        ("static", "wrong-path"),
        ("locked", "denied"),
    ):
        found = result(url, "--path", f"/{path}/", "--idle", 0)
        assert rules(found) == {rule: "error"}, path
    assert rules(result(url, "--nginx", file, "--path", "/moved/", "--idle", 0)) == {"redirected": "error"}


def test_a_plain_websocket(processes, served):
    """Engine.IO's WebSocket taken as a plain one: the OPEN packet is a message like any other."""
    path = "/socket.io/?EIO=4&transport=websocket"
    url, file, origin = served("threading", "none")
    found = result(
        f"ws{url.removeprefix('http').rstrip('/')}{path}", "--emit", "40", "--expect", '40{"sid"', "--idle", 1
    )
    assert (found["exit_code"], found["urls"][0]["protocol"], found["urls"][0]["engine"]) == (0, "websocket", None)
    assert [one["client"] for one in found["urls"][0]["clients"]] == ["websocket only", "reconnect", "idle"]
    url, file, origin = served("threading", "no upgrade headers")
    found = result(
        f"ws{url.removeprefix('http').rstrip('/')}{path}", "--behind", origin.rstrip("/") + path, "--nginx", file
    )
    (one, two) = found["findings"]
    assert (one["rule"], one["hop"], two["rule"]) == (
        "upgrade-lost",
        f"ws{url.removeprefix('http').rstrip('/')}{path}",
        "read-timeout",
    )


def serve_with_tls(name, authority, processes, nginx):
    """An nginx with a certificate for board.example.org; its URL."""
    certificate = authority.issue(["board.example.org"])
    folder = nginx.folder / name
    folder.mkdir()
    (folder / "c.pem").write_bytes(certificate.certificate)
    (folder / "k.pem").write_bytes(certificate.key)
    text = text_of(f"{RIGHT}\nproxy_set_header X-Forwarded-Proto $scheme;", "", processes["threading"][:1])
    secure = "listen 127.0.0.1:PORT ssl; ssl_certificate FOLDER/c.pem; ssl_certificate_key FOLDER/k.pem;"
    url, _ = nginx.serve(name, text.replace("listen 127.0.0.1:PORT;", secure))
    return url.replace("http:", "https:")


def test_a_certificate_that_browsers_refuse_is_a_finding_and_the_rest_is_judged(
    processes, nginx, tmp_path, monkeypatch
):
    authority = Authority()
    url = serve_with_tls("tls", authority, processes, nginx)
    found = result(url, "--host", "board.example.org", "--idle", 0)
    assert rules(found) == {"certificate": "error"}
    assert found["urls"][0]["certificate"] == "unable to get local issuer certificate"
    assert all(one["ok"] for one in found["urls"][0]["clients"])
    (tmp_path / "authority.pem").write_bytes(authority.certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    origin = f"http://127.0.0.1:{processes['threading'][0]}/"
    found = result(url, "--host", "board.example.org", "--behind", origin, "--idle", 0)
    assert found["findings"] == [], "the origin is told of https, as by a proxy"
    (refused,) = result(url, "--host", "other.example.org", "--idle", 0)["findings"]
    assert (refused["rule"], refused["severity"]) == ("certificate", "error")
    assert "SSL_CERT_FILE" in refused["fix"]


def test_of_a_stack_that_is_up_the_runs_authority_is_trusted_and_no_other_helps(processes, nginx, monkeypatch):
    from sandbox.controllers import up

    authority = Authority()
    url = serve_with_tls("stack", authority, processes, nginx)
    for name in ("board.example.org", "other.example.org"):
        urls = {f"https://{name}/health": f"{url}health"}
        state = up.UpState("board", os.getpid(), urls, [], "", "", {}, [], authority.certificate.decode())
        monkeypatch.setattr(up, "living", lambda state=state: [state])
        found = result("board", "--idle", 0)
        assert found["urls"][0]["origin"] == f"https://{name}"
        if name == "board.example.org":
            assert found["findings"] == []
    (refused,) = found["findings"]
    assert refused["rule"] == "certificate"
    assert refused["fix"].startswith("its listener wants a certificate for other.example.org: ")
    assert "SSL_CERT_FILE" not in refused["fix"]


def test_static_checks_need_no_server(tmp_path):
    file = tmp_path / "nginx.conf"
    file.write_text(f"{MAP}\nserver {{ location / {{ proxy_pass http://app;\n{RIGHT} }} }}")
    code, out, _ = check("--nginx", file)
    assert (code, "nothing is wrong with it" in out) == (0, True)
    file.write_text("server {\n location / {\n proxy_pass http://app;\n}\n}")
    code, out, _ = check("--nginx", file)
    assert code == 1
    assert f"at   {file}:2" in out
    h2o = tmp_path / "h2o.conf"
    h2o.write_text("hosts:\n  default:\n    paths:\n      /:\n        proxy.reverse.url: http://a/\n")
    assert rules(result("--h2o", h2o)) == {"upgrade-headers": "error", "host-lost": "error"}


@contextlib.contextmanager
def raw(*answers):
    """A server that gives each connection the next of these answers, the last one again and again."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve():
        number = 0
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                with connection, contextlib.suppress(OSError):
                    connection.recv(65_536)
                    connection.sendall(answers[min(number, len(answers) - 1)])
                    if not answers[-1]:
                        connection.recv(65_536)
                number += 1

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    listening.close()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"SSH-2.0-OpenSSH_9\r\n", "what answers is not HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"X-Y: z\r\n" * 20_000, "headers of more than 64 KiB"),
        (b"", "no answer in time"),
    ],
    ids=["not HTTP", "endless headers", "half-open"],
)
def test_what_is_no_server_to_judge_exits_2(answer, words):
    with raw(answer) as url:
        code, _, err = check(url, "--timeout", 0.5)
    assert code == 2
    assert f"{url} gives no answer of HTTP" in err
    assert words in err


def test_errors_end_the_command_with_2():
    code, out, err = command("http://127.0.0.1:1/")
    assert (code, out) == (2, "")
    assert "error: http://127.0.0.1:1/ cannot be reached" in err


def test_tls_to_a_server_that_does_not_speak_it(processes):
    code, _, err = check(f"https://127.0.0.1:{processes['threading'][0]}/")
    assert code == 2
    assert "TLS fails" in err
    assert "http: or ws:" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "nothing to check"),
        (["http://127.0.0.1:1/"], "http://127.0.0.1:1/ cannot be reached"),
        (["http://no-such-host.invalid/"], "its name does not resolve"),
        (["ftp://x/"], "ftp://x/ is no URL to check"),
        (["http://x:99999/"], "is no URL to check"),
        (["http://["], "is no URL to check"),
        (["http://x/a b"], "is no URL to check"),
        (["http://me:secret@x/"], "no name and password in a URL"),
        (["--behind", "http://127.0.0.1:1/", "--nginx", __file__], "configuration of nginx"),
        (["--nginx", "/nonexistent"], "/nonexistent cannot be read as a configuration of nginx"),
        (["--h2o", "/nonexistent"], "/nonexistent cannot be read as a configuration of H2O"),
        (["http://127.0.0.1:1/", "--protocol", "mqtt"], "--protocol mqtt: there is no such protocol"),
        (["http://127.0.0.1:1/", "--path", "chat"], "--path chat: it is no path"),
        (["http://127.0.0.1:1/", "--expect", "x"], "--expect needs --emit"),
        (["http://127.0.0.1:1/", "--emit", "x", "--data", "{"], "--data {: it is no JSON"),
        (["http://127.0.0.1:1/", "--header", "nope"], "--header nope: it is 'NAME: VALUE'"),
        (["http://127.0.0.1:1/", "--host", "a:b:c"], "--host a:b:c: it is no name"),
        (["http://127.0.0.1:1/", "--origin", "x\ny"], "it is no origin"),
        (["http://127.0.0.1:1/", "--severity", "high"], "--severity high: there is no such severity"),
        (["http://127.0.0.1:1/", "--eio", "5"], "Invalid value for '--eio'"),
        (["http://127.0.0.1:1/", "--json", "/nonexistent/x"], "there is no folder /nonexistent"),
    ],
)
def test_wrong_usage_exits_2(arguments, words):
    code, out, err = check(*arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert "secret" not in err
