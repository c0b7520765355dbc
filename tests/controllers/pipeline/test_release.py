"""A whole release on Docker: source, build, registry, deployment."""

from __future__ import annotations

import pytest

from tests.controllers.pipeline.conftest import BUILDSPEC, DOCKERFILE, build, deploy, page, source

pytestmark = pytest.mark.docker


def test_a_release_from_source_to_service(made):
    repository = made.repository()
    project, service = made.project(repository), made.service()
    version = made.put_source(
        "app.zip", {"Dockerfile": DOCKERFILE, "buildspec.yml": BUILDSPEC, "page.conf": page("version one")}
    )
    name, execution = made.create(
        ("Source", [source("app.zip", namespace="Src")]), ("Build", [build(project)]), ("Deploy", [deploy(service)])
    )
    made.sandbox.wait_pipeline(name, execution)
    assert made.states(name) == {"Source": "Succeeded", "Build": "Succeeded", "Deploy": "Succeeded"}
    assert made.current(service)["image"] == f"{repository}:{version[:7]}"
