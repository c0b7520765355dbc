"""Failures as annotations of GitHub Actions, and as GitLab's code quality report."""

from __future__ import annotations

import json
import re
import tomllib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sandbox import paths, scenario
from sandbox.errors import SandboxError
from sandbox.report import failures
from sandbox.report.failures import Annotation
from sandbox.runner import Result

TEXTS = st.text() | st.text("%0DA3C2:,\r\n ")


def unescaped(text: str, *, of_property: bool) -> str:
    """What GitHub's runner makes of a part of a command (ActionCommand.cs of actions/runner)."""
    for escape, character in (("%0D", "\r"), ("%0A", "\n")):
        text = text.replace(escape, character)
    if of_property:
        text = text.replace("%3A", ":").replace("%2C", ",")
    return text.replace("%25", "%")


def parsed(line: str) -> tuple[dict[str, str], str]:
    """A workflow command as GitHub's runner reads it: its properties, and its message."""
    match = re.fullmatch(r"::error (.*?)::(.*)", line, re.DOTALL)
    assert match is not None
    pairs = [pair.partition("=") for pair in match[1].split(",")]
    return {key: unescaped(value, of_property=True) for key, _, value in pairs}, unescaped(match[2], of_property=False)


@given(TEXTS.filter(bool), TEXTS, TEXTS, st.integers(1, 10**6))
@example("a: b, c", "100 %\nof it\r::error::no", "a%3Ab.toml", 1)
@example("%250A", "%0A", "", 1)
def test_a_command_is_one_line_that_says_what_was_said(title, message, file, line):
    command = failures.github(Annotation(title, message, file, line, False))
    assert "\n" not in command
    assert "\r" not in command
    wanted = {"title": title, **({"file": file, "line": str(line)} if file else {})}
    assert parsed(command) == (wanted, message)


def test_a_command_reads_as_github_documents_it():
    command = failures.github(Annotation("shop / page: fails", "no answer\nHTTP 503, not 200", "shop/a.toml", 7, False))
    assert command == "::error file=shop/a.toml,line=7,title=shop / page%3A fails::no answer%0AHTTP 503, not 200"


def result(outcome: str, *, expectation: str = "holds", error: str = "", check: str = "page") -> Result:
    return Result("shop", check, "shop", expectation, outcome, ("HTTP 503",), 1.0, error)


def test_what_ends_a_run_with_another_code_than_0_is_annotated(tmp_path):
    results = [
        result("holds"),
        result("fails"),
        result("not run", error="no engine answers\n  next: start it"),
        result("holds", error="a network could not be removed"),
        result("reproduces", expectation="reproduces"),
    ]
    found = failures.of(results, lambda _: (tmp_path / "shop" / "sandbox.toml", 3), tmp_path)
    assert [(one.title, one.message, one.not_run) for one in found] == [
        ("shop / page: fails, declared: holds", "HTTP 503", False),
        ("shop / page: not run, declared: holds", "HTTP 503\nno engine answers\n  next: start it", True),
        ("shop / page: holds, declared: holds", "HTTP 503\na network could not be removed", False),
    ]
    assert {(one.file, one.line) for one in found} == {("shop/sandbox.toml", 3)}


def test_a_file_outside_the_repository_is_not_named(tmp_path):
    for place in ((tmp_path / "elsewhere.py", 3), (None, 0)):
        (found,) = failures.of([result("fails")], lambda _, place=place: place, tmp_path / "repository")
        assert (found.file, found.line) == ("", 0)
        assert failures.github(found).startswith("::error title=")


def test_the_code_quality_report_has_what_gitlab_requires():
    first = Annotation("t", "because", "a.toml", 7, False)
    nowhere = Annotation("u", "", "", 0, True)
    issues = json.loads(failures.code_quality([first, nowhere], "scenarios"))
    for issue in issues:
        assert issue.keys() == {"description", "check_name", "fingerprint", "severity", "location"}
    assert [issue["location"] for issue in issues] == [
        {"path": "a.toml", "lines": {"begin": 7}},
        {"path": "scenarios", "lines": {"begin": 1}},
    ]
    assert [issue["severity"] for issue in issues] == ["major", "blocker"]
    (again,) = json.loads(failures.code_quality([Annotation("t", "another reason", "a.toml", 9, False)], ""))
    assert again["fingerprint"] == issues[0]["fingerprint"]
    assert issues[0]["fingerprint"] != issues[1]["fingerprint"]


CHECKS = '''\
[stack]
description = """
[[check]]
name = "page"
"""

[[check]]
name = "page" # the first
kind = "http"
url = "http://a.example.com/"

  [[ check ]]
kind = "dns"
url = "a.example.com"
'''


@pytest.mark.parametrize(("name", "line"), [("page", 7), ("dns-2", 12), ("up", 1)])
def test_the_line_of_a_check_is_found(name, line):
    assert tomllib.loads(CHECKS)["check"]
    assert failures.line_of_check(CHECKS, name) == line


def test_variants_are_found_in_the_files_of_their_scenarios():
    folder = paths.share() / "scenarios"
    for one in scenario.load_all().values():
        for variant in one.variants:
            made = Result(one.name, variant.name, one.stack, variant.expect, "not run", (), 0.0)
            file, line = failures.place_of_variant(folder, made)
            assert file is not None
            assert f'"{variant.name}"' in file.read_text().splitlines()[line - 1]
    assert failures.place_of_variant(folder, result("fails")) == (None, 0)


@pytest.mark.parametrize(
    ("mode", "actions", "told"),
    [("auto", "true", True), ("auto", "", False), ("github", "", True), ("none", "true", False)],
)
def test_github_is_told_where_it_is_wanted(mode, actions, told, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("GITHUB_ACTIONS", actions)
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    quality = tmp_path / "quality.json"
    found = failures.of([result("fails")], lambda _: (tmp_path / "sandbox.toml", 2), failures.repository())
    failures.write(found, mode, quality, "none")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == (
        "::error file=sandbox.toml,line=2,title=shop / page%3A fails%2C declared%3A holds::HTTP 503\n" if told else ""
    )
    assert json.loads(quality.read_text())[0]["location"]["path"] == "sandbox.toml"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("[stack]\nname = 'shop'\nnames = = 1\n", "3", "is not TOML"),
        ("[stack]\nnam = 'shop'\n", "1", "unknown key 'nam'"),
    ],
)
def test_a_file_that_is_refused_is_annotated(cli, tmp_path, text, line, said):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "sandbox.toml").write_text(text)
    quality = tmp_path / "quality.json"
    environment = {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(tmp_path)}
    code, _, err = cli.run("test", str(tmp_path / "shop"), "--code-quality", str(quality), **environment)
    assert code == 2
    (told,) = [line for line in err.splitlines() if line.startswith("::")]
    properties, message = parsed(told)
    assert (properties["file"], properties["line"]) == ("shop/sandbox.toml", line)
    assert said in message
    assert json.loads(quality.read_text())[0]["location"]["lines"] == {"begin": int(line)}


def test_another_mode_is_refused():
    with pytest.raises(SandboxError, match="--annotations gitea: there is no such mode"):
        failures.check_mode("gitea")


def test_the_command_line_annotates_what_could_not_be_run(cli, tmp_path):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "sandbox.toml").write_text(f'{CHECKS}[compose]\nprivate = ["web"]\n')
    (tmp_path / "shop" / "compose.yaml").write_text("services: {web: {image: 'nginx:1.27', ports: ['80:80']}}\n")
    no_engine = {"DOCKER_HOST": "unix:///nonexistent/docker.sock"}
    environment = {**no_engine, "GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(tmp_path)}
    quality = tmp_path / "quality.json"
    code, out, err = cli.run(
        "test", str(tmp_path / "shop"), "--json", "-", "--code-quality", str(quality), **environment
    )
    assert code == 2
    assert json.loads(out)["exit_code"] == 2
    (line,) = [line for line in err.splitlines() if line.startswith("::error")]
    properties, message = parsed(line)
    assert properties["file"] == "shop/sandbox.toml"
    assert properties["line"] == "1"
    assert "no Docker engine answers" in message
    assert json.loads(quality.read_text())[0]["severity"] == "blocker"
    code, _, err = cli.run("run", "dns-lambda", "--variant", "by-name", "--annotations", "github", **no_engine)
    assert code == 2
    (line,) = [line for line in err.splitlines() if line.startswith("::error")]
    assert parsed(line)[0]["title"] == "dns-lambda / by-name: not run, declared: holds"
    code, _, err = cli.run("run", "dns-lambda", "--annotations", "gitea", **no_engine)
    assert (code, "there is no such mode" in err) == (2, True)


def test_a_line_of_a_log_is_no_command(monkeypatch, capsys):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    with failures.nothing_obeyed("auto"):
        print("    ::error::from a log")
    begin, end = capsys.readouterr().err.splitlines()
    token = begin.removeprefix("::stop-commands::")
    assert len(token) == 32
    assert end == f"::{token}::"
    with failures.nothing_obeyed("none"):
        pass
    assert capsys.readouterr().err == ""
