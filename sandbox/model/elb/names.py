"""Names of load balancers and target groups (API reference: CreateLoadBalancer, CreateTargetGroup)."""

from __future__ import annotations

import re

from sandbox.model.elb.errors import validation_error

_LONGEST = 32
_LETTERS = re.compile(r"[A-Za-z0-9-]+")


def check_name(what: str, name: str) -> None:
    """Refuse what is no name of a ``what`` ("Load balancer" or "Target group").

    Raises:
        ElbError: ValidationError.
    """
    if not name:
        raise validation_error(f"{what} name cannot be empty")
    if len(name) > _LONGEST:
        raise validation_error(f"{what} name '{name}' cannot be longer than '{_LONGEST}' characters")
    if not _LETTERS.fullmatch(name):
        raise validation_error(
            f"{what} name '{name}' can only contain characters that are alphanumeric characters or hyphens(-)"
        )
    if name.startswith("-") or name.endswith("-"):
        raise validation_error(f"{what} name '{name}' cannot begin or end with '-'")


def check_balancer_name(name: str) -> None:
    """Refuse what is no name of a load balancer.

    Raises:
        ElbError: ValidationError.
    """
    check_name("Load balancer", name)
    if name.startswith("internal-"):
        raise validation_error(f"Load balancer name '{name}' cannot begin with 'internal-'")
