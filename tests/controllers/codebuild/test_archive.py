"""ZIP archives as sources: there and back."""

from __future__ import annotations

import pytest

from sandbox.controllers.codebuild.archive import unzip, zipped
from sandbox.errors import SandboxError


def test_files_come_out_as_they_went_in_and_anybody_may_read_them(tmp_path):
    unzip(zipped({"app/page.html": b"page", "Dockerfile": b"FROM scratch"}), tmp_path)
    assert (tmp_path / "app" / "page.html").read_bytes() == b"page"
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in ("app/page.html", "Dockerfile")} == {0o644}


def test_what_is_no_archive_is_refused(tmp_path):
    with pytest.raises(SandboxError, match="not a ZIP archive"):
        unzip(b"PK?", tmp_path)
