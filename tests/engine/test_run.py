"""Ownership: a run is dead when its very process is, and never before."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.engine import run as runs
from sandbox.engine.run import LABEL_OWNER, LABEL_RUN, Run, folder_owner, is_gone, owner_of_this_process
from sandbox.errors import SandboxError


def test_this_process_is_not_gone():
    assert not is_gone(owner_of_this_process())


def test_a_process_that_has_ended_is_gone():
    code = "from sandbox.engine.run import owner_of_this_process as o; print(o())"
    owner = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert is_gone(owner)


def test_a_later_process_with_the_same_pid_is_another_one():
    boot, namespace, pid, started = owner_of_this_process().split(":")
    assert is_gone(f"{boot}:{namespace}:{pid}:{int(started) - 1}")


def test_a_process_of_another_pid_namespace_counts_as_living():
    boot, namespace, _, _ = owner_of_this_process().split(":")
    assert not is_gone(f"{boot}:{int(namespace) + 1}:999999:1")


def test_what_an_earlier_boot_left_is_gone():
    _, namespace, pid, started = owner_of_this_process().split(":")
    assert is_gone(f"another-boot:{namespace}:{pid}:{started}")


def test_a_run_labels_what_it_owns_and_its_folder_ends_with_it():
    run = Run.begin()
    assert run.labels[LABEL_RUN] == run.id
    assert run.labels[LABEL_OWNER] == owner_of_this_process()
    assert (run.folder / "owner").read_text() == run.owner
    assert run.folder.stat().st_mode & 0o077 == 0  # the endpoint's socket is in there
    run.end()
    assert not run.folder.exists()


def test_a_kept_run_keeps_its_folder():
    run = Run.begin()
    run.keep()
    run.end()
    assert run.id in runs.kept_runs()
    (run.folder / "kept").unlink()
    run.end()
    assert not run.folder.exists()


def test_sockets_fit_into_a_unix_address():
    run = Run.begin()
    try:
        assert len(str(run.folder / "sockets" / "gateway.sock")) < 108
    finally:
        run.end()


def test_a_run_that_can_have_no_folder_says_so(monkeypatch):
    monkeypatch.setattr(runs, "runs_folder", lambda: Path("/dev/null/acs"))
    with pytest.raises(SandboxError) as caught:
        Run.begin()
    assert "/dev/null/acs" in caught.value.message
    assert "TMPDIR" in caught.value.hint


def test_a_folder_that_was_being_made_or_removed_belongs_to_who_did_so(monkeypatch, tmp_path):
    monkeypatch.setattr(runs, "runs_folder", lambda: tmp_path)
    run = Run.begin()
    assert folder_owner(run.folder) == run.owner
    (tmp_path / "12345678.boot:1:2:3").mkdir()
    assert folder_owner(tmp_path / "12345678.boot:1:2:3") == "boot:1:2:3"
    (tmp_path / "of-nobody").mkdir()
    assert folder_owner(tmp_path / "of-nobody") is None


def test_a_removal_that_is_cut_short_leaves_a_folder_that_names_who_began_it(monkeypatch, tmp_path):
    monkeypatch.setattr(runs, "runs_folder", lambda: tmp_path)
    monkeypatch.setattr(runs.shutil, "rmtree", lambda *arguments, **options: None)  # killed here
    run = Run.begin()
    run.end()
    (left,) = tmp_path.iterdir()
    assert folder_owner(left) == owner_of_this_process()
