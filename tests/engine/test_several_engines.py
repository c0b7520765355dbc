"""Several engines on one machine: two dockerds of this test's own, on a machine apart, so that none is disturbed."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import pytest

from sandbox.engine.run import PROJECT
from tests import apart

pytestmark = [
    pytest.mark.docker,
    pytest.mark.long(40),
    pytest.mark.skipif(not apart.IS_POSSIBLE, reason="only root can have a machine apart with dockerds on it"),
]


@pytest.fixture(scope="module")
def seen(request):
    folder = Path(tempfile.mkdtemp(prefix="acs-2-"))  # with a short name, for the engines' sockets
    try:
        images = request.config.getoption("--sandbox-images")
        with (folder / "seen.json").open("w") as out:
            code = apart.run("tests.engine.several_engines", folder, images, folder=folder, stdout=out)
        assert code == 0, f"it exited with {code}"
        yield json.loads((folder / "seen.json").read_text())
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    assert not apart.control_groups(f"{folder.name}*")


def test_two_engines_share_runs_images_and_addresses(seen):
    first, second = seen["hosts"]
    # Two runs that begin at once: each engine has one.
    assert sorted(owner for owners in seen["owners"] for owner in owners) == seen["pids"]
    assert [len(owners) for owners in seen["owners"]] == [1, 1]
    assert len(seen["subnets"]) == 4
    assert not seen["overlap"]
    assert seen["answers"] == ["small", "small"]  # on 127.0.0.1, whichever engine has the containers
    # What the second engine lacked has come from the first one.
    assert [line.partition(" from engine ")[2] for line in seen["copied"]] == [first, first]
    assert seen["built"] == []
    assert seen["images"][0] == seen["images"][1]
    assert sum(PROJECT in name for name in seen["images"][0]) == 2
    # The next run removes what dead ones have left, of every engine.
    assert sorted(seen["after the next run"]) == [[], [seen["third"]]]
    # A worker is a process: each has an engine.
    said = seen["workers"]["said"]
    assert sorted(seen["workers"]["engines"].values()) == sorted([first, second]), said
    assert f"sandbox: engine {second}\n" in said
    assert f"sandbox: engine {seen['dead']} does not answer: " in said


def test_a_process_whose_engine_has_died_goes_on_with_the_other(seen):
    assert sorted(seen["moved"]["engines"]) == sorted(seen["hosts"])
    assert seen["moved"]["left"] == [[], []]  # once the engine is back, and somebody has looked


def test_an_engine_gets_what_it_lacks_and_what_the_first_one_has_anew(seen):
    got, first = seen["got"], seen["hosts"][0]
    code, _, err = got["built"]
    assert code == 0
    assert f"from engine {first}" in err
    assert "building image" not in err
    assert got["nginx"][0] == got["nginx"][1]
    assert got["said"] == [f"copying image shop:1 from engine {first}"]
    assert got["shop"][0] == got["shop"][1] == got["nginx"][0]


def test_doctor_looks_at_every_engine_and_names_the_dead_one(seen):
    checks = {check["name"]: check for check in seen["doctor"]}
    for host in seen["hosts"]:
        assert checks[f"engine of {host}"]["ok"]
        assert checks[f"image nginx of {host}"]["ok"]
        assert checks[f"left-overs of {host}"]["ok"]
    code, out, _ = seen["doctor with a dead one"]
    assert code == 2
    assert f"engine of {seen['dead']}: start it, or take it out of SANDBOX_DOCKER_HOSTS" in out
    assert f"engine of {seen['hosts'][1]}" in out


def test_down_goes_on_with_the_rest_and_says_which_engine_is_dead(seen):
    code, out, err = seen["down"]
    assert "taking down small" in out
    assert f"engine {seen['dead']} does not answer: " in err
    assert code == 2
    assert seen["left"] == [[], []]
