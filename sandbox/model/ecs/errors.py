"""The errors of the ECS API, named as in its reference ("Common Errors" and each action's "Errors")."""

from __future__ import annotations


class EcsError(Exception):
    """An ECS API error.

    Attributes:
        code: AWS's name of the error, such as ``ClientException``.
        message: AWS's message.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


def client_exception(message: str) -> EcsError:
    """The request is wrong in a way only the service can tell (HTTP 400)."""
    return EcsError("ClientException", message)


def invalid_parameter(message: str) -> EcsError:
    """A parameter is wrong in itself (HTTP 400)."""
    return EcsError("InvalidParameterException", message)


def not_carried_out(what: str) -> EcsError:
    """AWS would take it and the sandbox cannot carry it out: said at once rather than ignored in silence."""
    return EcsError("ClientException", f"The sandbox does not carry out {what} yet; see docs/fidelity.md.")
