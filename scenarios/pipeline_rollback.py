"""A release that crashes goes through the pipeline: what it leaves behind with and without a circuit breaker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sandbox import paths
from sandbox.scenario import Play, Scenario, Variant, Verdict
from sandbox.timeline import Observation

URL = "http://alb.example.com/"
NAME = "shop"  # of the cluster, the service, the pipeline, the project and the repository
BUCKET = "shop-releases"
ROLE = "arn:aws:iam::123456789012:role/release"
TIMEOUT = 4  # minutes, DeploymentTimeout; 60 on AWS where nothing is said
SOURCE = paths.share() / "compose" / "release" / "shop"
FORGOTTEN = "COPY telemetry.mjs /app/telemetry.mjs\n"
ENDED = frozenset({"Succeeded", "Failed"})

# One task; at the speed of this scenario a health check has 1.5 s of the wall clock.
SMALL = {"tasks": "1", "health_interval": "40", "health_timeout": "30", "deregistration_delay": "20"}


def play(play: Play) -> None:
    """Release by a pipeline, until both the pipeline and the service have come to what they end in."""
    sandbox, ecs = play.sandbox, play.sandbox.aws("ecs")
    prepare(sandbox)
    dockerfile = (SOURCE / "Dockerfile").read_text()
    if play.variant.settings["forgotten"]:
        dockerfile = dockerfile.replace(FORGOTTEN, "")
    sandbox.put_source(BUCKET, "shop.zip", SOURCE, {"Dockerfile": dockerfile})
    pipelines, timeline = sandbox.aws("codepipeline"), sandbox.timeline
    with sandbox.visit(URL):
        sandbox.progress("a release goes through the pipeline")
        mark = timeline.mark()
        pipelines.create_pipeline(pipeline=pipeline())
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
        events_since=later,
    )


def await_event(sandbox: Any, *words: str, since: int) -> None:
    """Wait until the service has said one of these."""
    sandbox.timeline.wait_for(
        f"the service to say: {words[0]}",
        lambda seen: seen.kind == "service.event" and any(one in seen["message"] for one in words),
        within=60,
        since=since,
    )


def prepare(sandbox: Any) -> None:
    """What a pipeline needs: a bucket, a repository, and a project that builds the image."""
    sandbox.aws("s3").create_bucket(Bucket=BUCKET)
    sandbox.aws("s3").put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    repository = sandbox.aws("ecr").create_repository(repositoryName=NAME)["repository"]["repositoryUri"]
    sandbox.aws("codebuild").create_project(
        name=NAME,
        source={"type": "CODEPIPELINE"},
        artifacts={"type": "CODEPIPELINE"},
        environment={
            "type": "LINUX_CONTAINER",
            "image": "aws/codebuild/standard:7.0",
            "computeType": "BUILD_GENERAL1_SMALL",
            "privilegedMode": True,
            "environmentVariables": [{"name": "REPOSITORY", "value": repository}],
        },
        serviceRole=ROLE,
    )


def pipeline() -> dict[str, Any]:
    """Source, build, and a rolling update of the service."""
    source = {"S3Bucket": BUCKET, "S3ObjectKey": "shop.zip", "PollForSourceChanges": "false"}
    service = {"ClusterName": NAME, "ServiceName": NAME, "DeploymentTimeout": str(TIMEOUT)}
    return {
        "name": NAME,
        "roleArn": ROLE,
        "artifactStore": {"type": "S3", "location": BUCKET},
        "stages": [
            {"name": "Source", "actions": [action("Get", "Source", "S3", source, outputs=["code"])]},
            {
                "name": "Build",
                "actions": [action("Make", "Build", "CodeBuild", {"ProjectName": NAME}, ["code"], ["image"])],
            },
            {"name": "Deploy", "actions": [action("Roll", "Deploy", "ECS", service, ["image"])]},
        ],
    }


def action(
    name: str,
    category: str,
    provider: str,
    configuration: Mapping[str, str],
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
) -> dict[str, Any]:
    """An ActionDeclaration."""
    return {
        "name": name,
        "actionTypeId": {"category": category, "owner": "AWS", "provider": provider, "version": "1"},
        "configuration": dict(configuration),
        "inputArtifacts": [{"name": item} for item in inputs],
        "outputArtifacts": [{"name": item} for item in outputs],
    }


def short(arn: str) -> str:
    """FAMILY:REVISION."""
    return arn.rpartition("/")[2]


def judge(observations: Sequence[Observation]) -> Verdict:
    """Failed when the service is left with a release that does not run."""
    (left,) = (seen for seen in observations if seen.kind == "release.left")
    rolls = [seen for seen in observations if seen.kind == "pipeline.action" and seen["action"] == "Roll"]
    ended = rolls[-1]
    visits = [seen for seen in observations if seen.kind == "visitor.end"][-1]
    facts = [", ".join(f"{stage} {status}" for stage, status in left["stages"].items())]
    facts.append(f"Deploy/Roll: {(ended['error'] or ended['summary']).partition('. ')[0]}")
    crashes = [
        seen
        for seen in observations
        if seen.kind == "container.exited" and seen["container"] == "node" and seen["exit_code"] == 1
    ]
    if crashes:
        why = next((line for line in crashes[0]["log"] if "Error" in line), "")
        facts.append(f"{len(crashes)} tasks of the release ended with code 1: {why}")
    said = [seen["message"] for seen in observations if seen.kind == "service.event"]
    facts += [message for message in said if "deployment failed" in message or "rolling back" in message]
    after = [seen["message"] for seen in observations[left["events_since"] :] if seen.kind == "service.event"]
    started = [message for message in after if "has started" in message]
    if started and left["rollout_state"] == "IN_PROGRESS":
        facts.append(f"after the pipeline had failed: {started[0]}")
    facts.append(
        f"in the end the service has {left['task_definition']}, whose deployment is {left['rollout_state']}; "
        f"{left['running']} running"
    )
    facts.append(f"the page: {visits['requests']} requests meanwhile, {visits['failed']} of them failed")
    return Verdict(left["rollout_state"] != "COMPLETED" or visits["failed"] > 0, tuple(facts))


SCENARIO = Scenario(
    name="pipeline-rollback",
    stack="nuxt",
    symptom=(
        "A deploy stands still for an hour, then fails; the site is up, and days later it is gone with the last old task."
    ),
    cause=(
        "The new tasks crash, so the old ones stay. CodePipeline's ECS action waits for its DeploymentTimeout and takes "
        "nothing back: ECS goes on to start tasks of the bad revision, or, with a circuit breaker alone, stops trying and "
        "leaves it as the service's revision."
    ),
    fix=(
        "Turn on the deployment circuit breaker with rollback, set DeploymentTimeout to minutes, and alarm on "
        "SERVICE_DEPLOYMENT_FAILED, which is said long before the pipeline fails."
    ),
    variants=(
        Variant("no-circuit-breaker", "reproduces", "no deploymentCircuitBreaker", SMALL, {"forgotten": True}),
        Variant(
            "circuit-breaker-without-rollback",
            "reproduces",
            "deploymentCircuitBreaker: enable alone",
            {**SMALL, "circuit_breaker": "true"},
            {"forgotten": True},
        ),
        Variant(
            "circuit-breaker-with-rollback",
            "holds",
            "deploymentCircuitBreaker: enable and rollback",
            {**SMALL, "circuit_breaker": "true", "rollback": "true"},
            {"forgotten": True},
        ),
        Variant(
            "good-release",
            "holds",
            "a release that runs",
            {**SMALL, "circuit_breaker": "true", "rollback": "true"},
            {"forgotten": False},
        ),
    ),
    play=play,
    judge=judge,
    speed=20,
)
