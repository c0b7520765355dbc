"""Builds for a run, and files on their way into containers and out of them."""

from __future__ import annotations

import contextlib
import io
import tarfile

import pytest
from docker.errors import ImageNotFound

from sandbox.engine import archives, commands, daemon, sweep
from sandbox.engine.containers import Containers, Spec
from sandbox.engine.image_builds import BuildRequest, ImageBuilder
from sandbox.engine.images import Images
from sandbox.engine.run import LABEL_RUN, Run
from sandbox.errors import SandboxError

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def client():
    made = daemon.connect()
    yield made
    made.close()


@pytest.fixture(scope="module")
def toolbox(client, request):
    return Images(client, request.config.getoption("--sandbox-images"), lambda text: None).ensure("toolbox")


@pytest.fixture(scope="module")
def run(client):
    made = Run.begin()
    yield made
    sweep.remove_run(client, made.id)
    made.end()


@pytest.fixture
def builder(client, run):
    return ImageBuilder(client, run)


def request_for(dockerfile: str, **more) -> BuildRequest:
    return BuildRequest(archives.packed({"Dockerfile": dockerfile.encode(), "file": b"content"}), **more)


def test_an_image_carries_the_labels_of_its_run_and_goes_with_it(client, toolbox):
    run = Run.begin()
    said: list[str] = []
    image = ImageBuilder(client, run).build(
        request_for(f"FROM {toolbox}\nARG A\nCOPY file /f\nRUN echo made with $A", arguments={"A": "x"}), said.append
    )
    assert "made with x" in said
    assert client.api.inspect_image(image)["Config"]["Labels"][LABEL_RUN] == run.id
    assert sweep.remove_run(client, run.id).images == 1
    run.end()
    with pytest.raises(ImageNotFound):
        client.api.inspect_image(image)


def test_images_that_share_layers_all_go(client, toolbox):
    run = Run.begin()
    builder = ImageBuilder(client, run)
    made = [builder.build(request_for(f"FROM {toolbox}\nRUN echo shared\nRUN echo {n}"), str) for n in range(4)]
    made.append(builder.build(request_for(f"FROM {made[0]}\nRUN echo child"), str))
    sweep.remove_run(client, run.id)
    run.end()
    assert client.api.images(filters={"label": f"{LABEL_RUN}={run.id}"}) == []


def test_a_failure_shows_the_last_lines(builder, toolbox):
    with pytest.raises(SandboxError) as raised:
        builder.build(request_for(f"FROM {toolbox}\nRUN echo the reason; exit 7"), lambda text: None)
    assert raised.value.log[-1] == "the reason"
    assert "returned a non-zero code: 7" in raised.value.state


def test_an_image_of_somebody_else_gets_the_labels(builder, client, run, toolbox):
    image = builder.labelled(toolbox)
    assert client.api.inspect_image(image)["Config"]["Labels"][LABEL_RUN] == run.id
    assert builder.labelled(image) == image
    with pytest.raises(SandboxError, match="is not on this machine"):
        builder.labelled("no-such-image:1")


def test_a_context_leaves_out_what_is_ignored(tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("Dockerfile", "kept", "sub/left", "sub/kept"):
        (tmp_path / name).write_text(name)
    (tmp_path / ".dockerignore").write_text("# a remark\nsub/left\n")
    archive = archives.build_context(tmp_path, {"Dockerfile": b"FROM x"})
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        names = {name for name in tar.getnames() if name != "sub"}
        assert tar.extractfile("Dockerfile").read() == b"FROM x"
    assert names == {"Dockerfile", "kept", "sub/kept", ".dockerignore"}


@pytest.fixture
def container(client, run, toolbox):
    containers = Containers(client, run)
    made = containers.run_new(Spec("files", toolbox, entrypoint=["sleep"], command=["infinity"]))
    yield made
    containers.remove(made)


def test_files_go_in_and_come_out(client, container, tmp_path):
    archives.put(client, container, "/", archives.packed({"in/a": b"1", "in/b/c": b"2"}))
    assert archives.fetch(client, container, "/in", tmp_path)
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == {"a", "b/c"}
    (tmp_path / "b").chmod(0o700)
    archives.put(client, container, "/", archives.packed_folder(tmp_path))
    owners: list[str] = []
    commands.run(client, container, ["stat", "-c", "%a %U", "/", "/b", "/a"], owners.append)
    assert owners == ["755 root", "700 root", "644 root"]
    assert not archives.fetch(client, container, "/nowhere", tmp_path)
    with pytest.raises(SandboxError, match="could not be put into /nowhere"):
        archives.put(client, container, "/nowhere", archives.packed({"a": b""}))


def test_a_link_that_leads_out_is_not_followed(client, container, tmp_path):
    commands.run(client, container, ["sh", "-c", "mkdir /out && ln -s /etc/passwd /out/link"], lambda line: None)
    with pytest.raises(SandboxError, match="could not be copied out"):
        archives.fetch(client, container, "/out", tmp_path)


def test_a_command_tells_its_lines_and_its_code(client, container):
    lines: list[str] = []
    assert commands.run(client, container, ["sh", "-c", "echo a; printf 'b\\r\\nc'; exit 3"], lines.append) == 3
    assert commands.run(client, container, ["sh", "-c", "echo d >&2"], lines.append) == 0
    assert lines == ["a", "b", "c", "d"]


def test_a_command_whose_container_goes_has_no_code(client, run, toolbox):
    containers = Containers(client, run)
    made = containers.run_new(Spec("gone", toolbox, entrypoint=["sleep"], command=["infinity"]))

    def end(line: str) -> None:
        with contextlib.suppress(Exception):
            containers.remove(made)

    assert commands.run(client, made, ["sh", "-c", "echo now; sleep 60"], end) in (commands.GONE, 137)
    with pytest.raises(SandboxError, match="could not be run"):
        commands.run(client, made, ["true"], print)
