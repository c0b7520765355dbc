"""Removal by label: of what is ours, of what is dead, and never of what lives."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from docker.errors import ImageNotFound

from sandbox.engine import archives, daemon, networks, sweep
from sandbox.engine.containers import Containers, Spec
from sandbox.engine.image_builds import BuildRequest, ImageBuilder
from sandbox.engine.images import Images
from sandbox.engine.run import OWNER_FILE, Run, owner_of_this_process, runs_folder

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def client():
    made = daemon.connect()
    yield made
    made.close()


@pytest.fixture(scope="module")
def toolbox(client, request):
    return Images(client, request.config.getoption("--sandbox-images"), lambda text: None).ensure("toolbox")


class Owner:
    """A process that owns a run until it is ended: any other sandbox may remove what is dead at any moment."""

    def __init__(self):
        code = "from sandbox.engine.run import owner_of_this_process as o; print(o(), flush=True); input()"
        self.process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.label = self.process.stdout.readline().strip()

    def die(self):
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def owner():
    made = Owner()
    yield made
    made.die()


@pytest.fixture
def begin(client):
    begun: list[Run] = []

    def begin(owner: str = "") -> Run:
        run = Run.begin()
        if owner:
            run = dataclasses.replace(run, owner=owner)
            (run.folder / OWNER_FILE).write_text(owner)
        begun.append(run)
        return run

    yield begin
    for run in begun:
        sweep.remove_run(client, run.id)
        (run.folder / "kept").unlink(missing_ok=True)
        run.end()


def filled(client, run, toolbox, how_many=2):
    """Containers joined to one another, a network with them on it, and a volume."""
    containers = Containers(client, run)
    network = networks.create_internet(client, run)
    owner = containers.run_new(Spec("owner", toolbox, command=["sleep", "99"], networks=[(network.name, None)]))
    for number in range(how_many - 1):
        containers.run_new(Spec(f"joined-{number}", toolbox, command=["sleep", "99"], network_of=owner))
    containers.create_volume("volume")


def has(client, run):
    filters = {"label": f"aws-container-sandbox.run={run.id}"}
    api = client.api
    return (
        len(api.containers(all=True, filters=filters)),
        len(api.networks(filters=filters)),
        len(api.volumes(filters=filters)["Volumes"] or ()),
        run.folder.exists(),
    )


def test_a_dead_run_goes_and_a_living_one_stays(client, begin, toolbox, owner):
    living, dead = begin(), begin(owner.label)
    for run in (living, dead):
        filled(client, run, toolbox)
    assert not [name for name in sweep.left_overs(client) if living.id in name or dead.id in name]
    owner.die()
    sweep.remove_dead_runs(client)
    assert has(client, dead) == (0, 0, 0, False)
    assert has(client, living) == (2, 1, 1, True)


def test_the_images_of_a_dead_run_go_with_it_and_no_others(client, begin, toolbox, owner):
    living, dead = begin(), begin(owner.label)
    request = BuildRequest(archives.packed({"Dockerfile": f"FROM {toolbox}\nRUN echo {dead.id}\n".encode()}))
    images = {run.id: ImageBuilder(client, run).build(request, str) for run in (living, dead)}
    owner.die()
    sweep.remove_dead_runs(client)
    assert has(client, dead) == (0, 0, 0, False)
    assert client.api.inspect_image(images[living.id])
    with pytest.raises(ImageNotFound):
        client.api.inspect_image(images[dead.id])


def test_a_network_goes_though_something_is_on_it(client, toolbox):
    run = Run.begin()
    network = networks.create_vpc(client, run)
    other = client.containers.run(toolbox, ["sleep", "60"], network=network.name, detach=True)
    try:
        assert sweep.remove_run(client, run.id).networks == 1
        assert client.networks.list(names=[network.name]) == []
    finally:
        other.remove(force=True)
        run.end()


def test_a_kept_run_stays_until_it_is_asked_for(client, begin, toolbox, owner):
    kept = begin(owner.label)
    filled(client, kept, toolbox, how_many=1)
    kept.keep()
    owner.die()
    sweep.remove_dead_runs(client)
    assert has(client, kept) == (1, 1, 1, True)
    assert not [name for name in sweep.left_overs(client) if kept.id in name]
    sweep.remove_dead_runs(client, kept=True)
    assert has(client, kept) == (0, 0, 0, False)


def test_two_sweeps_of_one_dead_run_do_not_disturb_each_other(client, begin, toolbox, owner):
    dead = begin(owner.label)
    filled(client, dead, toolbox, how_many=4)
    owner.die()
    errors: list[BaseException] = []

    def one():
        try:
            sweep.remove_dead_runs(client)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=one) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert has(client, dead) == (0, 0, 0, False)


def test_a_folder_that_is_being_made_is_left_alone(client):
    folder = runs_folder() / "being-made"
    folder.mkdir(parents=True)
    try:
        sweep.remove_dead_runs(client)
        assert folder.is_dir()
    finally:
        folder.rmdir()


def test_what_a_killed_process_was_making_or_removing_is_removed(client, owner):
    beginning, living = (
        runs_folder() / f"1234567{n}.{by}" for n, by in ((8, owner.label), (9, owner_of_this_process()))
    )
    for folder in (beginning, living):
        folder.mkdir(parents=True)
    try:
        sweep.remove_dead_runs(client)
        assert beginning.is_dir()  # its process lives
        owner.die()
        sweep.remove_dead_runs(client)
        assert not beginning.exists()
        assert living.is_dir()
    finally:
        living.rmdir()


def test_how_much_was_removed_is_told_in_words():
    swept = sweep.Swept(2, 1) + sweep.Swept(0, 1, 3, 0, 1)
    assert str(swept) == "2 containers, 2 networks, 3 volumes, 0 images, 1 folders"
    assert swept
    assert not sweep.Swept()


def test_a_run_that_is_just_beginning_is_not_swept(monkeypatch):
    client, rename, looked = daemon.connect(), Path.rename, []

    def look_first(self, target):
        sweep.remove_dead_runs(client)
        looked.append(self)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", look_first)
    run = Run.begin()
    try:
        assert looked  # while the owner was written, and not yet there
        assert (run.folder / OWNER_FILE).read_text() == run.owner
    finally:
        run.end()
        client.close()
