"""The documents as a site: it is built strictly, has every page, and shows them as GitHub does."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from mkdocs.config import load_config

from tests.conftest import REPOSITORY

BUILT = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "benchmarks/README.md"]
DOCUMENTS = [*BUILT, *sorted(str(path.relative_to(REPOSITORY)) for path in REPOSITORY.glob("docs/*.md"))]
GENERATED = [f"docs/reference/{name}.md" for name in ("commands", "pytest", "api", "sandbox-toml")]


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """Built as `make docs` does."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [Path(sys.executable).parent / "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=REPOSITORY,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")  # a link that leads nowhere is an error
    return folder


def page(site: Path, document: str) -> str:
    """What the site has between its header and its footer."""
    path = Path(document)
    name = path.with_name("index.html") if path.name == "README.md" else path.with_suffix(".html")
    (article,) = re.findall(r"<article.*?</article>", (site / name).read_text(), re.DOTALL)
    return article


def named(navigation: object) -> list[str]:
    if isinstance(navigation, str):
        return [navigation]
    inner = navigation.values() if isinstance(navigation, dict) else navigation
    return [name for one in inner for name in named(one)]


def test_every_document_is_in_the_navigation_once():
    navigation = load_config(str(REPOSITORY / "mkdocs.yml")).nav
    assert sorted(named(navigation)) == sorted([*DOCUMENTS, *GENERATED])
    assert [title for part in navigation for title in part] == [
        "Home",
        "Tutorial",
        "How-to guides",
        "Reference",
        "Explanation",
    ]


def elements(html: str) -> Counter[str]:
    """How often there is each element that one sees; how lists are spaced does not count."""
    return Counter(re.findall(r"<(h[1-6]|ol|ul|li|table|tr|th|td|pre|blockquote|strong|em|img)\b", html))


def test_pages_have_what_github_shows(site):
    github = MarkdownIt("commonmark").enable("table")
    differ = {}
    for document in DOCUMENTS:
        wanted = elements(github.render((REPOSITORY / document).read_text()))
        if (shown := elements(page(site, document))) != wanted:
            differ[document] = {name: (shown[name], wanted[name]) for name in {*shown, *wanted}}
    assert differ == {}  # else: a blank line is missing before a list or a heading, or four spaces within a list


def test_nothing_is_fetched_from_elsewhere(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > len(DOCUMENTS)
    for file in pages:
        fetched = re.findall(r"""<(?:script|img|link|iframe)\b[^>]*?\b(?:src|href)=["']?([^"'> ]+)""", file.read_text())
        assert [url for url in fetched if re.match(r"(?:https?:)?//", url)] == [], file
    for file in site.rglob("*.css"):
        assert not re.search(r"""(?:url\(|@import)\s*["']?(?:https?:)?//""", file.read_text()), file


def test_the_search_knows_every_page(site):
    index = json.loads((site / "search" / "search_index.json").read_text())
    known = {entry["location"].partition("#")[0] for entry in index["docs"]}
    assert known >= {name.replace(".md", ".html") for name in (*DOCUMENTS, *GENERATED) if "README" not in name}


def test_the_reference_is_of_the_code(site):
    commands = page(site, "docs/reference/commands.md")
    assert "<code>--report FOLDER</code>" in commands
    assert "sandbox images build nginx ghost --images build" in re.sub(r"<[^>]+>", "", commands)
    fixtures = page(site, "docs/reference/pytest.md")
    assert re.findall(r'<h3 id="(\w+)"', fixtures) == [
        "sandbox_localstack",
        "sandbox_site",
        "sandbox",
        "aws",
        "stack",
        "fault",
        "replay",
    ]
    assert "<code>--sandbox-report FOLDER</code>" in fixtures
    api = page(site, "docs/reference/api.md")
    for name in ("scenario.Variant", "controllers.sandbox.Sandbox.http_get", "timeline.Timeline.wait_for"):
        assert f'id="sandbox.{name}"' in api
    assert "What it must do: show the failure, or not." in api  # of its docstring
    keys = page(site, "docs/reference/sandbox-toml.md")
    assert "<code>deregistration_delay</code>" in keys
    assert "<code>[compose.public.SERVICE]</code>" in keys
