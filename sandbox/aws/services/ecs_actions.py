"""What the actions of the ECS API have in common: changing and reading the model, and answers with failures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from sandbox.aws.protocol import AwsError, RequestContext
from sandbox.model.ecs.control import Command, Ecs
from sandbox.model.ecs.errors import EcsError

T = TypeVar("T")
Request = dict[str, Any]
Answer = dict[str, Any]

_ARN = "arn:aws:ecs:{region}:{account}:{kind}/{name}"


class Apply(Protocol):
    """Runs a change of the model alone (nobody else sees it half done), then has its commands carried out."""

    def __call__(self, change: Callable[[float], tuple[T, Iterable[Command]]]) -> T:
        """Call ``change`` with the time; it returns its result and the commands."""


class EcsActions:
    """The base of classes with actions.

    Args:
        ecs: The model.
        apply: See `Apply`.
    """

    def __init__(self, ecs: Ecs, apply: Apply) -> None:
        self._ecs = ecs
        self._apply = apply

    def _do(self, change: Callable[[float], tuple[T, Iterable[Command]]]) -> T:
        try:
            return self._apply(change)
        except EcsError as error:
            raise AwsError(error.code, error.message) from error

    def _read(self, look: Callable[[], T]) -> T:
        return self._do(lambda now: (look(), ()))

    def _each(
        self, names: Sequence[str], describe: Callable[[str], Answer], context: RequestContext, kind: str
    ) -> tuple[list[Answer], list[Answer]]:
        """Describe what is known; the rest are failures, as the Describe actions answer."""

        def look() -> tuple[list[Answer], list[Answer]]:
            found, failures = [], []
            for name in names:
                try:
                    found.append(describe(name))
                except EcsError:
                    arn = name
                    if not name.startswith("arn:"):
                        arn = _ARN.format(region=context.region, account=context.account_id, kind=kind, name=name)
                    failures.append({"arn": arn, "reason": "MISSING"})
            return found, failures

        return self._read(look)
