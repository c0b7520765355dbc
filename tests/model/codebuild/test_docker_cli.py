"""What a build may ask of Docker."""

from __future__ import annotations

import pytest

from sandbox.model.codebuild.docker_cli import Build, DockerCommandError, Login, Push, Tag, parse


@pytest.mark.parametrize(
    ("command", "meant"),
    [
        ("build .", Build(".")),
        ("build -t web .", Build(".", ("web:latest",))),
        (
            "build --tag=a:1 -t b.example/c:2 -f d/Dockerfile sub",
            Build("sub", ("a:1", "b.example/c:2"), "d/Dockerfile"),
        ),
        (
            "build --build-arg A=1 --build-arg=B --target x --no-cache .",
            Build(".", (), "", {"A": "1", "B": None}, "x", True),
        ),
        ("buildx build --platform linux/amd64 .", Build(".")),
        ("tag web reg:5000/web", Tag("web:latest", "reg:5000/web:latest")),
        ("push -q web:1", Push("web:1")),
        ("image push web", Push("web:latest")),
        ("login --username AWS --password-stdin host", Login()),
    ],
)
def test_what_is_carried_out(command, meant):
    assert parse(command.split()) == meant


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("", "not carried out"),
        ("run --privileged x", "docker run --privileged x: not carried out"),
        ("pull nginx", "not carried out"),
        ("push", "not carried out"),
        ("tag a", "not carried out"),
        ("build", "one folder"),
        ("build a b", "one folder"),
        ("build https://example.org/x.git", "one folder"),
        ("build --secret id=x .", "--secret is not carried out"),
        ("build --network=host .", "--network is not carried out"),
        ("build --platform linux/arm64 .", "--platform linux/arm64"),
        ("build . -t", "-t wants a value"),
    ],
)
def test_what_is_not(command, words):
    with pytest.raises(DockerCommandError) as raised:
        parse(command.split())
    assert words in str(raised.value)
