"""Buildspecs: what is taken of them, and what is refused."""

from __future__ import annotations

import pytest

from sandbox.model.codebuild.buildspec import Artifacts, BuildspecError, Phase, parse


def of(**members):
    return {"version": 0.2, "phases": {"build": {"commands": ["make"]}}, **members}


def test_phases_are_in_aws_order_whatever_theirs_is_in_the_file():
    spec = parse(
        of(
            phases={"post_build": {"commands": ["push"]}, "install": {"commands": ["apt"], "finally": ["clean"]}},
            env={"variables": {"TAG": 1}, "exported-variables": ["TAG"]},
        )
    )
    assert spec.phases == (Phase("install", ("apt",), ("clean",)), Phase("post_build", ("push",)))
    assert (spec.shell, parse(of(env={"shell": "/bin/bash"})).shell) == ("sh", "bash")
    assert (dict(spec.variables), spec.exported, spec.artifacts) == ({"TAG": "1"}, ("TAG",), None)


@pytest.mark.parametrize(
    ("patterns", "chosen"),
    [
        (["imagedefinitions.json"], ["imagedefinitions.json"]),
        (["**/*"], ["a/b.txt", "a/c/d.txt", "imagedefinitions.json"]),
        (["a/*"], ["a/b.txt"]),
        (["a/**/*"], ["a/b.txt", "a/c/d.txt"]),
        (["*.json", "a/c/?.txt"], ["a/c/d.txt", "imagedefinitions.json"]),
        (["missing"], []),
    ],
)
def test_patterns_choose_files(patterns, chosen):
    artifacts = parse(of(artifacts={"files": patterns})).artifacts
    assert list(artifacts.choose(["a/b.txt", "a/c/d.txt", "imagedefinitions.json"])) == chosen


def test_discarded_paths_leave_names():
    assert Artifacts(("**/*",), flat=True).choose(["a/b.txt"]) == {"a/b.txt": "b.txt"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "a mapping is wanted"),
        (of(version=0.1), "version 0.1"),
        (of(cache={}), "cache is not carried out"),
        (of(env={"parameter-store": {}}), "parameter-store is not carried out"),
        (of(env={"shell": "powershell.exe"}), "powershell.exe"),
        (of(phases={}), "at least one phase"),
        (of(phases={"deploy": {"commands": ["x"]}}), "phases/deploy"),
        (of(phases={"build": {"commands": []}}), "there is none"),
        (of(phases={"build": {"commands": "make"}}), "a list of texts"),
        (of(phases={"build": {"commands": ["x"], "on-failure": "RETRY"}}), "RETRY"),
        (of(phases={"build": {"commands": ["x"], "run-as": "root"}}), "run-as"),
        (of(artifacts={"files": []}), "artifacts/files"),
        (of(artifacts={"files": ["x"], "secondary-artifacts": {}}), "secondary-artifacts"),
    ],
)
def test_what_cannot_be_followed_is_named(content, words):
    with pytest.raises(BuildspecError) as raised:
        parse(content)
    assert words in str(raised.value)
