"""``sandbox simulate rolling-deploy``: what it prints and writes, and what it refuses."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

COMMAND = ("simulate", "rolling-deploy")
SMALL = (
    *COMMAND,
    "--tasks",
    "4",
    "--rps",
    "900",
    "--max",
    "125",
    "--health-interval",
    "5",
    "--deregistration-delay",
    "9",
)
NO_ENGINE = {"DOCKER_HOST": "unix:///nonexistent/docker.sock"}


def test_a_table_and_the_course_of_it(cli):
    code, out, err = cli.run(*SMALL, **NO_ENGINE)
    assert (code, err) == (0, "")
    assert "rolling deploy of 4 tasks, 900 requests/s, seed 0" in out
    assert re.search(r"deployment +│ completed after 2\d\d s; 4 tasks started", out)
    assert re.search(r"broken +│ [\d,]+ \(1\d\.\d\d%\); 4\d\.\d% of those while both builds", out)
    assert re.search(r"old targets █+[▁-█]+ +4\n +new targets +[▁-█]+█+ 4\nbroken loads ", out)
    assert "edge locations" not in out
    assert cli.run(*SMALL)[1] == out, "the seed decides everything"


def test_limits_without_room_are_said_to_be_so(cli):
    code, out, _ = cli.run(*COMMAND, "--tasks", "4", "--rps", "9", "--max", "100")
    assert code == 0
    told = re.sub(r"[\s│]+", " ", out)
    assert "stuck: 4 of 4 tasks must stay healthy and 4 may be there" in told
    assert "raise --max, or lower --min-healthy" in told
    assert "both builds answer never" in told


def test_health_checks_that_do_not_wait(cli):
    code, out, _ = cli.run(*SMALL, "--boot", "90", "--grace", "0", "--duration", "900")
    assert code == 0
    assert "not complete after 900 s" in out
    assert "given up as unhealthy" in out
    _, out, _ = cli.run(*SMALL, "--boot", "90", "--grace", "0", "--duration", "900", "--circuit-breaker")
    assert "rolled back by the circuit breaker" in out


def test_all_that_can_be_said(cli):
    options = [
        "--cdn",
        "assets",
        "--edges",
        "3",
        "--error-ttl",
        "60",
        "--sticky",
        "--spa-fallback",
        "--rollback-at",
        "200",
    ]
    code, out, _ = cli.run(*SMALL, *options, "--min-healthy", "50", "--changed", "3", "--baked", "--tab-open", "0")
    assert code == 0
    assert "edge locations" in out
    assert "open tabs" not in out
    assert re.search(r"broken +│ 0 \(0\.00%\)", cli.run(*SMALL, "--s3")[1])


def test_json(cli):
    code, out, err = cli.run(*SMALL, "--json", "-", "--duration", "30")
    assert (code, err) == (0, "")
    content = json.loads(out)
    assert content["version"] == 1
    assert content["fleet"]["tasks"] == 4
    assert len(content["seconds"]) == 30


def test_the_plot_is_a_picture_of_its_own(cli):
    code, _, _ = cli.run(*SMALL, "--plot", "deploy.svg", "--json", "deploy.json")
    assert code == 0
    text = (cli.folder / "deploy.svg").read_text()
    (cli.folder / "deploy.svg").unlink()
    (cli.folder / "deploy.json").unlink()
    root = ET.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "broken page loads, predicted" in text
    assert text.count("http") == 1, "nothing is fetched"
    assert len(text) < 50_000


USAGE = [
    ([], "Missing option '--tasks'"),
    (["--tasks", "4"], "Missing option '--rps'"),
    (["--tasks", "0", "--rps", "9"], "--tasks: 0 is not from 1 to 5000"),
    (["--tasks", "four", "--rps", "9"], "Invalid value for '--tasks'"),
    (["--tasks", "4", "--rps", "0"], "--rps: 0 is not above 0"),
    (["--tasks", "4", "--rps", "nan"], "--rps: nan is not from"),
    (["--tasks", "4", "--rps", "9", "--min-healthy", "-1"], "--min-healthy: -1 is not from 0"),
    (["--tasks", "4", "--rps", "9", "--health-interval", "1"], "--health-interval: 1 is not from 5 to 300"),
    (["--tasks", "4", "--rps", "9", "--changed", "9"], "--changed: 9 of 8 assets cannot differ"),
    (["--tasks", "4", "--rps", "9", "--algorithm", "dice"], "--algorithm: dice is not one of round_robin, "),
    (["--tasks", "4", "--rps", "9", "--cdn", "all"], "--cdn all: there is no such kind\n  next: none or assets"),
    (["--tasks", "4", "--rps", "9", "--baked", "--s3"], "--baked and --s3: files are in one place"),
    (["--tasks", "4", "--rps", "9", "--rollback-at", "900"], "--rollback-at: 900 is not within the duration of 600 s"),
    (["--tasks", "4", "--rps", "9", "--plot", "a.png"], "--plot a.png: it draws SVG alone\n  next: --plot a.svg"),
    (["--tasks", "4", "--rps", "9", "--plot", "/nonexistent/a.svg"], "there is no folder /nonexistent"),
]


@pytest.mark.parametrize(("arguments", "message"), USAGE, ids=[" ".join(arguments) for arguments, _ in USAGE])
def test_wrong_usage_is_named_and_exits_2(cli, arguments, message):
    code, out, err = cli.run(*COMMAND, *arguments)
    assert message.lower() in err.lower()
    assert (code, out) == (2, "")
    assert "Traceback" not in err
    assert cli.files() == []


@pytest.mark.parametrize("arguments", [["--help"], [*COMMAND, "--help"]])
def test_help_loads_no_model(arguments):
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "sandbox.cli", *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "typer.rich_utils" in done.stderr  # help was made
    assert "sandbox.model" not in done.stderr
