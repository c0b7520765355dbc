"""The check ``replay``: somebody's own function, in a folder of theirs."""

from __future__ import annotations

import shutil

import pytest

from sandbox.errors import SandboxError
from sandbox.model.own.checks import Check
from sandbox.own_checks import replay
from sandbox.paths import share

# Two orders decide: as recorded, and the newest event first.
REVERSED = {
    "events": ["replace"],
    "order": "reversed",
    "zones": ["example.com=Z1"],
    "environment": {"HOSTED_ZONE_ID": "Z1", "RECORD_NAME": "blog.example.com"},
    "pattern": "running.json",
}
PATTERN = '{"detail": {"lastStatus": ["RUNNING"], "desiredStatus": ["RUNNING"]}}'
NEW_TASK = "198.51.100.11"


@pytest.fixture
def folder(tmp_path):
    shutil.copytree(share() / "compose" / "ghost" / "lambda", tmp_path / "lambda")
    (tmp_path / "running.json").write_text(PATTERN)
    return tmp_path


def performed(folder, target="", **bounds):
    return replay.perform(Check("orders", "replay", target, {**REVERSED, **bounds}), folder, lambda text: None)


def test_the_shortest_order_that_fails_is_the_evidence(folder):
    holds, evidence = performed(
        folder, "blog.example.com", handler="lambda/by_name.py:handler", invariants=["record-points-at-running-task"]
    )
    assert not holds
    assert evidence[0] == "2 events, 1 orders tried"
    assert evidence[1] == "broken by the order of seed 0:"
    assert evidence[2].endswith(f"blog.example.com A: none -> {NEW_TASK}")
    assert "1 newer" in evidence[3]
    assert evidence[4].startswith("record-points-at-running-task: blog.example.com is 198.51.100.10; running: ")


def test_a_function_that_asks_ecs_leaves_the_answers_that_are_wanted(folder):
    wanted = {"handler": "lambda/by_state.py:handler", "answers": [NEW_TASK]}
    assert performed(folder, "blog.example.com", **wanted) == (
        True,
        ["2 events: held in each of 1 orders, seeds 0 to 0", "what held: answers of blog.example.com"],
    )
    holds, evidence = performed(folder, "blog.example.com", **{**wanted, "answers": ["192.0.2.1"]})
    assert not holds
    assert evidence[-1] == f"answers of blog.example.com: blog.example.com A is {NEW_TASK}; wanted: 192.0.2.1"


def test_an_invariant_of_the_folder_counts(folder):
    (folder / "rules.py").write_text("def no_record(state):\n    assert not state.names(), state.names()\n")
    holds, evidence = performed(folder, handler="lambda/by_state.py:handler", invariants=["rules.py:no_record"])
    assert not holds
    assert evidence[1] == "broken as recorded:"


def test_what_is_not_there_is_named(folder):
    with pytest.raises(SandboxError, match=f"there is no file {folder}/none.py"):
        performed(folder, handler="none.py:handler")
    with pytest.raises(SandboxError, match=f"{folder}/events.json cannot be read"):
        performed(folder, handler="lambda/by_name.py:handler", events=["events.json"])
