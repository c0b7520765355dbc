"""ECR: records of its API, images of the engine's store."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from sandbox.errors import SandboxError

pytestmark = pytest.mark.docker

HOST = "123456789012.dkr.ecr.us-east-1.amazonaws.com"


@pytest.fixture(scope="module")
def ecr(tasks):
    client = tasks.sandbox.aws("ecr")
    client.create_repository(repositoryName="team/web")
    client.create_repository(repositoryName="fixed", imageTagMutability="IMMUTABLE")
    return client


def state_of(call, *arguments):
    with pytest.raises(SandboxError) as raised:
        call(*arguments)
    return raised.value.state or raised.value.message


def test_what_is_pushed_is_described_and_run_by_tag_and_digest(tasks, ecr):
    digest = tasks.sandbox.push_image(tasks.image, f"{HOST}/team/web:v1")
    (found,) = ecr.describe_images(repositoryName="team/web")["imageDetails"]
    assert (found["imageTags"], found["imageDigest"]) == (["v1"], digest)
    told = [seen["event"] for seen in tasks.sandbox.timeline.since() if seen.kind == "event.published"]
    assert [event["detail"] for event in told if event["detail-type"] == "ECR Image Action"] == [
        {
            "result": "SUCCESS",
            "action-type": "PUSH",
            "repository-name": "team/web",
            "image-digest": digest,
            "image-tag": "v1",
        }
    ]
    for reference in (f"{HOST}/team/web:v1", f"{HOST}/team/web@{digest}"):
        task = tasks.start({"image": reference}, until={"RUNNING", "STOPPED"})
        assert tasks.describe(task)["lastStatus"] == "RUNNING"
        assert tasks.describe(task)["containers"][0]["image"] == reference
        tasks.stop(task)


def test_a_tag_goes_on_to_another_image_or_not(tasks, ecr):
    push = tasks.sandbox.push_image
    first = push(tasks.image, f"{HOST}/team/web:latest")
    assert push(tasks.image, f"{HOST}/team/web:latest") == first
    second = push("nginx:1.27", f"{HOST}/team/web")
    assert second != first
    assert (
        ecr.describe_images(repositoryName="team/web", imageIds=[{"imageTag": "latest"}])["imageDetails"][0][
            "imageDigest"
        ]
        == second
    )
    push(tasks.image, f"{HOST}/fixed:v1")
    assert state_of(push, "nginx:1.27", f"{HOST}/fixed:v1").startswith("tag invalid: ")


def test_what_cannot_be_pushed(tasks, ecr):
    push = tasks.sandbox.push_image
    assert "name unknown: The repository with name 'other' does not exist" in state_of(
        push, tasks.image, f"{HOST}/other:v1"
    )
    assert "requested access to the resource is denied" in state_of(push, tasks.image, "docker.io/web:v1")
    assert "denied" in state_of(push, tasks.image, f"{HOST.replace('1', '2', 1)}/team/web:v1")


@pytest.mark.parametrize("reference", [f"{HOST}/team/web:none", f"{HOST}/other:v1", f"9{HOST[1:]}/team/web:v1"])
def test_a_task_cannot_pull_what_there_is_not(tasks, ecr, reference):
    task = tasks.start({"image": reference}, until={"STOPPED"})
    reason = tasks.describe(task)["containers"][0]["reason"]
    assert reason == (
        "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref "
        f"{reference}: {reference}: not found"
    )


def test_nobody_pulls_from_a_registry_that_is_down(tasks, ecr):
    tasks.sandbox.push_image(tasks.image, f"{HOST}/team/web:down")
    tasks.sandbox.set_registry_down()
    try:
        assert "connection refused" in state_of(tasks.sandbox.push_image, tasks.image, f"{HOST}/team/web:down")
        task = tasks.start({"image": f"{HOST}/team/web:down"}, until={"STOPPED"})
    finally:
        tasks.sandbox.set_registry_down(False)
    reason = tasks.describe(task)["containers"][0]["reason"]
    assert reason.endswith(f'Head "https://{HOST}/v2/team/web/manifests/down": dial tcp: connect: connection refused')


def test_a_deleted_image_is_pulled_no_more(tasks, ecr):
    reference = f"{HOST}/team/web:gone"
    tasks.sandbox.push_image("nginx:1.27", reference)
    ecr.batch_delete_image(repositoryName="team/web", imageIds=[{"imageTag": "gone"}])
    assert "not found" in state_of(tasks.sandbox._images.resolve, reference)
    assert ecr.get_authorization_token()["authorizationData"]
    with pytest.raises(ClientError, match="RepositoryNotFoundException"):
        ecr.describe_images(repositoryName="other")
