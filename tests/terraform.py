"""Terraform with AWS's provider, from a folder on this machine: no registry is asked."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from sandbox.controllers.terraform import OVERRIDE_FILE, override
from sandbox.engine.networks import host_routes

# Folders that may hold providers, laid out as "terraform providers mirror" lays them out.
MIRRORS = [
    Path(folder).expanduser()
    for folder in (
        "/opt/tf-plugins",
        "~/.terraform.d/plugins",
        "/usr/local/share/terraform/plugins",
        "/usr/share/terraform/plugins",
    )
]
PROVIDER = "*/hashicorp/aws/**/terraform-provider-aws_*"
NOTHING_TO_DO = 0
"""The exit code of a plan with -detailed-exitcode that finds no difference; one that finds some has 2."""


@dataclass
class Terraform:
    """Terraform in a folder of its own, which knows no other endpoint than the sandbox's."""

    program: str
    folder: Path
    environment: dict[str, str]

    def __call__(self, *arguments: str) -> tuple[int, str]:
        """Exit code and output of a command."""
        done = subprocess.run(
            [self.program, *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def run(self, command: str, *arguments: str) -> str:
        """The output of a command that has to succeed."""
        options = () if command == "output" else ("-input=false",)
        approved = ("-auto-approve",) if command in {"apply", "destroy"} else ()
        code, output = self(command, *options, *approved, "-no-color", *arguments)
        assert code == 0, output
        return output

    def finds_nothing_to_do(self, *arguments: str) -> None:
        """Assert that a plan finds no difference."""
        code, output = self("plan", "-input=false", "-no-color", "-detailed-exitcode", *arguments)
        assert code == NOTHING_TO_DO, output


MakeTerraform = Callable[[Path, str], Terraform]


def free_range() -> str:
    """A /16 that nothing on this machine uses, and no sandbox would take."""
    taken = host_routes()
    ranges = [IPv4Network(f"10.{second}.0.0/16") for second in range(20, 120)]
    return str(random.choice([one for one in ranges if not any(one.overlaps(route) for route in taken)]))


@pytest.fixture
def provider_settings(tmp_path: Path) -> Path:
    """A file for TF_CLI_CONFIG_FILE that names the mirror; skips where Terraform or the provider is missing."""
    if shutil.which("terraform") is None:
        pytest.skip("Terraform is not installed")
    mirror = next((folder for folder in MIRRORS if any(folder.glob(PROVIDER))), None)
    if mirror is None:
        pytest.skip(f"no mirror of Terraform's AWS provider in {', '.join(map(str, MIRRORS))}")
    settings = tmp_path / "terraform.rc"
    settings.write_text(f'provider_installation {{\n  filesystem_mirror {{ path = "{mirror}" }}\n}}\n')
    return settings


@pytest.fixture
def make_terraform(tmp_path: Path, provider_settings: Path) -> MakeTerraform:
    """Terraform for a copy of a folder and an endpoint, initialised; skips where it or the provider is missing."""
    program = shutil.which("terraform")
    assert program is not None

    def make(configuration: Path, endpoint_url: str) -> Terraform:
        work = tmp_path / "terraform"
        shutil.copytree(configuration, work)
        (work / OVERRIDE_FILE).write_text(override(endpoint_url, "us-east-1"))
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "TF_CLI_CONFIG_FILE": str(provider_settings),
            "CHECKPOINT_DISABLE": "1",
        }
        terraform = Terraform(program, work, environment)
        terraform.run("init")
        return terraform

    return make
