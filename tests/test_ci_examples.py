"""The examples for CI: what the schemas say of them, and what their commands do in a project that has such files."""

from __future__ import annotations

import itertools
import json
import os
import re
import shlex
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import REPOSITORY
from tests.test_docs import check_call

GITHUB = REPOSITORY / "docs" / "ci" / "github.yml"
GITLAB = REPOSITORY / "docs" / "ci" / "gitlab.yml"
BIN = Path(sys.executable).parent


@pytest.mark.parametrize(
    ("file", "schema"),
    [(GITHUB, ["vendor.github-workflows"]), (GITLAB, ["vendor.gitlab-ci", "--data-transform", "gitlab-ci"])],
    ids=["github", "gitlab"],
)
def test_an_example_is_what_its_schema_says(file, schema):
    done = subprocess.run(
        [BIN / "check-jsonschema", "--builtin-schema", *schema, file], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def scripts(file: Path) -> Iterator[str]:
    """The shell scripts of an example."""
    content = yaml.safe_load(file.read_text())
    if file == GITHUB:
        for job in content["jobs"].values():
            yield from (step["run"] for step in job["steps"] if "run" in step)
    else:
        yield "\n".join(content["default"]["before_script"])
        yield from ("\n".join(job["script"]) for job in content.values() if isinstance(job, dict) and "script" in job)


@pytest.mark.parametrize("file", [GITHUB, GITLAB], ids=["github", "gitlab"])
def test_every_call_of_the_sandbox_is_one(file):
    calls = [
        shlex.split(call)
        for script in scripts(file)
        for call in re.findall(r"(?:^|\()\s*sandbox ([^|\n)]+)", script.replace("\\\n", " "), re.MULTILINE)
    ]
    for call in calls:
        check_call(call)
    assert [" ".join(itertools.takewhile(str.isalpha, call)) for call in calls] == (
        ["images build", "images list", "test stack", "report merge"]
        if file == GITHUB
        else ["images build", "test stack", "report merge"]
    )


def github_steps(job: str, **matrix: object) -> Iterator[tuple[str, dict[str, str]]]:
    """The shell scripts of a job with their environment, expressions filled in as GitHub does."""
    workflow = yaml.safe_load(GITHUB.read_text())
    described = workflow["jobs"][job]
    values = {f"matrix.{name}": value for name, value in matrix.items()}
    values["strategy.job-total"] = len(described.get("strategy", {}).get("matrix", {}).get("shard", [0]))

    def filled(value: object) -> str:
        return re.sub(r"\$\{\{ (.+?) \}\}", lambda found: str(values[found[1]]), str(value))

    environment = {
        name: filled(value) for name, value in {**workflow.get("env", {}), **described.get("env", {})}.items()
    }
    for step in described["steps"]:
        if "run" in step:
            yield filled(step["run"]), environment


def run(script: str, project: Path, environment: Mapping[str, str], shell: str = "bash -e") -> Any:
    """Run a script as CI does; PATH leads to this environment, in which everything is installed."""
    file = project / "step.sh"
    file.write_text(script)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "GITHUB_", "CI_"))}
    return subprocess.run(
        [*shell.split(), file],
        cwd=project,
        env={
            **kept,
            "PATH": f"{BIN}:{kept['PATH']}",
            "HOME": str(project.parent / "home"),
            "PIP_NO_INDEX": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )


def cases(junit: Path) -> list[str]:
    return [case.attrib["name"] for case in ET.parse(junit).iter("testcase")]


@pytest.fixture
def project(tmp_path) -> Path:
    """A project as the examples' first lines describe it."""
    folder = tmp_path / "project"
    (folder / "tests").mkdir(parents=True)
    (tmp_path / "home").mkdir()
    packages = re.search(r"sandbox-requirements.txt  (.+)", GITHUB.read_text())
    assert packages is not None
    (folder / "sandbox-requirements.txt").write_text("\n".join(packages[1].split(", ")) + "\n")
    return folder


def test_the_shards_together_run_every_test_once(project):
    names = [f"test_{letter}" for letter in "abcdefg"]
    (project / "tests" / "test_all.py").write_text("".join(f"def {name}(): pass\n\n\n" for name in names))
    ran: list[list[str]] = []
    for shard in yaml.safe_load(GITHUB.read_text())["jobs"]["tests"]["strategy"]["matrix"]["shard"]:
        *_, (script, environment) = github_steps("tests", shard=shard)
        done = run(script.replace("--numprocesses 2", "--numprocesses 0"), project, environment)  # faster
        assert done.returncode == 0, done.stdout + done.stderr
        ran.append(cases(project / "junit.xml"))
    assert len(ran) == 3
    assert all(ran)
    assert sorted(name for shard in ran for name in shard) == names

    gitlab = yaml.safe_load(GITLAB.read_text())["tests"]
    node = {"CI_NODE_TOTAL": str(gitlab["parallel"]), "CI_NODE_INDEX": "2"}
    done = run("\n".join(gitlab["script"]), project, node, "sh -e")
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(cases(project / gitlab["artifacts"]["reports"]["junit"])) == sorted(ran[1])
    assert (project / "report-2" / "index.html").is_file()


COMPOSE = """\
name: shop
services:
  web:
    image: nginx:1.27
    ports: ["8080:80"]
"""
SETTINGS = """\
[compose]

[compose.public.web]
host = "shop.example.com"

[[check]]
name = "page"
kind = "http"
url = "http://shop.example.com/"

[[check]]
name = "price"
kind = "http"
url = "http://shop.example.com/"
contains = "EUR"
"""
TESTS = '''\
import pytest

pytestmark = pytest.mark.docker


def test_the_page_is_there(sandbox, stack):
    """The page is served."""
    stack("stack/")
    assert sandbox.http_get("http://shop.example.com/").status == 200


def test_the_name_is_public(sandbox):
    assert sandbox.resolve("shop.example.com").values
'''


@pytest.mark.docker
@pytest.mark.long(20)
def test_the_workflow_of_github_in_a_project(project):
    (project / "stack").mkdir()
    (project / "stack" / "compose.yaml").write_text(COMPOSE)
    (project / "stack" / "sandbox.toml").write_text(SETTINGS)
    (project / "tests" / "test_shop.py").write_text(TESTS)
    actions = {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(project)}

    for script, environment in github_steps("images"):
        done = run(script, project, {**environment, **actions, "IMAGES": "toolbox"})
        assert done.returncode == 0, done.stdout + done.stderr
    assert (project.parent / "home" / "sandbox-images.tar").stat().st_size > 10_000_000

    install, check = github_steps("checks")
    done = run(install[0], project, {**install[1], **actions})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Loaded image: aws-container-sandbox/toolbox:" in done.stdout
    done = run(check[0], project, {**check[1], **actions})
    assert done.returncode == 1, done.stdout + done.stderr
    (told,) = [line for line in done.stderr.splitlines() if line.startswith("::error")]
    assert told.startswith("::error file=stack/sandbox.toml,line=11,title=shop / price%3A fails%2C declared%3A holds::")
    assert cases(project / "junit.xml") == ["up", "page", "price"]
    shards = project / "shards"
    (shards / "checks").mkdir(parents=True)
    (project / "report").rename(shards / "checks" / "report")

    ran = []
    for shard in (1, 2):
        *_, (script, environment) = github_steps("tests", shard=shard)
        done = run(script, project, {**environment, **actions, "SHARDS": "2"})
        names = cases(project / "junit.xml")
        ran += names
        told = [line for line in done.stderr.splitlines() if line.startswith("::error")]
        if names == ["test_the_name_is_public"]:
            assert done.returncode == 1, done.stdout + done.stderr
            (line,) = told
            assert line.startswith("::error file=tests/test_shop.py,line=13::test_the_name_is_public")
        else:
            assert (done.returncode, told) == (0, []), done.stdout + done.stderr
        (shards / str(shard)).mkdir()
        (project / "report").rename(shards / str(shard) / "report")
    assert sorted(ran) == ["test_the_name_is_public", "test_the_page_is_there"]

    *_, (merge, environment) = github_steps("report")
    done = run(merge, project, {**environment, **actions})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "report/index.html: 5 results of 3 reports" in done.stdout
    page = (project / "report" / "index.html").read_text()
    assert "3 of 5 did what they declare" in page
    entries = [json.loads(file.read_text()) for file in (project / "report" / "entries").iterdir()]
    assert sorted(one["name"] for one in entries) == sorted([*ran, "up", "page", "price"])
    assert all(Path(project / one["timeline"]).is_file() for one in entries)
