"""Ghost says of its pages "public, max-age=0": CloudFront asks for each one again each time, and carries no load.

Whatever makes it keep pages must leave alone what Ghost calls private: admin, previews of drafts, members' pages.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.errors import SandboxError
from sandbox.probes.http import HttpResult
from sandbox.scenario import Play, Scenario, Variant, Verdict
from sandbox.timeline import Observation

SITE = "http://blog.example.com"
API = f"{SITE}/ghost/api/admin"
PAGES = ("/", "/coming-soon/")
VISITS = 3
OWNER = {"name": "Ada", "email": "ada@example.com", "password": "a long pass phrase", "blogTitle": "Blog"}


def play(play: Play) -> None:
    """Set the blog up as its owner, write a draft, sign a member in; then ask for everything, as each of them."""
    sandbox = play.sandbox

    def call(method: str, path: str, content: object, cookie: str = "") -> HttpResult:
        headers = {"Content-Type": "application/json", "Origin": SITE, "Cookie": cookie}
        body = json.dumps(content).encode() if content else b""
        result = sandbox.http_send(method, f"{API}/{path}", headers=headers, body=body)
        if result.status not in {200, 201}:
            raise SandboxError(f"Ghost refused {method} {path}", state=f"{result}\n{result.body[:500]}")
        return result

    def visit(who: str, path: str, cookie: str = "") -> HttpResult:
        result = sandbox.http_get(f"{SITE}{path}", headers={"Cookie": cookie} if cookie else None)
        account = "#/portal/account" in result.body
        x_cache = result.facts().get("x_cache", "")
        sandbox.timeline.record(
            "visit", who=who, path=path, status=result.status, x_cache=x_cache, shows_an_account=account
        )
        return result

    sandbox.progress("setting the blog up through CloudFront: owner, draft, member")
    call("POST", "authentication/setup/", {"setup": [OWNER]})
    signed_in = call("POST", "session/", {"username": OWNER["email"], "password": OWNER["password"]})
    owner = "; ".join(signed_in.cookies)
    draft = _first(call("POST", "posts/", {"posts": [{"title": "A draft"}]}, owner), "posts")
    member = _first(call("POST", "members/", {"members": [{"email": "mia@example.com"}]}, owner), "members")
    link = _first(call("GET", f"members/{member['id']}/signin_urls/", None, owner), "member_signin_urls")["url"]
    cookies = sandbox.http_get(link).cookies
    # A member comes first: what is kept of that visit is what others would get.
    for _ in range(2):
        visit("member", "/", "; ".join(cookies))
        visit("member", "/members/api/member/", "; ".join(cookies))
        visit("owner", "/ghost/", owner)
        visit("owner", f"/p/{draft['uuid']}/", owner)
    for path in PAGES:
        for _ in range(VISITS):
            visit("anyone", path)


def _first(result: HttpResult, what: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(result.body)[what][0]
    return found


def judge(observations: Sequence[Observation]) -> Verdict:
    """Failed when a page is not a hit at its second visit, or somebody was shown what is not meant for them."""
    visits = [seen for seen in observations if seen.kind == "visit"]
    pages = {path: [seen for seen in visits if seen["who"] == "anyone" and seen["path"] == path] for path in PAGES}
    kept = all(seen["x_cache"] == "Hit" for asked in pages.values() for seen in asked[1:])
    private = [seen for seen in visits if seen["who"] != "anyone" and seen["path"] != "/"]
    members = [seen for seen in visits if seen["who"] == "member" and seen["path"] == "/"]
    shown = any(seen["shows_an_account"] for asked in pages.values() for seen in asked)
    secret = not shown and all(seen["x_cache"] != "Hit" and seen["status"] == 200 for seen in private)
    facts = [
        f"{path}, {VISITS} visits: {', '.join(seen['x_cache'] for seen in asked)}" for path, asked in pages.items()
    ]
    for path in dict.fromkeys(seen["path"] for seen in private):
        asked = ", ".join(seen["x_cache"] for seen in private if seen["path"] == path)
        facts.append(f"{path[:12]}{'...' if path[12:] else ''}, twice by {_who(private, path)}: {asked}")
    facts.append(
        f"a member's own /, twice: {', '.join(seen['x_cache'] for seen in members)}; "
        + ("AND OTHERS WERE SHOWN IT" if shown else "nobody else was shown it")
    )
    return Verdict(not (kept and secret), tuple(facts))


def _who(visits: Sequence[Observation], path: str) -> str:
    return str(next(seen["who"] for seen in visits if seen["path"] == path))


SCENARIO = Scenario(
    name="ghost-cache-control",
    stack="ghost-cdn",
    parameters={"blog": "image:ghost-blog/blog"},
    symptom="CloudFront is there, and yet every page view reaches the task; when the task is gone, so is the blog.",
    cause=(
        'Ghost sends "Cache-Control: public, max-age=0" with its pages. With a minimum TTL of 0 CloudFront honours it: '
        "it asks the origin each time."
    ),
    fix=(
        "Give pages a time: caching.frontend.maxAge in Ghost's configuration, a header from nginx for pages alone, or "
        "a minimum TTL on the default behaviour, with behaviours of their own for admin, members and previews."
    ),
    variants=(
        Variant("as-ghost-ships", "reproduces", "max-age=0 and minimum TTL 0"),
        Variant("ghost-caching", "holds", "caching.frontend.maxAge is 600", {"taskdef": "taskdef-caching"}),
        Variant("nginx-header", "holds", "nginx adds s-maxage=600 to pages", {"nginx": "nginx-max-age"}),
        Variant("min-ttl", "holds", "the default behaviour's minimum TTL is 600", {"behavior": "min-ttl"}),
    ),
    play=play,
    judge=judge,
)
