"""A purge of every machine on a list, after the group has grown."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.controllers.shop import WITHOUT_DATABASE, Shop, purged
from sandbox.scenario import Play, Scenario, Variant, Verdict
from sandbox.timeline import Observation


def play(play: Play) -> None:
    """Note the machines, let the group grow by one, change a price, and purge."""
    shop = Shop(play.sandbox)
    shop.wait_machines(2)
    shop.list_machines()
    shop.scale(3)
    shop.sell_and_purge()


def judge(observations: Sequence[Observation]) -> Verdict:
    """Failed when a machine shows the old price, and Slack has not been told that not all caches are clear."""
    return Verdict(*purged(observations))


SCENARIO = Scenario(
    name="purge-fleet",
    stack="apcu",
    symptom="Each purge is reported as a success, and some visitors still see the old price, now and then.",
    cause="The command goes to a list of instance ids, made before the group grew: the new machine is never asked.",
    fix="Send it to the tag that Auto Scaling itself gives every instance: tag:aws:autoscaling:groupName.",
    variants=(
        Variant(
            "by-list",
            "reproduces",
            "instance ids from before the scale-out; the report believes the command's status",
            {**WITHOUT_DATABASE, "purge": "by_list", "report": "by_status"},
        ),
        Variant(
            "by-tag",
            "holds",
            "tag:aws:autoscaling:groupName, looked up when the command is sent",
            {**WITHOUT_DATABASE, "purge": "by_tag", "report": "by_status"},
        ),
    ),
    play=play,
    judge=judge,
    speed=10,
)
