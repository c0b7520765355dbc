"""What a run of the sandbox has measured of a deployment, as inputs of a prediction."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

from sandbox.errors import SandboxError
from sandbox.timeline import Observation


@dataclass(frozen=True)
class Timing:
    """How long tasks took, in AWS's seconds: ``start`` and ``stop`` of a `sandbox.model.rolling_deploy.fleet.Fleet`.

    Attributes:
        start: Of each task, in the order in which they were started.
        stop: In the mean.
    """

    start: tuple[float, ...]
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
    starts: dict[str, float] = {}
    stops = []
    for seen in observations:
        if seen.kind != "task.state":
            continue
        task, status = seen["task"], seen["last_status"]
        if status == "PROVISIONING" and seen["desired_status"] == "RUNNING":
            begun[task] = starts[task] = seen.at
        elif status == "RUNNING" and seen["desired_status"] == "STOPPED":
            told[task] = seen.at
        elif status == "RUNNING" and task in begun:
            starts[task] = (seen.at - begun.pop(task)) * speed
        elif status == "DEPROVISIONING" and task in told:
            stops.append(seen.at - told.pop(task))
    done = tuple(seconds for task, seconds in starts.items() if task not in begun)
    if not done or not stops:
        raise SandboxError(f"the timeline has no deployment: {len(done)} tasks started, {len(stops)} stopped")
    return Timing(done, max(0.0, fmean(stops) * speed - deregistration_delay))
