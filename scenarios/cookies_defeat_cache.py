"""Each visitor's cookies become part of the cache key: nobody ever gets what another one has fetched."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.scenario import Play, Scenario, Variant, Verdict
from sandbox.timeline import Observation

URL = "http://blog.example.com/"
VISITORS = 4


def play(play: Play) -> None:
    """Several visitors, each with the cookie that an analytics script has set, ask for the same page twice."""
    for visitor in range(1, VISITORS + 1):
        for visit in (1, 2):
            result = play.sandbox.http_get(URL, headers={"Cookie": f"_ga=GA1.2.{visitor}00{visitor}"})
            play.sandbox.timeline.record(
                "visit", visitor=visitor, visit=visit, status=result.status, x_cache=result.facts().get("x_cache", "")
            )


def judge(observations: Sequence[Observation]) -> Verdict:
    """Failed when a visitor after the first one was not served from the cache."""
    visits = [seen for seen in observations if seen.kind == "visit"]
    asked = {visitor: [seen for seen in visits if seen["visitor"] == visitor] for visitor in range(1, VISITORS + 1)}
    missed = [seen for seen in visits if seen["visitor"] > 1 and seen["x_cache"] != "Hit"]
    facts = [
        f"visitor {visitor}, with a cookie of their own: {', '.join(seen['x_cache'] for seen in seen_by)}"
        for visitor, seen_by in asked.items()
    ]
    hits = sum(seen["x_cache"] == "Hit" for seen in visits)
    facts.append(f"{hits} of {len(visits)} visits were served from the cache")
    return Verdict(bool(missed), tuple(facts))


SCENARIO = Scenario(
    name="cookies-defeat-cache",
    stack="ghost-cdn",
    parameters={"blog": "image:ghost-blog/blog"},
    symptom="The cache hit ratio is near zero although every page may be kept for minutes.",
    cause=(
        "The behaviour forwards all cookies, and so has all of them in its cache key: an analytics cookie makes each "
        "visitor another viewer. With all headers forwarded nothing is kept at all."
    ),
    fix="Forward the cookies that the application reads, by name, and no headers that differ between viewers.",
    variants=(
        Variant("all-cookies", "reproduces", "cookies: all", {"behavior": "all-cookies"}),
        Variant("all-headers", "reproduces", 'headers: "*"', {"behavior": "all-headers"}),
        Variant("named-cookies", "holds", "Ghost's two cookies by name", {"behavior": "min-ttl"}),
    ),
    play=play,
    judge=judge,
)
