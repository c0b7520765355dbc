"""The page as a file: its table, what it weighs, and that it fetches nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path

from PIL import Image

from sandbox.report.page import html
from sandbox.report.page.entry import Entry, observations
from tests.report.page.pages import HOSTILE, entry, many, write


def test_a_page_names_what_is_not_as_declared(tmp_path):
    page = write(tmp_path, entry("good"), entry("wrong", as_declared=False, error="the engine went away"))
    assert "1 of 2 did what they declare" in page
    assert '<a href="#v1">shop / wrong</a>: declares holds, reproduces' in page
    assert "the engine went away" in page


def test_a_page_fetches_nothing(tmp_path):
    page = write(tmp_path, entry("one", timeline=many(tmp_path, 50)))
    assert "default-src 'none'" in page
    assert not re.search(r"(src|href)=[\"'](?!#|data:)", page)
    assert "@import" not in page


def test_hostile_text_is_written_as_text(tmp_path):
    page = write(tmp_path, entry(HOSTILE, timeline=many(tmp_path, 20, HOSTILE), evidence=(HOSTILE,), error=HOSTILE))
    assert HOSTILE not in page
    assert page.count("<script") == 2  # the page's own, and the data of one section
    assert "onerror=alert" not in re.sub(r"&lt;.*?&gt;", "", page)


def test_ten_thousand_observations_weigh_less_than_a_megabyte(tmp_path):
    folder = tmp_path / "report"
    file = html.write(folder, "big", [entry(f"variant-{n}", timeline=many(tmp_path, 1000, name=n)) for n in range(10)])
    assert file.stat().st_size < 1_000_000


def test_what_flaps_all_the_time_does_not_fill_the_page(tmp_path):
    file = tmp_path / "flapping.jsonl"
    health = {"kind": "target.health", "group": "shop", "target": "10.0.0.4:80", "reason": "", "description": ""}
    states = ("healthy", "unhealthy")
    file.write_text("".join(json.dumps({**health, "at": n, "state": states[n % 2]}) + "\n" for n in range(10_000)))
    page = write(tmp_path, entry("one", timeline=str(file)))
    assert len(page) < 200_000
    assert "and 9960 more" in page


def test_a_line_cut_by_a_kill_is_left_out(tmp_path):
    file = tmp_path / "t.jsonl"
    file.write_text('{"at": 1.0, "kind": "stack.ready", "url": "u"}\nnull\n[]\n{"at": 2.0, "ki')
    assert [one.kind for one in observations(str(file))] == ["stack.ready"]


def test_a_missing_timeline_is_an_empty_one(tmp_path):
    assert "What happened" not in write(tmp_path, entry("one", timeline=str(tmp_path / "none.jsonl")))


def test_screenshots_are_in_the_page_as_long_as_there_is_room(tmp_path):
    small, big = tmp_path / "small.png", tmp_path / "big.png"
    Image.new("RGB", (20, 20)).save(small)
    big.write_bytes(b"\x89PNG" + bytes(700_000))
    page = write(tmp_path, entry("one", files=(str(small), str(big), str(tmp_path / "gone.png"))))
    assert page.count("data:image/png;base64,") == 1
    assert f"<code>{big}</code>" in page
    assert "gone.png" in page


def test_an_entry_is_read_as_it_was_written():
    one = entry("one", evidence=("a", "b"), files=("x.png",))
    assert Entry.from_json(one.as_json()) == one
    assert json.loads(one.as_json())["group"] == "shop"


def test_logs_are_shown(tmp_path: Path) -> None:
    file = tmp_path / "t.jsonl"
    exited = {"at": 1, "kind": "container.exited", "task": "arn:x/abcdefgh1", "container": "nginx", "exit_code": 1}
    file.write_text(json.dumps({**exited, "log": ["[emerg] host not found <in> upstream"]}) + "\n")
    page = write(tmp_path, entry("one", timeline=str(file)))
    assert "container nginx of task abcdefgh" in page
    assert "[emerg] host not found &lt;in&gt; upstream" in page
