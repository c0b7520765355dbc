"""The option of this folder; it is there where pytest is told of the folder, as `make cache-tests` does."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-expected",
        action="store_true",
        help="write what came into expected.json; each new departure then needs its reason, by hand",
    )
