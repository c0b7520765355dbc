"""Several variants at a time, in processes of their own."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path

import pytest

from sandbox import scenario

SCENARIO = "eni-limit"  # four variants of some seconds each


def results(file: Path) -> dict[str, dict[str, object]]:
    return {one["variant"]: one for one in json.loads(file.read_text())["results"]}


def workers_of(pid: int) -> list[int]:
    """The processes that a command runs variants in."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    lines = {int(child): Path(f"/proc/{child}/cmdline").read_bytes() for child in children}
    return [child for child, line in lines.items() if b"spawn_main" in line]


@pytest.mark.docker
@pytest.mark.long(25)
def test_variants_run_side_by_side_and_nothing_is_left(cli):
    file, timelines = cli.folder.parent / f"{cli.folder.name}.json", cli.folder / "timelines"
    command = cli.start("run", SCENARIO, "--jobs", 2, "--json", file, "--timelines", timelines)
    command.wait_for("0 of 4: ")
    workers = workers_of(command.pid)
    assert command.end(120) == 0
    assert len(workers) == 2
    found = results(file)
    file.unlink()
    assert list(found) == [variant.name for variant in scenario.load_all()[SCENARIO].variants]
    assert [found[name]["outcome"] for name in ("awsvpc", "trunking", "second-instance", "bridge")] == [
        "reproduces",
        "holds",
        "reproduces",
        "holds",
    ]
    # Two begin before any has ended.
    assert len(set(re.findall(rf"0 of 4: {SCENARIO} / ([\w-]+): ", command.err))) == 2
    assert all((timelines / f"{SCENARIO}.{variant}.jsonl").read_text() for variant in found)
    for kept in timelines.iterdir():
        kept.unlink()
    timelines.rmdir()
    assert cli.left() + cli.in_engine(workers) == []


@pytest.mark.docker
@pytest.mark.parametrize("group", [False, True], ids=["to-the-process", "to-its-group"])
def test_an_interruption_ends_all_of_them_and_they_clean_up(cli, group):
    command = cli.start("run", SCENARIO, "--jobs", 2)
    command.wait_for_count("waiting for", 2)
    workers = workers_of(command.pid)
    command.interrupt(group=group)
    assert command.end() == 130
    assert "Traceback" not in command.err
    assert cli.left() + cli.in_engine(workers) == []


@pytest.mark.docker
def test_the_end_of_the_command_ends_them(cli):
    command = cli.start("run", SCENARIO, "--jobs", 2)
    command.wait_for_count("waiting for", 2)
    workers = workers_of(command.pid)
    command.kill()
    assert cli.processes(within=30) == []
    assert cli.in_engine(workers) == []


@pytest.mark.docker
@pytest.mark.long(20)
def test_a_worker_that_is_killed_loses_its_variant_alone(cli):
    command = cli.start("run", SCENARIO, "--jobs", 2, "--json", "-")
    command.wait_for_count("waiting for", 2)
    workers = workers_of(command.pid)
    os.kill(workers[0], signal.SIGKILL)
    assert command.end(120) == 2
    outcomes = {one["variant"]: (one["outcome"], one["error"]) for one in json.loads(command.out)["results"]}
    assert len(outcomes) == 4
    (lost,) = [error for outcome, error in outcomes.values() if outcome == "not run"]
    assert "its process has ended" in lost
    assert "exit code -9" in lost
    cli.run("down")
    assert cli.in_engine(workers) == []


def test_without_an_engine_each_is_not_run(cli):
    code, out, _ = cli.run("run", SCENARIO, "--jobs", 3, "--json", "-", DOCKER_HOST="unix:///nonexistent/docker.sock")
    assert code == 2
    found = json.loads(out)["results"]
    assert [one["outcome"] for one in found] == ["not run"] * 4
    assert all("no Docker engine answers" in one["error"] for one in found)
