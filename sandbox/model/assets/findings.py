"""What is wrong with a site's assets, or was while something happened, and what mends it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sandbox.model.assets import answers
from sandbox.model.assets.loads import Answer, PageLoad, summarize
from sandbox.model.assets.references import IMAGE, NEEDED, PAGE
from sandbox.model.cloudfront.forecast import duration
from sandbox.model.cloudfront.headers import cache_control

SEVERITIES = ("info", "warning", "error")
LONG = 86_400  # seconds from which on a file counts as kept for long
SHORT = 60  # seconds up to which a page or an error may be kept
_HASHED = re.compile(  # Nuxt's and Next's folders; Vite's names; 7 hexadecimal digits or more; 8 letters with a digit
    r"/_nuxt/|/_next/static/|/assets/[^/]+-[\w-]{8}\.(?:m?js|css)$"
    r"|[./\-_](?:(?=[0-9a-f]*\d)[0-9a-f]{7,}|(?=[\w-]*\d)[\w-]{8})(?:\.chunk)?\.(?:m?js|css)$"
)
_RULES = {
    answers.MISSING: "missing",
    answers.DENIED: "denied",
    answers.WRONG_TYPE: "wrong-type",
    answers.REFUSED_REQUEST: "error-answer",
    answers.SERVER_ERROR: "error-answer",
    answers.ODD_STATUS: "error-answer",
    answers.REDIRECT: "redirect",
    answers.CROSS_ORIGIN: "cross-origin",
    answers.MIXED: "mixed-content",
}
_BOTH_BUILDS = (
    "upload the new build's files to S3 before the deploy, keep the old ones there, and let CloudFront serve them "
    "from S3. Short of that: stickiness for first loads, and the previous build's files in the new image for tabs "
    "left open; neither is enough alone"
)
_FIXES = {
    "missing": _BOTH_BUILDS,
    "denied": f"S3 answers 403 for a missing key to those who may not list the bucket. So {_BOTH_BUILDS}",
    "wrong-type": f"answer unknown files with 404 (single-page fallback is for pages). Then {_BOTH_BUILDS}",
    "error-answer": (
        "see the application's log: new tasks may get requests before they can answer (health check, grace period)"
    ),
    "cross-origin": (
        "send Access-Control-Allow-Origin with these files: a CORS configuration of the bucket, or a response headers "
        "policy of CloudFront"
    ),
    "mixed-content": "name it with https:, or without a scheme (//NAME/PATH), in a page that comes by HTTPS",
    "redirect": "do not redirect assets: neither to a page that asks to log in, nor in circles",
    "no-answer": (
        "let tasks finish what they have (SIGTERM, stopTimeout, deregistration delay), and start new ones before "
        "old ones end (minimumHealthyPercent 100)"
    ),
}
_OF_TABS = (
    "keep the previous build's files: in S3 (CloudFront serves them from there), or in the new image, which a rollback "
    "undoes. Stickiness does not help: the old tasks are gone. Until then the application can reload the page when a "
    "chunk fails (Vite: vite:preloadError), which loses its state"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        rule: Its name.
        severity: One of `SEVERITIES`.
        text: What visitors get.
        fix: What to change.
        urls: Where.
    """

    rule: str
    severity: str
    text: str
    fix: str
    urls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Command:
    """What was run while pages were loaded.

    Attributes:
        text: The command.
        began, ended: In seconds since the epoch.
        exit_code: None where it was stopped, since it took too long.
    """

    text: str
    began: float
    ended: float
    exit_code: int | None


def rule(cause: str) -> str:
    """The name of what a cause is found as."""
    return _RULES.get(cause, "no-answer")


def at_least(found: Iterable[Finding], severity: str) -> bool:
    """Whether one of them is as severe."""
    return any(SEVERITIES.index(one.severity) >= SEVERITIES.index(severity) for one in found)


def of_files(files: Iterable[Answer], made_up: Answer | None = None) -> list[Finding]:
    """What is wrong with the files of a site that nothing happens to, the worst first.

    Args:
        files: What came for each.
        made_up: What came for a script that there is not.
    """
    found: dict[tuple[str, str, str, str], dict[str, None]] = {}
    for answer in files:
        for one in (*_unusable(answer), *_kept(answer)):
            found.setdefault((one.rule, one.severity, one.text, one.fix), {})[answer.url] = None
    merged = [Finding(*key, tuple(urls)) for key, urls in found.items()]
    return _sorted(merged + list(_of_made_up(made_up) if made_up is not None else ()))


def _unusable(answer: Answer) -> Iterator[Finding]:
    if not answer.cause:
        return
    severity = "error" if answer.needed else "warning"
    name = rule(answer.cause)
    what = f"HTTP {answer.status}" if answer.status else answer.error or answer.cause
    if answer.cause == answers.WRONG_TYPE:
        what = f"{answer.content_type or 'no Content-Type'}, which browsers refuse as {_as(answer.kind)}"
    if answer.cause == answers.CROSS_ORIGIN:
        what = "a module of another origin without its leave (Access-Control-Allow-Origin)"
    if answer.cause == answers.MIXED:
        what = "by plain HTTP, which browsers do not ask for in a page that came by HTTPS"
    broken = "the page does not work without it" if answer.needed else "the page works without it"
    fix = {
        "missing": "deploy the file that the page names, or mend the link",
        "denied": "let everybody read it; S3 also answers so for what is not there",
        "wrong-type": "answer with the file's own type; if it is not there, with 404 and not with the page",
        "error-answer": "see the application's log",
    }.get(name, _FIXES[name])
    yield Finding(name, severity, f"{what}: {broken}", fix)


def _as(kind: str) -> str:
    return {"module": "a module script", "script": "a script", "style": "a style sheet"}.get(kind, f"a {kind}")


def _kept(answer: Answer) -> Iterator[Finding]:
    seconds = _lifetime(answer)
    if answer.status >= 400 and seconds > SHORT:
        yield _error_kept(answer.status, seconds)
    if answer.cause:
        return
    if answer.kind == PAGE and seconds > SHORT:
        text = (
            f"the page may be kept for {duration(seconds)}: for so long after a deploy it names the old build's files"
        )
        yield Finding(
            "page-kept", "warning", text, "Cache-Control: no-cache for pages, or a cache policy that keeps none"
        )
    elif (
        answer.kind in NEEDED
        and answer.kind != PAGE
        and _HASHED.search(answer.url.partition("?")[0])
        and seconds < LONG
    ):
        said = f"for {duration(seconds)}" if answer.cache_control else "as long as caches guess"
        text = f"its name changes with its content, but it is kept {said}"
        yield Finding(
            "kept-shortly", "warning", text, "Cache-Control: public, max-age=31536000, immutable for hashed files"
        )


def _error_kept(status: int, seconds: int) -> Finding:
    # Amazon CloudFront Developer Guide, "Control how long CloudFront caches errors".
    text = (
        f"HTTP {status} with a Cache-Control of {duration(seconds)}: browsers and CloudFront keep the error for so "
        "long, also when the file is there again"
    )
    return Finding(
        "error-kept", "error", text, "send the long Cache-Control with answers of 200 alone; errors: no-store"
    )


def _of_made_up(answer: Answer) -> Iterator[Finding]:
    if answer.status == 200 and answer.cause in {"", answers.WRONG_TYPE}:
        text = (
            f"a script that there is not is answered 200 with {answer.content_type or 'no Content-Type'}: a tab that "
            "is open over a deploy gets the page instead of its chunk, and a CDN keeps that as the file"
        )
        yield Finding("fallback", "error", text, "single-page fallback for pages alone; 404 for files", (answer.url,))
    seconds = _lifetime(answer)
    if answer.status >= 400 and seconds > SHORT:
        one = _error_kept(answer.status, seconds)
        yield Finding(one.rule, one.severity, one.text, one.fix, (answer.url,))


def _lifetime(answer: Answer) -> int:
    """For how many seconds shared caches may keep it by its own word; 0 where it does not say."""
    said = cache_control(answer.cache_control or None)
    if said.no_store or said.no_cache or said.private:
        return 0
    return int((said.s_maxage if said.s_maxage is not None else said.max_age) or 0)


def of_loads(
    loads: Sequence[PageLoad], tabs: Sequence[PageLoad], command: Command, *, shed: int = 0, settled: bool = True
) -> list[Finding]:
    """What was wrong while a command ran, and after it, the worst first.

    Args:
        loads: The page loads, before, meanwhile and after.
        tabs: What came of the return to tabs that had been opened before.
        command: What was run.
        shed: Loads that did not begin, since too many were under way.
        settled: Whether loads were no longer broken when one stopped to look.
    """
    found: list[Finding] = []
    before = [one for one in loads if one.broken and one.at < command.began]
    after = [one for one in loads if one.at >= command.began]
    if before:
        text = f"{len(before)} page loads were broken before the command began: {_causes(summarize(before).causes)}"
        found.append(Finding("broken-before", "warning", text, "mend that first; without --during it is told what", ()))
    for kind, some in (("loads-broken", after), ("tabs-broken", tabs)):
        found += _broken(kind, some, command)
    found += _images(after)
    if not settled:
        text = f"page loads were still broken {max(loads[-1].at - command.ended, 0):.0f} s after the command had ended"
        fix = "look for what keeps the error: a cache (Cache-Control of a 404), an old task, or the release itself"
        found.append(Finding("not-settled", "error", text, fix))
    found += _of_command(command)
    if tabs and not any(one.requests for one in tabs):
        text = "the page's scripts name nothing that they load later: a tab left open was not tested"
        found.append(Finding("no-lazy-chunks", "info", text, "docs/check-assets.md says what is recognised"))
    if shed:
        text = f"{shed} visitors did not come: too many page loads were under way"
        found.append(Finding("too-slow", "warning", text, "a lower --rate, or see why the site takes so long"))
    return _sorted(found)


def _broken(name: str, loads: Sequence[PageLoad], command: Command) -> Iterator[Finding]:
    summary = summarize(loads)
    if not summary.broken or summary.first_broken is None or summary.last_broken is None:
        return
    causes = _causes(summary.causes)
    whats = list(dict.fromkeys(rule(cause) for cause in summary.causes))
    fix = _FIXES[whats[0]]
    if name == "tabs-broken":
        text = (
            f"{summary.broken} of {summary.loads} tabs left open could not load a part of the page afterwards: {causes}"
        )
        fix = _OF_TABS if whats[0] in {"missing", "denied"} else f"{fix}. {_OF_TABS}"
    else:
        text = (
            f"{summary.broken} of {summary.loads} page loads ({summary.share:.1%}) were broken, from "
            f"{_when(summary.first_broken, command)} to {_when(summary.last_broken, command)}: {causes}"
        )
    failed = [one for load in loads for one in load.failures if one.needed]
    yield Finding(name, "error", text, fix, tuple(dict.fromkeys(one.url for one in failed)))
    kept = [one for one in failed if one.status >= 400 and (one.age or _lifetime(one) > SHORT)]
    if kept:
        longest = max(max(one.age or 0, _lifetime(one)) for one in kept)
        text = (
            f"{len(kept)} of these errors came from a cache, or may be kept by one: for {duration(longest)} or longer"
        )
        fix = "no-store for errors; CloudFront: ErrorCachingMinTTL 0 for 404 and 403; invalidate what is kept now"
        yield Finding("error-kept", "error", text, fix, tuple(dict.fromkeys(one.url for one in kept)))


def _images(loads: Sequence[PageLoad]) -> Iterator[Finding]:
    lacking = [one for load in loads for one in load.failures if one.kind == IMAGE]
    if lacking:
        text = f"{summarize(loads).images} page loads lacked an image"
        yield Finding("images-missing", "warning", text, _BOTH_BUILDS, tuple(dict.fromkeys(one.url for one in lacking)))


def _of_command(command: Command) -> Iterator[Finding]:
    seconds = command.ended - command.began
    if command.exit_code is None:
        text = f"the command had not ended after {seconds:.0f} s and was told to end"
        yield Finding("command-stopped", "warning", text, "--seconds N, for longer")
    elif command.exit_code:
        text = f"the command ended with exit code {command.exit_code} after {seconds:.0f} s"
        yield Finding("command-failed", "warning", text, "see its output")


def _when(at: float, command: Command) -> str:
    if at >= command.ended:
        return f"{at - command.ended:.1f} s after it ended"
    return f"{at - command.began:.1f} s after the command began"


def _causes(causes: Mapping[str, int]) -> str:
    return ", ".join(f"{cause} ({count})" for cause, count in causes.items())


def _sorted(found: list[Finding]) -> list[Finding]:
    return sorted(found, key=lambda one: -SEVERITIES.index(one.severity))
