"""``--help``, and what the shell completes, as somebody at a terminal has them."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from sandbox import cli as command_line
from sandbox import manual, scenario
from sandbox.controllers import stack_file
from sandbox.engine.catalogue import CATALOGUE

SANDBOX = Path(sys.executable).parent / "sandbox"


def commands(group, before=""):
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{before}{name} ")
        else:
            yield before + name, command


ROOT = typer.main.get_command(command_line.app).with_all()
COMMANDS = dict(commands(ROOT))
EXAMPLES = [(name, example) for name, examples in manual.examples().items() for example in examples]


def test_every_command_has_examples_and_exit_codes():
    groups = {name.partition(" ")[0] for name in COMMANDS}
    assert set(manual.examples()) <= {"sandbox", *groups, *COMMANDS}
    for name, command in COMMANDS.items():
        assert "Examples" in command.epilog, name
        assert "Exit codes" in command.epilog, name


@pytest.mark.parametrize(("name", "example"), EXAMPLES, ids=[example for _, example in EXAMPLES])
def test_examples_are_what_the_command_takes(name, example):
    assert all(len(line) < 77 for line in example.splitlines()), "it is broken on a terminal of 80 columns"
    words = shlex.split(example.replace("\\\n", "").removeprefix('eval "$(').removesuffix(')"'))[1:]
    if ">" in words:
        words = words[: words.index(">")]
    command, path = ROOT, []
    while hasattr(command, "commands"):
        path.append(words.pop(0))
        command = command.commands[path[-1]]
    assert name in ("sandbox", path[0], " ".join(path))
    context = command.make_context(name, words)  # raises for what it does not take
    if name == "run":
        known = scenario.load_all()
        for chosen in scenario.choose(known, context.params["names"] or []):
            assert not context.params["variant"] or chosen.variant(context.params["variant"])
    if name == "deploy":
        assert stack_file.load(context.params["stack"])


def test_options_are_in_groups(cli):
    code, out, _ = cli.run("run", "--help", COLUMNS="80")
    assert code == 0
    for words in ("Results ─", "How it runs ─", "Examples", "Exit codes", "DOCKER_HOST: the Docker engine"):
        assert words in out


def completed(line: str) -> list[str]:
    """What bash has for Tab at the end of the line, with the script that --show-completion prints."""
    script = """
eval "$(sandbox --show-completion bash)"
COMP_WORDS=($1); [[ $1 == *' ' ]] && COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_sandbox_completion sandbox
printf '%s\\n' "${COMPREPLY[@]}"
"""
    environment = {
        **os.environ,
        "PATH": f"{SANDBOX.parent}:{os.environ['PATH']}",
        "DOCKER_HOST": "unix:///nonexistent/docker.sock",
        "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1",
    }
    done = subprocess.run(
        ["bash", "-c", script, "bash", line], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("sandbox do", ["doctor", "down"]),
        ("sandbox run alb-st", ["alb-stickiness"]),
        ("sandbox run alb-stickiness ", list(scenario.load_all())),
        ("sandbox run alb-stickiness --variant ", ["not-sticky", "sticky", "websocket-only"]),
        ("sandbox run --variant not-st", ["not-sticky"]),
        ("sandbox up g", [name for name in stack_file.names() if name.startswith("g")]),
        ("sandbox images build php", [name for name in CATALOGUE if name.startswith("php")]),
        ("sandbox run no-such-scenario", []),
    ],
)
def test_bash_completes_names(line, names):
    assert sorted(completed(line)) == sorted(names)


def test_zsh_shows_what_a_scenario_is_about_in_one_line():
    done = subprocess.run(
        [SANDBOX],
        env={**os.environ, "_SANDBOX_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "sandbox run alb-st"},
        capture_output=True,
        text=True,
        check=True,
    )
    symptom = scenario.load_all()["alb-stickiness"].symptom
    (line,) = done.stdout.splitlines()
    assert f'"alb-stickiness":"{symptom[:30]}' in line
