"""Cookies that bind a client to a target or to a group, and the groups of a forward action.

A cookie is a nonce, a tag and a text that AES-GCM has encrypted: ``GROUP|MILLISECONDS|SERVER``. Whether the server may
get requests, a map says, from which it is taken when it drains or is unhealthy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sandbox.model.elb.config import Forward, TargetGroup
from sandbox.model.elb.stickiness import (
    APP_COOKIE,
    COOKIE_LIFETIME,
    GROUP_COOKIE,
    GROUP_COOKIE_CORS,
    TARGET_COOKIE,
    TARGET_COOKIE_CORS,
)

DRAWS = 1_000_000
"""A random number below this one decides among weighted groups."""
NOBODY = "nobody"
"""The backend that has no targets."""
_UNQUOTED = "word(1,'\\\"')"
_CORS = "; SameSite=None; Secure"
# Since Chromium 80 a cookie is sent to another site only with this; older browsers refuse it.
_CHROMIUM = "{ req.fhdr(user-agent),lower -m reg chrom(e|ium)/([89][0-9]|[1-9][0-9][0-9]) }"


def of_targets(group: TargetGroup, name: str, map_file: str, key: str, speed: float) -> Iterator[str]:
    """What is done to a group's requests and answers, so that sessions stay with their targets."""
    sticky = group.stickiness
    if not sticky.enabled:
        return
    app = sticky.type == "app_cookie"
    yield from _read("s", (APP_COOKIE,) if app else (TARGET_COOKIE, TARGET_COOKIE_CORS), key)
    conditions = [
        f"{{ var(txn.s_text),field(1,|) -m str {name} }}",
        f"{{ var(txn.s_age) -m int lt {round(sticky.duration * 1000 / speed)} }}",
    ]
    if app:
        conditions.append(f"{{ req.cook({sticky.cookie_name}) -m found }}")
    yield f"http-request set-var(txn.server) var(txn.s_text),field(3,|),map_str({map_file}) if {' '.join(conditions)}"
    yield "use-server %[var(txn.server)] if { var(txn.server) -m found }"
    if app:  # an answer's rules do not see the request
        yield f"http-request set-var(txn.chromium) bool(true) if {_CHROMIUM}"
    yield from _made("s", f"{name}|%[date(0,ms)]|%[srv_name]", key)
    value = _value("s")
    if not app:
        yield f'http-response add-header Set-Cookie "{TARGET_COOKIE}={value}{_attributes(speed)}"'
        yield f'http-response add-header Set-Cookie "{TARGET_COOKIE_CORS}={value}{_attributes(speed)}{_CORS}"'
        return
    set_now, had = f"{{ res.cook({sticky.cookie_name}) -m found }}", "{ var(txn.s_text) -m found }"
    for known, more in (("!", ""), ("", _CORS)):
        header = f'"{APP_COOKIE}={value}{_attributes(speed)}{more}"'
        chromium = f"{known}{{ var(txn.chromium) -m found }}"
        yield f"http-response add-header Set-Cookie {header} if {chromium} {set_now} or {chromium} {had}"


def read_group(key: str) -> Iterator[str]:
    """Find out to which group a request's cookie binds it."""
    yield from _read("g", (GROUP_COOKIE, GROUP_COOKIE_CORS), key)


def forward(
    action: Forward, number: int, condition: str, groups: Mapping[str, str], key: str, speed: float
) -> Iterator[str]:
    """Which group's backend gets the requests of a rule.

    Args:
        action: What the rule does.
        number: The rule's.
        condition: " if ...", or "" where every request that comes so far is the rule's.
        groups: The backends' names, by ARN.
        key: Of the cookies.
        speed: Divides every time of AWS's.
    """
    if len(action.groups) == 1:
        ((arn, weight),) = action.groups
        yield f"use_backend {groups[arn] if weight else NOBODY}{condition}"
        return
    start = condition or " if"
    if action.stickiness is not None:
        age = f"{{ var(txn.g_age) -m int lt {round(action.stickiness * 1000 / speed)} }}"
        for arn, _ in action.groups:
            yield f"use_backend {groups[arn]}{start} {{ var(txn.g_text),field(1,|) -m str {groups[arn]} }} {age}"
        mine = f" if {{ var(txn.rule) -m int {number} }}"
        for line in _made("g", "%[be_name]|%[date(0,ms)]", key):
            yield line + mine
        value = _value("g")
        yield f'http-response add-header Set-Cookie "{GROUP_COOKIE}={value}{_attributes(speed)}"{mine}'
        yield f'http-response add-header Set-Cookie "{GROUP_COOKIE_CORS}={value}{_attributes(speed)}{_CORS}"{mine}'
    total, below = sum(weight for _, weight in action.groups), 0
    for arn, weight in action.groups:
        below += weight
        if weight:
            yield f"use_backend {groups[arn]}{start} {{ var(txn.draw) -m int lt {below * DRAWS // total} }}"
    yield f"use_backend {NOBODY}{condition}"


def _read(prefix: str, cookies: tuple[str, ...], key: str) -> Iterator[str]:
    """Variables ``PREFIX_text`` and ``PREFIX_age`` (milliseconds) of a cookie that can be decrypted.

    Its value may be in double quotes (RFC 6265, 4.1.1), as Python's http.cookies sends it.
    """
    var = f"txn.{prefix}"
    for number, cookie in enumerate(cookies):
        other = f" if !{{ var({var}_cookie) -m found }}" if number else ""
        yield f"http-request set-var({var}_cookie) req.cook({cookie}),{_UNQUOTED}{other}"
    yield f"http-request set-var({var}_nonce) var({var}_cookie),bytes(0,16)"
    yield f"http-request set-var({var}_tag) var({var}_cookie),bytes(16,24)"
    decrypted = f"var({var}_cookie),bytes(40),b64dec,aes_gcm_dec(128,{var}_nonce,{key},{var}_tag)"
    yield f"http-request set-var({var}_text) {decrypted}"
    yield f"http-request set-var({var}_at) var({var}_text),field(2,|),add(0)"
    yield f"http-request set-var({var}_age) date(0,ms),sub({var}_at) if {{ var({var}_at) -m found }}"


def _made(prefix: str, text: str, key: str) -> Iterator[str]:
    var = f"txn.{prefix}_new"
    yield f'http-response set-var-fmt({var}) "{text}"'
    yield f"http-response set-var({var}_nonce) uuid,bytes(0,12),base64"
    yield f"http-response set-var({var}_made) var({var}),aes_gcm_enc(128,{var}_nonce,{key},{var}_tag)"


def _value(prefix: str) -> str:
    var = f"txn.{prefix}_new"
    return f"%[var({var}_nonce)]%[var({var}_tag)]%[var({var}_made),base64]"


def _attributes(speed: float) -> str:
    return f"; Expires=%[date({max(round(COOKIE_LIFETIME / speed), 1)}),http_date]; Path=/"
