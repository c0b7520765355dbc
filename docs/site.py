"""Hooks of the site (mkdocs.yml): its pages are the repository's documents where they lie, and those made from code.

Documents are also read on GitHub, and link to one another by their paths in the repository. So the site has the same
paths: README.md at the top, docs/ below it, and whatever else they link to. No link has to be rewritten.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
_PAGES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "benchmarks/README.md")
_LINK = re.compile(r"\]\(([^)\s#]+)")


def on_config(config: MkDocsConfig, **_: Any) -> None:
    """The generator of the reference is a file beside this one."""
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))


def on_files(files: Files, config: MkDocsConfig, **_: Any) -> Files:
    """Lay the files of the site as those of the repository lie, and add the reference."""
    from docs import reference

    laid = Files([])
    for file in files:
        if file.src_uri.startswith(".") or file.src_uri.endswith(".py"):
            continue
        if file.abs_src_path is None or not Path(file.abs_src_path).is_relative_to(config.docs_dir):
            laid.append(file)  # the theme's own
        else:
            laid.append(_file(config, f"docs/{file.src_uri}"))
    for name in (*_PAGES, *_linked(laid)):
        laid.append(_file(config, name))
    for name, text in reference.pages().items():
        laid.append(File.generated(config, f"docs/reference/{name}", content=text))
    return laid


def _file(config: MkDocsConfig, path: str) -> File:
    return File.generated(config, path, abs_src_path=str(ROOT / path))


def _linked(files: Files) -> list[str]:
    """What is no document and is linked to: files of stacks, images of diagrams."""
    found: set[str] = set()
    for file in files.documentation_pages():
        folder = (ROOT / file.src_uri).parent
        for link in _LINK.findall(file.content_string):
            target = (folder / link).resolve()
            if target.is_file() and target.suffix != ".md" and ROOT in target.parents:
                found.add(str(target.relative_to(ROOT)))
    return sorted(path for path in found if files.get_file_from_path(path) is None)
