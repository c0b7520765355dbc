"""The wheel, installed where there is no repository: `sandbox` works, and has its scenarios, stacks and components.

Nothing is downloaded: the wheel is built with the hatchling of this environment, and its virtual environment finds the
libraries that it depends on in this one's.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

import sandbox
from sandbox import scenario
from sandbox.controllers import stack_file
from sandbox.engine.catalogue import CATALOGUE, local_tag
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.long(15)

# Run with the installed package: whatever a command reads of the package's files, and what images are made of.
READ_ALL = """
import json
from pathlib import Path
import sandbox
from sandbox import paths, scenario
from sandbox.controllers import stack_file
from sandbox.engine import catalogue
print(json.dumps({
    "package": str(Path(sandbox.__file__).parent),
    "share": str(paths.share()),
    "scenarios": {name: [one.name for one in item.variants] for name, item in scenario.load_all().items()},
    "stacks": [name for name in stack_file.names() if stack_file.load(name)],
    "images": {name: catalogue.local_tag(name) for name in catalogue.CATALOGUE},
}))
"""


def run(*command: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["DOCKER_HOST"] = "unix:///nonexistent/docker.sock"
    return subprocess.run(
        [str(part) for part in command],
        check=False,
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A folder with the wheel and the source distribution."""
    folder = tmp_path_factory.mktemp("dist")
    done = run(sys.executable, "-m", "hatchling", "build", "-d", folder, cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def environment(built, tmp_path_factory) -> Path:
    """A virtual environment's ``bin``, with the wheel."""
    folder = tmp_path_factory.mktemp("elsewhere") / "venv"
    made = run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=built)
    assert made.returncode == 0, made.stderr
    (wheel,) = built.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "--disable-pip-version-check"]
    done = run(*pip, "install", "--quiet", "--no-index", "--no-deps", wheel, cwd=built)
    assert done.returncode == 0, done.stderr
    ours = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    # A path of a .pth is searched, but the .pth files there are not read: this repository stays unknown.
    (ours / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin"


def test_the_commands_work_outside_the_repository(environment, tmp_path):
    version = run(environment / "sandbox", "--version", cwd=tmp_path)
    assert (version.returncode, version.stdout) == (0, f"sandbox {sandbox.__version__}\n"), version.stderr

    listed = run(environment / "sandbox", "list", "--json", cwd=tmp_path)
    content = json.loads(listed.stdout)
    assert [item["name"] for item in content["scenarios"]] == list(scenario.load_all())
    assert [item["name"] for item in content["stacks"]] == stack_file.names()

    images = run(environment / "sandbox", "images", "list", "--json", cwd=tmp_path)
    assert (images.returncode, images.stdout) == (2, "")
    assert "no Docker engine answers" in images.stderr
    assert list(tmp_path.iterdir()) == []


def test_scenarios_stacks_and_images_are_those_of_the_repository(environment, tmp_path):
    done = run(environment / "python", "-c", READ_ALL, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert Path(seen["package"]).is_relative_to(environment.parent)
    assert seen["share"] == f"{seen['package']}/_share"
    assert seen["scenarios"] == {
        name: [variant.name for variant in item.variants] for name, item in scenario.load_all().items()
    }
    assert seen["stacks"] == stack_file.names()
    assert seen["images"] == {name: local_tag(name) for name in CATALOGUE}  # tags of what the images are made of


def test_its_fixtures_are_there_for_pytest(environment, tmp_path):
    done = run(environment / "python", "-m", "pytest", "--fixtures", "-q", "--rootdir", tmp_path, cwd=tmp_path)
    assert re.search(r"^sandbox .*_?sandbox/pytest_plugin\.py", done.stdout, re.MULTILINE), done.stdout + done.stderr


def test_wheel_and_sdist_have_every_file_of_the_repository(built):
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout.split("\0")[:-1]
    places = {"sandbox": "sandbox", "compose": "sandbox/_share/compose", "scenarios": "sandbox/_share/scenarios"}
    wanted = {f"{places[top]}/{rest}" for top, _, rest in (name.partition("/") for name in tracked) if top in places}
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert wanted - set(archive.namelist()) == set()
        scripts = {item.filename for item in archive.infolist() if item.external_attr >> 16 & 0o111}
    assert "sandbox/_share/compose/images/ghost/docker-entrypoint.sh" in scripts  # an image's own, to be executed
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert {name for name in tracked if (REPOSITORY / name).exists()} - inside == set()


def test_the_version_stands_in_one_place():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert "version" not in project
    assert re.fullmatch(r"\d+\.\d+\.\d+", sandbox.__version__)
