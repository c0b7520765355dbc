"""Which engines there are, and which cannot be."""

from __future__ import annotations

import pytest

from sandbox.engine import hosts
from sandbox.errors import SandboxError


def listed(several="", one=""):
    return hosts.listed({"SANDBOX_DOCKER_HOSTS": several, "DOCKER_HOST": one})


def test_without_a_variable_there_is_the_local_engine():
    assert hosts.listed({}) == listed() == (hosts.DEFAULT,)


def test_docker_host_names_one_and_the_list_goes_before_it():
    assert listed(one="unix:///a.sock") == ("unix:///a.sock",)
    assert listed(" unix:///a.sock, tcp://127.0.0.1:2375,unix:///a.sock,", "unix:///c.sock") == (
        "unix:///a.sock",
        "tcp://127.0.0.1:2375",
    )


@pytest.mark.parametrize("host", ["tcp://localhost:2375", "tcp://[::1]:2376", "https://127.1.2.3:2376"])
def test_an_engine_on_a_loopback_address_is_on_this_machine(host):
    assert listed(host) == (host,)


@pytest.mark.parametrize("host", ["tcp://192.0.2.1:2375", "tcp://no-such-name.invalid:2375", "ssh://user@127.0.0.1"])
@pytest.mark.parametrize("variable", ["SANDBOX_DOCKER_HOSTS", "DOCKER_HOST"])
def test_an_engine_on_another_machine_is_refused_by_name(host, variable):
    with pytest.raises(SandboxError) as caught:
        hosts.listed({variable: host})
    assert caught.value.message == f"{variable}: the engine {host} is on another machine"
    assert "docs/engines.md" in caught.value.hint


@pytest.mark.parametrize("host", ["unix://relative.sock", "engine", "tcp://", "fd://", "npipe:////./pipe/docker"])
def test_what_is_no_engine_is_refused(host):
    with pytest.raises(SandboxError, match="is no Docker engine"):
        listed(f"unix:///a.sock,{host}")


def test_a_process_is_placed_on_one_of_several(monkeypatch):
    monkeypatch.setattr(hosts, "_placed", [])
    monkeypatch.setenv("DOCKER_HOST", "")
    monkeypatch.setenv("SANDBOX_DOCKER_HOSTS", "unix:///a.sock,unix:///b.sock")
    assert (hosts.placed(), hosts.here()) == (None, "unix:///a.sock")
    hosts.place("unix:///b.sock")
    assert (hosts.placed(), hosts.here()) == ("unix:///b.sock", "unix:///b.sock")
    assert hosts.socket_path() == "/b.sock"
    monkeypatch.setenv("SANDBOX_DOCKER_HOSTS", "")
    assert (hosts.placed(), hosts.here()) == (None, "unix:///b.sock")  # DOCKER_HOST: for what this process starts
