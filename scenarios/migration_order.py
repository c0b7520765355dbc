"""A migration goes before the tasks that need it, and past the tasks that still run: when does which of them break?"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sandbox import paths
from sandbox.scenario import Play, Scenario, Variant, Verdict
from sandbox.timeline import Observation

URL = "http://orders.example.com/"
NAME = "orders"  # of the cluster, the service, the container and the pipeline
FOLDER = paths.share() / "compose" / "orders"
MIGRATE = "python migrate.py"
INTERVAL = 0.1  # seconds, between what is asked for one order and the next
ENDED = frozenset({"Succeeded", "Failed"})
# Three requests: two targets in turn would have all orders go to the one, and all looks at them to the other.
ASKED = ("POST", "GET", "GET")
# One task is replaced after the other: meanwhile both releases serve.
SIDE_BY_SIDE = {"tasks": "2", "maximum_percent": "150"}


def play(play: Play) -> None:
    """Release by a pipeline, one release after the other, while customers order."""
    sandbox, pipelines = play.sandbox, play.sandbox.aws("codepipeline")
    sandbox.wait_healthy(int(play.stack.values["tasks"]))
    releases = play.variant.settings["releases"]
    with customers(sandbox):
        for release in releases:
            sandbox.progress(f"release '{release}' goes through the pipeline")
            files = {path.name: path.read_text() for path in (FOLDER / "releases" / release).iterdir()}
            sandbox.put_source("orders-releases", "orders.zip", FOLDER / "release", files)
            mark = sandbox.timeline.mark()
            definition = pipeline(sandbox, release, play.variant.settings.get("migrate", MIGRATE))
            if release == releases[0]:
                pipelines.create_pipeline(pipeline=definition)  # which starts it
            else:
                pipelines.update_pipeline(pipeline=definition)
                pipelines.start_pipeline_execution(name=NAME)
            sandbox.timeline.wait_for(
                "the pipeline to end",
                lambda seen: seen.kind == "pipeline.execution" and seen["status"] in ENDED,
                within=120,
                since=mark,
            )
            states = pipelines.get_pipeline_state(name=NAME)["stageStates"]
            statuses = {one["stageName"]: one.get("latestExecution", {}).get("status", "-") for one in states}
            sandbox.timeline.record("release.ended", release=release, stages=statuses)


def pipeline(sandbox: Any, release: str, migrate: str) -> dict[str, Any]:
    """compose/orders/pipeline.json with the tasks that migrate; without its last stage where a release needs none."""
    definition: dict[str, Any] = json.loads((FOLDER / "pipeline.json").read_text())
    if not (FOLDER / "releases" / release / "after.sql").exists():
        definition["stages"] = [stage for stage in definition["stages"] if stage["name"] != "Contract"]
    for stage in definition["stages"]:
        for action in stage["actions"]:
            if action["actionTypeId"]["provider"] == "Lambda":
                words = migrate.replace("migrate.py", f"migrate.py {action['name'].lower()}")
                parameters = {
                    **{"cluster": NAME, "taskDefinition": NAME, "container": NAME},
                    **{"command": ["sh", "-c", words], "subnets": sandbox.subnets},
                }
                action["configuration"]["UserParameters"] = json.dumps(parameters)
    return definition


@contextmanager
def customers(sandbox: Any) -> Iterator[None]:
    """All through the block somebody makes an order and looks at it twice; recorded as ``orders.answer``."""
    ended = threading.Event()

    def order() -> None:
        while not ended.is_set():
            for method in ASKED:
                answer = sandbox.http_send(method, URL)
                release = answer.headers.get("x-release", "")
                sandbox.timeline.record(
                    "orders.answer", method=method, release=release, status=answer.status, wrong=wrong(method, answer)
                )
            ended.wait(INTERVAL)

    thread = threading.Thread(target=order, name="customers", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(30)


def wrong(method: str, answer: Any) -> str:
    """What is wrong with an answer, or ""."""
    if answer.status not in (200, 201):
        failed = answer.error or f"HTTP {answer.status}"
        with_words = answer.headers.get("x-release") and answer.status == 500
        return f"{failed}, {json.loads(answer.body)['error']}" if with_words else failed
    if method == "GET" and json.loads(answer.body)["amount"] is None:
        return "an order without its amount"
    return ""


def judge(observations: Sequence[Observation]) -> Verdict:
    """Failed when a customer got a wrong answer."""
    facts = []
    answers: list[Observation] = []
    for seen in observations:
        if seen.kind == "orders.answer":
            answers.append(seen)
        elif seen.kind == "pipeline.action" and seen["provider"] == "Lambda" and seen["status"] in ENDED:
            said = (seen["error"] or seen["summary"]).partition(" ")[2].partition(" ")[2]
            facts.append(f"{seen['stage']}/{seen['action']} {seen['status']}: the task {said}")
        elif seen.kind == "container.exited" and seen["log"] and seen["log"][-1].startswith("sqlite3."):
            facts.append(f"{seen['container']} said: {seen['log'][-1]}")
        elif seen.kind == "release.ended":
            stages = ", ".join(f"{stage} {status}" for stage, status in seen["stages"].items())
            facts += [f"release '{seen['release']}': {stages}", *by_release(answers)]
            answers = []
    failed = any(seen["wrong"] for seen in observations if seen.kind == "orders.answer")
    return Verdict(failed, tuple(facts))


def by_release(answers: Sequence[Observation]) -> Iterator[str]:
    """A line for each release whose tasks have answered, in the order in which they came, and one for both at once."""
    for release in dict.fromkeys(seen["release"] for seen in answers):
        own = [seen for seen in answers if seen["release"] == release]
        counted = Counter(seen["wrong"] for seen in own if seen["wrong"])
        which = "; ".join(f"{count} times {text}" for text, count in counted.most_common(2)) or "all well"
        yield f"  tasks of '{release or 'nobody'}': {len(own)} answers, {which}"
    names = [seen["release"] for seen in answers]
    mixed = answers[names.index(names[-1]) : len(names) - names[::-1].index(names[0])]
    if names[0] != names[-1] and mixed:
        yield f"  while both served: {len(mixed)} answers, {sum(bool(seen['wrong']) for seen in mixed)} of them wrong"


SCENARIO = Scenario(
    name="migration-order",
    stack="orders",
    symptom="With each deploy that changes the schema, part of the requests fail for minutes; then all is well again.",
    cause=(
        "The migration runs before the new tasks do, and the old ones serve until these are healthy: for that long the "
        "old code meets the new schema. Where the pipeline does not look at the migration's exit code, the new code "
        "meets the old schema, and that does not pass."
    ),
    fix=(
        "Expand, migrate and contract in releases of their own: each schema fits the release before and after it. Stop "
        "the pipeline where the migration's task exits with anything but 0."
    ),
    variants=(
        Variant(
            "rename-in-one-release",
            "reproduces",
            "the migration renames a column that the old tasks read and write",
            SIDE_BY_SIDE,
            {"releases": ["rename"]},
        ),
        Variant(
            "expand-and-contract",
            "holds",
            "one release adds the column, the next one fills it, and drops the old one after its deployment",
            SIDE_BY_SIDE,
            {"releases": ["expand", "contract"]},
        ),
        Variant(
            "failed-migration-stops",
            "holds",
            "the migration's exit code 1 stops the pipeline",
            {"tasks": "1"},
            {"releases": ["misspelt"]},
        ),
        Variant(
            "failed-migration-ignored",
            "reproduces",
            "the same migration, and a pipeline that goes on",
            {"tasks": "1"},
            {"releases": ["misspelt"], "migrate": f"{MIGRATE} || true"},
        ),
    ),
    play=play,
    judge=judge,
    speed=40,
)
