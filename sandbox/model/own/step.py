"""AWS API calls that somebody's own files come to, before there is a sandbox to make them in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Reference:
    """Stands for what is known when the calls are made: ``sandbox.subnets``, or a part of an earlier call's answer.

    With a ``suffix`` it is a text that ends with it.
    """

    name: str
    suffix: str = ""


@dataclass(frozen=True)
class Computed:
    """Stands for what a pure function makes of arguments in which there are references.

    The function says with a ValueError, LookupError or TypeError that it cannot.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class Archive:
    """Stands for the bytes of a zip archive of a folder of the stack."""

    folder: str


@dataclass(frozen=True)
class Step:
    """One AWS API call.

    Attributes:
        operation: ``service.operation``, with boto3's names.
        parameters: In the API's names; a `Reference`, `Computed` or `Archive` may stand for any value, and every other
            one is as it is.
        save_as: The name under which references find its answer.
        source: The file that it is made of, for errors.
    """

    operation: str
    parameters: Mapping[str, Any]
    save_as: str = ""
    source: str = ""
