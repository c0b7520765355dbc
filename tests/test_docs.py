"""The documents say what is so: links lead somewhere, named tests exist, commands and options too."""

from __future__ import annotations

import itertools
import json
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import typer
import yaml

from sandbox import cli, doctor, scenario
from sandbox.engine import catalogue, images
from sandbox.faults import base as faults
from sandbox.later import LaterGroup
from sandbox.model.own import checks, settings

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
NAMES = [str(document.relative_to(ROOT)) for document in DOCUMENTS]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
OWN_COMMANDS = ("sandbox", ".venv/bin/sandbox")


def blocks(document: Path, *languages: str) -> list[str]:
    """The code blocks of a document in one of the languages."""
    return [code for language, code in FENCE.findall(document.read_text()) if language in languages]


def anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", document.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)
def test_links_lead_somewhere(document):
    prose = FENCE.sub("", document.read_text())
    links = re.findall(r"\]\(([^)\s]+)\)", prose)
    for link in links:
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)
def test_nothing_of_one_machine_is_in_a_document(document):
    assert not re.search(r"/root/|/home/\w|/work/|index\.(?:docker|pypi)|registry-\d", document.read_text())


@cache
def collected() -> set[str]:
    """Every test, without its parameters."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "tests"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return {line.partition("[")[0] for line in done.stdout.splitlines() if "::" in line}


def test_every_test_that_the_fidelity_table_names_exists():
    text = (ROOT / "docs" / "fidelity.md").read_text()
    named = set(re.findall(r"`([\w/]+\.py::[\w:]+)`", text))
    assert len(named) > 80
    assert sorted(f"tests/{name}" for name in named if f"tests/{name}" not in collected()) == []


def test_every_row_of_the_fidelity_tables_has_all_its_cells():
    text = (ROOT / "docs" / "fidelity.md").read_text().partition("## Where we differ")[0]
    rows = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| Fact")]
    assert [
        row for row in rows if len(re.split(r"(?<!\\)\|", row)) != 6 or ("test_" not in row and "::" not in row)
    ] == []


@cache
def command_tree() -> LaterGroup:
    tree = typer.main.get_command(cli.app)
    assert isinstance(tree, LaterGroup)
    return tree.with_all()


def check_call(words: list[str]) -> None:
    """Follow the words of a call through the command line's own description."""
    command = command_tree()
    while isinstance(command, typer.core.TyperGroup) and words and not words[0].startswith("-"):
        assert words[0] in command.commands, words
        command, words = command.commands[words[0]], words[1:]
    options = {name for parameter in command.params for name in parameter.opts} | {"--help"}
    for word in itertools.takewhile(lambda word: word != "--", words):  # what follows it is another command's
        if word.startswith("--"):
            assert word.partition("=")[0] in options, word


@pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)
def test_calls_in_code_blocks_exist(document):
    for line in "\n".join(blocks(document, "sh", "text")).replace("\\\n", "").splitlines():
        bare = re.sub(r'^eval "\$\((.*)\)"$', r"\1", line.removeprefix("$ ").strip())
        if bare.split(" ")[0] in OWN_COMMANDS and "'" not in bare:
            check_call(shlex.split(bare)[1:])


def test_calls_in_sentences_exist():
    for document in DOCUMENTS:
        for call in re.findall(r"`(?:\.venv/bin/)?sandbox ((?:[a-z]|--)[^`]*)`", FENCE.sub("", document.read_text())):
            check_call([word for word in shlex.split(call) if not word.isupper()])


def test_every_command_and_option_is_in_the_user_guide():
    guide = (ROOT / "docs" / "user-guide.md").read_text()

    def walk(command, name):
        if isinstance(command, typer.core.TyperGroup):
            for child, inner in command.commands.items():
                walk(inner, f"{name} {child}")
            return
        assert name in guide
        for parameter in command.params:
            for option in parameter.opts:
                if option.startswith("--") and option != "--help":
                    assert re.search(rf"`{option}[ `]", guide), f"{name} {option}"

    walk(command_tree(), "sandbox")


def test_the_make_targets_that_are_named_exist():
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for document in DOCUMENTS:
        for code in [*blocks(document, "sh"), *re.findall(r"`(make [^`]+)`", document.read_text())]:
            for line in code.splitlines():
                if line.startswith("make "):
                    assert {word for word in line.split()[1:] if "=" not in word} <= targets, line


def test_the_readme_has_the_scenarios_as_they_are():
    rows = re.findall(r"^\| `(.+)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    expected = []
    for one in scenario.load_all().values():
        variants = ", ".join(f"`{variant.name}` {variant.expect}" for variant in one.variants)
        expected.append(f"{one.name}` | {one.symptom} | {one.cause} | {one.fix} | {variants} |")
    assert rows == expected


def test_the_example_scenario_is_one(tmp_path):
    (code,) = blocks(ROOT / "docs" / "adding-a-scenario.md", "python")
    (tmp_path / "optional_web.py").write_text(code)
    (example,) = scenario.load_all(tmp_path).values()
    assert {variant.expect for variant in example.variants} == {"reproduces", "holds"}
    (stack,) = blocks(ROOT / "docs" / "adding-a-scenario.md", "yaml")
    assert yaml.safe_load(stack)["parameters"].keys() == {"taskdef"}
    (definition,) = blocks(ROOT / "docs" / "adding-a-scenario.md", "json")
    assert json.loads(definition)["family"] == "pair"


def documented_fields(heading: str) -> set[str]:
    """The first column of the tables under a heading of formats.md."""
    section = (ROOT / "docs" / "formats.md").read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]+) \|", section, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`(\w[\w.]*)`", cell)}


def test_the_formats_have_all_fields():
    check = doctor.Check("python", True, "3.11.7").as_json()
    assert documented_fields("`sandbox doctor --json`") == check.keys()
    component = catalogue.CATALOGUE["nginx"]
    row = images.Row(component.name, component.official, "", "", 0, component.contract).as_json()
    assert documented_fields("`sandbox images list --json`") == row.keys()
    from sandbox.runner import Result

    result = Result("s", "v", "t", "holds", "holds", (), 1.0).as_json()
    assert documented_fields("`sandbox run --json FILE`") == {"version", "exit_code", "results", *result}
    from sandbox.controllers.replay.report import Report, Step
    from sandbox.model.replay.compose import Composer
    from sandbox.model.replay.files import write_recording
    from sandbox.model.replay.state import State
    from sandbox.replay import Outcome

    recording = Composer().start().recording()
    step = Step(0, 0.0, "", "", 1, (), "", "", (), {})
    outcome = Outcome(Report(recording, (), (step,), (), State(0.0), {}, ()), 0, 1).as_json()
    fields = {*outcome, "exit_code", *outcome["report"], *outcome["report"]["steps"][0]}
    assert documented_fields("`sandbox replay --json FILE`") == fields
    assert documented_fields("`sandbox replay --save FILE`") == write_recording(recording).keys()
    known = {"HostedZones", "NetworkInterfaces", "tasks", "services"}
    assert documented_fields("`sandbox replay --against STATE`") == known


def test_the_format_of_a_cache_check_has_all_fields():
    from sandbox.checks.cache import Outcome
    from sandbox.model.cloudfront.config import parse
    from sandbox.model.cloudfront.findings import Finding
    from sandbox.model.cloudfront.forecast import Mix, Observed, outlook
    from sandbox.model.cloudfront.messages import Response
    from sandbox.probes.http_cache import Crawl

    origin = {"Id": "o", "DomainName": "o", "S3OriginConfig": {"OriginAccessIdentity": ""}}
    policy = "658327ea-f89d-4fab-a63d-7e88639e58f6"
    behavior = {"TargetOriginId": "o", "ViewerProtocolPolicy": "allow-all", "CachePolicyId": policy}
    made = parse({"Origins": {"Quantity": 1, "Items": [origin]}, "DefaultCacheBehavior": behavior})
    seen = outlook(made, Observed("http://x/", "/", "", Response()), 0.0)
    outcome = Outcome("", Crawl(), [seen], [Finding("", "info", "", "")], Mix(1, 1, 0, 60.0), []).as_json()
    fields = {*outcome, "exit_code", *outcome["resources"][0], *outcome["findings"][0], *outcome["mix"]}
    assert documented_fields("`sandbox check cache --json FILE`") == fields


def test_every_finding_of_the_cache_check_is_in_its_page():
    sources = [ROOT / "sandbox" / "model" / "cloudfront" / "findings.py", ROOT / "sandbox" / "checks" / "cache.py"]
    rules = {rule for path in sources for rule in re.findall(r'Finding\(\s*"([a-z-]+)"', path.read_text())}
    table = (ROOT / "docs" / "check-cache.md").read_text().partition("## What it finds")[2].partition("\n## ")[0]
    first_cells = "".join(re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE))
    assert rules == set(re.findall(r"`([a-z-]+)`", first_cells))
    assert len(rules) > 20


def test_the_format_of_a_websocket_check_has_all_fields():
    from sandbox.checks.websocket import Outcome
    from sandbox.model.websocket.finding import Finding
    from sandbox.model.websocket.observed import Answer, Broadcast, Ending, Seen, Session, Step

    step = Step("wait", False, Answer(200), "", Ending("eof"))
    seen = Seen("", "socket.io", "", "", "", (Session("", (step,)),), broadcast=Broadcast("", "", 1, 1))
    outcome = Outcome([seen], [Finding("", "info", "", "")], []).as_json()
    (url,) = outcome["urls"]
    (client,) = url["clients"]
    fields = {*outcome, "exit_code", *url, *client, *client["steps"][0], *outcome["findings"][0]}
    assert documented_fields("`sandbox check websocket --json FILE`") == fields


def test_every_finding_of_the_websocket_check_is_in_its_page():
    from sandbox.model.websocket import findings

    sources = (ROOT / "sandbox" / "model" / "websocket").glob("*.py")
    rules = {rule for path in sources for rule in re.findall(r'Finding\(\s*"([a-z-]+)"', path.read_text())}
    rules |= {*findings._TEXTS, "upgrade-lost", "origin-refused", "idle-cut"}
    page = (ROOT / "docs" / "check-websocket.md").read_text()
    tables = page.partition("## What it finds")[2].partition("\n## ")[0]
    first_cells = "".join(re.findall(r"^\| (`[^|]+) \|", tables, re.MULTILINE))
    assert rules == set(re.findall(r"`([a-z-]+)`", first_cells))
    assert len(rules) > 30


def test_the_format_of_an_assets_check_has_all_fields():
    from sandbox.checks.assets import Outcome
    from sandbox.model.assets.findings import Command, Finding
    from sandbox.model.assets.loads import Answer, PageLoad

    answer = Answer("http://x/", "page", True, 0.0, 404, "missing")
    load = PageLoad(0, "first", "http://x/", 0.0, 0.1, 1, (answer,))
    command = Command("", 0.0, 1.0, 0)
    outcome = Outcome("", [answer], [load], [], command, [Finding("", "info", "", "")]).as_json()
    fields = {*outcome, "exit_code", *outcome["loads"], *outcome["broken"][0], *outcome["files"][0]}
    assert documented_fields("`sandbox check assets --json FILE`") == fields | outcome["findings"][0].keys()


def test_every_finding_of_the_assets_check_is_in_its_page():
    from sandbox.model.assets import answers, findings

    source = (ROOT / "sandbox" / "model" / "assets" / "findings.py").read_text()
    rules = set(re.findall(r'Finding\(\s*"([a-z-]+)"', source)) | {findings.rule(cause) for cause in answers.CAUSES}
    rules |= {"loads-broken", "tabs-broken"}
    page = (ROOT / "docs" / "check-assets.md").read_text()
    found, causes = (page.partition(f"## {name}")[2].partition("\n## ")[0] for name in ("What it finds", "Causes"))
    cells = ["".join(re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE)) for table in (found, causes)]
    assert rules == set(re.findall(r"`([a-z-]+)`", cells[0]))
    assert set(answers.CAUSES) == set(re.findall(r"`([a-z -]+)`", cells[1]))


def test_the_format_of_a_deployment_has_all_fields():
    from sandbox.controllers.deploy import Outcome

    outcome = Outcome("", "", {}, "", "", "").as_json()
    assert documented_fields("`sandbox deploy --json`") == {"version", "exit_code", "deployments", *outcome}


def test_every_fault_is_in_its_page_with_its_options():
    page = (ROOT / "docs" / "faults.md").read_text()
    rows = re.findall(
        r"^\| `[a-z0-9-]+` \| .+$", page.partition("## What there is")[2].partition("\n## ")[0], re.MULTILINE
    )
    assert rows == [fault.as_row() for fault in faults.catalogue().values()]
    guide = page.partition("## How to add a fault\n")[2].partition("\n## ")[0]
    assert 10 < len(guide.strip().splitlines()) < 40
    listed = faults.find("loss").as_json()
    assert documented_fields("`sandbox fault list --json`") == {
        "version",
        "faults",
        *listed,
        *listed["options"][0],
    }


def test_the_example_of_a_fault_is_one():
    (code,) = [code for code in blocks(ROOT / "docs" / "faults.md", "python") if "FAULT = " in code]
    made: dict[str, object] = {}
    exec(compile(code, "faults.md", "exec"), made)
    fault = made["FAULT"]
    assert isinstance(fault, faults.Fault)
    assert fault.read({}) == {option.name: option.default for option in fault.options}


def test_every_key_of_a_sandbox_toml_is_in_its_page():
    page = (ROOT / "docs" / "own-stacks.md").read_text()
    assert [table for table in settings.TABLES if not re.search(rf"\| `\[+{table}[.\]]", page)] == []
    named = {
        **{f"[{table}]": keys for table, keys in settings.KEYS.items()},
        **{f'kind = "{kind}"': bounds for kind, bounds in checks.KINDS.items()},
    }
    missing = [
        (place, key) for place, keys in named.items() for key in keys if not re.search(rf"[` {{.]{key}[` =.\]]", page)
    ]
    assert missing == []


def test_every_kind_of_observation_is_in_the_formats():
    sources = "\n".join(path.read_text() for path in (ROOT / "sandbox").rglob("*.py"))
    kinds = set(re.findall(r'\.record\(\s*"([a-z]+\.[a-z]+)"', sources))
    assert documented_fields("Timeline") >= kinds
    assert kinds >= {"task.state", "dns.change"}


def test_the_picture_is_small_and_fetches_nothing():
    picture = (ROOT / "docs" / "run.svg").read_text()
    assert len(picture) < 100_000
    assert "@font-face" not in picture
    fetched = re.findall(r"(?:href|src)=|url\((?!#)|@import", picture)
    assert fetched == []
