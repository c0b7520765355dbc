"""How a text becomes a word of HAProxy's configuration."""

from __future__ import annotations

import re


def word(text: str) -> str:
    """One word, whatever is in it.

    Raises:
        ValueError: It has a control character.
    """
    if any(ord(letter) < 32 for letter in text):
        raise ValueError(f"a control character in {text!r}")
    return "'" + text.replace("'", "'\\''") + "'"


def literal(text: str) -> str:
    """A text that stands for itself within a log format."""
    return text.replace("%", "%%")


def expression(pattern: str, *, several: str = ".*", one: str = ".", has_escapes: bool = False) -> str:
    """A regular expression for a pattern with ``*`` and ``?``.

    Args:
        pattern: As a rule's condition has it.
        several: What ``*`` stands for.
        one: What ``?`` stands for.
        has_escapes: Whether a backslash takes the meaning of a wildcard, or of a backslash, away.
    """
    parts = re.findall(r"\\[*?\\]|.", pattern, re.DOTALL) if has_escapes else list(pattern)
    return "".join({"*": several, "?": one}.get(part, re.escape(part[-1])) for part in parts)


def is_plain(pattern: str) -> bool:
    """Whether a pattern without escapes stands for one text alone."""
    return "*" not in pattern and "?" not in pattern
