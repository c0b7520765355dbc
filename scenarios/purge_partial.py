"""A purge that does not reach every machine: an agent is down, or a listed machine is gone."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.controllers.shop import WITHOUT_DATABASE, Shop, purged
from sandbox.scenario import Play, Scenario, Variant, Verdict
from sandbox.timeline import Observation


def play(play: Play) -> None:
    """Let one of two machines be out of reach, change a price, and purge."""
    sandbox, shop = play.sandbox, Shop(play.sandbox)
    first, _ = shop.wait_machines(2)
    shop.list_machines()
    if play.variant.settings["fault"] == "agent":
        sandbox.progress(f"stopping the agent of {first}")
        sandbox.ssm_agent(first).stop()
    else:
        sandbox.progress(f"terminating {first}; its group replaces it")
        sandbox.aws("autoscaling").terminate_instance_in_auto_scaling_group(
            InstanceId=first, ShouldDecrementDesiredCapacity=False
        )
        shop.wait_machines(2, without=first)
    sandbox.timeline.record("out of reach", instance=first, fault=play.variant.settings["fault"])
    shop.sell_and_purge()


def judge(observations: Sequence[Observation]) -> Verdict:
    """Failed when a machine shows the old price, and Slack has not been told that not all caches are clear."""
    failed, facts = purged(observations)
    (out,) = (seen for seen in observations if seen.kind == "out of reach")
    what = "its agent is down" if out["fault"] == "agent" else "it was terminated, and replaced by its group"
    return Verdict(failed, (f"{out['instance']}: {what}", *facts))


SCENARIO = Scenario(
    name="purge-partial",
    stack="apcu",
    symptom="Nobody has been told that a purge went wrong, and some visitors see the old price for hours.",
    cause=(
        "A command that could not be delivered has not failed: with the agent down the invocation is Delivery Timed "
        "Out, whose status is TimedOut, and a report that counts Failed ones sees nothing. A command to a list with a "
        "terminated machine on it is not even sent, and so nobody is notified."
    ),
    fix=(
        "Send it to the group's tag, look at every invocation's status and at every machine that the group has now, "
        "and name those that are not Success in the message."
    ),
    variants=(
        Variant(
            "agent-down-counts-failures",
            "reproduces",
            "the report counts invocations with status Failed",
            {**WITHOUT_DATABASE, "report": "by_failures"},
            {"fault": "agent"},
        ),
        Variant(
            "terminated-on-list",
            "reproduces",
            "a list has a terminated machine on it: SendCommand is refused, and none is cleared",
            {**WITHOUT_DATABASE, "purge": "by_list"},
            {"fault": "terminated"},
        ),
        Variant(
            "agent-down-named",
            "holds",
            "the report looks at each invocation, and names the machine",
            WITHOUT_DATABASE,
            {"fault": "agent"},
        ),
        Variant(
            "terminated-by-tag",
            "holds",
            "the tag is of the machines that there are",
            WITHOUT_DATABASE,
            {"fault": "terminated"},
        ),
    ),
    play=play,
    judge=judge,
    speed=20,
)
