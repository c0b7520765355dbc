"""The errors of the CloudFront API, named as in its reference (CreateDistribution, CreateInvalidation: "Errors")."""

from __future__ import annotations


class CloudFrontError(Exception):
    """A CloudFront API error.

    Attributes:
        code: AWS's name of the error, such as ``InvalidArgument``.
        message: AWS's message where one has been seen; else ours.
        status: The HTTP status of the API's answer.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


def invalid_argument(message: str) -> CloudFrontError:
    """A value is wrong, or does not go with another."""
    return CloudFrontError("InvalidArgument", message)


def not_carried_out(what: str) -> CloudFrontError:
    """AWS would take it and the sandbox cannot carry it out: said at once rather than ignored in silence."""
    return CloudFrontError("InvalidArgument", f"The sandbox does not carry out {what} yet; see docs/fidelity.md.")
