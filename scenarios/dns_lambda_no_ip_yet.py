"""The task runs, and EC2 does not show its public address yet: the update is lost, or waited for.

The event is right, the function finds the interface, and DescribeNetworkInterfaces answers without an Association. A
function that fails then is tried again a minute later; one that catches the error and returns has told Lambda that all
went well.
"""

from __future__ import annotations

from collections.abc import Sequence

from sandbox import evidence
from sandbox.errors import SandboxError
from sandbox.scenario import Play, Scenario, Variant, Verdict
from sandbox.timeline import Observation

NAME = "blog.example.com"
URL = f"http://{NAME}/"
CLUSTER = "blog"
FUNCTION = "blog-dns"
DELAY = 6.0  # seconds that the Association is late


def play(play: Play) -> None:
    """Replace the task while public addresses show late."""
    sandbox, timeline = play.sandbox, play.sandbox.timeline
    sandbox.delay_public_ip(DELAY)
    mark = timeline.mark()
    old, running = sandbox.replace_task(CLUSTER, "ghost")
    timeline.wait_for(
        f"{FUNCTION} to have ended for the replacement",
        lambda seen: seen.kind == "lambda.invocation" and seen["function"] == FUNCTION,
        within=60,
        since=mark,
    )
    shown = timeline.wait_for(
        "EC2 to show the replacement's public address",
        lambda seen: seen.kind == "eni.association" and seen["public_ip"] == running["public_ip"],
        within=60,
        since=mark,
    )
    if shown.at < running.at:
        raise SandboxError(
            "EC2 showed the address before the task was RUNNING, so nothing was late", hint="use a lower --speed"
        )
    sandbox.wait_task(old, "STOPPED")
    # The replacement serves: whatever the name says afterwards is not Ghost's fault.
    sandbox.progress("waiting for the replacement's Ghost at its own address")
    sandbox.wait_serving(f"http://{running['public_ip']}/")
    sandbox.resolve(NAME)
    sandbox.http_get(URL)


def judge(observations: Sequence[Observation]) -> Verdict:
    """Failed when the name does not lead to the replacement although EC2 has long shown its address."""
    running = [seen for seen in observations if evidence.runs(seen)][-1]
    shown = [seen for seen in observations if seen.kind == "eni.association"][-1]
    invoked = [seen for seen in observations if seen.kind == "lambda.invocation" and seen["function"] == FUNCTION][-1]
    record = [seen for seen in observations if seen.kind == "dns.probe"][-1]
    pages = [seen for seen in observations if seen.kind == "http.response"]
    direct = [seen for seen in pages if running["public_ip"] in seen["url"]][-1]
    page = [seen for seen in pages if seen["url"] == URL][-1]
    said = [line for line in invoked["log"] if line.startswith("skipped ")]

    follows = record["answers"] == [running["public_ip"]] and page["status"] == 200
    facts = (
        f"replacement {evidence.task(running)} RUNNING; EC2 shows its Association {running['public_ip']} "
        f"{shown.at - running.at:.1f} s later",
        f"{FUNCTION} for its event: {evidence.invocation(invoked)} after {invoked['duration_ms'] / 1000:.1f} s"
        + "".join(f"; it says in its log: {line.rpartition(': ')[2]}" for line in said),
        f"replacement asked at its own address: {evidence.page(direct)}",
        f"{NAME} is {evidence.answers(record)}; {URL}: {evidence.page(page)}",
    )
    return Verdict(not follows, facts)


SCENARIO = Scenario(
    name="dns-lambda-no-ip-yet",
    stack="ghost",
    parameters={"blog": "image:ghost-blog/blog"},
    symptom="Now and then a replaced task never gets the name. The function shows no errors and the site is down.",
    cause=(
        "EC2 showed the interface without its Association when the event came (KeyError: 'Association'). The function "
        "catches the error and returns, so that Lambda takes the event for done."
    ),
    fix="Wait for the Association within the function's time-out, and let the error out if it does not come.",
    variants=(
        Variant(
            "error-caught", "reproduces", "catches every error and logs it: the update is lost", {"handler": "quiet"}
        ),
        Variant(
            "waits-for-address",
            "holds",
            "asks EC2 each second until the address is there",
            {"handler": "patient"},
        ),
    ),
    play=play,
    judge=judge,
)
