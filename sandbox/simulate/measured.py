"""What a run of the sandbox has measured of a deployment, as inputs of a prediction."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

from sandbox.errors import SandboxError
from sandbox.timeline import Observation


@dataclass(frozen=True)
class Timing:
    """How long tasks took, in AWS's seconds, in the mean; see `sandbox.model.rolling_deploy.fleet.Fleet`."""

    start: float
    stop: float


def timing(observations: Iterable[Observation], *, speed: float, deregistration_delay: float) -> Timing:
    """The timing of a deployment of a service behind a load balancer.

    Args:
        observations: Of the timeline, from the begin of the deployment on.
        speed: The run's.
        deregistration_delay: Of the target group, in AWS's seconds: tasks get SIGTERM after it.

    Raises:
        SandboxError: No task has started and no task has stopped in them.
    """
    begun: dict[str, float] = {}
    told: dict[str, float] = {}
    starts, stops = [], []
    for seen in observations:
        if seen.kind != "task.state":
            continue
        task, status = seen["task"], seen["last_status"]
        if status == "PROVISIONING" and seen["desired_status"] == "RUNNING":
            begun[task] = seen.at
        elif status == "RUNNING" and seen["desired_status"] == "STOPPED":
            told[task] = seen.at
        elif status == "RUNNING" and task in begun:
            starts.append(seen.at - begun.pop(task))
        elif status == "DEPROVISIONING" and task in told:
            stops.append(seen.at - told.pop(task))
    if not starts or not stops:
        raise SandboxError(f"the timeline has no deployment: {len(starts)} tasks started, {len(stops)} stopped")
    return Timing(fmean(starts) * speed, max(0.0, fmean(stops) * speed - deregistration_delay))
