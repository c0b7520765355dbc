"""``sandbox test``: the checks of a sandbox.toml as a regression suite, for which the stack is brought up once."""

from __future__ import annotations

import os
import shlex
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from sandbox.checks import assets, cache, websocket
from sandbox.controllers import own_stack, stacks, terraform_apply
from sandbox.controllers import up as states
from sandbox.errors import SandboxError
from sandbox.model.own import FILE
from sandbox.model.own.checks import WITHOUT_STACK, Check, require_url
from sandbox.model.own.errors import OwnError, unknown
from sandbox.own_checks import eni, purge, replay
from sandbox.probes.http_cache import Limits
from sandbox.report import failures
from sandbox.report.files import write_whole
from sandbox.report.page.entry import Entry
from sandbox.runner import Options, Outcome, Result, Run

if TYPE_CHECKING:  # loads Docker and boto3
    from sandbox.controllers.sandbox import Sandbox

UP = "up"
"""The name of the first result: whether the stack came up."""

_WITHIN = 30.0  # seconds in which an http or dns check must be met
_ASK_AGAIN = 0.2  # seconds
_CRAWL = 60.0  # seconds
_COMMAND, _SETTLE = 600.0, 10.0  # seconds that a command may take, and without a broken page load after it
_PER_MINUTE = 60.0  # requests of the mix whose hit ratio is told

Found = tuple[bool, list[str]]
"""Whether a check holds, and its evidence."""


def chosen(folder: Path, names: Sequence[str]) -> tuple[str, list[Check]]:
    """The stack's name, and its checks of these names (all where none is named).

    Raises:
        SandboxError: There is no sandbox.toml, it is wrong, or it has no such check, or none at all.
    """
    name = stacks.find(f"{folder}/").name
    found = own_stack.load(folder).checks
    if not found:
        raise SandboxError(f"{folder / FILE} has no [[check]]", hint="docs/own-stacks.md shows some")
    by_name = {one.name: one for one in found}
    for one in names:
        if one not in by_name:
            error = unknown(f"{folder / FILE}", one, by_name, "check")
            raise SandboxError(error.message, hint=error.hint)
    return name, [by_name[one] for one in dict.fromkeys(names)] if names else list(found)


def run(
    folder: Path,
    options: Options,
    name: str,
    checks: Sequence[Check],
    progress: Callable[[str], None],
    finished: Callable[[Result], None],
    into: Run,
) -> None:
    """Bring the stack up and run the checks; results are added to ``into`` as they come.

    Those that ask nothing of it come first; where no others are wanted it is not brought up at all.

    Args:
        folder: Has the sandbox.toml.
        options: As of a run of scenarios; each result's observations are a timeline of its own.
        name: The stack's.
        checks: Which are run.
        progress: Told what is waited for.
        finished: Told of each result.
        into: Gets them.
    """

    def add(result: Result) -> None:
        into.results.append(result)
        finished(result)

    try:
        _run(folder, options, name, checks, progress, add)
    except KeyboardInterrupt:
        into.interrupted = True
        raise


def entry(result: Result, folder: Path, checks: Sequence[Check]) -> Entry:
    """What the report says of a result."""
    check = next((one for one in checks if one.name == result.variant), None)
    what = f"{check.kind} of {check.target}" if check is not None and check.target else check.kind if check else ""
    about = {"Check": what or "the stack comes up"}
    bounds = {key: repr(value) for key, value in check.bounds.items()} if check is not None else {}
    return Entry.with_words(result, about, {**bounds, FILE: (folder / FILE).read_text()})


def place(folder: Path) -> Callable[[Result], failures.Place]:
    """Where a result comes from: the line of its check in the sandbox.toml; of the stack itself the first."""
    file = folder / FILE
    text = file.read_text()
    return lambda result: (file, failures.line_of_check(text, result.variant))


def _run(
    folder: Path,
    options: Options,
    name: str,
    checks: Sequence[Check],
    progress: Callable[[str], None],
    add: Callable[[Result], None],
) -> None:
    made_later = own_stack.load(folder).terraform is not None  # what there is to place shows when it is made
    alone = WITHOUT_STACK - {"eni"} if made_later else WITHOUT_STACK
    for check in checks:
        if check.kind in alone:
            began = time.monotonic()
            progress(f"check {check.name}")
            holds, evidence = perform_alone(check, folder, progress)
            outcome: Outcome = "holds" if holds else "fails"
            add(Result(name, check.name, name, "holds", outcome, tuple(evidence), time.monotonic() - began))
    asking = [check for check in checks if check.kind not in alone]
    if asking or not checks:
        _run_up(folder, options, name, asking, progress, add)


def _run_up(
    folder: Path,
    options: Options,
    name: str,
    checks: Sequence[Check],
    progress: Callable[[str], None],
    add: Callable[[Result], None],
) -> None:
    from sandbox.controllers.sandbox import Sandbox

    def result(check: str, outcome: Outcome, evidence: Sequence[str], begun: float, mark: int, error: str = "") -> None:
        try:
            file = _timeline(options.timelines, name, check, sandbox, mark) if sandbox is not None else ""
        except SandboxError as failure:  # the verdict stands
            file, error = "", error or str(failure)
        add(Result(name, check, name, "holds", outcome, tuple(evidence), time.monotonic() - begun, error, file))

    begun = time.monotonic()
    sandbox: Sandbox | None = None
    failed = False
    try:
        with Sandbox(images=options.images, speed=options.speed, progress=progress) as sandbox:
            try:
                stack = sandbox.stack(f"{folder}/")
            except SandboxError as error:
                result(UP, "not run", (), begun, 0, str(error))
                failed = True
            else:
                urls = [f"{ready.url}: HTTP {ready.status}" for ready in stack.definition.ready]
                outputs = [f"output {name} = {value}" for name, value in stack.definition.outputs.items()]
                notes = [f"note: {note}" for note in stack.definition.notes]
                result(UP, "holds", [*urls, *outputs, *notes], begun, 0)
                for check in checks:
                    began, mark = time.monotonic(), sandbox.timeline.mark()
                    progress(f"check {check.name}")
                    holds, evidence = perform(sandbox, check, folder, progress, stack.values.get("output", {}))
                    failed = failed or not holds
                    result(check.name, "holds" if holds else "fails", evidence, began, mark)
            if failed and options.keep:
                sandbox.keep()
    except SandboxError as error:  # no engine, or what could not be removed
        sandbox = None
        if not failed:
            result(UP, "not run", (), begun, 0, str(error))


def _timeline(folder: Path | None, name: str, check: str, sandbox: Sandbox, mark: int) -> str:
    if folder is None:
        return ""
    file = folder / f"{name}.{check}.jsonl"
    write_whole(file, "".join(f"{one.as_json()}\n" for one in sandbox.timeline.since(mark)))
    return str(file)


def perform(
    sandbox: Sandbox,
    check: Check,
    folder: Path,
    progress: Callable[[str], None],
    outputs: Mapping[str, Any],
) -> Found:
    """Perform one check, with Terraform's ``outputs`` in its URL. What cannot be reached does not hold."""
    try:
        target = terraform_apply.with_output(check.target, outputs)
        try:
            require_url(check.kind, target)
        except OwnError as error:
            raise SandboxError(error.message, hint=error.hint) from error
        return _KINDS[check.kind](sandbox, replace(check, target=target), folder, progress)
    except SandboxError as error:
        return False, str(error).splitlines()


def perform_alone(check: Check, folder: Path, progress: Callable[[str], None]) -> Found:
    """Perform one check of `WITHOUT_STACK`. What it names and is not there does not hold."""
    try:
        return replay.perform(check, folder, progress) if check.kind == "replay" else eni.perform(check, folder)
    except SandboxError as error:
        return False, str(error).splitlines()


def _http(sandbox: Sandbox, check: Check, folder: Path, progress: Callable[[str], None]) -> Found:
    bounds = check.bounds
    status = bounds.get("status", 200)
    begun = time.monotonic()
    found = sandbox.http_get_until(check.target, status=status, within=bounds.get("within", _WITHIN))
    evidence = [f"{found} after {time.monotonic() - begun:.1f} s"]
    if found.status != status:
        return False, [*evidence, f"wanted: HTTP {status} within {bounds.get('within', _WITHIN):g} s"]
    holds = True
    if (text := bounds.get("contains")) is not None and text not in found.body:
        holds = False
        evidence.append(f"its body does not contain {text!r}; it begins with {found.body[:200]!r}")
    for name, wanted in bounds.get("header", {}).items():
        said = found.headers.get(name.lower())
        if said is None or wanted not in said:
            holds = False
            evidence.append(f"header {name}: {'none' if said is None else repr(said)}, wanted: {wanted!r} in it")
    return holds, evidence


def _dns(sandbox: Sandbox, check: Check, folder: Path, progress: Callable[[str], None]) -> Found:
    kind, within = check.bounds.get("record", "A"), float(check.bounds.get("within", _WITHIN))
    until = time.monotonic() + within
    pause = threading.Event()  # nobody sets it
    while True:
        found = sandbox.resolve(check.target, kind)
        wrong = _wrong_answers(check.bounds, found.values, found.ttl)
        if not wrong or time.monotonic() >= until:
            break
        pause.wait(_ASK_AGAIN)
    answers = ", ".join(found.values) or found.rcode
    evidence = f"{check.target} {kind}: {answers}" + (f", TTL {found.ttl} s" if found.ttl is not None else "")
    return not wrong, [evidence, *wrong]


def _wrong_answers(bounds: Mapping[str, Any], answers: Sequence[str], ttl: int | None) -> list[str]:
    wrong = []
    if "answers" in bounds and sorted(bounds["answers"]) != sorted(answers):
        wrong.append(f"wanted: {', '.join(bounds['answers']) or 'no answer'}")
    if "count" in bounds and len(answers) != bounds["count"]:
        wrong.append(f"wanted: {bounds['count']} answers, not {len(answers)}")
    if "ttl" in bounds and ttl is not None and ttl > bounds["ttl"]:
        wrong.append(f"wanted: a TTL of {bounds['ttl']} s at most")
    if not bounds.keys() & {"answers", "count"} and not answers:
        wrong.append("wanted: an answer")
    return wrong


def _door(sandbox: Sandbox, url: str) -> tuple[str, str]:
    """Where on this machine a URL leads to, and the name that is asked for."""
    parts = urlsplit(url)
    usual = 443 if parts.scheme == "https" else 80
    place = urlsplit(sandbox.door(parts.hostname or "", target_port=parts.port or usual)).netloc
    return urlunsplit((parts.scheme, place, parts.path or "/", parts.query, "")), parts.netloc


def _cache(sandbox: Sandbox, check: Check, folder: Path, progress: Callable[[str], None]) -> Found:
    bounds = check.bounds
    url, host = _door(sandbox, check.target)
    limits = Limits(bounds.get("count", 50), bounds.get("depth", 2), _CRAWL)
    policy, min_ttl = bounds.get("policy", ""), bounds.get("min_ttl")
    request = cache.Request((url,), policy, None, (), min_ttl, {}, host, limits, _PER_MINUTE, sandbox.trust())
    outcome = cache.carry_out(request, progress)
    ratio, wanted = outcome.mix.hit_ratio, bounds.get("hit_ratio")
    evidence = [f"by {outcome.by}: {len(outcome.outlooks)} URLs, hit ratio {ratio:.0%}", *_findings(outcome.findings)]
    if wanted is not None and ratio < wanted:
        evidence.append(f"wanted: a hit ratio of {wanted:.0%} at least")
    severity = bounds.get("severity", "error")
    return not outcome.exit_code(severity) and (wanted is None or ratio >= wanted), evidence


def _websocket(sandbox: Sandbox, check: Check, folder: Path, progress: Callable[[str], None]) -> Found:
    bounds = check.bounds
    url, host = _door(sandbox, check.target)
    request = websocket.Request(
        url,
        protocol=bounds.get("protocol", ""),
        path=bounds.get("path", ""),
        host=host,
        idle=bounds.get("idle"),
        timeout=bounds.get("timeout", 10.0),
        context=sandbox.trust(),
    )
    outcome = websocket.carry_out(request, progress)
    evidence = _findings(outcome.findings) or [f"{check.target}: every kind of client gets through"]
    return not outcome.exit_code(bounds.get("severity", "error")), evidence


def _assets(sandbox: Sandbox, check: Check, folder: Path, progress: Callable[[str], None]) -> Found:
    bounds = check.bounds
    during = bounds.get("during", "")
    request = assets.Request(
        check.target,
        during=_command(sandbox, folder, during) if during else "",
        rate=bounds.get("rate"),
        visitors=bounds.get("visitors"),
        seconds=float(bounds.get("seconds", _COMMAND)),
        settle=float(bounds.get("settle", _SETTLE)),
        tabs=bounds.get("tabs", 5),
        timeout=float(bounds.get("timeout", 10.0)),
        asset_hosts=tuple(bounds.get("asset_hosts", ())),
    )
    outcome = assets.carry_out(
        request, progress, lambda plan: sandbox.crowd_of(replace(plan, knows=sandbox.is_reached))
    )
    if outcome.command is None:
        seen = [f"{check.target}: {len(outcome.loads)} page loads, {len(outcome.files)} files"]
    else:
        broken, loads = sum(one.broken for one in outcome.loads), len(outcome.loads)
        seen = [f"during {during!r}: {broken} of {loads} page loads broken; exit code {outcome.command.exit_code}"]
    if outcome.left_out:
        seen.append(f"not asked, as nothing of the stack has these names: {', '.join(outcome.left_out)}")
    return not outcome.exit_code(bounds.get("severity", "error")), [*seen, *_findings(outcome.findings)]


def _command(sandbox: Sandbox, folder: Path, command: str) -> str:
    """The command in the folder of the sandbox.toml, with an environment in which AWS clients use the sandbox."""
    exports = states.exports(sandbox.environment(), os.environ)
    return "; ".join([f"cd {shlex.quote(str(folder.resolve()))}", *exports, command])


def _findings(found: Sequence[Any]) -> list[str]:
    return [f"{one.severity} {one.rule}: {one.text}; fix: {one.fix}" for one in found]


_KINDS: Mapping[str, Callable[[Sandbox, Check, Path, Callable[[str], None]], Found]] = {
    "http": _http,
    "dns": _dns,
    "cache": _cache,
    "websocket": _websocket,
    "assets": _assets,
    "purge": purge.perform,
    "eni": lambda sandbox, check, folder, progress: eni.perform_up(sandbox, check),
}
