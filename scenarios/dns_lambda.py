"""The record follows the task, or it does not: what a DNS Lambda reads from ECS's events.

The stack is up with events as AWS documents them, and both handlers work: that is how the bad one got through review.
Then AWS sends the attachments in another form, the task is stopped, and its service starts another.
"""

from __future__ import annotations

from collections.abc import Sequence

from sandbox import evidence
from sandbox.model.ecs.events import EventShape
from sandbox.scenario import Play, Scenario, Variant, Verdict
from sandbox.timeline import Observation

NAME = "blog.example.com"
URL = f"http://{NAME}/"
CLUSTER = "blog"
FUNCTION = "blog-dns"


def play(play: Play) -> None:
    """Stop the service's task and see whether the name leads to its replacement."""
    sandbox = play.sandbox
    sandbox.resolve(NAME)
    sandbox.http_get(URL)
    sandbox.set_event_shape(play.variant.settings["shape"])
    mark = sandbox.timeline.mark()
    old, running = sandbox.replace_task(CLUSTER, "ghost")
    sandbox.timeline.wait_for(
        f"{FUNCTION} to be invoked for the replacement",
        lambda seen: seen.kind == "lambda.invocation" and seen["function"] == FUNCTION,
        within=60,
        since=mark,
    )
    sandbox.wait_task(old, "STOPPED")
    # The replacement serves: whatever the name says afterwards is not Ghost's fault.
    sandbox.progress("waiting for the replacement's Ghost at its own address")
    sandbox.wait_serving(f"http://{running['public_ip']}/")
    sandbox.resolve(NAME)
    sandbox.http_get(URL)


def judge(observations: Sequence[Observation]) -> Verdict:
    """Failed when the name does not lead to the replacement, which `play` has seen serving at its own address."""
    running = [seen for seen in observations if evidence.runs(seen)]
    first, last = running[0], running[-1]
    record = [seen for seen in observations if seen.kind == "dns.probe"]
    by_name = [seen for seen in observations if seen.kind == "http.response" and seen["url"] == URL]
    direct = [seen for seen in observations if seen.kind == "http.response" and last["public_ip"] in seen["url"]]
    invoked = [seen for seen in observations if seen.kind == "lambda.invocation" and seen["function"] == FUNCTION]

    follows = record[-1]["answers"] == [last["public_ip"]] and by_name[-1]["status"] == 200
    facts = (
        f"first task {evidence.task(first)} RUNNING at {first['public_ip']}; {NAME} is {evidence.answers(record[0])}: "
        f"{evidence.page(by_name[0])}",
        f"replacement {evidence.task(last)} RUNNING at {last['public_ip']}, asked there: {evidence.page(direct[-1])}",
        f"{FUNCTION} for its event: {evidence.invocation(invoked[-1])}",
        f"{NAME} is {evidence.answers(record[-1])}; {URL}: {evidence.page(by_name[-1])}",
    )
    return Verdict(not follows, facts)


SCENARIO = Scenario(
    name="dns-lambda",
    stack="ghost",
    parameters={"blog": "image:ghost-blog/blog"},
    symptom="After a task was replaced, the site's name still leads to the dead task: every request times out.",
    cause=(
        "The Lambda function that writes the record takes the network interface from the event by position "
        "(attachments[0], details[3]). AWS promises no order: an attachment of type elb may come first, and "
        "fields are inserted."
    ),
    fix="Look attachments up by their type and details by their name.",
    variants=(
        Variant(
            "by-position-elb-first",
            "reproduces",
            "reads attachments[0]; an elb attachment comes first",
            {"handler": "by_position"},
            {"shape": EventShape(elb_attachment_first=True)},
        ),
        Variant(
            "by-position-field-inserted",
            "reproduces",
            "reads details[3]; privateDnsName is inserted there",
            {"handler": "by_position"},
            {"shape": EventShape(private_dns_name=True)},
        ),
        Variant(
            "by-name",
            "holds",
            "reads by type and name; both changes at once",
            {"handler": "by_name"},
            {"shape": EventShape(elb_attachment_first=True, private_dns_name=True)},
        ),
    ),
    play=play,
    judge=judge,
)
