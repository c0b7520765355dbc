"""A stage of a pipeline that runs an ECS task with the new image, and goes on if it exits with 0: a migration.

For an action of CodePipeline of category Invoke, provider Lambda. Its input artifact is the build's, with an
``imagedefinitions.json``; UserParameters is JSON:

    {"cluster": "c", "taskDefinition": "web", "container": "web", "command": ["migrate"],
     "subnets": ["subnet-1"], "securityGroups": ["sg-1"], "assignPublicIp": "ENABLED"}

The function does not wait: it answers with a continuation token, and CodePipeline invokes it again until the task has
stopped. Environment: none but what Lambda gives.
"""

import io
import json
import zipfile

import boto3

SHOWN_ONLY = (
    "taskDefinitionArn",
    "revision",
    "status",
    "requiresAttributes",
    "compatibilities",
    "registeredAt",
    "registeredBy",
    "deregisteredAt",
)

codepipeline = boto3.client("codepipeline")
ecs = boto3.client("ecs")
s3 = boto3.client("s3")


def handler(event, context):
    job = event["CodePipeline.job"]
    data = job["data"]
    try:
        parameters = json.loads(data["actionConfiguration"]["configuration"]["UserParameters"])
        if "continuationToken" in data:
            follow(job["id"], parameters, json.loads(data["continuationToken"])["task"])
        else:
            begin(job["id"], parameters, data["inputArtifacts"][0])
    except Exception as error:  # whatever it is: an answer that does not come lets the action hang for 20 minutes
        fail(job["id"], f"{type(error).__name__}: {error}")


def begin(job_id, parameters, artifact):
    container = parameters["container"]
    revision = register(parameters["taskDefinition"], container, images(artifact)[container])
    network = {name: parameters[name] for name in ("subnets", "securityGroups", "assignPublicIp") if name in parameters}
    answer = ecs.run_task(
        cluster=parameters["cluster"],
        taskDefinition=revision,
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": network},
        overrides={"containerOverrides": [{"name": container, "command": parameters["command"]}]},
    )
    if not answer["tasks"]:
        fail(job_id, f"RunTask: {answer['failures']}")
        return
    go_on(job_id, answer["tasks"][0]["taskArn"])


def follow(job_id, parameters, task_arn):
    (task,) = ecs.describe_tasks(cluster=parameters["cluster"], tasks=[task_arn])["tasks"]
    if task["lastStatus"] != "STOPPED":
        go_on(job_id, task_arn)
        return
    (container,) = [one for one in task["containers"] if one["name"] == parameters["container"]]
    code = container.get("exitCode")
    if code == 0:
        summary = f"task {task_arn.rpartition('/')[2]} exited with code 0"
        details = {"summary": summary, "externalExecutionId": task_arn}
        codepipeline.put_job_success_result(jobId=job_id, executionDetails=details)
    else:
        why = container.get("reason") or task.get("stoppedReason", "")
        fail(job_id, f"task {task_arn.rpartition('/')[2]} exited with code {code}: {why}", task_arn)


def go_on(job_id, task_arn):
    codepipeline.put_job_success_result(
        jobId=job_id,
        continuationToken=json.dumps({"task": task_arn}),
        executionDetails={"externalExecutionId": task_arn, "summary": "the task runs"},
    )


def fail(job_id, message, task_arn=None):
    details = {
        "type": "JobFailed",
        "message": message[:5000],
        **({"externalExecutionId": task_arn} if task_arn else {}),
    }
    codepipeline.put_job_failure_result(jobId=job_id, failureDetails=details)


def images(artifact):
    place = artifact["location"]["s3Location"]
    content = s3.get_object(Bucket=place["bucketName"], Key=place["objectKey"])["Body"].read()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {item["name"]: item["imageUri"] for item in json.loads(archive.read("imagedefinitions.json"))}


def register(task_definition, container, image):
    """A revision of the task definition with the new image, under a family of its own."""
    found = ecs.describe_task_definition(taskDefinition=task_definition)["taskDefinition"]
    request = {name: value for name, value in found.items() if name not in SHOWN_ONLY}
    request["family"] = f"{found['family']}-migration"
    for one in request["containerDefinitions"]:
        if one["name"] == container:
            one["image"] = image
    return ecs.register_task_definition(**request)["taskDefinition"]["taskDefinitionArn"]
