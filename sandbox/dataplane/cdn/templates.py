"""The templates of this folder, and how a text becomes a string of VCL."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import jinja2


def text(value: object) -> str:
    """A string of VCL.

    Raises:
        ValueError: It has a control character.
    """
    shown = str(value)
    if any(ord(letter) < 32 for letter in shown):
        raise ValueError(f"a control character in {shown!r}")
    # A long string ends at the first quote that a brace follows.
    return " + ".join(f'{{"{part}"}}' for part in re.split(r'(?<=")(?=\})', shown))


@cache
def environment() -> jinja2.Environment:
    """Where the templates are found; ``| text`` makes a string of VCL."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["text"] = text
    return made


@cache
def inner_headers() -> list[str]:
    """The headers in which Varnish keeps what it has found out about a request."""
    texts = (file.read_text() for file in Path(__file__).parent.glob("*.vcl.j2"))
    return sorted({name for text in texts for name in re.findall(r"\b(?:be)?req\.http\.(X-Cdn-[A-Za-z-]+)", text)})


def with_token(text: str, token: str) -> str:
    """The same configuration with X-TOKEN-... for X-Cdn-...: headers that neither viewers nor origins can guess."""
    return text.replace("X-Cdn-", f"X-{token}-").replace("$http_x_cdn_", f"$http_x_{token.lower()}_")
