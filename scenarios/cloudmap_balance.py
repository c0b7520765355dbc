"""Two back tasks behind one name: DNS balances connections, and not requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sandbox.scenario import Play, Scenario, Variant, Verdict
from sandbox.timeline import Observation

URL, NAME = "http://store.example.com/", "back.shop.local"
TASKS, REQUESTS, LEAST_SHARE = 2, 60, 0.1
GROUP, REQUEST = "/store/back", '"GET /stock"'


def play(play: Play) -> None:
    """Ask the front service again and again, and count in the back tasks' access logs who has answered."""
    sandbox = play.sandbox
    sandbox.progress("waiting for both back tasks to be healthy")
    sandbox.wait_discovered("back", TASKS)
    sandbox.resolve(NAME)
    begun = sandbox.clock.now()
    sandbox.http_burst(URL, REQUESTS)
    sandbox.progress("reading the back tasks' access logs")
    events = sandbox.wait_log(GROUP, REQUEST, REQUESTS, since=begun)
    streams = Counter(event["logStreamName"].rpartition("/")[2] for event in events)
    tasks = sandbox.aws("ecs").list_tasks(cluster="store", serviceName="back")["taskArns"]
    shares = {task: streams[task.rpartition("/")[2]] for task in tasks}
    sandbox.timeline.record("shares", group=GROUP, shares=shares)


def judge(observations: Sequence[Observation]) -> Verdict:
    """Failed when a task that is in the answers gets next to nothing."""
    (counted,) = (seen for seen in observations if seen.kind == "shares")
    (burst,) = (seen for seen in observations if seen.kind == "http.burst")
    probe = next(seen for seen in observations if seen.kind == "dns.probe")
    registered = [seen for seen in observations if seen.kind == "cloudmap.instance"]
    at = {seen["instance"]: seen["attributes"]["AWS_INSTANCE_IPV4"] for seen in registered}
    shares = {task.rpartition("/")[2]: count for task, count in counted["shares"].items()}
    total = sum(shares.values())
    facts = [
        f"{NAME} is {' and '.join(sorted(probe['answers']))}; {burst['requests']} requests, {burst['failed']} failed"
    ]
    facts += [
        f"log group {counted['group']}: task {task[:8]} at {at[task]} has answered {count} of {total}"
        for task, count in shares.items()
    ]
    return Verdict(min(shares.values()) < LEAST_SHARE * total, tuple(facts))


SCENARIO = Scenario(
    name="cloudmap-balance",
    stack="discovery",
    symptom="Two tasks share one name, and one of them does all the work.",
    cause=(
        "Cloud Map answers with the addresses of all healthy tasks, in random order. That balances connections: a "
        "client that keeps one (a pool, HTTP/2, gRPC) stays with the task that it first came to, and looks nothing up "
        "any more. A task that is added gets nothing from it."
    ),
    fix=(
        "Let connections end after a number of requests or some seconds, or use a client that takes all addresses in "
        "turn (nginx with a resolver); else put a load balancer or Service Connect between the services."
    ),
    variants=(
        Variant("kept-connection", "reproduces", "the client keeps its connection", {"client": "kept"}),
        Variant("new-connections", "holds", "a connection, and a look-up, for each request", {"client": "direct"}),
        Variant("all-addresses", "holds", "nginx beside the client takes the addresses in turn", {"client": "nginx"}),
    ),
    play=play,
    judge=judge,
    speed=10,
)
