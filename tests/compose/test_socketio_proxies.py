"""Both official clients through each configuration of compose/socketio, against what they get without a proxy.

The expected outcomes are what was measured with these servers; docs/socketio.md has them in a table.
"""

from __future__ import annotations

import contextlib
import socket
import threading

import pytest
import socketio

from sandbox import paths
from sandbox.engine import daemon, sweep
from sandbox.engine.containers import Containers, Spec
from sandbox.engine.images import Images
from sandbox.engine.run import Run
from sandbox.probes import http, socketio_session
from sandbox.probes.socketio_session import GOOD, NO_OPEN, NOT_TRIED, STEPS, outcomes

pytestmark = pytest.mark.docker

FOLDER = paths.share() / "compose" / "socketio"
PAGE = "http://chat.example.com"
CLIENTS = ("python", "javascript")
NOTHING = dict.fromkeys(STEPS[1:8], NOT_TRIED)
REFUSED = {**NOTHING, "polling": "HTTP 400", "websocket-only": "HTTP 400"}
ONE = {"broadcast": "heard, one process"}
SILENT_POLLING = {"upgrade": "polling", "websocket-only": "HTTP 400"}


def bind(folder, target):
    return {"Target": target, "Source": str(folder), "Type": "bind", "ReadOnly": True}


class Chat:
    """Three processes and Redis in one network namespace, as in the task; proxies come and go in it."""

    def __init__(self, containers, image, app, mode):
        self.containers = containers
        self.image = image
        # A container's own DNS names are Docker's; the client's is in its hosts file alone.
        self.holder = containers.run_new(Spec(f"holder-{mode}-{app}", image("toolbox"), command=["sleep", "infinity"]))
        mine = {"network_of": self.holder}
        containers.run_new(Spec(f"redis-{mode}-{app}", image("redis"), **mine))
        self.processes = {}
        for port in ("5001", "5002", "5003"):
            environment = {"ASYNC_MODE": mode, "PORT": port, "REDIS_URL": "redis://localhost:6379"}
            mounts = [bind(FOLDER / "app", "/app")]
            self.processes[port] = containers.run_new(
                Spec(f"app{port}-{mode}-{app}", image(app), environment=environment, mounts=mounts, **mine)
            )
        networks = containers.client.api.inspect_container(self.holder)["NetworkSettings"]["Networks"]
        self.address = next(iter(networks.values()))["IPAddress"]
        self.node = containers.run_new(
            Spec(
                f"client-{mode}-{app}",
                image("socketio-client"),
                entrypoint=["sh", "-c", f"echo {self.address} chat.example.com >> /etc/hosts && exec sleep infinity"],
                user="root",
            )
        )
        for port in (5001, 5002, 5003):
            self.wait(f"{PAGE}:{port}/health")

    def connect(self, name, port, timeout):
        """Whatever the name: it is here."""
        return socket.create_connection((self.address, port), timeout=timeout)

    def wait(self, url):
        result = http.get_until(self.connect, url, status=200, within=60, stop=threading.Event())
        assert result.status == 200, result

    @contextlib.contextmanager
    def behind(self, conf):
        """A proxy with one of the configurations."""
        image, folder = ("h2o", "/etc/h2o") if conf.startswith("h2o") else ("nginx", "/etc/nginx/conf.d")
        proxy = self.containers.run_new(
            Spec(conf, self.image(image), mounts=[bind(FOLDER / conf, folder)], network_of=self.holder)
        )
        try:
            self.wait(f"{PAGE}/health")
            yield
        finally:
            self.containers.remove(proxy)

    def sessions(self, url=PAGE, **options):
        """The outcomes of one session of each client of today."""
        return {client: self.session(client, url, **options) for client in CLIENTS}

    def session(self, client, url=PAGE, **options):
        """The outcomes of one."""
        if client == "python":
            return outcomes(socketio_session.run(url, self.connect, **options))

        def execute(command):
            return self.containers.execute(self.node, command)

        version = 2 if client == "javascript-2" else 4
        return outcomes(socketio_session.run_javascript(execute, url, version=version, **options))


@pytest.fixture(scope="module")
def chats(request):
    """Makes a `Chat` for an image and a mode, once."""
    client, run = daemon.connect(), Run.begin()
    containers = Containers(client, run)
    images = Images(client, request.config.getoption("--sandbox-images"), lambda text: None)
    made = {}

    def get(mode, app="flask-socketio"):
        if (mode, app) not in made:
            made[mode, app] = Chat(containers, images.ensure, app, mode)
        return made[mode, app]

    yield get
    containers.close()
    sweep.remove_run(client, run.id)
    run.end()
    client.close()


def expected(different=()):
    """What everything working comes to, but for what is different; the idle WebSocket is watched in one test."""
    return {step: outcome for step, outcome in GOOD.items() if step != "idle"} | dict(different)


@pytest.mark.parametrize("mode", ["threading", "gevent", "eventlet"])
def test_without_a_proxy_everything_works(chats, mode):
    sessions = chats(mode).sessions(f"{PAGE}:5001", other=f"{PAGE}:5002")
    assert sessions == dict.fromkeys(CLIENTS, expected())


@pytest.mark.parametrize(
    ("conf", "mode", "different"),
    [
        ("nginx", "threading", {}),
        ("nginx", "gevent", {}),
        ("nginx", "eventlet", {}),
        ("nginx-no-buffering", "threading", {}),
        ("nginx-asobann-host", "threading", {}),
        ("h2o", "threading", ONE),
        ("nginx-no-upgrade", "threading", SILENT_POLLING),
        ("h2o-websocket-off", "threading", {**SILENT_POLLING, **ONE}),
        ("nginx-http-1.0", "threading", {}),
        ("nginx-http-1.0", "eventlet", {}),
        ("nginx-no-stickiness", "threading", {**REFUSED, "websocket-only": "connected"}),
        ("nginx-host-not-forwarded", "threading", REFUSED),
        ("nginx-host-not-forwarded", "eventlet", REFUSED),
        ("nginx-host-not-forwarded", "gevent", {**REFUSED, "websocket-only": NO_OPEN}),
        ("nginx-asobann", "threading", REFUSED),
        ("nginx-asobann", "eventlet", REFUSED),
        ("nginx-asobann", "gevent", {**REFUSED, "websocket-only": NO_OPEN}),
    ],
)
def test_what_a_proxy_changes_it_changes_for_both_clients(chats, conf, mode, different):
    chat = chats(mode)
    with chat.behind(conf):
        assert chat.sessions() == dict.fromkeys(CLIENTS, expected(different))


def test_gevents_server_refuses_http_1_0(chats):
    # gevent-websocket's answer, "402 Bad Request", ends before the length that it names.
    chat = chats("gevent")
    with chat.behind("nginx-http-1.0"):
        assert chat.sessions() == {
            "python": expected({"upgrade": "polling", "websocket-only": "Connection error"}),
            "javascript": expected({"upgrade": "polling", "websocket-only": "HTTP 402"}),
        }


@pytest.mark.parametrize(
    ("conf", "mode", "different"),
    [
        ("nginx", "threading", {}),
        ("nginx-asobann-host", "threading", {}),
        ("nginx-host-without-port", "threading", REFUSED),
        ("nginx-host-without-port", "eventlet", REFUSED),
        ("nginx-host-without-port", "gevent", {**REFUSED, "websocket-only": NO_OPEN}),
    ],
)
def test_host_has_the_port_where_it_is_not_80(chats, conf, mode, different):
    chat = chats(mode)
    with chat.behind(conf):
        assert chat.sessions(f"{PAGE}:8080") == dict.fromkeys(CLIENTS, expected(different))


def test_a_read_timeout_below_the_ping_interval_cuts_an_idle_websocket(chats):
    chat = chats("threading")
    with chat.behind("nginx-read-timeout"):
        assert chat.sessions(idle=8.0) == dict.fromkeys(CLIENTS, expected({"idle": "cut"}))


@pytest.mark.parametrize("transports", [["polling"], ["websocket"]])
@pytest.mark.parametrize("mode", ["threading", "gevent", "eventlet"])
def test_clients_of_a_process_that_ends_come_back_to_another_one(chats, mode, transports):
    chat = chats(mode)
    client = socketio.Client(reconnection_delay=0.1, request_timeout=5)
    with chat.behind("nginx"):
        again = threading.Event()
        client.on("connect", again.set)
        client.connect(f"http://{chat.address}", transports=transports, wait_timeout=10)
        port = client.call("where")["process"].rpartition(":")[2]
        again.clear()
        chat.containers.client.api.stop(chat.processes[port], timeout=20)
        try:
            assert again.wait(20)
            assert client.call("where")["process"].rpartition(":")[2] != port
        finally:
            client.shutdown()
            chat.containers.client.api.start(chat.processes[port])
            chat.wait(f"{PAGE}:{port}/health")


@pytest.mark.parametrize(
    ("conf", "different"),
    [("nginx", {}), ("nginx-asobann", {**REFUSED, "websocket-only": NO_OPEN}), ("nginx-asobann-host", {})],
)
def test_the_versions_of_2020(chats, conf, different):
    chat = chats("gevent", "flask-socketio-2020")
    with chat.behind(conf):
        assert chat.session("javascript-2") == expected(different)


def test_where_nobody_listens_every_step_says_so(chats):
    refused = {**REFUSED, "polling": "connection refused", "websocket-only": "connection refused"}
    assert chats("threading").sessions(f"{PAGE}:5009") == dict.fromkeys(CLIENTS, expected(refused))
