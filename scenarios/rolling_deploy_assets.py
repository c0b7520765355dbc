"""A rolling deploy of a page whose assets have hashed names: first loads, tabs left open, and the rollback.

The service has two tasks, one of which is replaced first (maximumPercent 150). Then maximumPercent 100 holds the
deploy, with one task of each build, until enough pages have been loaded; 200 lets it go on. Loads within the time from
the first old target's draining until the second new one is healthy are those "while both builds answer". When the old
tasks are gone, the tabs of build a are returned to; then the service goes back to its first revision, both tasks at
once.

What is asked of alb.example.com is as at an edge location of CloudFront that has kept nothing. shop.example.com is one
that keeps what anybody has asked for: the first answer for a file of the new build, be it an error, is everybody's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sandbox.errors import SandboxError
from sandbox.model.assets.answers import DENIED, MISSING, WRONG_TYPE
from sandbox.scenario import Play, Scenario, Variant, Verdict
from sandbox.timeline import Observation

if TYPE_CHECKING:
    from sandbox.controllers.sandbox import Sandbox
    from sandbox.model.assets.loads import Answer, PageLoad
    from sandbox.probes.assets import Crowd
    from sandbox.probes.browser import Browser, Tab

BALANCER, CDN = "http://alb.example.com/", "http://shop.example.com/"
WAY = {BALANCER: "past CloudFront", CDN: "through CloudFront"}
A, B, B_AFTER_A = (f"aws-container-sandbox/nuxt-{build}" for build in ("a", "b", "b-after-a"))
SERVICE, BUCKET = "shop", "shop-assets"
TASKS = 2
RATE = 12.0  # page loads a second
LOADS = 18  # that a measurement takes, at least
TABS = 8
TRIES = 4  # pages that the browser opens in mid-deploy, at most, to come across a dead one
EXPIRED = 11.0  # AWS's seconds: CloudFront keeps an error for 10 where nobody says otherwise
ABSENT = (MISSING, DENIED, WRONG_TYPE)  # what a file is that its host does not have; a busy machine's errors are others
WITHIN = 30.0  # seconds for what the browser does on a busy machine; a dead page is known for one when it is quiet
HYDRATED, GALLERY, GALLERY_BUTTON = "#open-gallery:not([disabled])", "#gallery", "#open-gallery"

MIXED, AFTER, OPEN_TABS, ROLLBACK, ROLLBACK_TABS = "mixed", "after", "tabs", "rollback", "rollback-tabs"
WHAT = {
    MIXED: "first loads while both builds answer",
    OPEN_TABS: "tabs left open over the deploy",
    AFTER: "first loads after the deploy",
    ROLLBACK: "first loads during the rollback",
    ROLLBACK_TABS: "tabs left open over the rollback",
}


def play(play: Play) -> None:
    """Deploy build b over build a, and go back, under page loads and with tabs left open."""
    sandbox, settings = play.sandbox, play.variant.settings
    sites = settings["sites"]
    if settings.get("uploads"):
        sandbox.progress("uploading the files of both builds to S3, before the deploy")
        for image in (A, B):
            sandbox.upload_assets(image, BUCKET)
    sandbox.wait_healthy(TASKS)
    with sandbox.page_loads(sites, rate=RATE) as crowd:
        crowd.open_tabs(TABS)
        browser = sandbox.browser() if settings.get("browser") else None
        left_open = browser.open(sites[0], selector=HYDRATED, within=WITHIN) if browser else None
        mark = sandbox.timeline.mark()
        sandbox.progress("deploying build b, one task after another")
        sandbox.deploy(SERVICE, SERVICE, {"node": settings.get("image", B)})
        sandbox.timeline.wait_for("the first new task to start", _starts, within=60, since=mark)
        _limit(sandbox, 100)
        begun = _wait_targets(sandbox, "draining", 1, mark).at
        if settings.get("until_kept"):
            _until_an_error_is_kept(sandbox, crowd)
        if browser:
            _open_in_mid_deploy(browser, sites[0])
        _some_loads(crowd)
        _limit(sandbox, 200)
        ended = _wait_targets(sandbox, "healthy", TASKS, mark).at
        _measure(play, MIXED, [one for one in crowd.loads if begun <= one.at and one.at + one.seconds <= ended])

        deployed = _wait_targets(sandbox, "draining", TASKS, mark).at
        if settings.get("long_after"):
            sandbox.progress("waiting for longer than CloudFront keeps an error if nobody says otherwise")
            sandbox.wait_aws(EXPIRED)
            deployed = sandbox.clock.now()
        _measure(play, OPEN_TABS, _return_to(crowd, range(TABS)))
        if left_open:
            _use(left_open)
        crowd.open_tabs(TABS)
        _some_loads(crowd)
        _measure(play, AFTER, [one for one in crowd.loads if one.at >= deployed])
        _roll_back(play, crowd)


def _roll_back(play: Play, crowd: Crowd) -> None:
    sandbox = play.sandbox
    sandbox.progress("rolling back to build a, both tasks at once")
    begun, mark = sandbox.clock.now(), sandbox.timeline.mark()
    sandbox.aws("ecs").update_service(cluster=SERVICE, service=SERVICE, taskDefinition=f"{SERVICE}:1")
    _wait_targets(sandbox, "healthy", TASKS, mark)
    _wait_targets(sandbox, "draining", TASKS, mark)
    _some_loads(crowd)
    _measure(play, ROLLBACK, [one for one in crowd.loads if one.at >= begun])
    _measure(play, ROLLBACK_TABS, _return_to(crowd, range(TABS, 2 * TABS)))


def _starts(seen: Observation) -> bool:
    return bool(
        seen.kind == "task.state" and seen["last_status"] == "PROVISIONING" and seen["desired_status"] != "STOPPED"
    )


def _limit(sandbox: Sandbox, percent: int) -> None:
    """Change how many tasks the service may have while it is deployed; that begins no deployment."""
    sandbox.aws("ecs").update_service(
        cluster=SERVICE, service=SERVICE, deploymentConfiguration={"maximumPercent": percent}
    )


def _wait_targets(sandbox: Sandbox, state: str, count: int, since: int) -> Observation:
    """The observation with which so many targets have come into a state."""
    found: set[str] = set()

    def enough(seen: Observation) -> bool:
        if seen.kind == "target.health" and seen["state"] == state:
            found.add(seen["target"])
        return len(found) >= count

    return sandbox.timeline.wait_for(f"{count} targets to be {state}", enough, within=120, since=since)


def _some_loads(crowd: Crowd) -> None:
    crowd.wait_loads(len(crowd.loads) + LOADS, within=60)


def _return_to(crowd: Crowd, tabs: Sequence[int]) -> list[PageLoad]:
    known = len(crowd.returns)
    crowd.return_to_tabs()
    return [one for one in crowd.returns[known:] if one.number in tabs]


def _until_an_error_is_kept(sandbox: Sandbox, crowd: Crowd) -> None:
    """Go from one edge location to another until one has been told that a file of the new build is not there.

    An edge location where nobody has asked yet is one whose objects are invalidated.
    """
    cloudfront = sandbox.aws("cloudfront")
    (distribution,) = (one["Id"] for one in cloudfront.list_distributions()["DistributionList"]["Items"])
    old = {url for tab in crowd.tabs for url in tab.answers}
    for attempt in range(50):
        since, known = sandbox.clock.now(), len(crowd.loads)
        crowd.wait_loads(known + 4, within=60)
        failures = [one for load in crowd.loads_since(known) for one in load.failures if one.at >= since]
        if any(one.needed and one.url not in old for one in failures):
            return
        paths = {"Quantity": 1, "Items": ["/_nuxt/*"]}
        cloudfront.create_invalidation(
            DistributionId=distribution, InvalidationBatch={"CallerReference": str(attempt), "Paths": paths}
        )
    raise SandboxError("no edge location was told that a file of the new build is missing")


def _open_in_mid_deploy(browser: Browser, site: str) -> None:
    for _ in range(TRIES):
        tab = browser.open(site, selector=HYDRATED, within=WITHIN)
        if not tab.visit.works:
            break
    tab.screenshot("mid-deploy")


def _use(tab: Tab) -> None:
    tab.click(GALLERY_BUTTON, selector=GALLERY, within=WITHIN)
    tab.screenshot("tab-left-open")


def _measure(play: Play, measure: str, loads: Sequence[PageLoad]) -> None:
    """Record what became of page loads, by the way that they took."""
    settings = play.variant.settings
    if not loads:
        raise SandboxError(f"no page load was of {WHAT[measure]}", hint="a machine that is less busy")
    for site in sorted({one.url for one in loads}):
        of_site = [one for one in loads if one.url == site]
        broken = [one for one in of_site if one.broken]
        causes = Counter(one.cause for one in broken)
        counted = sum(causes[cause] for cause in settings.get("causes", ABSENT))
        play.sandbox.timeline.record(
            "roll.measured",
            measure=measure,
            way=WAY[site],
            loads=len(of_site),
            broken=len(broken),
            causes=dict(causes),
            example=_told(next(failure for failure in broken[-1].failures if failure.needed)) if broken else "",
            decides=measure in settings["decides"],
            counted=counted,
        )


def _told(answer: Answer) -> str:
    said = [f"HTTP {answer.status}" if answer.status else answer.error, answer.content_type, answer.x_cache]
    return f"{urlsplit(answer.url).path}: {', '.join(filter(None, said))}"


def judge(observations: Sequence[Observation]) -> Verdict:
    """Failed when loads or tabs of a measure that decides lacked a file, or a page was dead in the browser."""
    measured = [seen for seen in observations if seen.kind == "roll.measured"]
    visits = [seen for seen in observations if seen.kind == "browser.visited"]
    failed = any(map(_lacks_a_file, visits)) or any(seen["decides"] and seen["counted"] for seen in measured)
    return Verdict(failed, (*map(_fact, measured), *map(_seen_in_browser, [*_pages(visits), *_clicks(visits)])))


def _lacks_a_file(visit: Observation) -> bool:
    """Whether the page is dead, and was answered for a file with an error or with something else."""
    return not visit["works"] and any(one["status"] for one in visit["failures"])


def _fact(measured: Observation) -> str:
    causes = ", ".join(f"{cause} {count}" for cause, count in measured["causes"].items())
    what = f"{WHAT[measured['measure']]}, {measured['way']}"
    return f"{what}: {measured['broken']} of {measured['loads']} broken" + (
        f": {causes}; such as {measured['example']}" if causes else ""
    )


def _pages(visits: Sequence[Observation]) -> list[Observation]:
    """What was opened in mid-deploy last: dead, if any was."""
    return [seen for seen in visits if seen["action"] == "open"][1:][-1:]


def _clicks(visits: Sequence[Observation]) -> list[Observation]:
    return [seen for seen in visits if seen["action"] == "click"]


def _seen_in_browser(seen: Observation) -> str:
    what = "tab left open, click on its button" if seen["action"] == "click" else "page opened in mid-deploy"
    failures = [f"{urlsplit(one['url']).path}: {one['error'] or one['status']}" for one in seen["failures"]]
    said = "works" if seen["works"] else "dead"
    return f"Chromium, {what}: {said}" + (f" ({', '.join(failures)})" if failures else "")


# Tasks are to give way to the deploy alone, not to health checks that time out on a busy machine.
IN_TASKS = {"maximum_percent": "150", "deregistration_delay": "1", "unhealthy_threshold": "10"}
STICKY = {**IN_TASKS, "assets": "task-sticky", "stickiness": "true"}
DURING = (MIXED, OPEN_TABS, AFTER)

SCENARIO = Scenario(
    name="rolling-deploy-assets",
    stack="nuxt",
    symptom=(
        "During each deploy some visitors get a page on which nothing works; after it, so do those who had left a tab "
        "open. Reloading helps, and minutes later nobody can reproduce it."
    ),
    cause=(
        "Assets have hashed names, and a task has those of its own build alone. While old and new tasks answer, the "
        "page of one asks the other for a file that it does not have; a tab left open asks for one that no task has "
        "any more. A CDN makes the answer last, whatever it was."
    ),
    fix=(
        "Upload the assets to S3 before the deploy, beside those of earlier builds, and have CloudFront serve them "
        "from there. Where they must stay in the tasks: the previous build's assets in the new image, and stickiness."
    ),
    variants=(
        Variant(
            "assets-in-the-task",
            "reproduces",
            "each task has the assets of its own build",
            IN_TASKS,
            {"sites": (BALANCER, CDN), "decides": tuple(WHAT), "browser": True},
        ),
        Variant(
            "sticky",
            "reproduces",
            "stickiness, its cookie forwarded by CloudFront: first loads are safe, a tab left open is not",
            STICKY,
            {"sites": (BALANCER, CDN), "decides": (OPEN_TABS,)},
        ),
        Variant(
            "previous-assets-baked-in",
            "reproduces",
            "the new image has the old assets, too: tabs left open are safe, first loads are not",
            IN_TASKS,
            {"sites": (BALANCER, CDN), "decides": (MIXED,), "image": B_AFTER_A},
        ),
        Variant(
            "previous-assets-and-sticky",
            "holds",
            "both; what a rollback does to tabs of the new build is measured, and not held against it",
            STICKY,
            {"sites": (BALANCER, CDN), "decides": DURING, "image": B_AFTER_A},
        ),
        Variant(
            "assets-on-s3",
            "holds",
            "CloudFront has the assets of both builds from S3, uploaded before the deploy; after a rollback, too",
            {**IN_TASKS, "assets": "s3"},
            {"sites": (CDN,), "decides": tuple(WHAT), "uploads": True, "browser": True},
        ),
        Variant(
            "cdn-keeps-the-404",
            "reproduces",
            "the header that has files kept for a year is set on a 404, too: broken long after the deploy",
            {**IN_TASKS, "h2o": "h2o-kept"},
            {"sites": (CDN,), "decides": (AFTER,), "until_kept": True, "long_after": True},
        ),
        Variant(
            "single-page-fallback",
            "reproduces",
            "a script that is missing is answered by the first page, with 200; CloudFront keeps that for a year",
            {**IN_TASKS, "h2o": "h2o-single-page"},
            {"sites": (CDN,), "decides": tuple(WHAT), "until_kept": True, "causes": (WRONG_TYPE,)},
        ),
    ),
    play=play,
    judge=judge,
    speed=5.0,  # most of it is waiting for health checks
)
