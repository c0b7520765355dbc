"""The shop's images: what of two builds differs, and the faults of a bad release."""

from __future__ import annotations

import json
import re
import time

import pytest
from docker.types import Mount

from sandbox import paths
from sandbox.engine import image_files
from sandbox.engine.containers import Spec
from sandbox.errors import SandboxError

pytestmark = pytest.mark.docker

FOLDER = paths.share() / "compose" / "nuxt"
PUBLIC = "/app/.output/public"
HASH = re.compile(r"(.+)\.([\w-]{7,8})\.(js|css|png)")

# As docs/nuxt.md says.
DIFFER = {
    "nuxt": {"entry.js", "pages.js", "catalogue.js", "ShopGallery.js", "picture.png"},
    "nuxt2": {"app.js", "runtime.js", "pages/index.js", "pages/catalogue.js", "ShopGallery.js", "picture.png"},
}
SAME = {
    "nuxt": {"about.js", "_plugin-vue_export-helper.js", "entry.css", "error-404.js", "error-500.js"}
    | {"error-404.css", "error-500.css"},
    "nuxt2": {"commons/app.js", "pages/about.js", "app.css"},
}


@pytest.fixture
def files(containers, image):
    """The static files of a build."""
    return lambda component: image_files.files(containers, image(component), PUBLIC)


def hashed(files):
    """What has a hash in its name: the names without it, and their hashes."""
    found = (HASH.fullmatch(name.removeprefix("_nuxt/")) for name in files)
    return {f"{match[1]}.{match[3]}": match[2] for match in found if match}


@pytest.mark.parametrize("nuxt", ["nuxt", "nuxt2"])
def test_what_two_builds_have_under_different_names(nuxt, files):
    a, b = hashed(files(f"{nuxt}-a")), hashed(files(f"{nuxt}-b"))
    assert a.keys() == b.keys()
    assert {name for name in a if a[name] != b[name]} == DIFFER[nuxt]
    assert {name for name in a if a[name] == b[name]} == SAME[nuxt]


def test_a_build_with_the_assets_of_the_previous_one(files):
    a, b, both = files("nuxt-a"), files("nuxt-b"), files("nuxt-b-after-a")
    assert both.keys() - b.keys() == {name for name in a.keys() - b.keys() if "/builds/" not in name}
    own = {name for name in b if "/builds/" not in name}  # those hold the time of the build
    assert all(both[name] == b[name] for name in own)
    assert json.loads(both["_nuxt/builds/latest.json"])["id"] == "b"


def ask(containers, client, path):
    """Status and body of a page, once the server listens."""
    deadline = time.monotonic() + 20
    command = ["curl", "-s", "-w", "\n%{http_code}", f"http://localhost:3000{path}"]
    while True:
        code, output, _ = containers.execute(client, command)
        if code == 0:
            body, _, status = output.rpartition("\n")
            return int(status), body
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize("nuxt", ["nuxt", "nuxt2"])
def test_the_server_and_its_end(nuxt, containers, image):
    server = containers.run_new(Spec("server", image(f"{nuxt}-b"), environment={"FAULT": "unhealthy"}))
    client = containers.run_new(Spec("client", image("toolbox"), command=["sleep", "300"], network_of=server))
    assert ask(containers, client, "/health")[0] == 500
    status, page = ask(containers, client, "/")
    assert status == 200
    assert '<b id="build">b</b>' in page
    _, task, _ = containers.execute(server, ["cat", "/etc/hostname"])
    assert f'<b id="task">{task.strip()}</b>' in page
    picture = re.search(r'src="(/_nuxt/picture[^"]+)"', page)[1]
    assert ask(containers, client, picture)[0] == 200
    assert ask(containers, client, "/_nuxt/none.js")[0] == 404
    assert containers.execute(server, ["stat", "-c", "%U", "/proc/1"])[1] == "node\n"
    begun = time.monotonic()
    containers.stop(server, 10)
    assert time.monotonic() - begun < 8
    assert containers.client.api.inspect_container(server)["State"]["ExitCode"] == 0


def test_what_h2o_makes_of_a_file_that_is_missing(containers, image):
    server = containers.run_new(Spec("server", image("nuxt-a")))
    client = containers.run_new(Spec("client", image("toolbox"), command=["sleep", "300"], network_of=server))
    ask(containers, client, "/health")
    command = [
        "curl",
        "-s",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code} %{content_type} %header{cache-control}",
        "http://localhost:8080/_nuxt/no.js",
    ]
    for folder, expected in (
        ("h2o", "404 application/json no-cache"),
        ("h2o-single-page", "200 text/html;charset=utf-8 "),
        ("h2o-kept", "404 application/json public, max-age=31536000, immutable"),
    ):
        mount = Mount("/etc/h2o", str(FOLDER / folder), type="bind", read_only=True)
        h2o = containers.run_new(Spec(folder, image("h2o"), network_of=server, mounts=[mount]))
        deadline = time.monotonic() + 10
        while (found := containers.execute(client, command))[0] != 0:  # it does not listen yet
            assert time.monotonic() < deadline
        assert found[1] == expected
        containers.remove(h2o)


def test_an_image_without_the_folder_is_named(containers, image):
    with pytest.raises(SandboxError, match="there is no /app/none in the image"):
        image_files.files(containers, image("nuxt-a"), "/app/none")


@pytest.mark.parametrize(
    ("environment", "code", "words"),
    [
        ({"FAULT": "crash"}, 1, "the configuration of this release is broken"),
        ({"FAULT": "cash"}, 2, "it is crash, unhealthy or 500"),
    ],
)
def test_a_release_that_ends_at_once(environment, code, words, containers, image):
    server = containers.run_new(Spec("server", image("nuxt-a"), environment=environment))
    assert containers.client.api.wait(server, timeout=20)["StatusCode"] == code
    assert any(words in line for line in containers.log_tail(server))


def test_a_release_that_boots_slowly_and_fails(containers, image):
    environment = {"FAULT": "500", "BOOT_SECONDS": "2"}
    begun = time.monotonic()
    server = containers.run_new(Spec("server", image("nuxt-a"), environment=environment))
    client = containers.run_new(Spec("client", image("toolbox"), command=["sleep", "300"], network_of=server))
    assert ask(containers, client, "/")[0] == 500
    assert time.monotonic() - begun >= 2
