"""Timing from a timeline."""

from __future__ import annotations

import pytest

from sandbox.errors import SandboxError
from sandbox.simulate.measured import Timing, timing
from sandbox.timeline import Observation


def state(at, task, last, desired="RUNNING"):
    return Observation(at, "task.state", {"task": task, "last_status": last, "desired_status": desired})


DEPLOY = [
    state(0.0, "new-1", "PROVISIONING"),
    state(1.0, "new-2", "PROVISIONING"),
    Observation(1.5, "target.health", {"target": "10.0.0.1:80", "state": "initial"}),
    state(1.8, "new-2", "PENDING"),
    state(2.0, "new-2", "RUNNING"),
    state(2.5, "new-1", "RUNNING"),
    state(3.0, "old-1", "RUNNING", "STOPPED"),
    state(3.9, "old-1", "DEPROVISIONING", "STOPPED"),
    state(4.0, "old-1", "STOPPED", "STOPPED"),
    state(5.0, "new-3", "PROVISIONING"),
]


def test_start_and_stop_in_awss_seconds():
    """Tasks in the order of their start; one that does not run yet is left out, and the drain is no part of a stop."""
    found = timing(DEPLOY, speed=10, deregistration_delay=5)
    assert found == Timing((25.0, 10.0), pytest.approx(4.0))


def test_a_timeline_without_a_deployment():
    with pytest.raises(SandboxError, match="no deployment: 2 tasks started, 0 stopped"):
        timing(DEPLOY[:6], speed=10, deregistration_delay=5)
