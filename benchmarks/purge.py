"""From invoking the function `purge` until Slack is told that all is clear, against the slowest machine's own command.

On the stack apcu with several machines and warm functions: SendCommand, the agents, `docker exec` and curl on each
machine, the command's end, SNS, the function `report`, Slack. The floor is what the slowest machine took, from the
moment its agent took the command to its end. The command's own time is from SendCommand to its end; exit 1 where that
is more than the goal times the floor.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence

from sandbox.controllers.sandbox import Sandbox
from sandbox.controllers.shop import WITHOUT_DATABASE, Shop
from sandbox.timeline import Observation

MACHINES = 6
ROUNDS = 8
GOAL = 2.0


def one_round(sandbox: Sandbox, shop: Shop) -> tuple[float, float, float]:
    """Seconds until Slack was told, until the command was over, and of the slowest machine alone."""
    mark, begun = sandbox.timeline.mark(), sandbox.clock.now()
    shop.purge()
    seen = sandbox.timeline.since(mark)
    told = next(one for one in seen if one.kind == "slack.message")
    if not told["text"].startswith("All caches are clear"):
        raise SystemExit(f"a machine was missed: {told['text']}")
    command = [one for one in seen if one.kind == "ssm.command"]
    own = [
        _seconds(seen, one["instance"]) for one in seen if one.kind == "ssm.invocation" and one["status"] == "Success"
    ]
    if len(own) != MACHINES:
        raise SystemExit(f"{len(own)} of {MACHINES} machines were asked")
    return told.at - begun, command[-1].at - command[0].at, max(own)


def _seconds(seen: Sequence[Observation], instance: str) -> float:
    """How long a machine took, from the agent's taking the command to its end."""
    mine = [one for one in seen if one.kind == "ssm.invocation" and one["instance"] == instance]
    return mine[-1].at - next(one.at for one in mine if one["status"] == "InProgress")


def main() -> None:
    """Measure, and print medians."""
    with Sandbox() as sandbox:
        sandbox.stack("apcu", {**WITHOUT_DATABASE, "machines": str(MACHINES)})
        shop = Shop(sandbox)
        shop.wait_machines(MACHINES)
        cold = one_round(sandbox, shop)[0]  # both functions start
        rounds = [one_round(sandbox, shop) for _ in range(ROUNDS)]
    clear, fan_out, slowest = (statistics.median(values) for values in zip(*rounds, strict=True))
    print(f"{MACHINES} machines, {ROUNDS} purges; the first, with cold functions: {cold:.2f} s")
    print(f"until Slack is told   median {clear:6.3f} s   {clear / slowest:.2f} times the slowest machine")
    print(f"the command           median {fan_out:6.3f} s   {fan_out / slowest:.2f} times")
    print(f"the slowest machine   median {slowest:6.3f} s")
    print(f"goal: the command at most {GOAL} times the slowest machine")
    sys.exit(fan_out / slowest > GOAL)


if __name__ == "__main__":
    main()
