"""A purge for which a permission is missing: that of the function, or that of Systems Manager itself."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.controllers.shop import WITHOUT_DATABASE, Shop, purged
from sandbox.scenario import Play, Scenario, Variant, Verdict
from sandbox.timeline import Observation

ONE_MACHINE = {**WITHOUT_DATABASE, "machines": "1"}


def play(play: Play) -> None:
    """Change a price and purge."""
    shop = Shop(play.sandbox)
    shop.wait_machines(1)
    shop.sell_and_purge()


def judge(observations: Sequence[Observation]) -> Verdict:
    """Failed when nobody is told what became of the purge."""
    _, facts = purged(observations)
    return Verdict(not any(seen.kind == "slack.message" for seen in observations), facts)


SCENARIO = Scenario(
    name="purge-permission",
    stack="apcu",
    symptom="After a purge Slack stays silent; sometimes the caches are clear, sometimes not.",
    cause=(
        "Three permissions are needed: the function's for ssm:SendCommand, and for iam:PassRole of the role that "
        "notifies, and that role's own for sns:Publish. Without the last the command runs, and its notifications are "
        "dropped."
    ),
    fix=(
        "Give the function SendCommand and PassRole, the notifying role Publish on the topic, and ssm.amazonaws.com in "
        "its trust policy; alarm on a purge that no message follows."
    ),
    variants=(
        Variant(
            "may-not-publish",
            "reproduces",
            "the role that Systems Manager notifies as has no sns:Publish: the caches are cleared, and nobody hears",
            {**ONE_MACHINE, "may_notify": "sns:GetTopicAttributes"},
        ),
        Variant(
            "may-not-pass",
            "reproduces",
            "the function's role has no iam:PassRole: SendCommand is refused",
            {**ONE_MACHINE, "may_pass": "iam:GetRole"},
        ),
        Variant("permitted", "holds", "all three permissions are there", ONE_MACHINE),
    ),
    play=play,
    judge=judge,
    speed=10,
)
