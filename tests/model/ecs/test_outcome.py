"""What has become of a deployment."""

from __future__ import annotations

import pytest

from sandbox.model.ecs.outcome import outcome_of


def deployment(id_, status, state):
    return {"id": id_, "status": status, "rolloutState": state, "rolloutStateReason": state.lower()}


@pytest.mark.parametrize(
    ("deployments", "judged"),
    [
        ([("new", "PRIMARY", "IN_PROGRESS"), ("old", "ACTIVE", "COMPLETED")], ("IN_PROGRESS", "in_progress", "")),
        ([("new", "PRIMARY", "COMPLETED")], ("COMPLETED", "completed", "completed")),
        ([("new", "PRIMARY", "FAILED"), ("old", "ACTIVE", "COMPLETED")], ("FAILED", "failed", "failed")),
        ([("old", "PRIMARY", "IN_PROGRESS"), ("new", "ACTIVE", "FAILED")], ("FAILED", "failed", "")),
        ([("old", "PRIMARY", "COMPLETED")], ("FAILED", "(deployment new) deployment failed: x", "rolled back")),
    ],
)
def test_what_becomes_of_a_deployment(deployments, judged):
    events = [
        {"message": "(deployment old) deployment completed."},
        {"message": "(deployment new) deployment failed: x"},
    ]
    service = {"deployments": [deployment(*one) for one in deployments], "events": events}
    assert outcome_of(service, "new") == judged
