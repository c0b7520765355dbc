"""The tutorial: what it has the reader do leads to what it shows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox import scenario
from tests.conftest import REPOSITORY
from tests.test_docs import blocks

TUTORIAL = REPOSITORY / "docs" / "tutorial.md"
COMMANDS = "\n".join(blocks(TUTORIAL, "sh")).splitlines()


@pytest.fixture
def folder(tmp_path) -> Path:
    """The reader's folder, after `cp -r compose/ghost blog`."""
    assert "cp -r compose/ghost blog" in COMMANDS
    shutil.copytree(REPOSITORY / "compose" / "ghost", tmp_path / "blog")
    return tmp_path


def mend(folder: Path) -> None:
    """Change the two lines as the tutorial says."""
    (diff,) = blocks(TUTORIAL, "diff")
    subprocess.run(["patch", "-p0", "--fuzz=0"], cwd=folder, input=diff, text=True, check=True, capture_output=True)


def test_the_variants_that_are_run_are_what_it_says():
    runs = [command.split() for command in COMMANDS if command.startswith("sandbox run")]
    known = scenario.load_all()
    declared = [known[words[2]].variant(words[4]).expect for words in runs]
    assert declared == ["reproduces", "holds"]
    outputs = "\n".join(blocks(TUTORIAL, "text"))
    for words, expectation in zip(runs, declared, strict=True):
        assert re.search(rf"^✓ {words[2]} / {words[4]}: {expectation} ", outputs, re.MULTILINE)


def test_the_two_lines_are_the_fault(folder, cli):
    handler = f"{folder}/blog/lambda/by_position.py:handler"
    arguments = ("replay", "replace", "--handler", handler, "--shape", "elb-first")
    running = ("--pattern", '{"detail": {"lastStatus": ["RUNNING"], "desiredStatus": ["RUNNING"]}}')
    names = ("--zone", "example.com=Z1", "--env", "HOSTED_ZONE_ID=Z1", "--env", "RECORD_NAME=blog.example.com")
    code, out, err = cli.run(*arguments, *running, *names)
    assert code == 1, err
    assert "IndexError" in out
    mend(folder)
    code, out, err = cli.run(*arguments, *running, *names)
    assert code == 0, out + err


@pytest.mark.docker
@pytest.mark.long(20)
def test_the_test_passes_once_they_are_changed(folder):
    (test,) = blocks(TUTORIAL, "python")
    (folder / "test_blog.py").write_text(test)
    mend(folder)
    assert COMMANDS.count("pytest test_blog.py") == 2
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "test_blog.py"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert re.search(r"^test_blog.py \. +\[100%\]$", done.stdout, re.MULTILINE)
