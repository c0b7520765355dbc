"""What tests of the whole need: the command in a process of its own, small stacks, a look at what is left behind."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import http.server
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from sandbox import garbage
from tests import forks
from tests.order import pytest_collection_modifyitems  # noqa: F401 -- a hook
from tests.terraform import make_terraform, provider_settings  # noqa: F401 -- fixtures

REPOSITORY = Path(__file__).parent.parent

# Machines are noisy, and no test is of time: one example may be slow.
_NOISY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("usual", _NOISY, max_examples=50)
settings.register_profile("thorough", _NOISY, max_examples=1000)  # make test HYPOTHESIS=thorough
settings.load_profile("usual")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[object]:
    """Collect no garbage among what is collected here, which all stays: two fifths of the time, in each worker."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()
        garbage.look_rarely()


def examples(usual: int) -> int:
    """How many examples a property gets that is to have so many as a rule, where others have 50."""
    return usual * settings().max_examples // 50


TASKDEF = {
    "family": "small",
    "networkMode": "awsvpc",
    "requiresCompatibilities": ["FARGATE"],
    "cpu": "256",
    "memory": "512",
    "containerDefinitions": [
        {
            "name": "nginx",
            "image": "nginx:1.27",
            "essential": True,
            "mountPoints": [{"sourceVolume": "conf", "containerPath": "/etc/nginx/conf.d", "readOnly": True}],
        }
    ],
    "volumes": [
        {"name": "conf", "efsVolumeConfiguration": {"fileSystemId": "fs-00000001", "rootDirectory": "/conf"}},
    ],
}

STACK = """\
description: nginx in one task, found by a record that a Lambda function writes
parameters: {{handler: by_name}}
images: [toolbox, nginx]
efs: {{fs-00000001: {{/conf: conf/}}}}
calls:
  - route53.create_hosted_zone: {{Name: example.org, CallerReference: "{reference}"}}
    as: zone
  - lambda.create_function:
      FunctionName: writes-dns
      Runtime: python3.12
      Role: arn:aws:iam::123456789012:role/writes-dns
      Handler: ${{handler}}.handler
      Timeout: 20
      Environment:
        Variables: {{HOSTED_ZONE_ID: "${{zone.HostedZone.Id}}", RECORD_NAME: small.example.org}}
      Code: {{Zip: lambda/}}
    as: function
  - events.put_rule:
      Name: running
      EventPattern: '{{"source": ["aws.ecs"], "detail": {{"lastStatus": ["RUNNING"], "desiredStatus": ["RUNNING"]}}}}'
  - events.put_targets:
      Rule: running
      Targets: [{{Id: dns, Arn: "${{function.FunctionArn}}"}}]
  - ecs.create_cluster: {{clusterName: small}}
  - ecs.register_task_definition: {{File: taskdef.json}}
  - ecs.create_service:
      cluster: small
      serviceName: small
      taskDefinition: small
      desiredCount: 1
      launchType: FARGATE
      networkConfiguration:
        awsvpcConfiguration:
          subnets: ${{sandbox.subnets}}
          securityGroups: ["${{sandbox.security_group}}"]
          assignPublicIp: ENABLED
ready:
  - {{url: "http://small.example.org/", status: 200, within: {within}}}
"""


@dataclasses.dataclass
class SmallStack:
    """A folder with a stack that is up in two seconds. Its files may be changed before it is used."""

    folder: Path

    def taskdef(self, **changes: object) -> SmallStack:
        """Change members of the task definition; ``container`` holds those of its container."""
        file = self.folder / "taskdef.json"
        content = json.loads(file.read_text())
        content["containerDefinitions"][0].update(changes.pop("container", {}))
        file.write_text(json.dumps({**content, **changes}))
        return self

    def handler(self, source: str) -> SmallStack:
        """Give the function another source."""
        (self.folder / "lambda" / "by_name.py").write_text(source)
        return self

    def conf(self, location: str) -> SmallStack:
        """What nginx does with every request."""
        (self.folder / "conf" / "default.conf").write_text(f"server {{ listen 80; location / {{ {location} }} }}\n")
        return self

    def __str__(self) -> str:
        return str(self.folder)


def make_small_stack(folder: Path, *, within: float = 30) -> SmallStack:
    """Make one in ``folder``."""
    for name in ("conf", "lambda"):
        (folder / name).mkdir(parents=True)
    shutil.copy(REPOSITORY / "compose" / "ghost" / "lambda" / "by_name.py", folder / "lambda")
    (folder / "taskdef.json").write_text(json.dumps(TASKDEF))
    (folder / "stack.yaml").write_text(STACK.format(within=within, reference=uuid.uuid4()))
    return SmallStack(folder).conf("return 200 small;")


@pytest.fixture
def small_stack(tmp_path) -> Callable[..., SmallStack]:
    """Makes a small stack: ``small_stack(within=5)``."""
    return lambda name="small", **options: make_small_stack(tmp_path / name, **options)


class Command:
    """A ``sandbox`` command that runs. Its lines are collected as they come."""

    def __init__(self, arguments: list[str], environment: dict[str, str], folder: Path) -> None:
        self._lines: dict[str, list[str]] = {"out": [], "err": []}
        self._changed = threading.Condition()
        self._process = forks.start(arguments, environment, folder)
        self.pid = self._process.pid
        self._readers = [
            threading.Thread(target=self._read, args=(stream, name), daemon=True)
            for name, stream in (("out", self._process.stdout), ("err", self._process.stderr))
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream, name: str) -> None:
        for line in stream:
            with self._changed:
                self._lines[name].append(line)
                self._changed.notify_all()
        with self._changed:
            self._lines[name].append("")  # its end
            self._changed.notify_all()

    @property
    def out(self) -> str:
        """Standard output so far."""
        return "".join(self._lines["out"])

    @property
    def err(self) -> str:
        """Standard error so far."""
        return "".join(self._lines["err"])

    def wait_for(self, text: str, within: float = 40) -> str:
        """Wait for a line with ``text`` on either stream, and return it."""
        return self.wait_for_count(text, 1, within)

    def wait_for_count(self, text: str, count: int, within: float = 40) -> str:
        """Wait until so many lines with ``text`` have come on both streams together, and return the last of them."""
        found: list[str] = []

        def seen() -> bool:
            found[:] = [line for lines in self._lines.values() for line in lines if text in line]
            return len(found) >= count or all(lines[-1:] == [""] for lines in self._lines.values())

        with self._changed:
            self._changed.wait_for(seen, within)
        assert len(found) >= count, f"no {count} lines with {text!r}:\n{self.out}\n{self.err}"
        return found[count - 1]

    def interrupt(self, *, group: bool = False) -> None:
        """Ctrl-C: to the process alone, or to its group as a terminal does."""
        if group:
            os.killpg(self.pid, signal.SIGINT)
        else:
            self._process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.wait()

    def end(self, within: float = 60) -> int:
        """Wait for its end; the exit code."""
        try:
            code = self._process.wait(within)
        except subprocess.TimeoutExpired:
            self.kill()
            pytest.fail(f"did not end within {within:g} s:\n{self.out}\n{self.err}")
        for reader in self._readers:
            reader.join(5)
        return code

    def close(self) -> None:
        """Make sure of its end."""
        if self._process.poll() is None:
            self.kill()
        for reader in self._readers:
            reader.join(5)


class Cli:
    """The command line as a person has it, with temporary files of its own."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.environment = {**os.environ, "TMPDIR": str(folder), "COLUMNS": "160", **environment}
        self.commands: list[Command] = []
        self.installation: Installation | None = None

    def start(self, *arguments: object, **environment: str) -> Command:
        """Start a command."""
        command = Command([str(argument) for argument in arguments], {**self.environment, **environment}, self.folder)
        self.commands.append(command)
        return command

    def run(self, *arguments: object, within: float = 60, **environment: str) -> tuple[int, str, str]:
        """Run a command to its end: exit code, standard output, standard error."""
        command = self.start(*arguments, **environment)
        code = command.end(within)
        return code, command.out, command.err

    def left(self) -> list[str]:
        """What commands that have ended left behind: in the engine, in files, as processes."""
        return [*self.in_engine(), *self.files(), *self.processes()]

    def in_engine(self, others: Iterable[int] = ()) -> list[str]:
        """Names of the containers, networks and volumes of this command line's runs, and of other processes'."""
        from sandbox.engine import placement
        from sandbox.engine.run import LABEL_OWNER, LABEL_PROJECT

        pids = {str(pid) for pid in (*others, *(command.pid for command in self.commands))}
        filters = {"label": LABEL_PROJECT}
        listed: list[tuple[str, dict[str, str]]] = []
        with placement.opened() as engines:
            for api in (client.api for client in engines.answering.values()):
                listed += ((c["Names"][0], c["Labels"]) for c in api.containers(all=True, filters=filters))
                listed += ((n["Name"], n["Labels"]) for n in api.networks(filters=filters))
                listed += ((v["Name"], v["Labels"]) for v in api.volumes(filters=filters)["Volumes"] or ())
        return sorted(name for name, labels in listed if labels[LABEL_OWNER].split(":")[2] in pids)

    def files(self) -> list[str]:
        """Files and folders, the empty folder of all runs excepted."""
        return [str(path) for path in self.folder.rglob("*") if path.parent != self.folder or path.is_file()]

    def processes(self, within: float = 5.0) -> list[str]:
        """Processes that have our folder in their environment and do not end: functions, and what they started."""
        return [f"process {pid}: {name}" for pid, name in self._ours() if not _ends(pid, within)]

    def _ours(self) -> Iterator[tuple[int, str]]:
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if str(self.folder).encode() in (folder / "environ").read_bytes():
                    yield int(folder.name), (folder / "comm").read_text().strip()

    def close(self) -> None:
        """End what still runs and remove what it left."""
        for command in self.commands:
            command.close()
        if self.in_engine():
            self.run("down")
        shutil.rmtree(self.folder, ignore_errors=True)


def _ends(pid: int, within: float) -> bool:
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([process], [], [], within)[0])
    finally:
        os.close(process)


def _short_folder() -> Path:
    """Where Unix sockets can be made: pytest's own folders are too long for their addresses."""
    return Path(tempfile.mkdtemp(prefix="acs-t-"))


@pytest.fixture
def cli() -> Iterator[Cli]:
    """The command line, installed from this repository."""
    made = Cli(_short_folder())
    yield made
    made.close()


class WebSite(http.server.ThreadingHTTPServer):
    """A site on 127.0.0.1, by path: status, headers (Set-Cookie several times as a list) and body.

    It answers 304 to a page's own ETag, 404 to what it does not have. ``asked`` has each request's path and headers.
    """

    def __init__(self, pages: dict[str, tuple[int, dict[str, Any], str | Callable[[], str]]]) -> None:
        super().__init__(("127.0.0.1", 0), _WebSiteHandler)
        self.pages = pages
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class _WebSiteHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: WebSite

    def do_GET(self) -> None:
        self.server.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        status, headers, body = self.server.pages.get(self.path, (404, {"Content-Type": "text/html"}, "not found"))
        content = (body() if callable(body) else body).encode()
        if "ETag" in headers and self.headers.get("If-None-Match") == headers["ETag"]:
            status, content = 304, b""
        self.send_response(status)
        for name, value in headers.items():
            for one in value if isinstance(value, list) else [value]:
                self.send_header(name, one)
        if status != 304:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def web_site() -> Iterator[Callable[..., WebSite]]:
    """Starts a `WebSite`."""
    started: list[WebSite] = []

    def start(pages: dict[str, Any]) -> WebSite:
        site = WebSite(pages)
        threading.Thread(target=site.serve_forever, daemon=True).start()
        started.append(site)
        return site

    yield start
    for site in started:
        site.shutdown()
        site.server_close()


@dataclasses.dataclass
class Installation:
    """The package as a wheel lays it out, with stacks, images and scenarios of its own."""

    site: Path

    @property
    def share(self) -> Path:
        """The folder with ``compose/`` and ``scenarios/``."""
        return self.site / "sandbox" / "_share"


SCENARIOS = '''\
"""Two variants of a small stack: one asks for a page that there is, one for another."""
from sandbox.scenario import Scenario, Variant, Verdict


def play(play):
    play.sandbox.http_get("http://small.example.org/" + play.variant.settings.get("path", ""))
    {after}


def judge(observations):
    last = [seen for seen in observations if seen.kind == "http.response"][-1]
    return Verdict(last["status"] != 200, (f"{{last['url']}}: HTTP {{last['status']}}",))


SCENARIO = Scenario(
    "{name}", "small", "a symptom", "a cause", "a fix",
    (Variant("missing", "{missing}", "asks for a page that there is not", settings={{"path": "missing"}}),
     Variant("there", "{there}", "asks for the page that there is")),
    play, judge)
'''


@pytest.fixture(scope="session")
def installation(tmp_path_factory) -> Installation:
    """Installed: the stack ``small``, and scenarios ``good``, ``wrong`` and ``raises``."""
    made = Installation(tmp_path_factory.mktemp("site"))
    shutil.copytree(REPOSITORY / "sandbox", made.site / "sandbox")
    shutil.copytree(REPOSITORY / "compose", made.share / "compose")
    small = make_small_stack(made.share / "compose" / "small")
    small.conf("return 200 small; } location /missing { return 404;")
    folder = made.share / "scenarios"
    folder.mkdir()
    for name, missing, there, after in (
        ("good", "reproduces", "holds", "pass"),
        ("raises", "reproduces", "holds", "raise KeyError('no such thing')"),
        ("wrong", "holds", "reproduces", "pass"),
    ):
        text = SCENARIOS.format(name=name, missing=missing, there=there, after=after)
        (folder / f"{name}.py").write_text(text)
    return made


@pytest.fixture
def installed(installation) -> Iterator[Cli]:
    """The command line of `installation`, which it has as an attribute."""
    made = Cli(_short_folder(), PYTHONPATH=str(installation.site))
    made.installation = installation
    yield made
    made.close()


@pytest.fixture
def until() -> Callable[..., None]:
    """Waits for a condition that nothing tells of (another process's files): ``until(lambda: ..., within=5)``."""

    def wait(condition: Callable[[], bool], within: float = 10.0) -> None:
        deadline = time.monotonic() + within
        while not condition():
            assert time.monotonic() < deadline, "it did not come"
            threading.Event().wait(0.02)

    return wait


@pytest.fixture
def containers():
    """Containers of a run of this test's own."""
    from sandbox.engine import daemon, sweep
    from sandbox.engine.containers import Containers
    from sandbox.engine.run import Run

    client = daemon.connect()
    run = Run.begin()
    made = Containers(client, run)
    yield made
    made.close()
    sweep.remove_run(client, run.id)
    run.end()
    client.close()


@pytest.fixture(scope="session")
def localstack_server(request, sandbox_localstack) -> Iterator[Any]:
    """One LocalStack for all tests of this worker; each leaves it empty. Where it does not start, another one is."""
    from sandbox.controllers.localstack_server import OwnedServer
    from sandbox.errors import SandboxError

    if isinstance(sandbox_localstack, OwnedServer):
        yield sandbox_localstack
        return
    for left in (1, 0):
        made = OwnedServer(request.config.getoption("--sandbox-images"), request.config.getoption("--sandbox-speed"))
        try:
            _ = made.connection  # waits until it is ready
        except SandboxError:
            made.close()
            if not left:
                raise
        else:
            break
    yield made
    made.close()


@pytest.fixture
def image(containers, request) -> Callable[[str], str]:
    """The reference of a component: ``image("toolbox")``."""
    from sandbox.engine.images import Images

    return Images(containers.client, request.config.getoption("--sandbox-images"), lambda text: None).ensure
