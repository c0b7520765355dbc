"""References to images in ECR."""

from __future__ import annotations

import pytest

from sandbox.model.ecr import EcrReference, parse

HOST = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("reference", "repository", "tag", "digest"),
    [
        (f"{HOST}/web", "web", "latest", ""),
        (f"{HOST}/team/web:v1.2", "team/web", "v1.2", ""),
        (f"{HOST}/web@{DIGEST}", "web", "", DIGEST),
        (f"{HOST}/web:v1@{DIGEST}", "web", "v1", DIGEST),
    ],
)
def test_parts(reference, repository, tag, digest):
    assert parse(reference) == EcrReference("123456789012", "us-east-1", repository, tag, digest)


@pytest.mark.parametrize(
    "reference", ["nginx:1.27", f"{HOST}", f"{HOST}/Web", "public.ecr.aws/nginx/nginx:1", f"{HOST}/a:b:c"]
)
def test_others_are_none(reference):
    assert parse(reference) is None


def test_it_is_written_as_docker_does():
    assert str(parse(f"{HOST}/web")) == f"{HOST}/web:latest"
    assert str(parse(f"{HOST}/web:v1@{DIGEST}")) == f"{HOST}/web@{DIGEST}"
