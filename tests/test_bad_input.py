"""Whatever goes wrong outside a scenario's verdict: a message that names it, exit code 2 (130 when interrupted), in
bounded time, with nothing left behind and nothing lost that was already known.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from sandbox.aws.clients import Clients
from tests.registries import Silent

pytestmark = pytest.mark.docker

WAITING = "waiting for http://small.example.org/"
PUBLIC = "          assignPublicIp: ENABLED\n"


def refused(cli, *arguments, within=60):
    """The error of a command that must exit 2 and leave nothing."""
    code, _, err = cli.run(*arguments, within=within)
    assert code == 2, err
    assert "\nTraceback" not in err
    assert cli.left() == []
    return err


# -- places --


def test_a_task_that_no_instance_takes_is_told_in_ecs_words(cli, small_stack):
    stack = small_stack(within=3)
    file = stack.folder / "stack.yaml"
    file.write_text(file.read_text().replace("launchType: FARGATE", "launchType: EC2").replace(PUBLIC, ""))
    stack.taskdef(requiresCompatibilities=["EC2"])
    err = refused(cli, "up", stack)
    assert "http://small.example.org/ did not answer 200 within 3 s" in err
    assert "(service small) was unable to place a task because no container instance met all of its requirements" in err


# -- ports --


@pytest.mark.parametrize("option", ["--endpoint-port", "--dns-port", "--port"])
def test_a_port_in_use_is_named(cli, small_stack, option):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        err = refused(cli, "up", small_stack(), option, port)
    assert str(port) in err
    assert "in use" in err
    assert "next:" in err


# -- images --


def test_an_unknown_image_is_named_with_the_registrys_words(cli, small_stack):
    stack = small_stack().taskdef(container={"image": "no-such-image:1.0"})
    err = refused(cli, "up", stack)
    assert "stack 'small': container 'nginx' ended before the stack was ready" in err
    assert "CannotPullContainerError: image 'no-such-image:1.0' is not on this machine and cannot be pulled" in err
    assert "next: docker build -t no-such-image:1.0 FOLDER" in err


def test_a_failing_image_build_shows_its_step_and_its_last_lines(installed):
    broken = installed.installation.share / "compose" / "images" / "nginx" / "Dockerfile"
    before = broken.read_text()
    broken.write_text("ARG BASE\nFROM ${BASE}\nRUN echo the disk is full of eels; exit 3\n")
    try:
        err = refused(installed, "up", "small")
    finally:
        broken.write_text(before)
    assert "error: image 'nginx' could not be built" in err
    assert "last state: Step 3/3 : RUN echo the disk is full of eels; exit 3" in err
    assert "returned a non-zero code: 3" in err
    assert "    the disk is full of eels" in err
    assert "nginx/Dockerfile" in err


# -- containers --


def test_a_container_that_exits_at_once_is_shown_with_its_last_log_lines(cli, small_stack):
    script = "echo first line; echo cannot find my configuration >&2; exit 3"
    err = refused(cli, "up", small_stack().taskdef(container={"entryPoint": ["sh", "-c"], "command": [script]}))
    assert "stack 'small': container 'nginx' ended before the stack was ready" in err
    assert "last state: exited with code 3; task stopped: Essential container in task exited" in err
    assert "    cannot find my configuration" in err


def test_a_container_whose_program_is_missing_is_the_engines_own_words(cli, small_stack):
    err = refused(cli, "up", small_stack().taskdef(container={"entryPoint": ["/no/such/program"]}))
    assert "container 'nginx' ended before the stack was ready" in err
    assert "/no/such/program" in err


def test_a_container_that_never_becomes_ready_is_shown_with_its_last_log_lines(cli, small_stack):
    err = refused(cli, "up", small_stack(within=2).conf("proxy_pass http://localhost:2368;"))
    assert "stack 'small': http://small.example.org/ did not answer 200 within 2 s" in err
    assert "last state: http://small.example.org/: HTTP 502 from " in err
    assert "[nginx]" in err
    assert "while connecting to upstream" in err


# -- functions --


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def handler(event, context): raise ValueError('no such field')", "ValueError: no such field"),
        ("import not_there", "Runtime.ImportModuleError: Unable to import module 'by_name'"),
        ("def other(event, context): pass", "Runtime.HandlerNotFound"),
        ("import os; os._exit(4)", "Runtime.ExitError"),
    ],
    ids=["raises", "cannot be imported", "has no handler", "exits"],
)
def test_a_function_that_fails_is_named_when_the_stack_does_not_get_ready(broken_function, source, message):
    error = broken_function(source)
    assert "did not answer 200 within 2 s" in error.message
    assert "the name does not resolve" in error.state
    assert f"function 'writes-dns' failed: {message}" in error.state
    assert any(line.startswith("[function writes-dns]") for line in error.log)


def test_a_function_that_loops_is_named_when_the_stack_does_not_get_ready(cli, small_stack):
    stack = small_stack(within=2).handler("def handler(event, context):\n    while True: pass\n")
    err = refused(cli, "up", stack)
    assert "function 'writes-dns' was invoked" in err
    assert "and has not ended" in err


def test_a_missing_handler_module_is_named(broken_function):
    error = broken_function("", handler="nowhere")
    assert "function 'writes-dns' failed: Runtime.ImportModuleError: Unable to import module 'nowhere'" in error.state


@pytest.fixture(scope="module")
def shared(request):
    from sandbox.controllers.sandbox import Sandbox

    sandboxes = []

    def get():
        if not sandboxes:
            sandboxes.append(Sandbox(images=request.config.getoption("--sandbox-images")))
        return sandboxes[0]

    yield get
    for sandbox in sandboxes:
        sandbox.close()


@pytest.fixture
def broken_function(shared, small_stack):
    """The error of a stack whose function has a given source; the sandbox is shared, the stack's parts are removed."""
    from sandbox.errors import SandboxError

    def error_of(source, **parameters):
        sandbox = shared()
        with pytest.raises(SandboxError) as caught:
            sandbox.stack(str(small_stack(within=2).handler(source)), parameters)
        ecs, events, route53 = (sandbox.aws(name) for name in ("ecs", "events", "route53"))
        ecs.delete_service(cluster="small", service="small", force=True)
        ecs.get_waiter("services_inactive").wait(
            cluster="small", services=["small"], WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )
        events.remove_targets(Rule="running", Ids=["dns"])
        sandbox.aws("lambda").delete_function(FunctionName="writes-dns")
        for zone in route53.list_hosted_zones()["HostedZones"]:
            route53.delete_hosted_zone(Id=zone["Id"])
        return caught.value

    return error_of


# -- the engine goes away --


class Proxy:
    """Stands before the engine's socket, so that the engine can go away for one client alone."""

    def __init__(self, path: Path, target: str) -> None:
        self._target = target
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        self._ends: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                engine = socket.socket(socket.AF_UNIX)
                engine.connect(self._target)
                self._ends += [client, engine]
                for source, sink in ((client, engine), (engine, client)):
                    threading.Thread(target=self._carry, args=(source, sink), daemon=True).start()

    @staticmethod
    def _carry(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def die(self) -> None:
        """Refuse and cut everything at once."""
        for end in (self._listener, *self._ends):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@pytest.fixture
def engine():
    """A way to the engine that can be cut; its socket is put where ``at`` says."""
    target = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if urlsplit(target).scheme != "unix":
        pytest.fail("not run: the engine is not behind a Unix socket")
    made: list[Proxy] = []

    def at(path: Path) -> Proxy:
        made.append(Proxy(path, urlsplit(target).path))
        return made[-1]

    yield at
    for proxy in made:
        proxy.die()


def test_an_engine_that_dies_while_a_stack_is_up_ends_it(cli, small_stack, engine, tmp_path_factory):
    proxy = engine(cli.folder / "engine.sock")
    up = cli.start("up", small_stack(), DOCKER_HOST=f"unix://{cli.folder}/engine.sock")
    up.wait_for("is up")
    proxy.die()
    assert up.end(within=20) == 2
    assert "error: the Docker engine went away in mid-run" in up.err
    assert "sandbox down` removes what this run left" in up.err
    assert "Traceback" not in up.err
    (cli.folder / "engine.sock").unlink()
    assert cli.in_engine()  # it could not remove them
    assert cli.run("down")[0] == 0
    assert cli.left() == []


def test_an_engine_that_dies_in_a_run_loses_nothing_that_was_known(installed, engine):
    proxy = engine(installed.folder / "engine.sock")
    run = installed.start("run", "good", "--json", "results.json", DOCKER_HOST=f"unix://{installed.folder}/engine.sock")
    run.wait_for("good / missing: reproduces")
    run.wait_for(f"good / there: {WAITING}")
    proxy.die()
    assert run.end(within=30) == 2
    assert "Traceback" not in run.err
    results = json.loads((installed.folder / "results.json").read_text())
    assert results["exit_code"] == 2
    assert [result["outcome"] for result in results["results"]] == ["reproduces", "not run"]
    assert "the Docker engine went away in mid-run" in results["results"][1]["error"]
    assert installed.run("down")[0] == 0
    assert installed.in_engine() == []


# -- Ctrl-C --


@pytest.mark.parametrize(
    ("moment", "group"),
    [("", False), ("", True), (WAITING, True), ("is up", False)],
    ids=["at start", "at start, group", "while waiting, group", "when it is up"],
)
def test_ctrl_c_takes_a_stack_down(cli, small_stack, until, moment, group):
    up = cli.start("up", small_stack(), "--timeline", "timeline.jsonl")
    if moment:
        up.wait_for(moment)
    else:
        until(lambda: bool(list(cli.folder.glob("acs-*/*/owner"))))  # its run has begun; networks are being made
    up.interrupt(group=group)
    assert up.end(within=20) == 130
    assert up.err.rstrip().endswith("interrupted")
    assert "Traceback" not in up.err
    (cli.folder / "timeline.jsonl").unlink(missing_ok=True)  # there is none yet at the start
    assert cli.left() == []


def test_ctrl_c_during_the_clean_up_does_not_cut_it_short(cli, small_stack):
    up = cli.start("up", small_stack())
    up.wait_for("is up")
    up.interrupt(group=True)
    up.wait_for("taking the stack down")
    up.interrupt(group=True)
    up.interrupt()
    assert up.end(within=20) == 130
    assert "Traceback" not in up.err
    assert cli.left() == []


def test_ctrl_c_twice_at_once_while_starting(cli, small_stack, until):
    up = cli.start("up", small_stack())
    until(lambda: bool(list(cli.folder.glob("acs-*/*/sockets"))))
    up.interrupt(group=True)
    up.interrupt()
    assert up.end(within=20) == 130, up.err
    assert "Traceback" not in up.err
    assert cli.left() == []


@pytest.mark.parametrize("output", ["a pipe", "a full disk"])
def test_a_stack_whose_output_cannot_be_written_any_more_goes_on(cli, small_stack, until, output):
    """Observations are printed by the threads that ECS works with."""
    stack = small_stack()
    script = "import os; from sandbox import cli, uphold; from sandbox.report import terminal\n"
    if output == "a full disk":  # from then on
        script += "show = uphold._show; full = lambda: os.dup2(os.open('/dev/full', os.O_WRONLY), 1)\n"
        script += "uphold._show = lambda *what: (show(*what), terminal.out.file.flush(), full())\n"
    command = [sys.executable, "-c", f"{script}cli.main()", "up", str(stack), "--timeline", "seen.jsonl"]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    up = subprocess.Popen(command, cwd=cli.folder, env=cli.environment, **streams)
    try:
        endpoint = next(line.partition("=")[2].strip() for line in up.stdout if "AWS_ENDPOINT_URL=" in line)
        assert any("takes it down" in line for line in up.stdout)
        up.stdout.close()
        with contextlib.closing(Clients(endpoint)) as aws:
            (task,) = aws("ecs").list_tasks(cluster="small")["taskArns"]
            aws("ecs").stop_task(cluster="small", task=task)
        seen = cli.folder / "seen.jsonl"
        until(lambda: f'"task": "{task}", "container": "nginx", "exit_code"' in seen.read_text(), within=30)
        up.send_signal(signal.SIGINT)
        assert up.wait(30) == 130
        assert ("No space left on device" in up.stderr.read()) is (output == "a full disk")
    finally:
        up.kill()
        up.wait()
        up.stderr.close()
    seen.unlink()


def test_ctrl_c_waits_for_no_registry_that_says_nothing(cli, small_stack):
    with Silent() as registry:
        up = cli.start("up", small_stack().taskdef(container={"image": registry.image}))
        assert registry.asked.wait(30)
        up.interrupt()
        assert up.end(within=20) == 130
    assert up.err.rstrip().endswith("interrupted")
    assert cli.left() == []


def test_ctrl_c_in_a_run_keeps_the_results_so_far(installed):
    run = installed.start("run", "good", "--json", "results.json", "--junit", "junit.xml")
    run.wait_for("good / missing: reproduces")
    run.interrupt(group=True)
    assert run.end(within=20) == 130
    assert "1 of 1 variants did what they declare" in run.out
    assert run.err.rstrip().endswith("interrupted")
    results = json.loads((installed.folder / "results.json").read_text())
    assert results["exit_code"] == 130
    assert [result["variant"] for result in results["results"]] == ["missing"]
    (installed.folder / "results.json").unlink()
    (installed.folder / "junit.xml").unlink()
    assert installed.left() == []


# -- SIGKILL, and runs side by side --


def test_two_stacks_side_by_side_and_what_a_killed_one_leaves(cli, small_stack):
    first, second = (cli.start("up", small_stack(name)) for name in ("first", "second"))
    for up in (first, second):
        up.wait_for("is up")
    assert len({line.split("-")[1] for line in cli.in_engine()}) == 2
    assert "http://127.0.0.1:" in first.out
    assert "http://127.0.0.1:" in second.out
    first.kill()
    assert len({line.split("-")[1] for line in cli.in_engine()}) == 2

    third = cli.start("up", small_stack("third"))  # the next run removes what the killed one left, and only that
    third.wait_for("is up")
    runs = {line.split("-")[1] for line in cli.in_engine()}
    assert len(runs) == 2
    assert len(list(cli.folder.glob("acs-*/*/owner"))) == 2

    third.kill()
    second.wait_for("is up")
    assert cli.run("down")[0] == 0  # takes the second down, and removes the third
    assert second.end(within=1) == 130
    assert cli.left() == []


def test_a_killed_run_has_written_the_results_that_it_has_told_of(installed):
    run = installed.start("run", "good", "--json", "results.json", "--junit", "junit.xml", "--report", "report")
    run.wait_for("good / missing: reproduces")
    run.wait_for(f"good / there: {WAITING}")
    run.kill()
    results = json.loads((installed.folder / "results.json").read_text())
    assert results["exit_code"] is None
    assert [result["variant"] for result in results["results"]] == ["missing"]
    assert 'name="missing"' in (installed.folder / "junit.xml").read_text()
    assert not (installed.folder / "report" / "index.html").exists()  # it is made at the end, and was not begun
    for name in ("missing", "there"):
        for line in (installed.folder / f"report/timelines/good.{name}.jsonl").read_text().splitlines():
            json.loads(line)
    assert installed.run("down")[0] == 0
    assert installed.in_engine() == []
    assert not list(installed.folder.glob("acs-*/*"))
