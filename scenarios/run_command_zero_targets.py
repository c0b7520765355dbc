"""A command for a tag that no instance has: Systems Manager calls it a success."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.controllers.shop import WITHOUT_DATABASE, Shop, purged
from sandbox.scenario import Play, Scenario, Variant, Verdict
from sandbox.timeline import Observation

# The group has the tag, and does not put it on its machines: PropagateAtLaunch is false.
GROUP_ONLY = {**WITHOUT_DATABASE, "tag": "Role", "role_tag": "false"}


def play(play: Play) -> None:
    """Change a price and purge."""
    shop = Shop(play.sandbox)
    shop.wait_machines(2)
    shop.sell_and_purge()


def judge(observations: Sequence[Observation]) -> Verdict:
    """Failed when a machine shows the old price, and Slack has not been told that not all caches are clear."""
    return Verdict(*purged(observations))


SCENARIO = Scenario(
    name="run-command-zero-targets",
    stack="apcu",
    symptom="The purge reports success each time, and has never cleared anything.",
    cause=(
        "No instance has the tag: the group has it with PropagateAtLaunch false. For Systems Manager a command without "
        "a target is a Success (NoInstancesInTag)."
    ),
    fix=(
        "Compare the command's TargetCount with the group's DesiredCapacity before calling it a success, and send it "
        "to tag:aws:autoscaling:groupName, which every instance of the group has."
    ),
    variants=(
        Variant(
            "status-alone",
            "reproduces",
            "the report believes the command's status",
            {**GROUP_ONLY, "report": "by_status"},
        ),
        Variant(
            "target-count",
            "holds",
            "the report compares TargetCount with DesiredCapacity: it says that nobody was asked",
            {**GROUP_ONLY, "report": "by_machine"},
        ),
        Variant(
            "propagated-tag",
            "holds",
            "PropagateAtLaunch true: the machines have the tag",
            {**GROUP_ONLY, "role_tag": "true", "report": "by_status"},
        ),
    ),
    play=play,
    judge=judge,
    speed=10,
)
