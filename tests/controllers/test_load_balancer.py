from __future__ import annotations

import http.client
import socket
import threading
import time
from dataclasses import replace

import pytest

from sandbox.controllers.sandbox import Sandbox
from sandbox.errors import SandboxError
from sandbox.model.elb.config import HealthCheck
from sandbox.model.elb.target import Target
from tests.controllers.balanced import PATIENCE, Backend, ask, make_site, read_all, until, upgrade

pytestmark = pytest.mark.docker
SPEED = 20


@pytest.fixture(scope="module")
def sandbox(request):
    with Sandbox(
        site=request.getfixturevalue("sandbox_site"), images=request.config.getoption("--sandbox-images"), speed=SPEED
    ) as made:
        yield made


@pytest.fixture(scope="module")
def shared(sandbox):
    made = make_site(sandbox, deregistration_delay=40)
    yield made
    made.close()


@pytest.fixture
def site(shared):
    """One load balancer for all; each test has targets of its own."""
    yield shared
    shared.elb.deregister(shared.group.arn, list(shared.elb.health(shared.group.arn)))
    for backend in shared.backends:
        backend.close()
    shared.backends.clear()
    until(lambda: not shared.elb.health(shared.group.arn))


def in_background(work):
    """Run ``work`` on a thread; the returned function waits for what it returns."""
    results = []
    thread = threading.Thread(target=lambda: results.append(work()), daemon=True)
    thread.start()

    def result():
        thread.join(15)
        return results[0]

    return result


def test_a_target_is_registered_again_while_checks_of_many_others_are_told(site):
    """Whoever tells of a check waits for what registers a target, which waits until its connections are cut."""
    backend = site.backend()
    elb = site.elb
    served = elb._served[site.balancer.arn]
    begun = threading.Semaphore(0)

    def tell():
        begun.release()
        with elb._lock:
            pass

    def again():
        workers = elb._pool._max_workers
        with elb._lock:
            for _ in range(workers):
                elb._submit(tell)
            for _ in range(workers):
                assert begun.acquire(timeout=PATIENCE)
            elb._leave(served, site.group, backend.target)
            elb._join(served, site.group, backend.target)
        return True

    assert in_background(again)()


# -- health --


def test_a_healthy_target_gets_requests(site):
    backend = site.backend()
    got = site.get("/hello?a=b")
    assert (got.status, got.name) == (200, "a")
    assert site.elb.health(site.group.arn)[backend.target].state == "healthy"


def test_what_a_check_looks_like(site):
    backend = site.backend()
    host = f"{backend.target.id}:{backend.target.port}"
    assert backend.checked[0].split("\r\n")[:4] == [
        "GET /health HTTP/1.1",
        f"Host: {host}",
        "Connection: close",
        "User-Agent: ELB-HealthChecker/2.0",
    ]


@pytest.mark.parametrize(
    ("healthy", "reason", "description"),
    [
        (503, "Target.ResponseCodeMismatch", "Health checks failed with these codes: [503]"),
        ("silence", "Target.Timeout", "Request timed out"),
        ("garbage", "Target.FailedHealthChecks", "Health checks failed"),
    ],
)
def test_why_a_target_is_unhealthy(site, healthy, reason, description):
    backend = site.backend(register=False)
    backend.healthy = healthy
    site.register(backend, wait="")
    site.wait_health(backend.target, "unhealthy", reason=reason, description=description)


def test_a_check_of_a_closed_port(site):
    closed = Target(site.sandbox._network.vpc.address(1), 9)
    mark = site.sandbox.timeline.mark()
    site.elb.register(site.group.arn, [closed])
    site.wait_health(closed, "unhealthy", mark, reason="Target.FailedHealthChecks")


def test_an_address_that_nobody_has(site):
    nobody = Target(site.sandbox._network.vpc.address(200), 80)
    mark = site.sandbox.timeline.mark()
    site.elb.register(site.group.arn, [nobody])
    site.wait_health(nobody, "unhealthy", mark)


def test_an_unhealthy_target_gets_no_request_while_another_is_healthy(site):
    first, second = site.backend(), site.backend()
    first.healthy = 500
    site.wait_health(first.target, "unhealthy")
    assert {site.get().name for _ in range(6)} == {"b"}
    mark = site.sandbox.timeline.mark()
    second.healthy = 500
    site.wait_health(second.target, "unhealthy", mark)
    assert {site.get().name for _ in range(6)} == {"a", "b"}, "fail open"


def test_states_on_the_timeline_and_for_the_hook(site):
    told = []
    site.elb.changed = lambda group, target, health: told.append((group, target, health.state))
    try:
        backend = site.backend()
        site.elb.deregister(site.group.arn, [backend.target])
        until(lambda: not site.elb.health(site.group.arn))
        until(lambda: len(told) >= 5)
    finally:
        site.elb.changed = lambda group, target, health: None
    assert [state for _, _, state in told] == ["initial", "initial", "healthy", "draining", "unused"]
    assert {(group, target) for group, target, _ in told} == {(site.group.arn, backend.target)}


def test_a_group_that_no_listener_uses_is_not_checked(site):
    backend = site.backend(register=False)
    other = replace(site.group, arn=f"{site.group.arn}x", name="unused")
    site.elb.put_group(other)
    site.elb.register(other.arn, [backend.target])
    health = site.elb.health(other.arn)[backend.target]
    assert (health.state, health.reason) == ("unused", "Target.NotInUse")
    site.elb.remove_group(other.arn)
    assert backend.checked == []


def test_the_load_balancer_s_own_address_is_no_target(site):
    own = next(iter(site.elb._served.values())).balancer.private_address
    site.elb.register(site.group.arn, [Target(own, 80)])
    assert site.elb.health(site.group.arn)[Target(own, 80)].reason == "Target.IpUnusable"
    assert site.get().status == 503


# -- balancing, draining --


def test_round_robin(site):
    for _ in range(3):
        site.backend()
    assert sorted(site.get().name for _ in range(9)) == ["a"] * 3 + ["b"] * 3 + ["c"] * 3


def test_least_outstanding_requests(site):
    site.change_group(algorithm="least_outstanding_requests")
    try:
        slow, quick = site.backend(), site.backend()
        names = []
        for backend in (slow, quick):
            in_background(lambda: names.append(site.get("/wait").name))
            assert backend.arrived.acquire(timeout=10)
        slow.release.set()
        until(lambda: names == ["a"])
        # A request is outstanding for HAProxy a moment longer than for its client. In turn it would be 10.
        assert [site.get().name for _ in range(20)].count("a") >= 14
        quick.release.set()
        until(lambda: names == ["a", "b"])
    finally:
        site.change_group(algorithm="round_robin")


def test_a_change_of_targets_is_applied_at_once(site):
    backends = [site.backend() for _ in range(2)]
    begun = time.monotonic()
    site.elb.deregister(site.group.arn, [backends[0].target])
    taken = time.monotonic() - begun
    assert {site.get().name for _ in range(6)} == {"b"}
    assert taken < 0.5


def test_in_flight_requests_go_on_while_a_target_drains(site):
    old, _new = site.backend(), site.backend()
    results = [in_background(lambda: site.get("/wait")) for _ in range(2)]
    assert old.arrived.acquire(timeout=10)
    site.elb.deregister(site.group.arn, [old.target])
    assert {site.get().name for _ in range(4)} == {"b"}, "new ones go elsewhere"
    assert site.elb.health(site.group.arn)[old.target].state == "draining"
    for backend in site.backends:
        backend.release.set()
    assert sorted(result().status for result in results) == [200, 200]


def test_what_is_still_in_flight_when_the_delay_is_over_gets_a_502(site):
    old, _new = site.backend(), site.backend()
    results = [in_background(lambda: site.get("/wait")) for _ in range(2)]
    assert old.arrived.acquire(timeout=10)
    mark = site.sandbox.timeline.mark()
    site.elb.deregister(site.group.arn, [old.target])
    site.wait_response(mark, status=502, reason="the deregistration delay was over")
    site.backends[1].release.set()
    assert sorted(result().status for result in results) == [200, 502]


def test_an_open_websocket_is_cut_when_the_delay_is_over(site):
    old, _new = site.backend(), site.backend()
    with site.connect() as one, site.connect() as two:
        for connection in (one, two):
            assert b" 101 " in upgrade(connection)
            connection.sendall(b"hi")
        said = {connection.recv(100)[:1]: connection for connection in (one, two)}
        mark = site.sandbox.timeline.mark()
        site.elb.deregister(site.group.arn, [old.target])
        said[b"a"].sendall(b"still there")
        assert said[b"a"].recv(100) == b"a:still there"
        assert read_all(said[b"a"]) == b""
        site.wait_health(old.target, "unused", mark)
        said[b"b"].sendall(b"still here")
        assert said[b"b"].recv(100) == b"b:still here"


def test_registered_again_while_it_drains(site):
    backend = site.backend()
    result = in_background(lambda: site.get("/wait"))
    assert backend.arrived.acquire(timeout=10)
    site.elb.deregister(site.group.arn, [backend.target])
    site.register(backend)
    assert site.get().name == "a"
    backend.release.set()
    assert result().status == 200


def test_a_removed_target_comes_back(site):
    backend = site.backend()
    site.elb.deregister(site.group.arn, [backend.target])
    until(lambda: not site.elb.health(site.group.arn))
    site.register(backend)
    assert site.get().name == "a"


def test_slow_start(site):
    site.change_group(slow_start=100)
    try:
        site.backend()
        site.backend()
        assert [site.get().name for _ in range(20)].count("b") <= 8
        until(lambda: [site.get().name for _ in range(20)].count("b") == 10)
    finally:
        site.change_group(slow_start=0)


# -- errors --


def test_no_registered_target(site):
    got = site.get()
    assert (got.status, got.reason) == (503, "Service Temporarily Unavailable")
    assert got.headers["server"] == "awselb/2.0"
    assert got.headers["content-type"] == "text/html"
    assert b"<center><h1>503 Service Temporarily Unavailable</h1></center>\r\n" in got.body


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [
        ("/reset", 502, "the target closed the connection without an answer"),
        ("/close", 502, "the target closed the connection without an answer"),
        ("/garbage", 502, "the target's answer is not valid HTTP"),
    ],
)
def test_what_a_target_does_wrong(site, path, status, reason):
    site.backend()
    mark = site.sandbox.timeline.mark()
    got = site.get(path)
    assert (got.status, got.reason) == (status, "Bad Gateway")
    assert b"<h1>502 Bad Gateway</h1>" in got.body
    told = site.wait_response(mark, status=502)
    assert (told["reason"], told["target_status"]) == (reason, None)
    assert told["target"] == str(site.backends[0].target)


def test_a_target_that_refuses(site):
    backend = Backend(site.sandbox._network.vpc.address(1), "z")
    backend.close()
    site.elb.register(site.group.arn, [backend.target])
    got = site.get()
    assert (got.status, got.reason) == (502, "Bad Gateway")
    assert b"<h1>502 Bad Gateway</h1>" in got.body


def test_a_target_that_takes_no_connection_in_time(site):
    full = socket.create_server((site.sandbox._network.vpc.address(1), 0), backlog=0)
    address = full.getsockname()
    waiting = []
    for _ in range(4):  # until its queue is full, and the kernel drops what comes
        connection = socket.socket()
        connection.setblocking(False)
        connection.connect_ex(address)
        waiting.append(connection)
    site.elb.register(site.group.arn, [Target(*address)])
    mark = site.sandbox.timeline.mark()
    begun = time.monotonic()
    got = site.get()
    assert (got.status, got.reason) == (504, "Gateway Time-out")
    assert b"<h1>504 Gateway Time-out</h1>" in got.body
    assert 10 / SPEED <= time.monotonic() - begun < 5
    site.wait_response(mark, status=504, reason="the target did not take the connection in time")
    for connection in (*waiting, full):
        connection.close()


def test_a_target_that_does_not_answer_within_the_idle_timeout(site):
    site.backend()
    mark = site.sandbox.timeline.mark()
    begun = time.monotonic()
    got = site.get("/wait")
    assert (got.status, got.reason) == (504, "Gateway Time-out")
    assert 60 / SPEED <= time.monotonic() - begun < 60 / SPEED + 5
    site.wait_response(mark, status=504, reason="the target did not answer within the idle timeout")


def test_an_error_of_the_target_is_passed_on(site):
    site.backend()
    mark = site.sandbox.timeline.mark()
    got = site.get("/503/mine")
    assert (got.status, got.reason, got.name) == (503, "Fine", "a")
    told = site.wait_response(mark, status=503)
    assert (told["target_status"], told["reason"]) == (503, "")


def test_a_client_that_leaves_is_460(site):
    backend = site.backend()
    mark = site.sandbox.timeline.mark()
    with site.connect() as connection:
        connection.sendall(b"GET /wait/for/it HTTP/1.1\r\nHost: site\r\n\r\n")
        assert backend.arrived.acquire(timeout=10)
    told = site.wait_response(mark, status=460)
    assert told["url"] == "site/wait/for/it"
    assert told["reason"] == "the client closed the connection before it had an answer"


def test_half_an_answer(site):
    site.backend()
    mark = site.sandbox.timeline.mark()
    with pytest.raises(http.client.IncompleteRead):
        site.get("/half")
    site.wait_response(mark, status=200, reason="the target closed the connection in the middle of its answer")


@pytest.mark.parametrize(("addresses", "status"), [(30, 200), (31, 463)])
def test_how_many_addresses_may_be_in_x_forwarded_for(site, addresses, status):
    site.backend()
    got = site.get(headers={"X-Forwarded-For": ", ".join(["203.0.113.1"] * addresses)})
    assert got.status == status


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GARBAGE\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nna me: b\r\n\r\n", 400),
        (b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        (b"GET /" + b"x" * 17000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (
            b"GET / HTTP/1.1\r\nHost: a\r\n" + b"".join(b"a%d: %s\r\n" % (n, b"x" * 8000) for n in range(10)) + b"\r\n",
            400,
        ),
    ],
)
def test_requests_that_are_refused(site, request_text, status):
    site.backend()
    answer = site.raw(request_text.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    assert answer.split(b" ")[1] == str(status).encode()
    assert site.get().status == 200, "nothing else is disturbed"


def test_headers_of_60_kib_are_passed_on(site):
    site.backend()
    got = site.get(headers={f"a{number}": "x" * 12000 for number in range(5)})
    assert got.status == 200
    assert len(got.sent("a4")) == 12000


# -- time --


def test_a_websocket_stays_with_its_target_and_ends_when_nothing_is_said(site):
    site.backend()
    site.backend()
    with site.connect() as connection:
        assert upgrade(connection).startswith(b"HTTP/1.1 101 ")
        begun = last = time.monotonic()
        said = set()
        while time.monotonic() - begun < 1.5 * 60 / SPEED:
            connection.sendall(b"ping")
            said.add(connection.recv(100))
            last = time.monotonic()
            threading.Event().wait(0.2)
        assert len(said) == 1, "the same target all the time"
        assert read_all(connection) == b""
        assert 60 / SPEED - 0.3 <= time.monotonic() - last < 60 / SPEED + 3


def test_an_idle_connection_is_closed(site):
    site.backend()
    with site.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        begun = time.monotonic()
        assert read_all(connection) == b""
        assert 60 / SPEED - 0.3 <= time.monotonic() - begun < 60 / SPEED + 3


def test_half_a_request_is_answered_408(site):
    with site.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHo")
        assert read_all(connection).startswith(b"HTTP/1.1 408 ")


def test_half_open_connections_disturb_nobody(site):
    site.backend()
    idle = [site.connect() for _ in range(200)]
    assert site.get().status == 200
    for connection in idle:
        connection.close()


def test_a_connection_that_is_as_old_as_client_keep_alive_allows(site):
    site.backend()
    site.attributes(client_keep_alive=60)
    try:
        connection = http.client.HTTPConnection(site.address, timeout=10)
        begun = time.monotonic()
        closed = None
        while time.monotonic() - begun < 10 and closed is None:
            closed = ask(connection).headers["connection"]
            threading.Event().wait(0.2)
        assert closed == "close"
        assert time.monotonic() - begun >= 60 / SPEED
    finally:
        site.attributes(client_keep_alive=3600)


# -- the whole --


def test_a_client_s_connection_and_a_target_s_are_used_again(site):
    site.backend()
    connection = http.client.HTTPConnection(site.address, timeout=10)
    assert [ask(connection).name for _ in range(5)] == ["a"] * 5


def test_open_connections_survive_a_change_of_the_load_balancer(site):
    site.backend()
    result = in_background(lambda: site.get("/wait"))
    assert site.backends[0].arrived.acquire(timeout=10)
    with site.connect() as connection:
        upgrade(connection)
        site.attributes(preserve_host_header=True)
        connection.sendall(b"hi")
        assert connection.recv(100) == b"a:hi"
        assert site.get().name == "a"
        site.backends[0].release.set()
        assert result().status == 200
    site.attributes(preserve_host_header=False)


def test_a_target_that_is_cut_is_cut_in_workers_from_before_a_reload_too(site):
    backend = site.backend()
    with site.connect() as connection:
        upgrade(connection)
        site.attributes(preserve_host_header=True)
        site.elb.deregister(site.group.arn, [backend.target])
        assert read_all(connection) == b""
    site.attributes(preserve_host_header=False)


def test_an_answer_is_told_of_once_and_when_it_changes(site):
    site.backend()
    mark = site.sandbox.timeline.mark()
    for _ in range(3):
        site.get("/told?once")
    site.get("/last")
    site.wait_response(mark, url=f"{site.balancer.dns_name}/last")
    told = [one for one in site.sandbox.timeline.since(mark) if one.kind == "alb.response"]
    assert [one["url"].partition("/")[2] for one in told] == ["told?once", "last"]
    assert told[0].fields | {"target": "", "url": ""} == {
        "balancer": site.balancer.name,
        "method": "GET",
        "url": "",
        "status": 200,
        "target": "",
        "target_status": 200,
        "reason": "",
    }


def test_its_network_interface_in_ec2(site):
    ec2 = site.sandbox.aws("ec2")
    identity = site.balancer.arn.rsplit("/", 1)[-1]
    filters = [{"Name": "description", "Values": [f"ELB app/{site.balancer.name}/{identity}"]}]
    (shown,) = ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"]
    assert shown["Association"]["PublicIp"] == site.address
    assert [group["GroupId"] for group in shown["Groups"]] == list(site.balancer.security_groups)


def test_an_internal_load_balancer_comes_and_goes(sandbox):
    made = make_site(sandbox)
    internal = replace(made.balancer, scheme="internal", arn=f"{made.balancer.arn}1", dns_name="internal-x.elb.test")
    made.elb.remove(made.balancer.arn)
    made.elb.deploy(internal)
    made.balancer = internal
    assert made.address in {str(address) for address in sandbox._network.vpc.cidr}
    made.backend()
    assert made.get().status == 200
    mark = sandbox.timeline.mark()
    made.close()
    assert sandbox.resolve(internal.dns_name).rcode == "NXDOMAIN"
    assert "alb.removed" in [one.kind for one in sandbox.timeline.since(mark)]


def test_instances_are_asked_at_their_private_address(sandbox):
    made = make_site(sandbox, target_type="instance")
    backend = made.backend(register=False)
    states = {"i-1": ("running", backend.target.id)}
    made.elb._instance = states.get
    target = Target("i-1", backend.target.port)
    made.elb.register(made.group.arn, [target])
    made.wait_health(target, "healthy")
    assert made.get().status == 200
    states["i-1"] = ("stopped", backend.target.id)
    made.elb.instances_changed()
    health = made.elb.health(made.group.arn)[target]
    assert (health.reason, health.description) == ("Target.InvalidState", "Target is in the stopped state")
    assert made.get().status == 503
    made.close()


def test_what_haproxy_refuses_leaves_clients_what_they_had(site):
    site.backend()
    with pytest.raises(SandboxError, match="HAProxy refused"):
        site.update(attributes=replace(site.balancer.attributes, idle_timeout=10**12))
    site.attributes(idle_timeout=60)
    assert site.get().status == 200


def test_another_check_counts_from_now_on(site):
    backend = site.backend()
    check = site.group.health_check
    mark = site.sandbox.timeline.mark()
    site.change_group(health_check=replace(check, matcher="404"))
    site.wait_health(backend.target, "unhealthy", mark, description="Health checks failed with these codes: [200]")
    site.change_group(health_check=HealthCheck(path="/health", interval=5, timeout=2, healthy_threshold=2))
    site.wait_health(backend.target, "healthy", mark)
