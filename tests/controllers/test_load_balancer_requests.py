"""What targets see of a request, where rules lead, cookies, HTTPS."""

from __future__ import annotations

import email.utils
import http.client
import json
import re
import ssl
import subprocess
import threading
import time
from dataclasses import replace

import pytest

from sandbox.controllers.sandbox import Sandbox
from sandbox.errors import SandboxError
from sandbox.model.elb.config import (
    Condition,
    FixedResponse,
    Forward,
    HealthCheck,
    Listener,
    Redirect,
    Rule,
    Stickiness,
    TargetGroup,
)
from tests.controllers.balanced import ARN, ask, make_site, trusting, until, upgrade

pytestmark = pytest.mark.docker
SPEED = 20
TRACE = r"1-[0-9a-f]{8}-[0-9a-f]{24}"


@pytest.fixture(scope="module")
def sandbox(request):
    with Sandbox(
        site=request.getfixturevalue("sandbox_site"), images=request.config.getoption("--sandbox-images"), speed=SPEED
    ) as made:
        yield made


@pytest.fixture(scope="module")
def shared(sandbox):
    made = make_site(sandbox)
    (http_listener,) = made.balancer.listeners
    certificate = sandbox.aws("acm").request_certificate(DomainName="*.elb.amazonaws.com")["CertificateArn"]
    more = [
        replace(http_listener, arn=f"{ARN}:2", port=8080),
        replace(http_listener, arn=f"{ARN}:3", port=443, protocol="HTTPS", certificates=(certificate,)),
    ]
    made.update(listeners=[http_listener, *more])
    made.backend()
    made.backend()
    yield made
    made.close()


@pytest.fixture
def site(shared):
    """The load balancer as it was made."""
    before = shared.balancer, shared.group
    yield shared
    if before != (shared.balancer, shared.group):
        shared.balancer, shared.group = before
        shared.elb.put_group(shared.group)
        shared.elb.deploy(shared.balancer)


def with_rules(site, *rules, port=80):
    """Give a listener rules before its default one."""
    (listener,) = [one for one in site.balancer.listeners if one.port == port]
    made = [
        Rule(f"{ARN}:rule/{number}", number, conditions, action) for number, (conditions, action) in enumerate(rules, 1)
    ]
    changed = replace(listener, rules=(*made, listener.rules[-1]))
    site.update(listeners=[changed if one is listener else one for one in site.balancer.listeners])


# -- headers --


def test_what_a_target_sees(site):
    got = site.get("/a?b=c")
    client = got.sent("x-forwarded-for")
    assert got.json["request"].split("\r\n")[0] == "GET /a?b=c HTTP/1.1"
    assert re.fullmatch(r"\d+\.\d+\.\d+\.\d+", client)
    assert (got.sent("x-forwarded-proto"), got.sent("x-forwarded-port")) == ("http", "80")
    assert re.fullmatch(f"Root={TRACE}", got.sent("x-amzn-trace-id"))
    now = int(got.sent("x-amzn-trace-id").split("-")[1], 16)
    assert abs(time.time() - now) < 60
    assert got.sent("host") == site.balancer.dns_name


@pytest.mark.parametrize(
    ("mode", "sent", "seen"),
    [
        ("append", None, "CLIENT"),
        ("append", "198.51.100.1", "198.51.100.1, CLIENT"),
        ("append", "198.51.100.1, 198.51.100.2", "198.51.100.1, 198.51.100.2, CLIENT"),
        ("preserve", None, None),
        ("preserve", "198.51.100.1", "198.51.100.1"),
        ("remove", "198.51.100.1", None),
    ],
)
def test_modes_of_x_forwarded_for(site, mode, sent, seen):
    site.attributes(xff_header_processing_mode=mode)
    got = site.get(headers={"X-Forwarded-For": sent} if sent else {})
    address = r"\d+\.\d+\.\d+\.\d+"
    shown = got.sent("x-forwarded-for")
    assert shown == seen if seen is None else re.fullmatch(re.escape(seen).replace("CLIENT", address), shown)


@pytest.mark.parametrize("sent", [{}, {"X-Forwarded-For": "198.51.100.1"}])
def test_the_client_s_port(site, sent):
    site.attributes(xff_client_port=True)
    assert re.search(r"\d+\.\d+\.\d+\.\d+:\d{2,5}$", site.get(headers=sent).sent("x-forwarded-for"))


def test_what_a_client_says_of_protocol_and_port_is_replaced(site):
    got = site.get(headers={"X-Forwarded-Proto": "https", "X-Forwarded-Port": "1"}, port=8080)
    assert (got.sent("x-forwarded-proto"), got.sent("x-forwarded-port")) == ("http", "8080")


@pytest.mark.parametrize(
    ("sent", "seen"),
    [
        ("Root=1-67891233-abcdef012345678912345678", f"Self={TRACE};Root=1-67891233-abcdef012345678912345678"),
        (
            "Root=1-67891233-abcdef012345678912345678;CalledFrom=app",
            f"Self={TRACE};Root=1-67891233-abcdef012345678912345678;CalledFrom=app",
        ),
        (
            "Self=1-67891234-12456789abcdef0123456789;Root=1-67891233-abcdef012345678912345678",
            f"Self={TRACE};Root=1-67891233-abcdef012345678912345678",
        ),
    ],
)
def test_a_trace_goes_on(site, sent, seen):
    shown = site.get(headers={"X-Amzn-Trace-Id": sent}).sent("x-amzn-trace-id")
    assert re.fullmatch(seen, shown)
    assert "-67891234-" not in shown


@pytest.mark.parametrize(
    ("port", "preserve", "sent", "seen"),
    [
        (80, False, "example.com", "example.com"),
        (80, False, "example.com:80", "example.com"),
        (80, False, "Example.COM:8443", "Example.COM"),
        (8080, False, "example.com", "example.com:8080"),
        (8080, False, "example.com:8080", "example.com:8080"),
        (80, True, "example.com:80", "example.com:80"),
        (8080, True, "example.com", "example.com"),
    ],
)
def test_the_host_header(site, port, preserve, sent, seen):
    site.attributes(preserve_host_header=preserve)
    assert site.get(headers={"Host": sent}, port=port).sent("host") == seen


@pytest.mark.parametrize("drop", [True, False])
def test_header_names_that_are_not_valid(site, drop):
    site.attributes(drop_invalid_header_fields=drop)
    got = site.get(headers={"under_score": "1", "fine-name": "2"})
    assert got.sent("under_score") == (None if drop else "1")
    assert got.sent("fine-name") == "2"


# -- rules --


def fixed(text):
    return FixedResponse(200, "text/plain", text)


RULES = [
    (Condition("host-header", ("*.shop.example.org", "shop.example.org")), "host"),
    (Condition("path-pattern", ("/img/*",)), "prefix"),
    (Condition("path-pattern", ("/a?c/*/d",)), "wild"),
    (Condition("path-pattern", ("/exact",)), "exact"),
    (Condition("http-header", ("*Chrome*",), "User-Agent"), "header"),
    (Condition("http-request-method", ("PUT", "DELETE")), "method"),
    (Condition("query-string", (("version", "v1"), ("", "*special*"))), "query"),
    (Condition("source-ip", ("192.0.2.0/24",)), "source"),
]


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        ({"headers": {"Host": "shop.example.org"}}, "host"),
        ({"headers": {"Host": "eu.SHOP.example.org:80"}}, "host"),
        ({"headers": {"Host": "xshop.example.org"}}, None),
        ({"path": "/img/a.png?x=1"}, "prefix"),
        ({"path": "/IMG/a.png"}, None),
        ({"path": "/abc/x/y/d"}, "wild"),
        ({"path": "/abbc/x/d"}, None),
        ({"path": "/exact?a"}, "exact"),
        ({"path": "/exact/"}, None),
        ({"headers": {"User-Agent": "my chrome 80"}}, "header"),
        ({"method": "PUT"}, "method"),
        ({"path": "/?a=b&Version=V1"}, "query"),
        ({"path": "/?version=v12"}, None),
        ({"path": "/?any=so-special-it-is"}, "query"),
        ({"path": "/"}, None),
    ],
)
def test_conditions(site, request_, answer):
    if len(site.balancer.listeners[0].rules) == 1:
        with_rules(site, *(((condition,), fixed(text)) for condition, text in RULES))
    got = site.get(**request_)
    assert (got.body.decode() if answer else got.name in "ab") == (answer or True)


def test_all_conditions_of_a_rule_hold_and_the_first_rule_decides(site):
    path, method = Condition("path-pattern", ("/api/*",)), Condition("http-request-method", ("POST",))
    with_rules(site, ((path, method), fixed("both")), ((path,), fixed("one")))
    assert site.get("/api/x", method="POST", body=b"").body == b"both"
    assert site.get("/api/x").body == b"one"
    assert site.get("/", method="POST", body=b"").name in "ab"


def test_a_fixed_response(site):
    odd = 'It\'s "quoted" 100% #{host} \\ $HOME\n{x} é'
    with_rules(site, ((Condition("path-pattern", ("/*",)),), FixedResponse(418, "text/html", odd)))
    got = site.get()
    assert (got.status, got.headers["content-type"], got.body.decode()) == (418, "text/html", odd)
    assert got.headers["server"] == "awselb/2.0"
    with_rules(site, ((Condition("path-pattern", ("/*",)),), FixedResponse(503)))
    got = site.get()
    assert (got.status, got.body) == (503, b"")


@pytest.mark.parametrize(
    ("redirect", "path", "location"),
    [
        (Redirect(301, protocol="HTTPS", port="443"), "/a/b?c=d", "https://HOST:443/a/b?c=d"),
        (Redirect(301, protocol="HTTPS", port="443"), "/", "https://HOST:443/"),
        (Redirect(302, host="www.#{host}"), "/x", "http://www.HOST:80/x"),
        (Redirect(302, path="/new/#{path}", query="from=#{port}&#{query}"), "/x?y", "http://HOST:80/new/x?from=80&y"),
        (Redirect(302, path="/100%25", query=""), "/x?y", "http://HOST:80/100%25"),
    ],
)
def test_redirects(site, redirect, path, location):
    with_rules(site, ((Condition("path-pattern", ("/*",)),), redirect))
    got = site.get(path)
    assert (got.status, got.headers["location"]) == (redirect.status, location.replace("HOST", site.balancer.dns_name))
    assert got.headers["server"] == "awselb/2.0"
    line, page = {301: ("Moved Permanently",) * 2, 302: ("Moved Temporarily", "Found")}[redirect.status]
    assert got.reason == line
    assert got.body.decode() == (
        f"<html>\r\n<head><title>{redirect.status} {page}</title></head>\r\n<body>\r\n"
        f"<center><h1>{redirect.status} {page}</h1></center>\r\n</body>\r\n</html>\r\n"
    )


def test_a_pattern_has_no_meaning_for_haproxy(site):
    odd = (Condition("path-pattern", ("/it's",)), Condition("http-header", ('-i "x" } $y #',), "X-Odd"))
    with_rules(site, (odd, fixed("odd")))
    assert site.get("/it's", headers={"X-Odd": '-i "x" } $y #'}).body == b"odd"
    assert site.get("/it's", headers={"X-Odd": "x"}).name in "ab"


# -- weighted groups --


@pytest.fixture
def two_groups(site):
    """A second group with a target of its own, and a rule that forwards to both."""
    green = TargetGroup(
        f"{ARN}:targetgroup/green/2", "green", "HTTP", 80, "ip", "vpc-1", health_check=site.group.health_check
    )
    site.elb.put_group(green)

    def forward(blue_weight, green_weight, stickiness=None):
        action = Forward(((site.group.arn, blue_weight), (green.arn, green_weight)), stickiness)
        site.balancer = replace(site.balancer, groups={site.group.arn: site.group, green.arn: green})
        with_rules(site, ((Condition("path-pattern", ("/*",)),), action))

    before = site.balancer
    forward(1, 1)
    third = site.backend(register=False)
    mark = site.sandbox.timeline.mark()
    site.elb.register(green.arn, [third.target])
    site.sandbox.timeline.wait_for(
        "green to be healthy",
        lambda seen: seen.kind == "target.health" and seen["group"] == "green" and seen["state"] == "healthy",
        within=15,
        since=mark,
    )
    yield forward
    site.balancer = before
    site.elb.deploy(before)
    site.elb.remove_group(green.arn)
    site.backends.remove(third)
    third.close()


def test_weights(site, two_groups):
    names = [site.get().name for _ in range(60)]
    assert 15 <= names.count("c") <= 45
    two_groups(0, 1)
    assert {site.get().name for _ in range(10)} == {"c"}
    two_groups(0, 0)
    assert site.get().status == 503


def test_a_client_stays_with_its_group(site, two_groups):
    two_groups(1, 1, stickiness=100)
    first = next(got for got in iter(site.get, None) if got.name == "c")
    assert set(first.cookies) == {"AWSALBTG", "AWSALBTGCORS"}
    cookie = {"Cookie": f"AWSALBTG={first.cookies['AWSALBTG'].partition(';')[0]}"}
    assert {site.get(headers=cookie).name for _ in range(12)} == {"c"}
    over = time.monotonic() + 100 / SPEED
    until(lambda: time.monotonic() > over)
    assert {site.get(headers=cookie).name for _ in range(20)} > {"c"}


# -- sessions --


def sticky(site, **stickiness):
    site.change_group(stickiness=Stickiness(True, **stickiness))


def cookie_of(got, name="AWSALB"):
    return {"Cookie": f"{name}={got.cookies[name].partition(';')[0]}"}


def test_cookies_of_the_load_balancer(site):
    sticky(site)
    got = site.get()
    assert set(got.cookies) == {"AWSALB", "AWSALBCORS"}
    value, expires, path = got.cookies["AWSALB"].split("; ")
    assert path == "Path=/"
    lifetime = email.utils.parsedate_to_datetime(expires.removeprefix("Expires=")).timestamp() - time.time()
    assert abs(lifetime - 7 * 86400 / SPEED) < 30
    assert got.cookies["AWSALBCORS"] == f"{value}; {expires}; Path=/; SameSite=None; Secure"
    assert site.group.name not in value


@pytest.mark.parametrize("name", ["AWSALB", "AWSALBCORS"])
def test_a_session_stays_with_its_target_and_the_cookie_is_made_anew(site, name):
    sticky(site)
    first = site.get()
    for _ in range(6):
        got = site.get(headers=cookie_of(first, name))
        assert got.name == first.name
        assert got.cookies[name] != first.cookies[name]


@pytest.mark.parametrize("name", ["AWSALB", "AWSALBCORS"])
def test_a_client_may_put_a_cookie_s_value_in_quotes(site, name):
    sticky(site)
    first = site.get()
    value = first.cookies[name].partition(";")[0]
    for cookies in (f'{name}="{value}"', f'a=b; {name}="{value}"; c="d"'):
        assert {site.get(headers={"Cookie": cookies}).name for _ in range(4)} == {first.name}


@pytest.mark.parametrize("cookie", ["AWSALB=nonsense", "AWSALB=", "AWSALB=" + "A" * 200])
def test_a_cookie_that_cannot_be_decrypted(site, cookie):
    sticky(site)
    got = site.get(headers={"Cookie": cookie})
    assert got.status == 200
    assert "AWSALB" in got.cookies


def test_a_session_is_over_after_its_duration(site):
    sticky(site, duration=20)
    first = site.get()
    over = time.monotonic() + 20 / SPEED
    until(lambda: time.monotonic() > over)
    assert len({site.get(headers=cookie_of(first)).name for _ in range(6)}) == 2


def test_a_session_moves_when_its_target_is_unhealthy_and_stays_there(site):
    sticky(site)
    first = site.get()
    (gone,) = [one for one in site.backends if one.name == first.name]
    mark = site.sandbox.timeline.mark()
    gone.healthy = 500
    site.wait_health(gone.target, "unhealthy", mark)
    moved = site.get(headers=cookie_of(first))
    assert moved.name != first.name
    gone.healthy = 200
    site.wait_health(gone.target, "healthy", mark)
    assert {site.get(headers=cookie_of(moved)).name for _ in range(4)} == {moved.name}


def test_a_session_moves_when_its_target_drains(site):
    sticky(site)
    first = site.get()
    (gone,) = [one for one in site.backends if one.name == first.name]
    site.elb.deregister(site.group.arn, [gone.target])
    assert {site.get(headers=cookie_of(first)).name for _ in range(4)}.isdisjoint({first.name})
    site.register(gone)


def test_sessions_survive_a_change_of_the_load_balancer(site):
    sticky(site)
    first = site.get()
    site.attributes(idle_timeout=50)
    assert {site.get(headers=cookie_of(first)).name for _ in range(4)} == {first.name}


def test_sessions_of_an_application_s_cookie(site):
    sticky(site, type="app_cookie", cookie_name="session")
    assert "AWSALBAPP-0" not in site.get().cookies
    first = site.get("/login")
    assert set(first.cookies) == {"session", "AWSALBAPP-0"}
    own = cookie_of(first, "AWSALBAPP-0")["Cookie"]
    both = {"Cookie": f"session=1; {own}"}
    assert {site.get(headers=both).name for _ in range(6)} == {first.name}
    assert set(site.get(headers=both).cookies) == {"AWSALBAPP-0"}
    assert len({site.get(headers={"Cookie": own}).name for _ in range(6)}) == 2, "both are needed"


def test_a_websocket_goes_where_its_session_is(site):
    sticky(site)
    first = site.get()
    for _ in range(4):
        with site.connect() as connection:
            head = upgrade(connection, more=f"Cookie: {cookie_of(first)['Cookie']}\r\n")
            assert b"AWSALB=" in head
            connection.sendall(b"hi")
            assert connection.recv(100).decode() == f"{first.name}:hi"


# -- HTTPS --


def test_https(site):
    context = trusting(site.sandbox)
    context.check_hostname = False
    got = site.get(port=443, secure=context)
    assert (got.sent("x-forwarded-proto"), got.sent("x-forwarded-port")) == ("https", "443")
    assert got.sent("host") == site.balancer.dns_name


def test_headers_about_tls(site):
    site.attributes(x_amzn_tls_headers=True)
    got = site.get(port=443, secure=trusting(site.sandbox))
    assert got.sent("x-amzn-tls-version").startswith("TLSv1.")
    assert got.sent("x-amzn-tls-cipher-suite")


def test_a_websocket_over_https(site):
    context = trusting(site.sandbox)
    context.set_alpn_protocols(["http/1.1"])
    with context.wrap_socket(site.connect(443), server_hostname=site.balancer.dns_name) as connection:
        assert upgrade(connection).startswith(b"HTTP/1.1 101 ")
        connection.sendall(b"hi")
        assert connection.recv(100).endswith(b":hi")


@pytest.mark.parametrize("enabled", [True, False])
def test_http_2_for_clients_and_http_1_for_targets(site, enabled):
    site.attributes(http2=enabled)
    context = trusting(site.sandbox)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with context.wrap_socket(site.connect(443), server_hostname=site.balancer.dns_name) as connection:
        assert connection.selected_alpn_protocol() == ("h2" if enabled else "http/1.1")
    if enabled:
        url = f"https://{site.balancer.dns_name}/"
        resolve = f"{site.balancer.dns_name}:443:{site.address}"
        done = subprocess.run(
            ["curl", "-sk", "--http2", "--resolve", resolve, "-w", "\n%{http_version}", url],
            capture_output=True,
            text=True,
            check=True,
        )
        body, version = done.stdout.rsplit("\n", 1)
        assert version == "2"
        assert json.loads(body)["request"].startswith("GET / HTTP/1.1\r\n")


def test_the_http_listener_speaks_http_1_alone(site):
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9)
    assert site.raw(preface)[:12] in {b"HTTP/1.1 400", b""}


def test_targets_that_speak_https(sandbox, tmp_path):
    issued = sandbox.authority.issue(["another.name"])
    (tmp_path / "target.pem").write_bytes(issued.certificate + issued.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "target.pem")
    check = HealthCheck(path="/health", interval=5, timeout=2, protocol="HTTPS")
    made = make_site(sandbox, protocol="HTTPS", health_check=check)
    try:
        made.backend(tls=context)
        assert made.get().name == "a"
        plain = made.backend(register=False)
        made.register(plain, wait="unhealthy")
    finally:
        made.close()


def test_a_certificate_that_is_none(site):
    """The load balancer does not come up, and nothing of it is left."""
    https = site.balancer.listeners[2]
    wrong = replace(
        site.balancer, arn=f"{site.balancer.arn}9", name="wrong", dns_name="wrong.elb.test", listeners=[https]
    )
    before, site.elb._certificate = site.elb._certificate, lambda arn: ("no certificate", "no key")
    try:
        with pytest.raises(SandboxError, match="did not come up"):
            site.elb.deploy(wrong)
    finally:
        site.elb._certificate = before
    described = site.sandbox.aws("ec2").describe_network_interfaces()["NetworkInterfaces"]
    assert not [one for one in described if one["Description"].startswith("ELB app/wrong/")]
    assert site.get(port=443, secure=trusting(site.sandbox)).status == 200


def test_many_requests_at_once(site):
    failures = []

    def client():
        connection = http.client.HTTPConnection(site.address, timeout=15)
        failures.extend(got.status for got in (ask(connection) for _ in range(50)) if got.status != 200)

    clients = [threading.Thread(target=client) for _ in range(8)]
    for one in clients:
        one.start()
    for one in clients:
        one.join()
    assert failures == []


def test_listeners_come_and_go(site):
    first, *_ = site.balancer.listeners
    site.update(listeners=[first, Listener(f"{ARN}:9", 9000, "HTTP", first.rules)])
    assert site.get(port=9000).status == 200
    until(lambda: not accepts(site, 8080))


def accepts(site, port) -> bool:
    try:
        site.connect(port).close()
    except OSError:
        return False
    return True
