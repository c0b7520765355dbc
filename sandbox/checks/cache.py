"""``sandbox check cache``: what CloudFront would keep of a site, for how long, and what to change."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from sandbox.errors import SandboxError
from sandbox.model.cloudfront import config, findings, forecast, managed, unsupported
from sandbox.model.cloudfront.config import Distribution
from sandbox.model.cloudfront.errors import CloudFrontError
from sandbox.model.cloudfront.findings import Finding
from sandbox.model.cloudfront.forecast import Mix, Outlook
from sandbox.model.cloudfront.policies import (
    Policies,
    Ttl,
    cache_policy,
    made_of_viewers,
    origin_request_policy,
    response_headers_policy,
)
from sandbox.model.foreign import from_json
from sandbox.probes.http_cache import Crawl, Door, Limits, crawl

DEFAULT_POLICY = "CachingOptimized"  # what the console recommends
_WRONG_JSON = (KeyError, TypeError, AttributeError, ValueError)


@dataclass(frozen=True)
class Request:
    """What was asked for; see the command's options."""

    urls: tuple[str, ...]
    policy: str
    distribution: Path | None
    policy_files: tuple[Path, ...]
    min_ttl: int | None
    headers: Mapping[str, str]
    host: str
    limits: Limits
    per_minute: float
    context: ssl.SSLContext | None = None  # whom to trust for ``host``, if not this machine's authorities


@dataclass
class _Named:
    """What is asked: URLs, and of those that stand for a stack that is up what leads there.

    Attributes:
        urls: Where to begin.
        names: The public hosts, with the URL of the origin behind each.
        doors: Of those with https, whom to trust and whom the certificate is to be for, by host and port.
    """

    urls: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    doors: dict[str, Door] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Attributes:
        by: The policy or the file that it was measured by.
        left_out: What of a DistributionConfig is not carried out.
    """

    by: str
    seen: Crawl
    outlooks: list[Outlook]
    findings: list[Finding]
    mix: Mix
    left_out: list[str]

    def exit_code(self, severity: str) -> int:
        """1 where a finding is as severe; "never": 0."""
        return int(severity != "never" and findings.at_least(self.findings, severity))

    def as_json(self) -> dict[str, Any]:
        """The format of ``--json``, without the exit code."""
        return {
            "version": 1,
            "by": self.by,
            "resources": [_resource(one) for one in self.outlooks],
            "findings": [
                {
                    "rule": one.rule,
                    "severity": one.severity,
                    "text": one.text,
                    "fix": one.fix,
                    "urls": list(one.urls),
                }
                for one in self.findings
            ],
            "mix": {
                "requests": self.mix.requests,
                "hits": self.mix.hits,
                "confirmed": self.mix.confirmed,
                "hit_ratio": round(self.mix.hit_ratio, 4),
                "seconds": self.mix.seconds,
            },
            "left": self.seen.left,
            "not_carried_out": self.left_out,
        }


def carry_out(request: Request, progress: Callable[[str], None]) -> Outcome:
    """Fetch what is named, and judge it.

    Raises:
        SandboxError: An option or a file is wrong, or a URL cannot be reached.
    """
    distribution, by, left_out = _distribution(request)
    left_out += _headers_left_out(distribution)
    if request.min_ttl is not None:
        distribution = _with_minimum(distribution, request.min_ttl)
        by += f", minimum TTL {request.min_ttl} s"
    named = _named(request.urls)
    headers = dict(request.headers)
    if host := request.host or next(iter(named.names), ""):
        if request.host:
            named.names[host] = named.urls[0]
        headers.setdefault("Host", host)
    if request.context is not None:
        named.doors[urlsplit(named.urls[0]).netloc] = request.context, host
    seen = crawl(named.urls, request.limits, headers, named.names, progress, named.doors)
    now = time.time()
    outlooks = [forecast.outlook(distribution, one, now) for one in seen.seen]
    found = _of_the_crawl(seen) + findings.find(distribution, outlooks)
    found.sort(key=lambda one: -findings.SEVERITIES.index(one.severity))
    mix = forecast.mix(distribution, seen.seen, now, request.per_minute)
    return Outcome(by, seen, outlooks, found, mix, left_out)


def _distribution(request: Request) -> tuple[Distribution, str, list[str]]:
    policies = _policies(request.policy_files)
    if request.distribution is not None:
        if request.policy:
            raise SandboxError("--policy and --distribution: one of them", hint="a distribution names its own policies")
        return _from_file(request.distribution, policies)
    wanted = request.policy or DEFAULT_POLICY
    id_ = managed.cache_policy_id(wanted)
    if id_ is None:
        id_ = next((one for one, policy in policies.cache.items() if wanted in {one, policy.name}), None)
    if id_ is None:
        known = ", ".join(policy.name for policy in managed.CACHE.values())
        raise SandboxError(f"--policy {wanted}: there is no such cache policy", hint=f"managed ones: {known}")
    policy = policies.cache[id_]
    origin = {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "match-viewer"}
    made = {
        "Origins": {"Items": [{"Id": "site", "DomainName": "origin", "CustomOriginConfig": origin}]},
        "DefaultCacheBehavior": {
            "TargetOriginId": "site",
            "ViewerProtocolPolicy": "allow-all",
            "Compress": True,
            "CachePolicyId": id_,
        },
    }
    times = ", ".join(
        f"{name} {forecast.duration(seconds)}"
        for name, seconds in (("minimum", policy.ttl.min), ("default", policy.ttl.default), ("maximum", policy.ttl.max))
    )
    kind = "managed cache policy" if id_ in managed.CACHE else "cache policy"
    return config.parse(made, policies=policies, lenient=True), f"{kind} {policy.name} ({times})", []


def _from_file(file: Path, policies: Policies) -> tuple[Distribution, str, list[str]]:
    content = _json(file)
    if isinstance(content, dict):
        content = content.get("Distribution", content)
        content = content.get("DistributionConfig", content) if isinstance(content, dict) else content
    _validate(file, content)
    try:
        return config.parse(content, policies=policies, lenient=True), str(file), unsupported.parts(content)
    except CloudFrontError as error:
        hint = ""
        if error.code.startswith("NoSuch") and error.code.endswith("Policy"):
            hint = "if it is one of your own: aws cloudfront get-cache-policy --id ID > FILE, and --policy-file FILE"
        raise SandboxError(f"{file}: CloudFront would refuse it", state=str(error), hint=hint) from error


def _validate(file: Path, content: object) -> None:
    import botocore.session
    from botocore.validate import ParamValidator

    shape = botocore.session.get_session().get_service_model("cloudfront").shape_for("DistributionConfig")
    report = ParamValidator().validate(content, shape)
    if report.has_errors():
        raise SandboxError(
            f"{file} is no DistributionConfig",
            log=report.generate_report().splitlines()[:12],
            hint="aws cloudfront get-distribution-config --id ID > FILE",
        )


def _policies(files: tuple[Path, ...]) -> Policies:
    cache, requests, responses = dict(managed.CACHE), dict(managed.ORIGIN_REQUEST), dict(managed.RESPONSE_HEADERS)
    for file in files:
        content = _json(file)
        try:
            for kind, one in _policy_items(content):
                if kind == "CachePolicy":
                    cache[one["Id"]] = cache_policy(one["CachePolicyConfig"])
                elif kind == "OriginRequestPolicy":
                    requests[one["Id"]] = origin_request_policy(one["OriginRequestPolicyConfig"])
                else:
                    responses[one["Id"]] = response_headers_policy(one["ResponseHeadersPolicyConfig"])
        except CloudFrontError as error:
            raise SandboxError(f"{file}: a policy cannot be used", state=str(error)) from error
        except _WRONG_JSON as error:
            hint = "the answer of aws cloudfront get-cache-policy, get-origin-request-policy or list-cache-policies"
            raise SandboxError(f"{file} has no policy", state=f"{type(error).__name__}: {error}", hint=hint) from error
    return Policies(cache, requests, responses)


def _policy_items(content: Any) -> list[tuple[str, Any]]:
    kinds = ("CachePolicy", "OriginRequestPolicy", "ResponseHeadersPolicy")
    found = [(kind, content[kind]) for kind in kinds if kind in content]
    for kind in kinds:
        if listed := content.get(f"{kind}List"):
            found += [(kind, one[kind]) for one in listed.get("Items", ()) if one.get("Type") != "managed"]
            return found
    if not found:
        raise KeyError("CachePolicy, OriginRequestPolicy, ResponseHeadersPolicy")
    return found


def _headers_left_out(distribution: Distribution) -> list[str]:
    used = [(one.cache.name, one.cache.headers) for one in distribution.behaviors]
    used += [(one.origin_request.name, one.origin_request.headers.names) for one in distribution.behaviors]
    return list(dict.fromkeys(f"the header {name} in {by}" for by, names in used for name in made_of_viewers(names)))


def _with_minimum(distribution: Distribution, seconds: int) -> Distribution:
    behaviors = []
    for one in distribution.behaviors:
        if one.cache.caches:
            default = max(one.cache.ttl.default, seconds)
            limits = Ttl(seconds, default, max(one.cache.ttl.max, default))
            one = replace(one, cache=replace(one.cache, ttl=limits))  # noqa: PLW2901
        behaviors.append(one)
    return replace(distribution, behaviors=tuple(behaviors))


def _named(given: tuple[str, ...]) -> _Named:
    """The URLs; a stack that is up stands for its own."""
    found = _Named()
    for one in given:
        if not one.replace("-", "").isalnum() or not _add_stack(found, one):
            found.urls.append(one)
    return found


def _add_stack(found: _Named, name: str) -> bool:
    """Add the doors of a stack's origins, where it is up; what CloudFront is asked for leads to the first one."""
    from sandbox.controllers import up

    state = up.find(name)
    if state is None or not state.sites:
        return False
    origins = {url: door for url, door in state.sites.items() if urlsplit(url).hostname not in state.distributions}
    asked = origins or state.sites
    first = next(iter(asked.values()))
    leads = {url: asked.get(url) or urljoin(first, urlsplit(url).path) for url in state.sites}
    found.urls += dict.fromkeys(leads.values())
    found.names |= {urlsplit(url).netloc: door for url, door in leads.items()}
    if (context := state.trust()) is not None:
        found.doors |= {urlsplit(door).netloc: (context, urlsplit(url).netloc) for url, door in asked.items()}
    return True


def _of_the_crawl(seen: Crawl) -> list[Finding]:
    found = [
        Finding("no-answer", "error", f"no answer: {why}", "see the origin's log, or mend the link", (url,))
        for url, why in seen.failures.items()
    ]
    if seen.loops:
        text = "redirects lead back to where they began, and CloudFront keeps them"
        fix = (
            "if the site redirects HTTP to HTTPS: ask it with https:, or where it goes by X-Forwarded-Proto, "
            "--header 'X-Forwarded-Proto: https'"
        )
        found.append(Finding("redirect-loop", "error", text, fix, tuple(seen.loops)))
    for url, target in seen.elsewhere.items():
        text = f"redirects to {target}, which is not followed: its host was not named"
        found.append(Finding("redirect-elsewhere", "info", text, "name that URL too, if it is to be checked", (url,)))
    if seen.cut:
        text = "the body is longer, or takes longer, than is read: only its headers are judged"
        found.append(Finding("body-not-read", "info", text, "none is needed", tuple(seen.cut)))
    return found


def _resource(one: Outlook) -> dict[str, Any]:
    first, lifetime = one.observed.first, one.lifetime
    return {
        "url": one.observed.url,
        "status": first.status,
        "type": first.headers.get("content-type"),
        "cache_control": first.headers.get("cache-control"),
        "behavior": one.behavior.pattern,
        "does": one.does,
        "reason": lifetime.reason,
        "ttl": lifetime.ttl,
        "kept": lifetime.kept,
        "validator": one.observed.has_validator,
        "confirms": one.observed.confirms,
        "origin_down": "last copy" if one.survives else "error",
    }


def _json(file: Path) -> Any:
    try:
        return from_json(file.read_text())
    except (OSError, ValueError) as error:
        raise SandboxError(f"{file} cannot be read as JSON", state=str(error)) from error
