"""How complex a pattern's wildcards are: EventBridge refuses a rule that could be in too many places at once.

"Comparison operators for use in event patterns in Amazon EventBridge: wildcard matching, considerations" has the rule
and no number. The measure is that of Event Ruler's MachineComplexityEvaluator: the largest number of prefixes of
wildcard patterns of one field that some value could match at the same time. EventBridge's limit is inferred from what
users saw: ``*:*:*:*:*:event-bus/*`` measures 10 and is refused; three patterns ``*:stack/NAME/*`` of one field measure
9 and are taken; a fourth is one too many.
"""

from __future__ import annotations

from collections.abc import Iterable

LIMIT = 10
_MOST_STATES = 5_000  # of the search; what has more is far from what a person writes

_ANY = -1
_QUOTE = ord('"')

# How far each of some patterns has come: pairs of the pattern's number and of how many of its tokens are matched.
_Places = frozenset[tuple[int, int]]


def is_too_complex(wildcards: Iterable[str]) -> bool:
    """Whether one field's wildcard patterns reach the limit.

    Args:
        wildcards: As written: ``*`` is any text, a backslash takes its meaning from it.
    """
    patterns = [_tokens(text) for text in sorted(set(wildcards))]
    if sum(pattern.count(_ANY) for pattern in patterns) < 2:
        return False
    letters = sorted({token for pattern in patterns for token in pattern if token != _ANY})
    start = _settle(patterns, {(number, 0) for number in range(len(patterns))})
    seen, waiting = {start}, [start]
    while waiting:
        places = waiting.pop()
        for letter in letters:
            after = _settle(patterns, _advance(patterns, places, letter))
            if len(after) >= LIMIT or len(seen) > _MOST_STATES:
                return True
            if after not in seen:
                seen.add(after)
                waiting.append(after)
    return False


def _tokens(text: str) -> list[int]:
    """The bytes of a pattern, its quotes included, with `_ANY` for each wildcard."""
    tokens, escaped = [_QUOTE], False
    for byte in text.encode():
        if not escaped and byte == ord("\\"):
            escaped = True
            continue
        tokens.append(_ANY if byte == ord("*") and not escaped else byte)
        escaped = False
    return [*tokens, _QUOTE]


def _advance(patterns: list[list[int]], places: _Places, letter: int) -> set[tuple[int, int]]:
    """Where a further byte leads."""
    after = set()
    for number, matched in places:
        pattern = patterns[number]
        if matched and pattern[matched - 1] == _ANY:
            after.add((number, matched))
        if matched < len(pattern) and pattern[matched] == letter:
            after.add((number, matched + 1))
    return after


def _settle(patterns: list[list[int]], places: set[tuple[int, int]]) -> _Places:
    """The places, and those behind a wildcard that may match nothing."""
    behind = {(n, m + 1) for n, m in places if m < len(patterns[n]) and patterns[n][m] == _ANY}
    return frozenset(places | behind)
