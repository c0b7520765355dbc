"""A soak of four runs: one round whose runs are all killed, and one whose engine is; `make soak` is the long one."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests import apart


@pytest.mark.docker
@pytest.mark.long(60)
@pytest.mark.skipif(not apart.IS_POSSIBLE, reason="only root can have a machine apart with a dockerd on it")
def test_kills_and_a_dead_engine_leave_nothing_behind(tmp_path):
    # This seed is one whose four runs have these two troubles, early enough to hit them.
    options = ["--runs", "4", "--seed", "2419", "--only", "srv-discovery", "--summary", str(tmp_path / "soak.json")]
    done = subprocess.run(
        [sys.executable, "-m", "tests.soak", *options],
        env={**os.environ, "TMPDIR": "/tmp"},  # the folder's name is to be short, for the engine's sockets
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads((tmp_path / "soak.json").read_text())
    assert summary["trouble"] == {"kill all": 1, "engine is killed": 1}
    assert summary["runs"] == 4
    assert summary["failures"] == []
    assert summary["exit_codes"]["-9"] == 2
