from __future__ import annotations

import pytest

from sandbox.checks import proxy_files


@pytest.fixture
def tree(tmp_path):
    """The tree of an nginx.conf that holds this text, and its name."""

    def read(text):
        file = tmp_path / "nginx.conf"
        file.write_text(text)
        return proxy_files.nginx(file), str(file)

    return read
