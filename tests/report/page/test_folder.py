"""Reports of several shards become one."""

from __future__ import annotations

import json
import shutil

import pytest

from sandbox import scenario
from sandbox.errors import SandboxError
from sandbox.report.page.entry import Entry
from sandbox.report.page.folder import ReportFolder
from sandbox.runner import Result


def report(path, *names: str) -> ReportFolder:
    """A report whose tests have each seen one thing, and taken one screenshot."""
    made = ReportFolder(path)
    made.begin()
    for name in names:
        timeline = made.timelines / f"{name}.jsonl"
        timeline.write_text(json.dumps({"at": 1.0, "kind": "seen.something", "by": f"{path.name}-{name}"}) + "\n")
        picture = made.timelines / name / "1.png"
        picture.parent.mkdir()
        picture.write_bytes(f"picture of {path.name}-{name}".encode())
        made.add(
            Entry("tests/test_a.py", name, "passed", "passed", True, 1.0, timeline=str(timeline), files=(str(picture),))
        )
    made.write("of one shard")
    return made


def test_shards_become_one_page_wherever_they_were_made(tmp_path):
    for number, names in (("1", ["test_a", "test_b"]), ("2", ["test_c"]), ("3", [])):
        report(tmp_path / "machine" / number, *names)
    shutil.move(tmp_path / "machine", tmp_path / "downloaded")
    merged = ReportFolder(tmp_path / "merged")
    merged.begin()
    assert [merged.take(tmp_path / "downloaded" / number) for number in "123"] == [2, 1, 0]
    page = merged.write("all").read_text()
    assert "3 of 3 did what they declare" in page
    for name in ("test_a", "test_b", "test_c"):
        assert name in page
    kept = sorted(file.read_text() for file in merged.timelines.rglob("*.jsonl"))
    assert ["1-test_a" in kept[0], "1-test_b" in kept[1], "2-test_c" in kept[2]] == [True, True, True]
    assert len(list(merged.timelines.rglob("*.png"))) == 3
    assert len(list((tmp_path / "downloaded").rglob("*.jsonl"))) == 3


def test_a_test_that_two_shards_have_run_is_there_twice(tmp_path):
    for number in "12":
        report(tmp_path / number, "test_a")
    merged = ReportFolder(tmp_path / "merged")
    merged.begin()
    for number in "12":
        merged.take(tmp_path / number)
    page = merged.write("all").read_text()
    assert "2 of 2 did what they declare" in page
    assert "test_a (2)" in page
    assert len(list(merged.timelines.rglob("*.jsonl"))) == 2


def test_the_report_of_a_run_of_scenarios_can_be_merged(tmp_path):
    shard = report(tmp_path / "1")
    made = Result("dns-lambda", "by-name", "ghost", "holds", "holds", ("It was well.",), 1.0)
    shard.write_run([made], [scenario.load_all()["dns-lambda"]])
    merged = ReportFolder(tmp_path / "merged")
    merged.begin()
    assert merged.take(tmp_path / "1") == 1
    assert "It was well." in merged.write("all").read_text()


def test_a_report_takes_in_nothing_from_outside_its_folder(tmp_path):
    (tmp_path / "secret.jsonl").write_text("{}")
    shard = report(tmp_path / "1")
    for number, path in enumerate(("/etc/passwd", "timelines/../../secret.jsonl", "x/timelines/none.jsonl", "")):
        shard.add(Entry("g", str(number), "passed", "passed", True, 1.0, timeline=path, files=(path,)))
    merged = ReportFolder(tmp_path / "merged")
    merged.begin()
    assert merged.take(tmp_path / "1") == 4
    assert list(merged.timelines.iterdir()) == []


@pytest.mark.parametrize("entry", ["{", "[]", "{}", '{"evidence": [], "files": [], "colour": 1}'])
def test_what_is_no_report_is_named(tmp_path, entry):
    merged = ReportFolder(tmp_path / "merged")
    merged.begin()
    with pytest.raises(SandboxError, match="none is not a report"):
        merged.take(tmp_path / "none")
    report(tmp_path / "1", "test_a")
    (broken,) = (tmp_path / "1" / "entries").iterdir()
    broken.write_text(entry)
    with pytest.raises(SandboxError, match="is not an entry of a report"):
        merged.take(tmp_path / "1")


def test_the_command_merges(cli, tmp_path):
    for number in "12":
        report(tmp_path / number, f"test_{number}")
    shards = [str(tmp_path / number) for number in "12"]
    code, out, err = cli.run("report", "merge", *shards, "--into", str(tmp_path / "merged"))
    assert (code, out.strip(), err) == (0, f"{tmp_path}/merged/index.html: 2 results of 2 reports", "")
    code, _, err = cli.run("report", "merge", *shards, str(tmp_path), "--into", str(tmp_path / "merged"))
    assert (code, f"{tmp_path} is not a report" in err) == (2, True)
    assert "test_2" in (tmp_path / "merged" / "index.html").read_text()  # the earlier one is not lost
    code, _, err = cli.run("report", "merge", *shards, "--into", shards[1])
    assert code == 2
    assert "is one of the reports" in err
    assert "test_2" in (tmp_path / "2" / "index.html").read_text()
