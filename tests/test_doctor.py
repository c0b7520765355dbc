from __future__ import annotations

import contextlib
import subprocess

import pytest

from sandbox import doctor
from sandbox.controllers import browser
from sandbox.engine import daemon, sweep
from sandbox.engine.catalogue import CATALOGUE, Component
from sandbox.engine.images import Images
from sandbox.engine.run import LABEL_OWNER, LABEL_PROJECT, LABEL_RUN, PROJECT, owner_of_this_process


def by_name():
    return {check.name: check for check in doctor.check()}


def test_without_an_engine_the_rest_is_still_looked_at(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    checks = by_name()
    assert checks["python"].ok
    assert not checks["engine"].ok
    assert "no Docker engine answers" in checks["engine"].detail
    assert "DOCKER_HOST" in checks["engine"].fix
    assert not [name for name in checks if name.startswith("image")]


def test_the_browser_is_named_or_the_command_that_installs_it(monkeypatch):
    assert by_name()["browser"].detail.startswith(f"Playwright {browser.playwright_version()}")
    monkeypatch.setattr(browser, "playwright_version", lambda: "")
    check = by_name()["browser"]
    assert (check.ok, check.fix) == (False, browser.install_playwright())
    assert check.fix.startswith("python -m pip install playwright==")


@pytest.mark.docker
def test_what_is_there_is_named_with_its_version():
    checks = by_name()
    assert checks["engine"].ok
    with contextlib.closing(daemon.connect()) as client:
        assert client.version()["Version"] in checks["engine"].detail
    assert "GB free" in checks["disk"].detail or "not on this machine" in checks["disk"].detail
    assert {f"image {name}" for name in CATALOGUE} <= set(checks)


@pytest.mark.docker
def test_each_check_that_fails_names_what_mends_it(monkeypatch):
    monkeypatch.setitem(CATALOGUE, "absent", Component("absent", "localhost:1/absent:1", "no-such-folder", ""))
    checks = by_name()
    assert (checks["image absent"].ok, checks["image absent"].fix) == (False, "sandbox images build absent")
    assert all(check.fix for check in checks.values() if not check.ok)
    assert not any(check.fix for check in checks.values() if check.ok)


@pytest.mark.docker
def test_an_image_that_is_there_says_where_it_comes_from():
    with contextlib.closing(daemon.connect()) as client:
        reference = Images(client, "auto", lambda text: None).ensure("nginx")
    check = by_name()["image nginx"]
    assert check.ok
    assert reference in check.detail
    assert "official" in check.detail or "built" in check.detail


@pytest.mark.docker
def test_containers_of_a_dead_run_are_left_overs_and_those_of_a_living_one_are_not():
    client = daemon.connect()
    image = Images(client, "auto", lambda text: None).ensure("toolbox")
    ended = subprocess.Popen(["true"])
    ended.wait()
    mine = owner_of_this_process()
    boot, namespace, _, _ = mine.split(":")
    owners = {"dead": f"{boot}:{namespace}:{ended.pid}:1", "alive": mine}
    try:
        for _ in range(20):  # another test's sandbox may sweep the dead run away before anybody has looked
            names = {}
            for name, owner in owners.items():
                labels = {LABEL_PROJECT: PROJECT, LABEL_RUN: f"doctor-{name}-{ended.pid}", LABEL_OWNER: owner}
                names[name] = client.containers.create(image, ["true"], labels=labels).name
            check, seen = by_name()["left-overs"], sweep.left_overs(client)
            assert names["alive"] not in seen
            if names["dead"] in seen:
                break
            sweep.remove_run(client, f"doctor-alive-{ended.pid}")
        assert not check.ok
        assert check.fix == "sandbox down"
        assert names["dead"] in seen
    finally:
        for name in owners:
            sweep.remove_run(client, f"doctor-{name}-{ended.pid}")
        client.close()
