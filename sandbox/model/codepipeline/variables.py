"""Variables in the configuration of actions: ``#{namespace.name}``.

Source: user guide "Variables reference" ("Resolving variables": a reference that cannot be resolved fails the action).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_REFERENCE = re.compile(r"#\{([A-Za-z0-9@\-_]+)\.([A-Za-z0-9@\-_]+)\}")

Namespaces = Mapping[str, Mapping[str, str]]


class UnresolvedError(Exception):
    """A reference to what there is not. The message is for the action's error."""


def resolve(configuration: Mapping[str, str], namespaces: Namespaces) -> dict[str, str]:
    """The configuration with each reference replaced.

    Raises:
        UnresolvedError: A namespace, or a name in it, is not known.
    """

    def value(match: re.Match[str]) -> str:
        namespace, name = match.groups()
        try:
            return namespaces[namespace][name]
        except KeyError:
            raise UnresolvedError(f"The variable {match[0]} could not be resolved.") from None

    return {key: _REFERENCE.sub(value, text) for key, text in configuration.items()}
