"""The order in which resources are made: each after those that it depends on, else as they stand in the template."""

from __future__ import annotations

from collections.abc import Collection, Mapping


class CircularError(ValueError):
    """Resources depend on each other; the message is CloudFormation's."""


def ordered(dependencies: Mapping[str, Collection[str]]) -> list[str]:
    """The names, each after its dependencies.

    Args:
        dependencies: By name, in the template's order; whatever is no name in it is not waited for.

    Raises:
        CircularError: There is a cycle; it names the resources of it.
    """
    made: dict[str, None] = {}
    waiting = dict(dependencies)
    while waiting:
        ready = next(
            (name for name, needs in waiting.items() if all(one in made for one in needs if one in dependencies)), None
        )
        if ready is None:
            raise CircularError(f"Circular dependency between resources: [{', '.join(_cycle(waiting))}]")
        made[ready] = None
        del waiting[ready]
    return list(made)


def _cycle(waiting: Mapping[str, Collection[str]]) -> list[str]:
    """The members of one cycle, each of which depends on the next one; all that wait lead into some cycle."""
    path: list[str] = []
    name = next(iter(waiting))
    while name not in path:
        path.append(name)
        name = next(one for one in waiting[name] if one in waiting)
    return path[path.index(name) :]
