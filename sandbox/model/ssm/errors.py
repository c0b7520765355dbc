"""Errors of Systems Manager."""

from __future__ import annotations


class SsmError(Exception):
    """An error that the API answers with.

    Args:
        code: AWS's name of it ("InvalidInstanceId").
        message: AWS's words where they are known, else ours.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
