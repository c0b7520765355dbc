"""A release that crashes goes through the pipeline: what it leaves behind with and without a circuit breaker."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox import evidence, paths
from sandbox.scenario import Play, Scenario, Variant, Verdict
from sandbox.timeline import Observation

URL = "http://orders.example.com/"
NAME = "orders"  # of the cluster, the service, the container and the pipeline
FOLDER = paths.share() / "compose" / "orders"
RELEASE = FOLDER / "releases" / "currency"
TIMEOUT = 4  # minutes, DeploymentTimeout of a release that does not run; 60 on AWS where nothing is said
ENDED = frozenset({"Succeeded", "Failed"})


def play(play: Play) -> None:
    """Release by a pipeline, until both the pipeline and the service have come to what they end in."""
    sandbox, ecs = play.sandbox, play.sandbox.aws("ecs")
    pipelines, timeline = sandbox.aws("codepipeline"), sandbox.timeline
    await_event(sandbox, "has reached a steady state", since=0)
    committed = play.variant.settings["committed"]
    files = {name: (RELEASE / name).read_text() for name in committed}
    sandbox.put_source("orders-releases", "orders.zip", FOLDER / "release", files)
    with sandbox.visit(URL, timeout=5):
        sandbox.progress("a release goes through the pipeline")
        mark = timeline.mark()
        pipelines.create_pipeline(pipeline=pipeline(play.variant.settings))
        (first,) = pipelines.list_pipeline_executions(pipelineName=NAME)["pipelineExecutionSummaries"]
        execution = first["pipelineExecutionId"]
        timeline.wait_for(
            "the pipeline to end",
            lambda seen: seen.kind == "pipeline.execution" and seen["status"] in ENDED,
            within=90,
            since=mark,
        )
        if not any(seen.kind == "pipeline.action" and seen["action"] == "Roll" for seen in timeline.since(mark)):
            sandbox.wait_pipeline(NAME, execution)  # the build has failed: the error has its log
        later = timeline.mark()
        (service,) = ecs.describe_services(cluster=NAME, services=[NAME])["services"]
        breaker = service["deploymentConfiguration"]["deploymentCircuitBreaker"]
        if breaker["enable"]:
            last = "deployment completed" if breaker["rollback"] else "deployment failed"
            await_event(sandbox, last, "deployment completed", since=mark)
        elif service["deployments"][0]["rolloutState"] == "IN_PROGRESS":
            await_event(sandbox, "has started 1 tasks", since=later)
        states = pipelines.get_pipeline_state(name=NAME)["stageStates"]
        (service,) = ecs.describe_services(cluster=NAME, services=[NAME])["services"]
    primary = service["deployments"][0]
    timeline.record(
        "release.left",
        stages={one["stageName"]: one["latestExecution"]["status"] for one in states},
        task_definition=short(primary["taskDefinition"]),
        rollout_state=primary["rolloutState"],
        running=service["runningCount"],
        is_whole=all(path.name in committed for path in RELEASE.iterdir()),
    )


def await_event(sandbox: Any, *words: str, since: int) -> None:
    """Wait until the service has said one of these."""
    sandbox.timeline.wait_for(
        f"the service to say: {words[0]}",
        lambda seen: seen.kind == "service.event" and any(one in seen["message"] for one in words),
        within=60,
        since=since,
    )


def pipeline(settings: Mapping[str, Any]) -> dict[str, Any]:
    """compose/orders/pipeline.json without migrations."""
    definition: dict[str, Any] = json.loads((FOLDER / "pipeline.json").read_text())
    definition["stages"] = [stage for stage in definition["stages"] if stage["name"] in {"Source", "Build", "Deploy"}]
    if "timeout" in settings:
        definition["stages"][-1]["actions"][0]["configuration"]["DeploymentTimeout"] = settings["timeout"]
    return definition


def short(arn: str) -> str:
    """FAMILY:REVISION."""
    return arn.rpartition("/")[2]


def judge(observations: Sequence[Observation]) -> Verdict:
    """Failed when the service is left with a release that does not run, or one that runs does not come to it."""
    (left,) = (seen for seen in observations if seen.kind == "release.left")
    rolls = [seen for seen in observations if seen.kind == "pipeline.action" and seen["action"] == "Roll"]
    ended = rolls[-1]
    visits = [seen for seen in observations if seen.kind == "visitor.end"][-1]
    facts = [", ".join(f"{stage} {status}" for stage, status in left["stages"].items())]
    facts.append(f"Deploy/Roll: {(ended['error'] or ended['summary']).partition('. ')[0]}")
    crashes = [
        seen
        for seen in observations
        if seen.kind == "container.exited" and seen["container"] == NAME and seen["exit_code"] == 1
    ]
    if crashes:
        facts.append(f"{len(crashes)} tasks of the release ended with code 1: {evidence.last_words(crashes[0])}")
    said = [seen["message"] for seen in observations if seen.kind == "service.event"]
    facts += [message for message in said if "deployment failed" in message or "rolling back" in message]
    end = max(number for number, seen in enumerate(observations) if seen.kind == "pipeline.execution")
    after = [seen["message"] for seen in observations[end:] if seen.kind == "service.event"]
    if left["rollout_state"] == "IN_PROGRESS":
        facts += [f"after the pipeline has failed: {message}" for message in after if "has started" in message][:1]
    facts.append(
        f"in the end the service has {left['task_definition']}, whose deployment is {left['rollout_state']}; "
        f"{left['running']} running"
    )
    facts.append(f"the page: {visits['requests']} requests meanwhile, {visits['failed']} of them failed")
    is_live = left["stages"]["Deploy"] == "Succeeded"
    failed = left["rollout_state"] != "COMPLETED" or visits["failed"] > 0 or (left["is_whole"] and not is_live)
    return Verdict(failed, tuple(facts))


# It ran where it was written; the repository lacks a file.
CRASHES = {"committed": ["statements.py"], "timeout": str(TIMEOUT)}

SCENARIO = Scenario(
    name="pipeline-rollback",
    stack="orders",
    symptom=(
        "A deploy stands still for an hour and fails. The site is up, but ECS still starts tasks that crash, or the "
        "service has a revision that nobody can run."
    ),
    cause=(
        "The new tasks crash, so the old ones stay. CodePipeline's ECS action waits for its DeploymentTimeout and "
        "takes nothing back: ECS goes on to start tasks of the bad revision, or, with a circuit breaker alone, stops "
        "trying and leaves it as the service's revision."
    ),
    fix=(
        "Turn on the deployment circuit breaker with rollback, set DeploymentTimeout to minutes, and alarm on "
        "SERVICE_DEPLOYMENT_FAILED, which is said long before the pipeline fails."
    ),
    variants=(
        Variant("no-circuit-breaker", "reproduces", "no deploymentCircuitBreaker", {"tasks": "1"}, CRASHES),
        Variant(
            "circuit-breaker-without-rollback",
            "reproduces",
            "deploymentCircuitBreaker: enable alone",
            {"tasks": "1", "circuit_breaker": "true"},
            CRASHES,
        ),
        Variant(
            "circuit-breaker-with-rollback",
            "holds",
            "deploymentCircuitBreaker: enable and rollback",
            {"tasks": "1", "circuit_breaker": "true", "rollback": "true"},
            CRASHES,
        ),
        Variant(
            "good-release",
            "holds",
            "a release that runs",
            {"tasks": "1", "circuit_breaker": "true", "rollback": "true"},
            {"committed": ["statements.py", "currency.py"]},
        ),
    ),
    play=play,
    judge=judge,
    speed=40,
)
