"""Webpack's table of chunks, as its runtime has it in versions 4 and 5.

The runtime makes the name of a chunk by an expression such as ``({1:"about"}[e]||e)+"."+{1:"37fc9ef"}[e]+".js"``. It is
evaluated for each key of its tables.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice

_MOST = 200  # expressions of one script
_NAMES = 2_000  # chunks of one script
_LONGEST = 20  # terms of an expression
_STRING = r"\"[^\"\\\n]*\"|'[^'\\\n]*'"
_TABLE = re.compile(r"\{([^{}]*)\}\s?\[\s?([\w$]{1,20})\s?\]")
_ENTRY = re.compile(rf"\s*(?:({_STRING})|([\w$]{{1,60}}))\s*:\s*({_STRING})\s*(?:,\s*|$)")
_TERM = re.compile(rf"\s?\(?\s?(?:({_STRING})|(\{{[^{{}}]*\}})\s?\[\s?[\w$]+\s?\](\s?\|\|\s?[\w$]+)?|[\w$]+)\s?\)?\s?")
_BEFORE = re.compile(rf"((?:[\w$]{{1,20}}(?:\.p)?\s?\+\s?|(?:{_STRING})\s?\+\s?)*)\(?\s?$")
_PUBLIC_PATH = re.compile(rf"[\w$]\.p\s?=\s?({_STRING})")
_EMPTY = "31d6cfe0"  # the hash of nothing: such a chunk has no style sheet


@dataclass(frozen=True, slots=True)
class Chunks:
    """The files of a runtime's chunks.

    Attributes:
        public_path: What their names are relative to; "" where it is the script's own folder.
        names: As the runtime asks for them.
    """

    public_path: str = ""
    names: tuple[str, ...] = ()


def chunks(text: str) -> Chunks:
    """The chunks that the text of a script names; none where it is no runtime of webpack."""
    names: dict[str, None] = {}
    done = 0
    for table in islice(_TABLE.finditer(text), _MOST):
        if table.start() >= done and (entries := _entries(table[1])):
            terms, done = _expression(text, table, entries)
            names |= dict.fromkeys(_evaluate(terms))
    if not names:
        return Chunks()
    public = _PUBLIC_PATH.search(text)
    return Chunks(public[1][1:-1] if public else "", tuple(names)[:_NAMES])


@dataclass(frozen=True, slots=True)
class _Term:
    """A text, a table of texts by the chunk's id, or the id itself (neither).

    ``partly``: an id that is not in the table stands for itself.
    """

    text: str | None = None
    table: dict[str, str] | None = None
    partly: bool = False

    def of(self, key: str) -> str | None:
        """The term's text for the chunk ``key``; None where its table has none."""
        if self.table is not None:
            return self.table.get(key, key if self.partly else None)
        return key if self.text is None else self.text


def _expression(text: str, table: re.Match[str], entries: dict[str, str]) -> tuple[list[_Term], int]:
    """The terms around a table, and where they end."""
    before = _BEFORE.search(text, max(table.start() - 200, 0), table.start())
    parts = re.findall(rf"{_STRING}|[\w$.]+", before[1]) if before else []
    terms = [_left(part) for part in parts if "." not in part or part[0] in "\"'"]  # a.p is what names are relative to
    at = table.start()
    while len(terms) < _LONGEST and (match := _TERM.match(text, at)):
        if match[1] is not None:
            terms.append(_Term(text=match[1][1:-1]))
        elif match[2] is not None:
            read = _entries(match[2][1:-1])
            terms.append(_Term(table=read, partly=bool(match[3])))
            if not read:
                return [], match.end()
        else:
            terms.append(_Term())
        at = match.end()
        if text[at : at + 1] != "+":
            break
        at += 1
    return terms, at


def _left(part: str) -> _Term:
    return _Term(text=part[1:-1]) if part[0] in "\"'" else _Term()


def _entries(text: str) -> dict[str, str]:
    found, at = {}, 0
    while match := _ENTRY.match(text, at):
        found[match[1][1:-1] if match[1] is not None else match[2]] = match[3][1:-1]
        at = match.end()
    return found if at == len(text) else {}


def _evaluate(terms: list[_Term]) -> list[str]:
    if not terms or not (terms[-1].text or "").endswith((".js", ".mjs", ".css")):
        return []
    tables = [one.table for one in terms if one.table is not None and not one.partly]
    tables = tables or [one.table for one in terms if one.table is not None]
    found = []
    for key in tables[0] if tables else ():
        parts = [one.of(key) for one in terms]
        if all(part is not None and not part.startswith(_EMPTY) for part in parts):
            found.append("".join(part for part in parts if part is not None))
    return found
