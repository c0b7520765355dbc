"""The configuration of Varnish for one distribution: the templates beside this module, filled in from the model.

What is sent to origins and what is in a cache key is asked of the model, name by name, so that the rules stand in one
place. What Varnish cannot do as CloudFront does it stands in docs/fidelity.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.dataplane.cdn.templates import environment, inner_headers, with_token
from sandbox.model.cloudfront import answers, edge, forwarding, freshness, patterns
from sandbox.model.cloudfront.config import ERROR_CACHING_MIN_TTL, Behavior, Distribution, Origin
from sandbox.model.cloudfront.policies import CachePolicy, Cors, ResponseHeadersPolicy, Selection

# A number is taken from the first directive of its name, as the model takes it; commas within quotes divide nothing.
_BEFORE = r'(?i)^(?:(?:[^"]|"[^"]*")*?,)??\s*'
_NUMBER = r'\s*=\s*"?(\d{1,12})\d*"?\s*(?:,.*)?$'
_DIRECTIVES = {
    "s_maxage": f"{_BEFORE}s-maxage{_NUMBER}",
    "max_age": f"{_BEFORE}max-age{_NUMBER}",
    "stale_while_revalidate": f"{_BEFORE}stale-while-revalidate{_NUMBER}",
    "stale_if_error": f"{_BEFORE}stale-if-error{_NUMBER}",
    "no_store": rf"{_BEFORE}no-store\s*(?:[=,]|$)",
    "no_cache": rf"{_BEFORE}no-cache\s*(?:,|$)",
    "private": rf"{_BEFORE}private\s*(?:,|$)",
    "without_cookies": rf'{_BEFORE}no-cache\s*=\s*"?(?:[^"]*,)?\s*set-cookie\s*(?:,[^"]*)?"?\s*(?:,|$)',
}
_HITS_TOLD = 4
# Two functions at the origin and two at the viewer, each with its time-out and the start of its environment.
_OF_FUNCTIONS = 2.0 * (30 + 5) + 4 * 10 + 10
_PATIENCE = 5.0  # seconds beyond the origin's time-outs, for the proxy before it to tell which one it was


@dataclass(frozen=True)
class Place:
    """Where the proxy that leads to an origin listens: "HOST:PORT", or the path of a socket."""

    address: str

    def vcl(self) -> str:
        """As it stands in a backend's definition."""
        host, _, port = self.address.rpartition(":")
        return f'.host = "{host}"; .port = "{port}";' if host else f'.path = "{self.address}";'


def vcl(
    distribution: Distribution,
    places: Mapping[str, Place],
    self_place: Place,
    hops: Mapping[str, Place] | None = None,
    *,
    token: str = "Cdn",
    speed: float = 1.0,
    pop: str = "SBX50-P1",
) -> str:
    """Varnish's configuration.

    Args:
        distribution: What it is to carry out.
        places: Where each origin is reached, by its id.
        self_place: Where Varnish listens for itself, by the name "self".
        hops: Where the functions of the sides "viewer" and "origin" are; needed where a behaviour has functions, and
            Varnish then takes what has been through the viewer's by the name "viewed".
        token: Of the headers in which Varnish keeps what it knows.
        speed: Divides every time of AWS's.
        pop: The edge location's name in X-Amz-Cf-Pop.
    """
    numbers = {origin: number for number, origin in enumerate(distribution.origins)}
    behaviors = [_behavior(number, one, distribution, numbers) for number, one in enumerate(distribution.behaviors)]
    least = _least(distribution)
    hosts = [distribution.domain_name, *distribution.aliases]
    shown = next((name for name in distribution.aliases if "*" not in name), distribution.domain_name)
    longest = sum(map(_longest, distribution.origins.values())) / speed
    made = (
        environment()
        .get_template("edge.vcl.j2")
        .render(
            speed=_seconds(speed),  # three decimals: VCL takes no more
            scaled=speed != 1,
            longest_url=edge.LONGEST_URL,
            hits_told=_HITS_TOLD,
            pop=pop,
            edge=distribution.domain_name.partition(".")[0],
            agent=forwarding.AGENT,
            domain=distribution.domain_name,
            local_name=shown,
            enabled=distribution.enabled,
            hosts=[name for name in hosts if "*" not in name],
            host_pattern=f"(?i)^(?:{'|'.join(map(_host, hosts))})(?::\\d*)?$",
            inner_headers=inner_headers(),
            root=distribution.default_root_object,
            behaviors=behaviors,
            has_policies=any(one["policy"] for one in behaviors),
            backends=[
                {
                    "name": f"origin_{numbers[one.id]}",
                    "address": places[one.id].vcl(),
                    "patience": _seconds(_longest(one) / speed + _PATIENCE),
                }
                for one in distribution.origins.values()
            ],
            custom_headers=sorted({name for one in distribution.origins.values() for name in one.custom_headers}),
            self_address=self_place.vcl(),
            longest=_seconds(longest + _PATIENCE),
            functions=[
                {"name": f"{side}_functions", "address": place.vcl(), "patience": _seconds(longest + _OF_FUNCTIONS)}
                for side, place in (hops or {}).items()
            ],
            origins=[
                {
                    "number": numbers[one.id],
                    "backend": f"origin_{numbers[one.id]}",
                    "path": one.path,
                    "domain_name": one.domain_name,
                    "custom_headers": sorted(one.custom_headers.items()),
                }
                for one in distribution.origins.values()
            ],
            least=[(status, _seconds(seconds / speed) if seconds else "") for status, seconds in least],
            unscaled_least=least,
            moments=sorted({_seconds(seconds / speed) for _, seconds in least if seconds}),
            pages=[one for one in distribution.errors.values() if one.page],
            directive=_DIRECTIVES,
            always=sorted(freshness.ALWAYS_CACHED),
            with_header=sorted(freshness.CACHED_WITH_A_HEADER),
            heeded=sorted(freshness.HEEDED_WHEN_FORBIDDEN),
            compressed_types=rf"(?i)^\s*(?:{'|'.join(map(_escape, sorted(answers.COMPRESSED_TYPES)))})\s*(?:;|$)",
            smallest=answers.SMALLEST,
            largest=answers.LARGEST,
        )
    )
    return with_token(made, token)


def _behavior(
    number: int, behavior: Behavior, distribution: Distribution, numbers: Mapping[str, int]
) -> dict[str, Any]:
    policy, more = behavior.cache, behavior.origin_request
    group = distribution.groups.get(behavior.target)
    return {
        "number": number,
        "pattern": f"^{patterns.expression(behavior.pattern)}$",
        "viewer_protocol": behavior.viewer_protocol,
        "allowed": sorted(behavior.allowed),
        "cached": sorted(behavior.cached),
        "caches": policy.caches,
        "legacy": policy.legacy,
        "ttl": policy.ttl,
        "compress": behavior.compress and bool(_codings(policy)),
        "codings": [{"name": name, "taken": _taken(name)} for name in _codings(policy)],
        "key_query": _removed([policy.query]),
        "sent_query": _removed([policy.query, more.query]),
        "key_cookie": _removed([policy.cookies]),
        "sent_cookie": _removed([policy.cookies, more.cookies]),
        "key_headers": () if policy.all_headers else policy.headers,
        "not_sent": {
            "read": _not_sent(behavior, "GET"),
            "kept": _not_sent(behavior, "GET", "if-none-match", "if-modified-since"),
            "written": _not_sent(behavior, "POST"),
        },
        "sends_host": forwarding.sends("host", behavior),
        "sends_accept_encoding": forwarding.sends("accept-encoding", behavior),
        "sends_cache_control": forwarding.sends("cache-control", behavior),
        "sends_forwarded_proto": forwarding.sends(forwarding.PROTOCOL, behavior),
        "primary": numbers[group.primary if group else behavior.target],
        "secondary": numbers[group.secondary] if group else None,
        "failover": sorted(group.statuses) if group else (),
        "forwards_cookies": forwarding.forwards_cookies(behavior),
        "shown_vary": _shown_vary(policy),
        "policy": _policy(behavior.response_headers),
        "viewer_functions": any(trigger.startswith("viewer") for trigger in behavior.functions),
        "origin_functions": any(trigger.startswith("origin") for trigger in behavior.functions),
    }


def _codings(policy: CachePolicy) -> list[str]:
    if policy.all_headers:
        return []
    return [name for name, kept in (("br", policy.brotli), ("gzip", policy.gzip)) if kept]


def _taken(coding: str) -> str:
    """Whether Accept-Encoding names a coding, and not with a weight of 0."""
    return rf"(?i)(?:^|,)\s*{coding}\s*(?:;(?!\s*q\s*=\s*[0.]*\s*(?:,|$))[^,]*)?(?:,|$)"


def _removed(selections: Iterable[Selection]) -> str | None:
    """What parts of a query string a selection takes away: an expression, "" for none of them, None for all."""
    used = [one for one in selections if one.behavior != "none"]
    if not used:
        return None
    if any(one.behavior == "all" for one in used):
        return ""
    kept = "|".join(
        f"(?:{_names(one)})(?:[=&]|$)" if one.behavior == "whitelist" else f"(?!(?:{_names(one)})(?:[=&]|$))[^&]"
        for one in used
    )
    return f"(?:^|&)(?!{kept})[^&]*"


def _names(selection: Selection) -> str:
    wild = {"*": "[^=&]*", "?": "[^=&]"}
    return "|".join("".join(wild.get(letter, _escape(letter)) for letter in name) for name in selection.names)


def _not_sent(behavior: Behavior, method: str, *kept: str) -> str:
    """The header lines that the origin is not sent.

    Host, Accept-Encoding, Cookie, User-Agent and Range are seen to one by one. X-Forwarded-For is Varnish's own.
    """
    names = {*forwarding.known_names(behavior), *kept}
    sent = {name for name in names if name in kept or forwarding.sends(name, behavior, method)}
    sent |= {"host", "x-forwarded-for", "content-length", "transfer-encoding", "X-Cdn-[a-z-]+"}
    if forwarding.sends("x-any-other", behavior, method):
        return _lines(sorted({"x-edge-[^:]*", "cloudfront-[^:]*"} | {_escape(name) for name in names - sent}))
    listed = "|".join(name if "[" in name else _escape(name) for name in sorted(sent))
    return f"(?i)^(?!(?:{listed}) *:).*$"


def _lines(names: list[str]) -> str:
    return f"(?i)^(?:{'|'.join(names)}) *:.*$"


def _shown_vary(policy: CachePolicy) -> str | None:
    """What of Vary is taken away; None where all is shown."""
    if "*" in policy.headers:
        return None
    shown = "|".join(map(_escape, sorted({"accept-encoding", "cookie", *policy.headers})))
    return rf"(?i)(?:^|,)\s*+(?!(?:{shown})\s*(?:,|$))[^,]*"


def _policy(policy: ResponseHeadersPolicy | None) -> dict[str, Any] | None:
    if policy is None:
        return None
    shown: dict[str, Any] = {"removals": policy.removals, "additions": policy.additions, "cors": policy.cors}
    if policy.cors is not None:
        shown |= _cors(policy.cors)
    return shown


def _cors(cors: Cors) -> dict[str, Any]:
    any_origin = "*" in cors.origins and not cors.credentials
    made: list[tuple[str, str | None]] = [("Access-Control-Allow-Origin", "*" if any_origin else None)]
    if cors.credentials:
        made.append(("Access-Control-Allow-Credentials", "true"))
    if cors.expose:
        made.append(("Access-Control-Expose-Headers", ", ".join(cors.expose)))
    preflight = [
        ("Access-Control-Allow-Methods", ", ".join(cors.methods)),
        ("Access-Control-Allow-Headers", ", ".join(cors.headers)),
        ("Access-Control-Max-Age", "" if cors.max_age is None else str(cors.max_age)),
    ]
    origins = "" if "*" in cors.origins else "|".join(map(answers.origin_expression, cors.origins))
    return {
        "origins": f"^(?:{origins})$" if origins else "",
        "cors_headers": made,
        "preflight_headers": [(name, value) for name, value in preflight if value],
    }


def _least(distribution: Distribution) -> list[tuple[int, int]]:
    """Error caching minimum TTL by status; status 0 is any other one, and the last."""
    return [*((one.status, one.min_ttl) for one in distribution.errors.values()), (0, ERROR_CACHING_MIN_TTL)]


def _longest(origin: Origin) -> float:
    return origin.connection_attempts * origin.connection_timeout + origin.read_timeout


def _host(name: str) -> str:
    return f"[^.]+{_escape(name[1:])}" if name.startswith("*.") else _escape(name)


def _escape(text: str) -> str:
    return re.escape(text)


def _seconds(value: float) -> str:
    return f"{value:.3f}"
