"""The command line: its formats and exit codes, with and without an engine."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from sandbox import scenario, uphold
from sandbox.controllers import up as states

NO_ENGINE = {"DOCKER_HOST": "unix:///nonexistent/docker.sock"}

USAGE = [
    (["nonsense"], "No such command 'nonsense'"),
    (["list", "--nope"], "No such option: --nope"),
    (["run", "nope"], "there is no scenario 'nope'\n  next: scenarios: alb-drain"),
    (["run", "dns-lambda", "--variant", "nope"], "scenario 'dns-lambda' has no variant 'nope'\n  next: variants: by-"),
    (["run", "--images", "nope"], "--images nope: there is no such mode\n  next: auto, official or build"),
    (["run", "--speed", "0"], "Invalid value for '--speed'"),
    (["run", "--speed", "fast"], "Invalid value for '--speed'"),
    (["run", "--speed", "nan"], "--speed nan: not a number"),
    (["run", "--speed", "inf"], "--speed inf: not a number to divide by"),
    (["run", "--json", "/nonexistent/results.json"], "there is no folder /nonexistent to write results.json to"),
    (["run", "--junit", "/nonexistent/junit.xml"], "there is no folder /nonexistent to write junit.xml to"),
    (["run", "--report", "/dev/null/report"], "there can be no report in /dev/null/report"),
    (["run", "--json", "/"], "/ cannot be written\n  last state: it is a folder"),
    (["run", "--timelines", "/dev/null/x"], "there can be no folder /dev/null/x"),
    (["up"], "Missing argument 'stack'"),
    (["up", "nope"], "there is no stack 'nope'"),
    (["up", "ghost", "--set", "handler"], "--set wants NAME=VALUE, not 'handler'"),
    (["up", "ghost", "--set", "=x"], "--set wants NAME=VALUE, not '=x'"),
    (["up", "ghost", "--port", "65536"], "Invalid value for '--port'"),
    (["up", "ghost", "--endpoint-port", "-1"], "Invalid value for '--endpoint-port'"),
    (["up", "ghost", "--dns-port", "http"], "Invalid value for '--dns-port'"),
    (["up", "ghost", "--timeline", "/nonexistent/t"], "there is no folder /nonexistent to write t to"),
    (["up", "ghost", "--images", "nope"], "--images nope: there is no such mode"),
    (["images", "build", "nope"], "there is no component 'nope'\n  next: components: base, "),
    (["images", "build", "--images", "nope"], "--images nope: there is no such mode"),
    (["deploy", "ghost"], "Missing option '--image'"),
    (["deploy", "ghost", "--image", "web"], "--image wants NAME=VALUE, not 'web'"),
    (["deploy", "ghost", "--image", "web=x"], "stack 'ghost' is not up"),
    (["env"], "no stack is up\n  next: bring one up in another terminal: sandbox up ghost"),
]


@pytest.mark.parametrize(("arguments", "message"), USAGE, ids=[" ".join(arguments) for arguments, _ in USAGE])
def test_wrong_usage_is_named_and_exits_2(cli, arguments, message):
    code, out, err = cli.run(*arguments, within=20)
    assert message.lower() in err.lower()
    assert (code, out) == (2, "")
    assert "Traceback" not in err
    assert cli.files() == []


def test_no_arguments_is_help(cli):
    code, out, err = cli.run()
    assert code == 2
    assert re.search(r"\bup +Bring a stack up", out + err)


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["list"]])
def test_starting_loads_nothing_that_is_slow(arguments):
    """So that --help is there in less than 0.3 s."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "sandbox.cli", *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in done.stderr.splitlines() if "|" in line}
    assert "typer" in loaded
    slow = {"docker", "boto3", "moto", "botocore"}
    assert not loaded & (slow - {"botocore"} if arguments == ["list"] else slow)


def test_list_as_json(cli):
    code, out, err = cli.run("list", "--json", **NO_ENGINE)
    assert (code, err) == (0, "")
    listed = json.loads(out)
    assert listed["version"] == 1
    (scenario,) = [item for item in listed["scenarios"] if item["name"] == "dns-lambda"]
    assert set(scenario) == {"name", "stack", "symptom", "cause", "fix", "variants"}
    assert scenario["stack"] == "ghost"
    assert {"name": "by-name", "expectation": "holds"}.items() <= scenario["variants"][-1].items()
    assert "ghost" in [stack["name"] for stack in listed["stacks"]]


def test_list_for_people(cli):
    code, out, _ = cli.run("list")
    assert code == 0
    assert all(word in out for word in ("dns-lambda", "by-position-elb-first", "reproduces", "ghost", "Route 53"))


def test_on_a_narrow_terminal_what_is_said_of_a_thing_stands_below_it(cli):
    narrow = {**NO_ENGINE, "COLUMNS": "40"}
    _, listed, _ = cli.run("list", **narrow)
    assert "  wrong-path reproduces" in listed
    assert "    the health check asks for /healthz, " in listed
    _, found, _ = cli.run("doctor", **narrow)
    assert re.search(r"^  ✓ python +\n    3\.", found, re.MULTILINE)
    _, ran, _ = cli.run("run", "dns-lambda", **narrow)
    assert "✗ dns-lambda / by-name: not run" in ran.rpartition("DOCKER_HOST")[2]


# -- its end --


def test_an_interruption_while_it_loads_shows_no_trace(tmp_path):
    (tmp_path / "typer.py").write_text("import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(60)\n")
    done = _run_in_python("from sandbox import start; start.main()", cwd=tmp_path, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


def test_an_interruption_before_there_is_a_command_is_one_too():
    script = "import signal; from sandbox import cli; cli.app = lambda: signal.raise_signal(signal.SIGINT); cli.main()"
    done = _run_in_python(script, capture_output=True)
    assert (done.returncode, done.stderr) == (130, "interrupted\n")


@pytest.mark.parametrize("arguments", [["list"], ["list", "--json"], ["--help"]])
def test_output_that_nobody_reads_ends_the_command(arguments):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = _run_in_python("from sandbox import cli; cli.main()", *arguments, stdout=writer, stderr=subprocess.PIPE)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_output_to_a_full_disk_is_an_error_without_a_trace():
    with Path("/dev/full").open("w") as full:
        done = _run_in_python("from sandbox import cli; cli.main()", "list", stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 2
    assert done.stderr.startswith("error: the disk is full\n  last state: [Errno 28] No space left on device\n  next: ")
    assert "Traceback" not in done.stderr


def _run_in_python(script, *arguments, **options):
    """A command in a Python of its own: forked ones have loaded everything."""
    return subprocess.run([sys.executable, "-c", script, *arguments], text=True, timeout=60, check=False, **options)


# -- without an engine --


def test_doctor_says_that_no_engine_answers_and_what_helps(cli):
    code, out, err = cli.run("doctor", **NO_ENGINE)
    assert code == 2
    assert "no Docker engine answers" in re.sub(r"\s+│.*?│\s+│?", " ", out) or "no Docker engine" in out
    assert "DOCKER_HOST names an engine that does not answer" in out
    assert not err


def test_doctor_as_json(cli):
    code, out, _ = cli.run("doctor", "--json", **NO_ENGINE)
    assert code == 2
    checks = {check["name"]: check for check in json.loads(out)}
    assert all(set(check) == {"name", "ok", "detail", "fix"} for check in checks.values())
    assert checks["python"]["ok"]
    assert not checks["engine"]["ok"]
    assert "DOCKER_HOST" in checks["engine"]["fix"]


@pytest.mark.parametrize(
    "arguments", [["up", "ghost"], ["down"], ["images", "list"], ["images", "build"]], ids=" ".join
)
def test_what_needs_an_engine_says_so(cli, arguments):
    code, _, err = cli.run(*arguments, **NO_ENGINE)
    assert code == 2
    assert "error: no Docker engine answers" in err
    assert "next: DOCKER_HOST names an engine that does not answer" in err
    assert "Traceback" not in err
    assert cli.files() == []


def test_without_an_engine_every_variant_is_reported_as_not_run(cli):
    code, out, err = cli.run("run", "--json", "results.json", "--junit", "junit.xml", **NO_ENGINE)
    assert code == 2
    count = sum(len(item.variants) for item in scenario.load_all().values())
    assert out.count("not run (") == count
    assert f"0 of {count} variants did what they declare" in out
    assert "Traceback" not in err
    results = json.loads((cli.folder / "results.json").read_text())
    assert (results["version"], results["exit_code"]) == (1, 2)
    assert [result["outcome"] for result in results["results"]] == ["not run"] * count
    assert all("no Docker engine answers" in result["error"] for result in results["results"])
    suites = ET.parse(cli.folder / "junit.xml").getroot()
    totals = [sum(int(suite.get(what)) for suite in suites) for what in ("tests", "errors", "failures")]
    assert totals == [count, count, 0]


# -- with one --


@pytest.mark.docker
def test_images_list_as_json(cli):
    code, out, _ = cli.run("images", "list", "--json")
    assert code == 0
    rows = {row["name"]: row for row in json.loads(out)}
    assert set(rows["nginx"]) == {"name", "official", "reference", "origin", "megabytes", "contract", "engine"}
    assert rows["toolbox"]["origin"] == "built"


@pytest.mark.docker
def test_run_writes_its_results_and_exits_0_when_all_did_as_declared(installed):
    code, out, err = installed.run("run", "good", "--json", "-", "--junit", "junit.xml", "--timelines", "lines")
    assert code == 0, err
    results = json.loads(out)
    assert (results["version"], results["exit_code"]) == (1, 0)
    missing, there = results["results"]
    assert there == {
        "scenario": "good",
        "variant": "there",
        "stack": "small",
        "expectation": "holds",
        "outcome": "holds",
        "as_declared": True,
        "evidence": ["http://small.example.org/: HTTP 200"],
        "seconds": there["seconds"],
        "error": "",
        "timeline": "lines/good.there.jsonl",
        "files": [],
        "install": "",
        "services": there["services"],
    }
    assert {"ecs", "events", "lambda", "route53"} <= set(there["services"])
    assert 0 < there["seconds"] < 60
    assert (missing["outcome"], missing["evidence"]) == ("reproduces", ["http://small.example.org/missing: HTTP 404"])
    lines = [json.loads(line) for line in (installed.folder / there["timeline"]).read_text().splitlines()]
    assert {"task.state", "event.published", "lambda.invocation", "dns.change", "http.response"} <= {
        line["kind"] for line in lines
    }
    assert all(line["at"] > 0 for line in lines)
    assert ET.parse(installed.folder / "junit.xml").getroot()[0].get("tests") == "2"
    assert installed.in_engine() == []


@pytest.mark.docker
def test_run_writes_a_report_of_what_it_ran(installed):
    code, _, err = installed.run("run", "raises", "wrong", "--variant", "there", "--report", "shown")
    assert code == 1
    assert "report: shown/index.html" in err
    page = (installed.folder / "shown/index.html").read_text()
    assert "0 of 2 did what they declare" in page
    assert "Tasks, service small" not in page
    assert "raises / there failed: KeyError" in page
    assert re.search(r"Tasks, \S+ \w{8}: .*RUNNING", page)
    assert "viewer of small.example.org" in page
    assert (installed.folder / "shown/timelines/wrong.there.jsonl").is_file()


@pytest.mark.docker
def test_run_exits_1_when_a_variant_did_something_else_and_goes_on_after_one_that_raised(installed):
    code, out, err = installed.run("run", "raises", "wrong", "--variant", "there", "--junit", "junit.xml")
    assert code == 1
    assert "✗ raises / there: not run" in out
    assert "raises / there failed: KeyError" in out
    assert "last state: 'no such thing'" in out
    assert "raises.py" in out
    assert "✗ wrong / there: holds" in out
    assert "http://small.example.org/: HTTP 200" in out
    assert "0 of 2 variants did what they declare" in out
    assert "Traceback" not in err
    root = ET.parse(installed.folder / "junit.xml").getroot()
    assert [(suite.get("errors"), suite.get("failures")) for suite in root] == [("1", "0"), ("0", "1")]
    assert root[1][0][0].get("message") == "declared: reproduces; it holds"
    (installed.folder / "junit.xml").unlink()
    assert installed.left() == []


@pytest.mark.docker
def test_the_printed_environment_leads_clients_to_the_sandbox_and_nowhere_else(cli, small_stack):
    hostile = {
        "AWS_PROFILE": "production",
        "AWS_SESSION_TOKEN": "real",
        "AWS_ENDPOINT_URL_ROUTE53": "http://127.0.0.1:1",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
        "HTTP_PROXY": "http://127.0.0.1:1",
    }
    up = cli.start("up", small_stack(), **hostile)
    up.wait_for("is up")
    names = "import boto3; print([z['Name'] for z in boto3.client('route53').list_hosted_zones()['HostedZones']])"
    script = f'eval "$({sys.executable} -m sandbox.cli env)" && {sys.executable} -c "{names}"'
    done = subprocess.run(
        ["sh", "-c", script], capture_output=True, text=True, env={**cli.environment, **hostile}, check=False
    )
    assert done.stdout.strip() == "['example.org.']", done.stderr
    endpoint = re.search(r"AWS_ENDPOINT_URL=(\S+)", cli.run("env")[1])
    code, override, _ = cli.run("env", "--terraform")
    assert code == 0
    assert endpoint is not None
    assert re.search(rf'servicediscovery += "{endpoint[1]}"', override), override
    code, out, _ = cli.run("down")
    assert (code, "taking down small" in out) == (0, True)
    assert up.end(within=1) == 130  # `down` has waited for it
    assert cli.left() == []


@pytest.mark.docker
def test_a_stack_that_does_not_go_down_keeps_no_other_one_up(monkeypatch, capsys):
    monkeypatch.setattr(states, "_END_WITHIN", 0.5)
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('', flush=True); time.sleep(600)"
    with (
        subprocess.Popen([sys.executable, "-c", deaf], stdout=subprocess.PIPE) as stuck,
        subprocess.Popen(["sleep", "600"]) as other,
    ):
        try:
            stuck.stdout.readline()
            found = [states.UpState(name, one.pid, {}, [], "", "", {}) for name, one in (("a", stuck), ("b", other))]
            monkeypatch.setattr(states, "living", lambda: found)
            assert uphold.down(everything=False) == 2
            assert other.wait(10) == -signal.SIGTERM
        finally:
            stuck.kill()
            other.kill()
    assert "error: a (process" in capsys.readouterr().err


def test_shell_lines_are_safe_to_eval():
    from sandbox.controllers.up import exports

    lines = exports({"AWS_REGION": "x'; rm -rf /"}, {"AWS_PROFILE": "p", "PATH": os.defpath})
    assert lines == ["unset AWS_PROFILE", """export AWS_REGION='x'"'"'; rm -rf /'"""]
