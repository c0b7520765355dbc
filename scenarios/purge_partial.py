"""A purge that does not reach every machine: an agent is down, or a listed machine is gone."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.controllers.shop import GROUP, WITHOUT_DATABASE, Shop, purged
from sandbox.scenario import Play, Scenario, Variant, Verdict
from sandbox.timeline import Observation


def play(play: Play) -> None:
    """Let one of two machines be out of reach, change a price, and purge."""
    sandbox, shop = play.sandbox, Shop(play.sandbox)
    first, _ = shop.wait_machines(2)
    shop.list_machines()
    if play.variant.settings["fault"] == "agent":
        sandbox.progress(f"stopping the agent of {first}")
        sandbox.systems_manager.stop_agent(first)
    else:
        sandbox.progress(f"terminating {first}; its group replaces it")
        sandbox.aws("autoscaling").terminate_instance_in_auto_scaling_group(
            InstanceId=first, ShouldDecrementDesiredCapacity=False
        )
        shop.wait_machines(2, without=first)
    sandbox.timeline.record("out of reach", instance=first, fault=play.variant.settings["fault"], group=GROUP)
    shop.sell_and_purge()


def judge(observations: Sequence[Observation]) -> Verdict:
    """Failed when Slack is told that all caches are clear, and a machine still shows the old price."""
    failed, facts = purged(observations)
    (out,) = (seen for seen in observations if seen.kind == "out of reach")
    what = "its agent is down" if out["fault"] == "agent" else "it was terminated and replaced after the list was made"
    return Verdict(failed, (f"{out['instance']}: {what}", *facts))


SCENARIO = Scenario(
    name="purge-partial",
    stack="apcu",
    symptom="The purge is reported as a success, and one machine goes on showing the old price.",
    cause=(
        "A command that could not be delivered has not failed: with the agent down its invocation is Delivery Timed "
        "Out (status TimedOut), and that of a terminated instance, Undeliverable, leaves the command a Success. A "
        "report that counts Failed invocations, or believes the command's status, sees nothing."
    ),
    fix=(
        "Look at every invocation's status, and at every machine that the group has now; name those that are not "
        "Success in the message."
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
            "terminated-believes-status",
            "reproduces",
            "the list has a terminated machine, and not the one in its place; the report believes the command's status",
            {**WITHOUT_DATABASE, "purge": "by_list", "report": "by_status"},
            {"fault": "terminated"},
        ),
        Variant(
            "agent-down-named",
            "holds",
            "the report looks at each invocation, and names the machine",
            {**WITHOUT_DATABASE, "report": "by_machine"},
            {"fault": "agent"},
        ),
        Variant(
            "terminated-named",
            "holds",
            "it also looks at each machine that the group has, and names both",
            {**WITHOUT_DATABASE, "purge": "by_list", "report": "by_machine"},
            {"fault": "terminated"},
        ),
    ),
    play=play,
    judge=judge,
    speed=20,
)
