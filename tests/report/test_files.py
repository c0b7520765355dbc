"""Files of results: what they were, or what they are to be, and nothing between."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.errors import SandboxError
from sandbox.report.files import make_folder, write_whole
from tests.room import room_for


def test_a_file_is_written_and_replaced(tmp_path):
    file = tmp_path / "results.json"
    for text in ("one", "another"):
        write_whole(file, text)
        assert file.read_text() == text
    assert list(tmp_path.iterdir()) == [file]


def test_without_room_the_file_is_what_it_was(tmp_path):
    file = tmp_path / "results.json"
    write_whole(file, "before")
    with room_for(10), pytest.raises(SandboxError) as caught:
        write_whole(file, "x" * 100)
    assert file.read_text() == "before"
    assert list(tmp_path.iterdir()) == [file]
    assert f"{file} cannot be written" in caught.value.message


def test_what_a_killed_process_was_writing_is_taken_up(tmp_path):
    (tmp_path / ".results.json.new").write_text("hal")
    write_whole(tmp_path / "results.json", "whole")
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]


def test_a_link_stays_and_leads_to_the_new_text(tmp_path):
    (tmp_path / "there").mkdir()
    link = tmp_path / "results.json"
    link.symlink_to(tmp_path / "there" / "real.json")
    write_whole(link, "text")
    assert link.is_symlink()
    assert (tmp_path / "there" / "real.json").read_text() == "text"


def test_who_may_read_the_file_may_still(tmp_path):
    file = tmp_path / "results.json"
    file.write_text("before")
    file.chmod(0o640)
    write_whole(file, "after")
    assert file.stat().st_mode & 0o777 == 0o640


def test_a_device_stays_a_device():
    write_whole(Path("/dev/null"), "text")
    assert Path("/dev/null").is_char_device()


def test_a_folder_in_which_nothing_can_be_written_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("sandbox.report.files.os.access", lambda path, mode: False)  # root may write everywhere
    with pytest.raises(SandboxError, match=f"nothing can be written to folder {tmp_path}"):
        make_folder(tmp_path)
