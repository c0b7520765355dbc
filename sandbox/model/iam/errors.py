"""The error of IAM that the model raises."""

from __future__ import annotations


class PolicyError(Exception):
    """A policy is none: IAM's MalformedPolicyDocument.

    Attributes:
        message: IAM's words where they have been seen; else ours.
    """

    def __init__(self, message: str) -> None:
        super().__init__(f"MalformedPolicyDocument: {message}")
        self.message = message
