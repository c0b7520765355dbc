"""nginx looks for Ghost by its name in Docker Compose: in an awsvpc task there is none, and nginx does not start.

The containers of a task share one network namespace, so a neighbour is on localhost. nginx resolves the names of its
configuration when it starts, so this is no bad gateway but a task that never serves, again and again.
"""

from __future__ import annotations

from collections.abc import Sequence

from sandbox import evidence
from sandbox.scenario import Play, Scenario, Variant, Verdict
from sandbox.timeline import Observation

URL = "http://blog.example.com/"
FUNCTION = "blog-dns"
ENDS = 2  # once may be an accident; the service's next task ends as well


def play(play: Play) -> None:
    """Wait until a visitor is served, or nginx has ended twice."""
    sandbox, timeline = play.sandbox, play.sandbox.timeline

    def decided(seen: Observation) -> bool:
        served = seen.kind == "visitor.outcome" and seen["status"] == 200
        return served or len(_ends(timeline.since())) >= ENDS

    timeline.wait_for(
        f"{FUNCTION} to have ended for the first task",  # before, a visitor would keep it that there is no such name
        lambda seen: seen.kind == "lambda.invocation" and seen["function"] == FUNCTION,
        within=60,
    )
    with sandbox.visit(URL):
        sandbox.progress("waiting for a visitor to be served, or nginx to end")
        timeline.wait_for("a visitor to be served, or nginx to end twice", decided, within=120)
    sandbox.http_get(URL)


def judge(observations: Sequence[Observation]) -> Verdict:
    """Failed when the site does not come up."""
    ends = _ends(observations)
    page = [seen for seen in observations if seen.kind == "http.response"][-1]
    started = [seen for seen in observations if seen.kind == "task.state" and seen["last_status"] == "PROVISIONING"]
    said = [line for seen in ends for line in seen["log"] if "[emerg]" in line]
    stopped = [seen for seen in observations if seen.kind == "task.state" and seen["stop_code"]]
    facts = (
        f"{len(started)} {'task' if len(started) == 1 else 'tasks'} started for a desired count of 1",
        *(f"task {evidence.task(seen)}: nginx exited with code {seen['exit_code']}" for seen in ends[:ENDS]),
        *(f"nginx: {line.partition('[emerg] ')[2]}" for line in said[:1]),
        *(f"task {evidence.task(seen)}: {seen['stop_code']}: {seen['stopped_reason']}" for seen in stopped[:1]),
        f"{URL}: {evidence.page(page)}",
    )
    return Verdict(page["status"] != 200, facts)


def _ends(observations: Sequence[Observation]) -> list[Observation]:
    return [seen for seen in observations if seen.kind == "container.exited" and seen["container"] == "nginx"]


SCENARIO = Scenario(
    name="task-localhost",
    stack="ghost",
    parameters={"blog": "image:ghost-blog/blog"},
    symptom="What runs with docker compose does not come up on Fargate: the service starts one task after the other.",
    cause=(
        "nginx.conf says `proxy_pass http://ghost:2368`, the service's name in Docker Compose. The containers of an "
        "awsvpc task share one network namespace and no such name resolves: nginx ends at its start, and the task with "
        "it."
    ),
    fix="`proxy_pass http://localhost:2368`; in compose.yaml `network_mode: service:ghost` makes the same file right.",
    variants=(
        Variant(
            "compose-name", "reproduces", "proxy_pass http://ghost:2368, right in Compose", {"nginx": "nginx-by-name"}
        ),
        Variant("localhost", "holds", "proxy_pass http://localhost:2368", {"nginx": "nginx"}),
    ),
    play=play,
    judge=judge,
    awaits_ready=False,
)
