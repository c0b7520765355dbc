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


def expression(pattern: str, *, several: str = ".*", one: str = ".") -> str:
    r"""A regular expression for a pattern with ``*`` and ``?``; a backslash before one of them takes its meaning away.

    Args:
        pattern: As a rule's condition has it.
        several: What ``*`` stands for.
        one: What ``?`` stands for.
    """
    parts = re.findall(r"\\[*?\\]|.", pattern, re.DOTALL)
    return "".join({"*": several, "?": one}.get(part, _escape(part)) for part in parts)


def is_plain(pattern: str) -> bool:
    """Whether a pattern stands for one text alone, and that text is the pattern."""
    return not any(letter in pattern for letter in "*?\\")


def _escape(part: str) -> str:
    return re.escape(part[1] if len(part) == 2 else part)
