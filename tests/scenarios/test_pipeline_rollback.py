"""The verdict of pipeline-rollback, from observations as a run makes them."""

from __future__ import annotations

import pytest

from sandbox import scenario
from sandbox.timeline import Observation

SCENARIO = scenario.load_all()["pipeline-rollback"]
CRASH = Observation(
    2.0, "container.exited", {"container": "orders", "exit_code": 1, "log": ["", "ModuleNotFoundError: No module"]}
)


def said(text):
    return Observation(3.0, "service.event", {"message": text})


def seen(deploy, state, *between, is_whole=False, failed=0, after=()):
    error = "" if deploy == "Succeeded" else "The deployment d did not complete within 4 minutes: in progress. Said."
    roll = {"action": "Roll", "status": deploy, "error": error, "summary": "Deployed orders:2 to orders"}
    left = {
        "stages": {"Source": "Succeeded", "Deploy": deploy},
        "task_definition": "orders:2",
        "rollout_state": state,
        "running": 1,
        "is_whole": is_whole,
    }
    return [
        *between,
        Observation(5.0, "pipeline.action", roll),
        Observation(5.1, "pipeline.execution", {"status": deploy}),
        *after,
        Observation(6.0, "visitor.end", {"requests": 30, "failed": failed}),
        Observation(6.1, "release.left", left),
    ]


def test_tasks_that_are_started_for_ever_reproduce():
    first = said("has started 1 tasks: (task 1).")
    verdict = SCENARIO.judge(
        seen("Failed", "IN_PROGRESS", first, CRASH, after=[said("has started 1 tasks: (task 5).")])
    )
    assert verdict.outcome == "reproduces"
    assert verdict.evidence == (
        "Source Succeeded, Deploy Failed",
        "Deploy/Roll: The deployment d did not complete within 4 minutes: in progress",
        "1 tasks of the release ended with code 1: ModuleNotFoundError: No module",
        "after the pipeline has failed: has started 1 tasks: (task 5).",
        "in the end the service has orders:2, whose deployment is IN_PROGRESS; 1 running",
        "the page: 30 requests meanwhile, 0 of them failed",
    )


def test_a_service_that_keeps_the_failed_revision_reproduces():
    failed = said("(deployment d) deployment failed: tasks failed to start.")
    verdict = SCENARIO.judge(seen("Failed", "FAILED", CRASH, failed))
    assert verdict.outcome == "reproduces"
    assert failed["message"] in verdict.evidence


@pytest.mark.parametrize(
    ("observations", "outcome"),
    [
        (seen("Failed", "COMPLETED", CRASH, said("rolling back to deployment c.")), "holds"),
        (seen("Failed", "COMPLETED", CRASH, failed=1), "reproduces"),
        (seen("Succeeded", "COMPLETED", is_whole=True), "holds"),
        (seen("Failed", "COMPLETED", CRASH, is_whole=True), "reproduces"),
    ],
)
def test_a_service_that_serves_holds_and_a_good_release_has_to_come(observations, outcome):
    assert SCENARIO.judge(observations).outcome == outcome
