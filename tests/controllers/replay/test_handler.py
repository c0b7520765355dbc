"""``FILE:FUNCTION``, and what is packed with it."""

from __future__ import annotations

import io
import os
import zipfile

import pytest

from sandbox.controllers.replay import handler
from sandbox.controllers.replay.handler import Handler, load_object
from sandbox.errors import SandboxError


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "my-function.py").write_text("def handler(event, context): pass\nanswer = 42\n")
    return tmp_path


def packed(function: Handler) -> list[str]:
    return sorted(zipfile.ZipFile(io.BytesIO(function.code)).namelist())


def test_the_folder_is_the_package(folder):
    for name in ("lib/helper.py", ".git/config", "venv/pyvenv.cfg", "venv/lib/x.py", "__pycache__/x.pyc", "data.json"):
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_text("")
    (folder / "lib" / "loop").symlink_to(folder)
    os.utime(folder / "data.json", (0, 0))  # before ZIP's time begins
    function = Handler.load(f"{folder}/my-function.py:handler", timeout=7)
    assert packed(function) == ["data.json", "lib/helper.py", "my-function.py"]
    assert (function.name, function.handler, function.timeout) == ("my-function", "my-function.handler", 7)


def test_a_folder_that_is_too_large_is_named(folder, monkeypatch):
    monkeypatch.setattr(handler, "UNZIPPED_LIMIT", 10)
    with pytest.raises(SandboxError, match="larger than a deployment package"):
        Handler.load(f"{folder}/my-function.py:handler")


def test_an_object_is_loaded_with_its_neighbours(folder):
    (folder / "neighbour.py").write_text("answer = 41\n")
    (folder / "mine.py").write_text("import neighbour\nanswer = neighbour.answer + 1\n")
    assert load_object(f"{folder}/mine.py:answer") == 42
    with pytest.raises(SandboxError, match="has no 'question'"):
        load_object(f"{folder}/mine.py:question")
    (folder / "broken.py").write_text("1 / 0\n")
    with pytest.raises(SandboxError, match="cannot be imported: ZeroDivisionError"):
        load_object(f"{folder}/broken.py:answer")
