"""The verdict of migration-order, from observations as a run makes them; and the releases of its stack, in SQLite."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from sandbox import paths, scenario
from sandbox.timeline import Observation

SCENARIO = scenario.load_all()["migration-order"]
ORDERS = paths.share() / "compose" / "orders"


def answer(release, wrong=""):
    return Observation(1.0, "orders.answer", {"method": "GET", "release": release, "status": 200, "wrong": wrong})


def migrated(status, error=""):
    facts = {"stage": "Migrate", "action": "Before", "provider": "Lambda", "status": status, "error": error}
    return Observation(2.0, "pipeline.action", {**facts, "summary": "task 0 exited with code 0"})


ENDED = Observation(
    3.0, "release.ended", {"release": "rename", "stages": {"Migrate": "Succeeded", "Deploy": "Succeeded"}}
)


def test_an_old_task_that_does_not_know_the_schema_reproduces():
    wrong = "HTTP 500, no such column: total"
    answers = [answer("first", wrong), answer("rename"), answer("first", wrong), answer("rename")]
    verdict = SCENARIO.judge([answer("first"), migrated("Succeeded"), *answers, ENDED])
    assert verdict.outcome == "reproduces"
    assert verdict.evidence == (
        "Migrate/Before Succeeded: the task exited with code 0",
        "release 'rename': Migrate Succeeded, Deploy Succeeded",
        "  tasks of 'first': 3 answers, 2 times HTTP 500, no such column: total",
        "  tasks of 'rename': 2 answers, all well",
        "  while both served: 2 answers, 1 of them wrong",
    )


def test_a_migration_that_fails_holds_where_nobody_sees_it():
    exited = Observation(
        2.0, "container.exited", {"container": "orders", "exit_code": 1, "log": ["sqlite3.OperationalError: no such"]}
    )
    verdict = SCENARIO.judge(
        [answer("first"), exited, migrated("Failed", "task 0 exited with code 1: Essential"), ENDED]
    )
    assert verdict.outcome == "holds"
    assert verdict.evidence[:2] == (
        "orders said: sqlite3.OperationalError: no such",
        "Migrate/Before Failed: the task exited with code 1: Essential",
    )


def statements(release):
    folder = ORDERS / "app" if release == "first" else ORDERS / "releases" / release
    found: dict[str, str] = {}
    exec((folder / "statements.py").read_text(), found)
    return found


def migrate(tmp_path, release, when):
    """What a task of the release does: its files lie over the first release's."""
    script = ORDERS / "releases" / release / f"{when}.sql"
    (tmp_path / script.name).write_text(script.read_text())
    (tmp_path / "migrate.py").write_text((ORDERS / "app" / "migrate.py").read_text())
    environment = {**os.environ, "DATABASE": str(tmp_path / "orders.sqlite")}
    return subprocess.run([sys.executable, str(tmp_path / "migrate.py"), when], env=environment, check=False).returncode


def order(tmp_path, writer, reader):
    """What a customer sees whose order is written by one release, and read by another."""
    with closing(sqlite3.connect(tmp_path / "orders.sqlite", isolation_level=None)) as database:
        database.execute(statements(writer)["WRITE"], {"amount": 1200})
        return database.execute(statements(reader)["READ"]).fetchone()[0]


@pytest.fixture
def database(tmp_path):
    with closing(sqlite3.connect(tmp_path / "orders.sqlite")) as database:
        database.execute(statements("first")["SCHEMA"])
    return tmp_path


def test_expand_and_contract_fit_each_other_and_the_first_release(database):
    assert migrate(database, "expand", "before") == 0
    for pair in (("first", "first"), ("first", "expand"), ("expand", "first"), ("expand", "expand")):
        assert order(database, *pair) == 1200
    assert migrate(database, "contract", "before") == 0
    for pair in (("expand", "expand"), ("expand", "contract"), ("contract", "expand"), ("contract", "contract")):
        assert order(database, *pair) == 1200
    assert migrate(database, "contract", "after") == 0
    assert order(database, "contract", "contract") == 1200


def test_the_renamed_column_is_unknown_to_the_first_release(database):
    assert migrate(database, "rename", "before") == 0
    assert order(database, "rename", "rename") == 1200
    with pytest.raises(sqlite3.OperationalError, match="no such column: total"):
        order(database, "rename", "first")
    with pytest.raises(sqlite3.OperationalError, match="no column named total"):
        order(database, "first", "rename")


def test_a_migration_that_fails_leaves_the_schema_as_it_was(database):
    assert migrate(database, "misspelt", "before") == 1
    assert order(database, "first", "first") == 1200
    with pytest.raises(sqlite3.OperationalError, match="no such column: amount"):
        order(database, "first", "misspelt")
