"""Options that several commands have, and what is refused of them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from sandbox.errors import SandboxError

ImagesOption = Annotated[
    str,
    typer.Option("--images", help="Where images come from: auto (present, else pull, else build), official, build."),
]
SpeedOption = Annotated[float, typer.Option("--speed", min=0.001, help="Divide every AWS timer by this.")]
AwsOption = Annotated[
    str,
    typer.Option(
        "--aws",
        metavar="embedded|localstack|URL",
        help="Who answers AWS's API: this process, a LocalStack container, or a LocalStack of your own.",
    ),
]
AnnotationsOption = Annotated[
    str,
    typer.Option(
        "--annotations",
        metavar="auto|github|none",
        help="Show failures as annotations of GitHub Actions; auto: where GITHUB_ACTIONS is true.",
    ),
]
JsonFileOption = Annotated[Path | None, typer.Option("--json", help="Write the results there (- is the output).")]
JunitFileOption = Annotated[Path | None, typer.Option("--junit", help="Write JUnit XML there.")]
ReportOption = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="Write a page there that shows what happened: index.html.")
]
CodeQualityOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write failures there as GitLab's code quality report.")
]


def check(images: str, speed: float = 1.0) -> None:
    """Refuse what ``--images`` and ``--speed`` cannot be.

    Raises:
        SandboxError: There is no such mode, or the speed is no number.
    """
    if images not in {"auto", "official", "build"}:
        raise SandboxError(f"--images {images}: there is no such mode", hint="auto, official or build")
    if not math.isfinite(speed):
        raise SandboxError(f"--speed {speed}: not a number to divide by")


def named(items: Iterable[str], option: str) -> dict[str, str]:
    """The values of an option that is repeated as NAME=VALUE, by their names.

    Raises:
        SandboxError: One of them has no name, or no value.
    """
    pairs = [item.partition("=") for item in items]
    for name, equals, value in pairs:
        if not name or not equals:
            raise SandboxError(f"{option} wants NAME=VALUE, not '{name}{equals}{value}'")
    return {name: value for name, _, value in pairs}
