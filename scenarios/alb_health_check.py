"""Health checks that keep replacing good tasks: a path or a matcher that is wrong, a grace period that is too short.

Rules: developer guide "Optimize load balancer health check parameters for Amazon ECS" and "Amazon ECS service
definition parameters" (healthCheckGracePeriodSeconds); Application Load Balancer guide, "Health checks for Application
Load Balancer target groups".
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial

from sandbox import evidence
from sandbox.scenario import Play, Scenario, Variant, Verdict
from sandbox.timeline import Observation

# A service may stop its only task before it has another one, so that no round takes longer than two checks.
ALONE = {
    "tasks": "1",
    "assign_public_ip": "ENABLED",
    "minimum_healthy_percent": "0",
    "deregistration_delay": "0",
}
PORT = 8080
GIVEN_UP = "Task failed ELB health checks"
STEADY = "has reached a steady state"
CHECKED = {"healthy", "unhealthy"}
ROUNDS = 2  # so many tasks in a row that are given up
BOOT = "9"  # seconds; two failed checks are five seconds, and two that pass come after it
PATIENCE = 3.0  # seconds, less than two checks take


def play(play: Play) -> None:
    """Ask each task itself for the page, until two have been given up or the service is steady."""
    sandbox, timeline = play.sandbox, play.sandbox.timeline
    given_up: set[str] = set()
    while len(given_up) < ROUNDS:
        # On a slow machine the first ones are given up before anybody can ask them.
        given_up = set(_ends(timeline.since()))
        sandbox.progress("waiting for a task to run")
        task = timeline.wait_for("a task to be RUNNING", partial(_runs_another, given_up), within=90)
        page = f"http://{task['public_ip']}:{PORT}/"
        sandbox.http_get_until(page, within=PATIENCE)
        sandbox.progress("waiting for what its health checks come to")
        end = timeline.wait_for("it to be given up, or the service to be steady", partial(_over, task), within=90)
        if _is_steady(end):
            sandbox.http_get(page)
            return
        given_up.add(task["task"])


def judge(observations: Sequence[Observation]) -> Verdict:
    """Failed when the service gives one task after another up: a single one may have booted slowly."""
    started = {seen["task"]: seen for seen in reversed(observations) if evidence.runs(seen)}
    ends = _ends(observations)
    names = {f"http://{seen['public_ip']}:{PORT}/": evidence.task(seen) for seen in started.values()}
    facts = [
        f"task {names[seen['url']]} itself, asked for the page: {evidence.page(seen)}"
        for seen in observations
        if seen.kind == "http.response"
    ]
    facts += [
        f"task {evidence.task(end)} stopped {end.at - started[task].at:.1f} s after RUNNING: {end['stopped_reason']}"
        for task, end in ends.items()
    ]
    checked = [seen for seen in observations if seen.kind == "target.health" and seen["state"] in CHECKED]
    facts += [f"target {seen['target']}: {_health(seen)}" for seen in checked[-1:]]
    told = [seen["message"] for seen in observations if seen.kind == "service.event"]
    facts += [one for one in told if "is unhealthy in" in one][-1:] + [one for one in told if STEADY in one][-1:]
    facts.append(f"{len(ends)} of {len(started)} tasks were given up for their health checks")
    return Verdict(len(ends) >= ROUNDS, tuple(facts))


def _runs_another(known: Collection[str], seen: Observation) -> bool:
    return evidence.runs(seen) and seen["task"] not in known


def _over(task: Observation, seen: Observation) -> bool:
    return _is_steady(seen) or (_is_given_up(seen) and seen["task"] == task["task"])


def _ends(observations: Sequence[Observation]) -> dict[str, Observation]:
    """When each task was given up that was, by its ARN."""
    ends: dict[str, Observation] = {}
    for seen in observations:
        if _is_given_up(seen):
            ends.setdefault(seen["task"], seen)
    return ends


def _is_given_up(seen: Observation) -> bool:
    return seen.kind == "task.state" and str(seen["stopped_reason"]).startswith(GIVEN_UP)


def _is_steady(seen: Observation) -> bool:
    return seen.kind == "service.event" and STEADY in seen["message"]


def _health(seen: Observation) -> str:
    return f"{seen['state']} ({seen['reason']}: {seen['description']})" if seen["reason"] else str(seen["state"])


SCENARIO = Scenario(
    name="alb-health-check",
    stack="nuxt",
    symptom="Tasks that serve the page are stopped after seconds and replaced, again and again; no deploy ends.",
    cause=(
        "The target group asks for a path that the application does not have, takes a status for an error that is none "
        "(health checks follow no redirect), or begins to count before the application has booted: a service stops "
        "every task whose target is unhealthy once its grace period is over."
    ),
    fix=(
        "Give the target group a path that the application answers, and a matcher of the statuses it answers with; "
        "make healthCheckGracePeriodSeconds longer than the boot and the checks that have to pass after it."
    ),
    variants=(
        Variant(
            "wrong-path",
            "reproduces",
            "the health check asks for /healthz, which answers 404",
            {**ALONE, "health_path": "/healthz"},
        ),
        Variant(
            "wrong-matcher",
            "reproduces",
            "the health check asks for a page that has moved (302), and takes 200 alone",
            {**ALONE, "h2o": "h2o-moved", "health_path": "/status"},
        ),
        Variant(
            "right-matcher",
            "holds",
            "the same, and 302 is taken",
            {**ALONE, "h2o": "h2o-moved", "health_path": "/status", "health_matcher": "200,302"},
        ),
        Variant("right-path", "holds", "the health check asks for /health, which answers 200", {**ALONE}),
        Variant(
            "grace-too-short",
            "reproduces",
            "the application boots for nine seconds, the grace period is three",
            {**ALONE, "boot_seconds": BOOT, "grace_period": "3"},
        ),
        Variant(
            "grace-long-enough",
            "holds",
            "the grace period is a minute",
            {**ALONE, "boot_seconds": BOOT, "grace_period": "60"},
        ),
    ),
    play=play,
    judge=judge,
    awaits_ready=False,
)
