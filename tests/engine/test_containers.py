from __future__ import annotations

import gc
import os
import queue
import socket
import tempfile
import threading
import warnings
from pathlib import Path

import docker.types
import pytest

from sandbox.engine import commands, daemon, hosts, sweep
from sandbox.engine.containers import Containers, Exit, Spec
from sandbox.engine.run import Run
from sandbox.errors import SandboxError
from tests.test_bad_input import Proxy

pytestmark = pytest.mark.docker


@pytest.fixture
def toolbox(image):
    return image("toolbox")


def test_the_end_of_a_container_is_told_as_it_happens(containers, toolbox):
    ends: list[Exit] = []
    told = threading.Event()

    def on_exit(end: Exit) -> None:
        ends.append(end)
        told.set()

    containers.watch(on_exit, lambda error: None)
    container_id = containers.run_new(Spec("ends", toolbox, command=["sh", "-c", "exit 7"], labels={"mine": "yes"}))
    assert told.wait(10)
    assert (ends[0].container_id, ends[0].exit_code, ends[0].labels["mine"]) == (container_id, 7, "yes")


def test_the_end_of_a_container_of_another_run_is_not_told(containers, toolbox):
    ends: list[Exit] = []
    told = threading.Event()

    def on_exit(end: Exit) -> None:
        ends.append(end)
        told.set()

    containers.watch(on_exit, lambda error: None)
    other = Containers(containers.client, Run.begin())
    other.run_new(Spec("theirs", toolbox, command=["true"]))
    mine = containers.run_new(Spec("mine", toolbox, command=["true"]))
    assert told.wait(10)
    sweep.remove_run(containers.client, other.run.id)
    other.run.end()
    assert [end.container_id for end in ends] == [mine]


def test_what_goes_wrong_with_whoever_is_told_is_not_taken_for_the_engines_end(containers, toolbox):
    ends: queue.SimpleQueue[str] = queue.SimpleQueue()
    errors: queue.SimpleQueue[SandboxError] = queue.SimpleQueue()

    def on_exit(end: Exit) -> None:
        if end.exit_code:
            raise ValueError("a mistake")
        ends.put(end.container_id)

    containers.watch(on_exit, errors.put)
    containers.run_new(Spec("fails", toolbox, command=["false"]))
    error = errors.get(timeout=20)
    name = containers.run.name("fails")
    assert error.message == f"what follows from die of container {name} failed: ValueError"
    assert error.state == "a mistake"
    later = containers.run_new(Spec("later", toolbox, command=["true"]))
    assert ends.get(timeout=20) == later
    assert errors.empty()


def test_a_port_in_use_is_named(containers, toolbox):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SandboxError) as caught:
            containers.run_new(Spec("port", toolbox, command=["sleep", "9"], publish={80: port}))
    assert str(port) in str(caught.value)
    assert "another program has that port" in caught.value.hint
    assert not containers.client.api.containers(all=True, filters={"name": containers.run.name("port")})


def test_ports_are_published_on_loopback_only(containers, toolbox):
    container_id = containers.run_new(Spec("published", toolbox, command=["sleep", "30"], publish={80: 0}))
    ports = containers.client.api.inspect_container(container_id)["NetworkSettings"]["Ports"]["80/tcp"]
    assert [port["HostIp"] for port in ports] == ["127.0.0.1"]
    assert containers.published(container_id, 80) == int(ports[0]["HostPort"])


def test_a_missing_command_is_the_engines_own_words(containers, toolbox):
    with pytest.raises(SandboxError) as caught:
        containers.run_new(Spec("nothing", toolbox, entrypoint=["/no/such/program"]))
    assert "/no/such/program" in caught.value.state


def test_a_missing_image_is_named(containers):
    with pytest.raises(SandboxError) as caught:
        containers.create(Spec("image", "no/such:image"))
    assert "no/such:image" in str(caught.value)


@pytest.mark.parametrize("user", [0, 1000], ids=["in-its-place", "by-a-container"])
def test_a_volume_is_filled_from_a_folder(user, containers, toolbox, tmp_path, monkeypatch):
    if os.geteuid() == 0:
        monkeypatch.setattr(os, "geteuid", lambda: user)
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf").chmod(0o750)
    (tmp_path / "conf" / "a.txt").write_text("hello")
    (tmp_path / "conf" / "a.txt").chmod(0o640)
    volume = containers.create_volume("vol")
    containers.fill_volume(volume, tmp_path, toolbox)
    monkeypatch.undo()
    mount = docker.types.Mount("/data", volume, type="volume", no_copy=True)
    container_id = containers.run_new(Spec("reads", toolbox, command=["sleep", "30"], mounts=[mount]))
    assert containers.execute(container_id, ["cat", "/data/conf/a.txt"]) == (0, "hello", "")
    shown = containers.execute(container_id, ["stat", "-c", "%U %a", "/data", "/data/conf", "/data/conf/a.txt"])[1]
    assert shown.splitlines() == ["root 755", "root 750", "root 640"]  # that of the volume is its own


def test_nothing_is_left_of_a_removed_run(containers, toolbox):
    owner = containers.run_new(Spec("owner", toolbox, command=["sleep", "30"]))
    containers.run_new(Spec("joined", toolbox, command=["sleep", "30"], network_of=owner))
    containers.create_volume("vol")
    swept = sweep.remove_run(containers.client, containers.run.id)
    assert (swept.containers, swept.volumes) == (2, 1)
    assert not sweep.remove_run(containers.client, containers.run.id)


def test_connections_of_commands_whose_output_is_followed_are_closed(containers, toolbox):
    container = containers.run_new(Spec("says", toolbox, entrypoint=["sleep"], command=["60"]))
    said = []
    gc.collect()
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        assert b"".join(containers.stream(container, ["echo", "one"])) == b"one\n"
        assert commands.run(containers.client, container, ["echo", "two"], said.append) == 0
        gc.collect()
    assert said == ["two"]
    assert [one.message for one in seen if issubclass(one.category, ResourceWarning)] == []


def test_a_command_that_always_prints_is_run_again_when_its_output_is_lost(containers, toolbox):
    container_id = containers.run_new(Spec("says", toolbox, command=["sleep", "infinity"]))
    # As if the engine had lost what it said the first time.
    command = ["sh", "-c", "test -e /tmp/again && echo said; touch /tmp/again"]
    assert containers.execute(container_id, command, prints=True) == (0, "said\n", "")
    assert containers.execute(container_id, ["true"]) == (0, "", "")
    assert containers.execute(container_id, ["sh", "-c", "exit 3"], prints=True) == (3, "", "")


def test_an_engine_that_has_gone_away_has_no_more_output(containers, toolbox):
    made = containers.run_new(Spec("speaks", toolbox, command=["echo", "words"]))
    with tempfile.TemporaryDirectory(prefix="acs-t-") as folder:  # with a short name, for the socket
        proxy = Proxy(Path(folder) / "engine.sock", hosts.socket_path())
        client = daemon.connect_to(f"unix://{folder}/engine.sock")
        through = Containers(client, containers.run)
        assert b"".join(through.follow(made)) == b"words\n"
        proxy.die()
        assert list(through.follow(made)) == []
        assert through.output(made) == b""
        with pytest.raises(SandboxError, match="the Docker engine went away"):
            through.execute(made, ["true"])
        client.close()
