"""Groups of the command line that are loaded when somebody names one."""

from __future__ import annotations

import subprocess
import sys

from sandbox import cli

LATER = ("sandbox.image_commands", "sandbox.checks.commands", "sandbox.fault_commands", "sandbox.simulate.commands")


def loaded(*words: str) -> set[str]:
    """Which modules of groups a call loads."""
    code = f"import sys; from sandbox import cli\ntry: cli.app({list(words)})\nfinally: print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return set(done.stdout.split()) & set(LATER)


def test_a_command_loads_no_group():
    assert loaded("list") == set()


def test_a_group_is_loaded_when_it_is_named():
    assert "sandbox.fault_commands" in loaded("fault", "list")
    assert "sandbox.checks.commands" not in loaded("fault", "list")


def test_help_knows_all_groups():
    group = cli.typer.main.get_command(cli.app)
    names = group.list_commands(None)
    assert list(group.with_all().commands) == names
    assert {"images", "check", "fault", "report", "simulate"} < set(names)
    assert group.get_command(None, "absent") is None
