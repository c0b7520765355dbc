"""Patterns of paths: which cache behaviour a request has, and which objects an invalidation removes.

Amazon CloudFront Developer Guide, "Cache behavior settings" (Path pattern) and "Specify the files to invalidate".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from sandbox.model.cloudfront.errors import invalid_argument

_LONGEST_PATTERN = 255
_LONGEST_PATH = 4000
_ALLOWED = re.compile(r"[A-Za-z0-9_\-.*$/~\"'@:+?&;]+")


def normal(pattern: str) -> str:
    """The same pattern with its leading slash, which may be left out."""
    return pattern if pattern.startswith("/") else f"/{pattern}"


def check(pattern: str) -> None:
    """Refuse what is no path pattern.

    Raises:
        CloudFrontError: It is empty, too long or has characters that a pattern cannot have.
    """
    if not _ALLOWED.fullmatch(pattern) or len(pattern) > _LONGEST_PATTERN:
        raise invalid_argument(f"The parameter PathPattern is invalid: '{pattern}'.")


def expression(pattern: str) -> str:
    """The pattern as a regular expression for a whole path: ``*`` is 0 or more characters, ``?`` exactly one.

    It is one that Python, PCRE and so Varnish read alike.
    """
    return "".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in normal(pattern))


def matcher(pattern: str) -> Callable[[str], bool]:
    """Whether a path, without query string, matches; case counts."""
    compiled = re.compile(expression(pattern), re.DOTALL)
    return lambda path: compiled.fullmatch(path) is not None


def covers(earlier: str, later: str) -> bool:
    """Whether every path that ``later`` matches is one that ``earlier`` matches: then ``later`` is never reached.

    It never says so wrongly; of some odd pairs it does not say it.
    """
    text = "".join({"*": r"[\s\S]*", "?": r"[^*]"}.get(letter, re.escape(letter)) for letter in normal(earlier))
    return re.fullmatch(text, normal(later)) is not None


def invalidation_expression(path: str) -> str:
    """One of an invalidation's paths, which `invalidated` takes, as a regular expression for an object's path."""
    return f"^{re.escape(path[:-1])}" if path.endswith("*") else f"^{re.escape(path)}$"


def invalidated(paths: Iterable[str]) -> Callable[[str], bool]:
    """Whether an object's path, with the query string that is in its cache key, is one of an invalidation's.

    Raises:
        CloudFrontError: A path does not begin with a slash, is too long or has a ``*`` before its end.
    """
    exact, beginnings = set(), []
    for path in paths:
        if not path.startswith("/") or len(path) > _LONGEST_PATH or "*" in path[:-1]:
            raise invalid_argument("Your request contains one or more invalid invalidation paths.")
        if path.endswith("*"):
            beginnings.append(path[:-1])
        else:
            exact.add(path)
    starts = tuple(beginnings)
    return lambda uri: uri in exact or uri.startswith(starts)
