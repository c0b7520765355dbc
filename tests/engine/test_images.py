from __future__ import annotations

import contextlib
import io
import socket
import tarfile
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import docker
import pytest
from docker.errors import APIError, ImageNotFound

from sandbox.engine import catalogue, daemon
from sandbox.engine.catalogue import CATALOGUE, Component
from sandbox.engine.images import Images, host_ca
from sandbox.errors import SandboxError
from tests.registries import Silent

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def engine():
    client = daemon.connect()
    yield client
    client.close()


@pytest.fixture
def component(tmp_path, monkeypatch, engine):
    """Makes components whose Dockerfile the test gives; their images are removed afterwards."""
    made: list[str] = []
    # Makes every test's image another one; without it an earlier run's layers would be taken and nothing be built.
    label = f"test={uuid.uuid4()}"
    begin = f"ARG BASE=debian:trixie-slim\nFROM ${{BASE}}\nLABEL {label}\n"

    def make(dockerfile: str, name: str = "under-test") -> Path:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        (folder / "Dockerfile").write_text(f"{begin}{dockerfile}\n")
        monkeypatch.setitem(CATALOGUE, name, Component(name, "", str(folder), "under test"))
        made.append(name)
        return folder

    yield make
    for name in made:
        with contextlib.suppress(ImageNotFound):
            engine.api.remove_image(catalogue.local_tag(name), force=True)
    for left in engine.images.list(filters={"dangling": True, "label": label}):  # layers of builds that failed
        with contextlib.suppress(APIError):  # a build that lost its client goes on for a while
            engine.api.remove_image(left.id, force=True)


def images(engine, progress=lambda text: None, mode="auto"):
    return Images(engine, mode, progress)


def test_a_failing_build_shows_the_step_and_its_last_lines(engine, component):
    component("RUN for i in $(seq 30); do echo line $i >&2; done; echo the reason >&2; exit 7")
    with pytest.raises(SandboxError) as caught:
        images(engine).ensure("under-test")
    error = caught.value
    assert error.message == "image 'under-test' could not be built"
    assert "Step 4/4 : RUN for i" in error.state
    assert "non-zero code: 7" in error.state
    assert error.log == (*(f"line {i}" for i in range(12, 31)), "the reason")
    assert "Dockerfile" in error.hint
    assert not engine.images.list(catalogue.local_tag("under-test"))


def test_a_dockerfile_that_cannot_be_read_is_an_error_too(engine, component):
    component("NONSENSE yes")
    with pytest.raises(SandboxError) as caught:
        images(engine).ensure("under-test")
    assert "NONSENSE" in caught.value.state


def test_an_edited_context_is_another_image(engine, component):
    folder = component("COPY text /text")
    (folder / "text").write_text("one")
    source = images(engine)
    first = source.ensure("under-test")
    assert images(engine).ensure("under-test") == first
    (folder / "text").write_text("two")
    second = images(engine).ensure("under-test")
    assert first != second
    container = engine.containers.create(second, ["never"], network_mode="none")
    archive, _ = container.get_archive("/text")
    container.remove()
    with tarfile.open(fileobj=io.BytesIO(b"".join(archive))) as packed:
        text = packed.extractfile("text")
        assert text is not None
        assert text.read() == b"two"
    for tag in (first, second):
        engine.api.remove_image(tag, force=True)


def test_an_image_that_is_present_is_neither_pulled_nor_built(engine):
    images(engine).ensure("toolbox")
    said: list[str] = []
    again = images(engine, said.append)
    assert again.ensure("toolbox") == again.ensure("toolbox") == catalogue.local_tag("toolbox")
    assert said == []


def test_an_image_that_many_want_at_once_is_built_once(engine, component):
    component("RUN echo built")
    said: list[str] = []
    one_run, another_run = images(engine, said.append), images(engine, said.append)
    with ThreadPoolExecutor(4) as pool:
        got = list(pool.map(lambda run: run.ensure("under-test"), [one_run, another_run] * 2))
    assert set(got) == {catalogue.local_tag("under-test")}
    assert [line for line in said if line == "building image under-test"] == ["building image under-test"]


def test_two_images_are_built_at_a_time(engine, component):
    names = ["one-under-test", "two-under-test"]
    for name in names:
        component("RUN sleep 1", name)
    said: list[str] = []
    images(engine, said.append).ensure_all(names)
    told = [line.partition(" image ")[0] for line in said if "Step" not in line]
    assert told == ["building", "building", "built", "built"]


def test_images_of_one_folder_are_built_one_after_another(engine, component, monkeypatch):
    folder = component("RUN sleep 1", "one-under-test")
    component("", "two-under-test")
    monkeypatch.setitem(
        CATALOGUE, "two-under-test", Component("two-under-test", "", str(folder), "", arguments={"A": "2"})
    )
    said: list[str] = []
    images(engine, said.append).ensure_all(["one-under-test", "two-under-test"])
    told = [line.partition(" image ")[0] for line in said if "Step" not in line]
    assert told == ["building", "built", "building", "built"]


def test_after_an_image_that_cannot_be_built_no_other_is_begun(engine, component, until):
    command = f"sleep 600 # {uuid.uuid4()}"
    component("RUN false", "bad-under-test")
    component(f"RUN {command}", "long-under-test")
    component("", "third-under-test")
    said: list[str] = []
    with pytest.raises(SandboxError, match="image 'bad-under-test' could not be built"):
        images(engine, said.append).ensure_all(["bad-under-test", "long-under-test", "third-under-test"])
    until(lambda: bool(_builds(engine, command)), within=60)
    for build in _builds(engine, command):
        build.kill()
    for thread in threading.enumerate():
        if thread.name == "images":
            thread.join(60)
            assert not thread.is_alive()
    assert not [line for line in said if "third" in line or "built" in line]


def _builds(engine, command):
    """The containers in which the classic builder runs this step."""
    return [made for made in engine.containers.list() if command in " ".join(made.attrs["Config"]["Cmd"] or ())]


def test_an_unknown_component_names_the_known_ones(engine):
    with pytest.raises(SandboxError) as caught:
        images(engine).ensure("ghots")
    assert "there is no component 'ghots'" in caught.value.message
    assert "ghost" in caught.value.hint


@pytest.mark.parametrize("reference", ["no-such-organisation-anywhere/no-such-image:1", "localhost:1/thing"])
def test_an_image_that_cannot_be_had_is_named_with_the_registrys_words(engine, reference):
    with pytest.raises(SandboxError) as caught:
        images(engine).resolve(reference)
    assert f"image '{reference}' is not on this machine and cannot be pulled" in caught.value.message
    assert caught.value.state
    assert "docker build" in caught.value.hint


@pytest.mark.parametrize("reference", ["Not A Reference!", "UPPER", ":", ""])
def test_what_is_not_a_reference_is_an_error(engine, reference):
    with pytest.raises(SandboxError) as caught:
        images(engine).resolve(reference)
    assert caught.value.state


def test_a_registry_that_is_out_of_reach_is_asked_once(engine):
    said: list[str] = []
    source = images(engine, said.append)
    states = []
    for reference in ("localhost:1/one:1", "localhost:1/two:1", "localhost:2/three@sha256:" + 64 * "0"):
        with pytest.raises(SandboxError) as caught:
            source.resolve(reference)
        states.append(caught.value.state)
    assert said == ["pulling localhost:1/one:1", "pulling localhost:2/three@sha256:" + 64 * "0"]
    assert states[0] == states[1] != states[2]


def test_official_mode_builds_nothing(engine, component, monkeypatch):
    component("RUN true")
    monkeypatch.setitem(CATALOGUE, "under-test", Component("under-test", "localhost:1/official:1", "", ""))
    with pytest.raises(SandboxError) as caught:
        images(engine, mode="official").ensure("under-test")
    assert "localhost:1/official:1" in caught.value.message
    assert "--images auto" in caught.value.hint


@pytest.mark.parametrize("prefix", ["", "library/", "docker.io/library/"])
def test_the_official_image_of_a_component_may_be_our_build(engine, prefix):
    source = images(engine)
    assert source.resolve(f"{prefix}nginx:1.27") == source.ensure("nginx")


def test_a_component_without_an_official_image_goes_by_our_name(engine):
    assert images(engine).resolve("aws-container-sandbox/toolbox") == catalogue.local_tag("toolbox")


def test_a_component_may_be_made_of_another_debian(engine, component, monkeypatch):
    component("RUN cat /etc/os-release")
    monkeypatch.setitem(CATALOGUE, "under-test", replace(CATALOGUE["under-test"], suite="bookworm"))
    tag = images(engine).ensure("under-test")
    try:
        output = engine.containers.run(tag, ["cat", "/etc/os-release"], remove=True)
    finally:
        engine.images.remove(tag, force=True)
    assert b"VERSION_CODENAME=bookworm" in output


def test_another_image_of_this_machine_is_used_as_it_is(engine):
    reference = images(engine).ensure("toolbox")
    assert images(engine).resolve(reference) == reference


def test_an_engine_that_ends_in_the_middle_of_a_build_is_an_error(engine, component, tmp_path):
    component("RUN sleep 5")
    images(engine).ensure("base")
    with contextlib.closing(Cut(tmp_path / "engine.sock", engine.api.base_url, after=b"Step 4/4")) as cut:
        client = docker.DockerClient(f"unix://{cut.path}", version="auto")
        with pytest.raises(SandboxError) as caught:
            images(client).ensure("under-test")
        client.close()
    assert "the Docker engine stopped answering while image 'under-test' was being built" in caught.value.message
    assert caught.value.hint == "sandbox doctor --fix"


@pytest.mark.parametrize(
    "name",
    ["base", "toolbox", "nginx", "ghost", "flask-socketio", "flask-socketio-2020", "socketio-client", "localstack"],
)
def test_no_certificate_of_this_machine_stays_in_an_image(engine, name):
    bundle = host_ca()
    if bundle is None:
        pytest.skip("this machine has no CA bundle")
    reference = images(engine).ensure(name)
    if reference == CATALOGUE[name].official:
        pytest.skip("the official image is used")
    # A line of the last certificate: a proxy's own is appended to the bundle.
    line = bundle.read_text().rsplit("-----BEGIN CERTIFICATE-----", 1)[1].split()[1]
    search = ["grep", "-rlFs", line, "/", "--exclude-dir=proc", "--exclude-dir=sys"]
    container = engine.containers.create(reference, search, entrypoint="", network_mode="none", user="root")
    try:
        container.start()
        assert container.wait()["StatusCode"] in {1, 2}  # grep: no match (2: and some file could not be read)
        assert container.logs() == b""
    finally:
        container.remove(force=True, v=True)
    environment = engine.api.inspect_image(reference)["Config"].get("Env") or []
    assert not [item for item in environment if "host-ca" in item]


class Cut:
    """A socket in front of the engine's that breaks all connections as soon as the engine says ``after``."""

    def __init__(self, path: Path, base_url: str, after: bytes) -> None:
        self.path = path
        # docker-py writes the path of a Unix socket as a host name.
        assert base_url.startswith("http+docker://"), "the engine of this test must be on a Unix socket"
        self._engine = docker.utils.parse_host(None).removeprefix("http+unix://").removeprefix("unix://")
        self._after = after
        self._open: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                engine = socket.socket(socket.AF_UNIX)
                engine.connect(self._engine)
                self._open += [client, engine]
                threading.Thread(target=self._relay, args=(client, engine, b""), daemon=True).start()
                threading.Thread(target=self._relay, args=(engine, client, self._after), daemon=True).start()

    def _relay(self, source: socket.socket, target: socket.socket, after: bytes) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if after and after in data:
                    self.close()
                    return
                target.sendall(data)

    def close(self) -> None:
        for item in [self._listener, *self._open]:
            with contextlib.suppress(OSError):
                item.shutdown(socket.SHUT_RDWR)
            item.close()


def test_a_component_has_sources_arguments_and_another_component_s_image(engine, component, monkeypatch, tmp_path):
    component("RUN mkdir /other && echo theirs > /other/file", "other")
    folder = component("", "under-test")
    (folder / "Dockerfile").write_text(
        "ARG BASE\nARG OTHER\nFROM ${OTHER} AS other\nFROM ${BASE} AS wanted\nARG NAME\nRUN echo $NAME > /name\n"
        "COPY source /source\nCOPY sandbox /modules\nCOPY --from=other /other /other\nFROM nothing:there\n"
    )
    source = tmp_path / "source"
    (source / "node_modules").mkdir(parents=True)
    (source / "file").write_text("mine")
    (source / "node_modules" / "package").write_text("not wanted")
    made = replace(
        CATALOGUE["under-test"],
        sources=(str(source),),
        modules=("aws/__init__.py", "aws/lambda_runtime/log.py"),
        arguments={"NAME": "one"},
        images={"OTHER": "other"},
        target="wanted",
    )
    monkeypatch.setitem(CATALOGUE, "under-test", made)
    tag = images(engine).ensure("under-test")
    try:
        command = ["sh", "-c", "cat /name /other/file /source/file; ls /source /modules/aws/lambda_runtime"]
        seen = b"one\ntheirs\nmine/modules/aws/lambda_runtime:\nlog.py\n\n/source:\nfile\n"
        assert engine.containers.run(tag, command, remove=True) == seen
    finally:
        engine.images.remove(tag, force=True)
    changes = [
        replace(made, arguments={"NAME": "two"}),
        replace(made, images={"OTHER": "toolbox"}),
        replace(made, target=""),
        replace(made, sources=()),
        replace(made, modules=("aws/__init__.py",)),
    ]
    tags = {tag}
    for change in changes:
        monkeypatch.setitem(CATALOGUE, "under-test", change)
        tags.add(catalogue.local_tag("under-test"))
    assert len(tags) == 1 + len(changes)


def test_nobody_waits_for_an_image_any_more_once_all_is_being_closed(engine):
    source = images(engine)
    with Silent() as registry, ThreadPoolExecutor(1) as pool:
        pulled = pool.submit(source.resolve, registry.image)
        assert registry.asked.wait(20)
        source.close()
        with pytest.raises(SandboxError, match="the sandbox is being closed"):
            pulled.result(timeout=10)
        with pytest.raises(SandboxError, match="the sandbox is being closed"):
            source.resolve(registry.image)
