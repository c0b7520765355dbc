"""The errors of the Elastic Load Balancing API, named as in its reference ("Errors" of each action)."""

from __future__ import annotations


class ElbError(Exception):
    """An Elastic Load Balancing API error; its HTTP status is the API model's.

    Attributes:
        code: AWS's name of the error, such as ``TargetGroupNotFound``.
        message: AWS's message where one has been seen; else ours.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


def validation_error(message: str) -> ElbError:
    """A parameter is missing or wrong."""
    return ElbError("ValidationError", message)


def invalid_action(message: str) -> ElbError:
    """An action of a rule is wrong."""
    return ElbError("InvalidLoadBalancerAction", message)


def not_carried_out(what: str) -> ElbError:
    """AWS would take it and the sandbox cannot carry it out: said at once rather than ignored in silence."""
    message = f"The sandbox does not carry out {what} yet; see docs/fidelity.md."
    return ElbError("InvalidConfigurationRequest", message)
