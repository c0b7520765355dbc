"""The images that a Dockerfile begins with, so that those of the sandbox's catalogue and of ECR can stand for them.

Source: Docker's "Dockerfile reference", FROM and ARG: arguments of FROM are those declared before the first one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

_FROM = re.compile(r"^(\s*FROM\s+(?:--platform=\S+\s+)?)(\S+)((?:\s+AS\s+(\S+))?\s*)$", re.IGNORECASE)
_ARG = re.compile(r"^\s*ARG\s+([A-Za-z_]\w*)(?:=(.*?))?\s*$", re.IGNORECASE)
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::-([^}]*))?\}|(\w+))")


def rebased(text: str, arguments: Mapping[str, str], resolve: Callable[[str], str]) -> str:
    """The Dockerfile with the image of each FROM replaced by what ``resolve`` makes of it.

    Args:
        text: The Dockerfile.
        arguments: Build arguments; they win over the defaults of ARG.
        resolve: Gives the reference that the engine has; not asked for ``scratch`` and stages of the file itself.
    """
    known: dict[str, str] = {}
    stages: set[str] = set()
    begun = False
    lines = []
    for line in text.splitlines():
        argument, base = _ARG.match(line), _FROM.match(line)
        if argument and not begun:
            known[argument[1]] = arguments.get(argument[1], (argument[2] or "").strip("\"'"))
        if base:
            begun = True
            image = _VARIABLE.sub(lambda match: known.get(match[1] or match[3], "") or match[2] or "", base[2])
            if image != "scratch" and image.lower() not in stages:
                image = resolve(image)
            if base[4]:
                stages.add(base[4].lower())
            lines.append(base[1] + image + base[3])
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"
