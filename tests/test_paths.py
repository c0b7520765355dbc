from __future__ import annotations

from pathlib import Path

from sandbox import paths


def test_the_stacks_are_in_the_shared_folder():
    assert (paths.share() / "compose" / "ghost" / "stack.yaml").is_file()


def test_the_cache_follows_the_xdg_convention(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert paths.cache() == Path("/somewhere/aws-container-sandbox")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", "/home/someone")
    assert paths.cache() == Path("/home/someone/.cache/aws-container-sandbox")
