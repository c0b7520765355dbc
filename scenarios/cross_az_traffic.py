"""What crosses Availability Zones for each page, and what that costs in a month."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.controllers.shop import URL, Shop
from sandbox.errors import SandboxError
from sandbox.model.zone_traffic import GB, SECONDS_PER_MONTH, monthly_cost
from sandbox.scenario import Play, Scenario, Variant, Verdict
from sandbox.timeline import Observation

MACHINES, PAGES = 2, 100
LOAD = 50  # pages a second, of the shop whose bill is forecast
BOUND = 10  # dollars a month


def play(play: Play) -> None:
    """Load the same pages, one after another, and count what machines, Redis and the database send each other."""
    sandbox = play.sandbox
    Shop(sandbox).wait_machines(MACHINES)
    sandbox.progress(f"loading {PAGES} pages")
    with sandbox.zone_traffic():
        for _ in range(PAGES):
            result = sandbox.http_fetch(f"{URL}/")
            if result.status != 200:
                raise SandboxError("the page could not be loaded", state=str(result))
    sandbox.timeline.record("loaded", pages=PAGES, apcu=play.stack.values["apcu"])


def judge(observations: Sequence[Observation]) -> Verdict:
    """Failed when it costs more than the bound."""
    (loaded,) = (seen for seen in observations if seen.kind == "loaded")
    counted = [seen for seen in observations if seen.kind == "zone.traffic"]
    per_page = sum(seen["bytes"] for seen in counted) / loaded["pages"]
    cost = monthly_cost(per_page, LOAD)
    facts = [f"APCu is {loaded['apcu']}; {loaded['pages']} pages on {MACHINES} machines"]
    facts += [f"{seen['from_zone']} to {seen['to_zone']}: {seen['bytes']:,} bytes" for seen in counted]
    facts.append(
        f"{per_page:,.0f} bytes a page; at {LOAD} pages a second {per_page * LOAD * SECONDS_PER_MONTH / GB:,.1f} GB in "
        f"30 days: ${cost:,.2f} at $0.01 a GB out of one zone and $0.01 into the other; the bound is ${BOUND}"
    )
    return Verdict(cost > BOUND, tuple(facts))


SCENARIO = Scenario(
    name="cross-az-traffic",
    stack="apcu",
    symptom="The bill's line DataTransfer-Regional-Bytes grows with the visitors, though all is in one region.",
    cause=(
        "Redis and the database are in another Availability Zone, and each page asks for everything that it shows. "
        "Each byte is paid for twice: out of one zone and into the other."
    ),
    fix="Keep what seldom changes in APCu on each machine, and clear that when it does (purge-fleet shows how).",
    variants=(
        Variant("from-redis", "reproduces", "all of each page comes from Redis", {"apcu": "off"}),
        Variant("from-apcu", "holds", "all of it comes from APCu once a machine has it", {"apcu": "on"}),
    ),
    play=play,
    judge=judge,
    speed=5,
)
