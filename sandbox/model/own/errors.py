"""What is wrong with somebody's own files, in words that name the place."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class OwnError(Exception):
    """A file cannot be used as it is.

    Args:
        message: One sentence that names the table or service and the key.
        hint: The next step.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def unknown(place: str, name: str, known: Iterable[str], what: str = "key") -> OwnError:
    """The error for a name that there is not: what was meant, if that can be guessed, else what there is."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, 1)
    where = f"{place}: " if place else ""
    hint = f"is '{close[0]}' meant?" if close else f"known: {', '.join(names) or 'none'}"
    return OwnError(f"{where}unknown {what} '{name}'", hint)
