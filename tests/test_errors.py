"""Errors as they are logged where nobody waits for them."""

from __future__ import annotations

import errno
import logging
import os

import pytest

from sandbox.errors import SandboxError, log_failure

log = logging.getLogger("tests.errors")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (SandboxError("the engine refused", state="no space left on device", hint="x"), "no space left on device"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "No space left on device"),
    ],
)
def test_what_the_surroundings_refuse_is_one_line(error, said, caplog):
    log_failure(log, error, "a task could not be started")
    (record,) = caplog.records
    assert record.getMessage().startswith("a task could not be started: ")
    assert said in record.getMessage()
    assert "\n" not in record.getMessage()
    assert record.exc_info is None


@pytest.mark.parametrize("error", [KeyError("x"), FileNotFoundError(errno.ENOENT, "x")])
def test_what_nobody_foresaw_has_its_trace(error, caplog):
    log_failure(log, error, "a task could not be started")
    (record,) = caplog.records
    assert record.exc_info is not None
    assert record.exc_info[1] is error
