"""The shop of the stack ``apcu``: what each of its machines has cached, its prices, and its purge.

Observations:

- ``shop.machine`` (instance, entries, oldest, price, source): a machine was asked, from within its nginx's container.
  ``entries`` are those in its APCu, ``oldest`` is the age of the oldest in seconds (None: there is none); ``price`` is
  what it then showed for product 1, in cents, and ``source`` where it had that from: apcu, redis or mysql.
- ``shop.visits`` (prices): how many visitors have been shown which price of product 1.
- ``shop.purge_failed`` (error): the function ``purge`` has sent no command.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sandbox.errors import SandboxError
from sandbox.timeline import Observation

if TYPE_CHECKING:
    from sandbox.controllers.sandbox import Sandbox

URL = "http://shop.example.com"
CLUSTER = SERVICE = GROUP = "shop"
OLD, NEW = 1000, 900
"""The price of product 1 at first, and what it is changed to, in cents."""
NOT_CLEAR = "Not all caches are clear"
"""What Slack is told of a purge that has missed a machine begins so (compose/apcu/lambda/report.py)."""
WITHOUT_DATABASE = {"mysql_host": "", "mysql_tasks": "0"}
"""Parameters of the stack: Redis has the products for good, as a purge is not about the database."""
_PRODUCT = "/product?id=1"
_WITHIN = 90.0


class Shop:
    """The shop that is up in a sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def tasks(self) -> dict[str, str]:
        """The service's task on each machine, by the EC2 instance's id."""
        ecs = self._sandbox.aws("ecs")
        arns = ecs.list_tasks(cluster=CLUSTER, serviceName=SERVICE)["taskArns"]
        tasks = ecs.describe_tasks(cluster=CLUSTER, tasks=arns)["tasks"] if arns else []
        placed = {task["containerInstanceArn"]: task for task in tasks if task["lastStatus"] == "RUNNING"}
        if not placed:
            return {}
        found = ecs.describe_container_instances(cluster=CLUSTER, containerInstances=list(placed))
        on = {one["ec2InstanceId"]: placed[one["containerInstanceArn"]] for one in found["containerInstances"]}
        return {instance: on[instance]["taskArn"] for instance in sorted(on)}

    def wait_machines(self, count: int, *, without: str = "") -> dict[str, str]:
        """Wait until so many machines serve, as the load balancer finds; `tasks` then.

        Args:
            count: How many.
            without: A machine that does not count.

        Raises:
            SandboxError: They have not in time.
        """
        states: dict[str, str] = {}

        def enough(seen: Observation) -> bool:
            if seen.kind == "target.health":
                states[seen["target"].partition(":")[0]] = seen["state"]
            return sum(state == "healthy" and machine != without for machine, state in states.items()) >= count

        self._sandbox.timeline.wait_for(f"{count} machines to serve", enough, within=_WITHIN)
        return {machine: task for machine, task in self.tasks().items() if machine != without}

    def look(self) -> list[dict[str, Any]]:
        """Ask each machine for its cache, and then for product 1, which it has cached after that."""
        seen = []
        for instance, task in self.tasks().items():
            cache, product = self.ask(task, "/cache", _PRODUCT)
            ages = [entry["age"] for entry in cache["entries"]]
            facts = {
                "instance": instance,
                "entries": len(ages),
                "oldest": max(ages, default=None),
                "price": product["price"],
                "source": product["from"],
            }
            self._sandbox.timeline.record("shop.machine", **facts)
            seen.append(facts)
        return seen

    def ask(self, task: str, *paths: str) -> list[Any]:
        """What nginx of a task answers to 127.0.0.1, path by path.

        Raises:
            SandboxError: One had no success.
        """
        urls = [f"http://127.0.0.1{path}" for path in paths]
        command = ["curl", "--fail-early", "--fail", "--silent", "--show-error", "--write-out", r"\n", *urls]
        code, out, said = self._sandbox.execute(task, "nginx", command, prints=True)
        if code:
            raise SandboxError(f"task {task} did not answer {', '.join(paths)}", state=said.strip())
        return [json.loads(line) for line in out.splitlines()]

    def list_machines(self) -> None:
        """Keep the ids of the group's machines for the function ``purge.by_list``, as a deploy script does once."""
        self._sandbox.aws("ssm").put_parameter(
            Name=f"/{GROUP}/machines", Type="StringList", Value=",".join(self.tasks()), Overwrite=True
        )

    def scale(self, count: int) -> None:
        """Have the group want so many machines, and wait until they serve."""
        self._sandbox.progress(f"scaling to {count} machines")
        self._sandbox.aws("autoscaling").set_desired_capacity(AutoScalingGroupName=GROUP, DesiredCapacity=count)
        self.wait_machines(count)

    def change_price(self) -> None:
        """Change the price of product 1 to `NEW`, as the back office does.

        Raises:
            SandboxError: The shop did not take it.
        """
        result = self._sandbox.http_send("POST", f"{URL}/price?id=1&price={NEW}")
        if result.status != 200:
            raise SandboxError("the price could not be changed", state=str(result))

    def visit(self, count: int) -> None:
        """Have visitors look at product 1, one after another."""
        prices = Counter(json.loads(self._sandbox.http_fetch(URL + _PRODUCT).content)["price"] for _ in range(count))
        self._sandbox.timeline.record("shop.visits", prices={str(price): prices[price] for price in sorted(prices)})

    def sell_and_purge(self) -> None:
        """What a purge is for: each machine has the old price cached, it is changed, and the caches are cleared."""
        self.look()
        self.change_price()
        self._sandbox.progress("purging")
        self.purge()
        self.look()
        self.visit(2 * len(self.tasks()))

    def purge(self) -> None:
        """Invoke the function ``purge``; where it succeeds, wait until Slack is told, or nobody can be.

        Raises:
            SandboxError: Neither came.
        """
        mark = self._sandbox.timeline.mark()
        answer = self._sandbox.aws("lambda").invoke(FunctionName="purge")
        if "FunctionError" in answer:
            error = json.loads(answer["Payload"].read())["errorMessage"]
            self._sandbox.timeline.record("shop.purge_failed", error=error)
            return
        self._sandbox.timeline.wait_for(
            "Slack to be told of the purge",
            lambda seen: seen.kind in {"slack.message", "ssm.refused"},
            within=_WITHIN,
            since=mark,
        )


def machines(observations: Sequence[Observation], *, last: bool = True) -> list[Observation]:
    """What was last (or first) seen of each machine."""
    seen = [one for one in observations if one.kind == "shop.machine"]
    ordered = seen if last else reversed(seen)
    return sorted({one["instance"]: one for one in ordered}.values(), key=lambda one: str(one["instance"]))


def shown(machine: Observation) -> str:
    """A line of evidence."""
    return f"{machine['instance']}: {machine['price'] / 100:.2f}, from {machine['source']}"


def visits(observations: Sequence[Observation]) -> str:
    """A line of evidence: what visitors were shown at last."""
    prices = [one for one in observations if one.kind == "shop.visits"][-1]["prices"]
    return "visitors were shown " + ", ".join(f"{int(price) / 100:.2f} {n} times" for price, n in prices.items())


def purged(observations: Sequence[Observation]) -> tuple[bool, tuple[str, ...]]:
    """The verdict on a purge, and its evidence.

    It has failed when a machine shows the old price, and Slack has not been told that not all caches are clear.
    """
    facts = [f"the function purge failed: {one['error']}" for one in observations if one.kind == "shop.purge_failed"]
    for command in [one for one in observations if one.kind == "ssm.command"][-1:]:
        facts.append(f"the command: {command['status']} ({command['details']}), {command['targets']} targets")
    ends = {one["instance"]: one for one in observations if one.kind == "ssm.invocation"}
    facts += [f"{instance}: {one['details']}" for instance, one in sorted(ends.items())]
    facts += [f"not notified: {one['reason']}" for one in observations if one.kind == "ssm.refused"]
    told = [one["text"] for one in observations if one.kind == "slack.message"]
    facts.append(f"Slack was told: {' '.join(told) or 'nothing'}")
    after = machines(observations)
    facts += [shown(one) for one in after]
    facts.append(visits(observations))
    stale = any(one["price"] == OLD for one in after)
    return stale and not any(text.startswith(NOT_CLEAR) for text in told), tuple(facts)
