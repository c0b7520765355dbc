"""The replayer against the same function in a plain loop, and in a Python process per event.

Run: ``python benchmarks/replay.py [events]``. The function is the Ghost stack's own (compose/ghost/lambda/by_name.py).
All three call the same endpoint, this process's: the replayer's function in its process, the loop in another one, and
the last in a new one for each event, of which a few are measured. Replayer and loop take turns, a tenth of the events
each time, so that what else the machine does hits both. Every event must be told and succeed. Exit code 1 where the
replayer is not 5 times as fast as a process per event, or takes more than 1.3 times as long as the loop.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random

from rich.console import Console
from rich.table import Table

from sandbox.controllers.replay.handler import Handler
from sandbox.controllers.replay.replayer import Replayer
from sandbox.model.replay.compose import Composer
from sandbox.model.replay.plan import Delivery, Recording
from sandbox.model.replay.state import record_points_at_running_task
from sandbox.model.route53 import HostedZone

FASTER_THAN_PROCESSES = 5.0
SLOWER_THAN_LOOP = 1.3
ROUNDS = 10
TASKS = 50
PROCESSES = 20
FOLDER = Path(__file__).parents[1] / "compose" / "ghost" / "lambda"
ENVIRONMENT = {"HOSTED_ZONE_ID": "Z1", "RECORD_NAME": "blog.example.com"}
LOOP = """
import json, sys, time
from by_name import handler
events = json.load(open(sys.argv[1]))
for line in sys.stdin:
    first, last = map(int, line.split())
    begun = time.perf_counter()
    done = sum("address" in handler(event, None) for event in events[first:last])
    print(time.perf_counter() - begun, done, flush=True)
"""
ONCE = """
import json, sys
from by_name import handler
assert "address" in handler(json.load(open(sys.argv[1]))[int(sys.argv[2])], None)
"""


def recording(count: int) -> Recording:
    """``count`` RUNNING events of tasks that all run on, in any order."""
    composed = Composer(count=TASKS).start().recording()
    running = [one for one in composed.events if one.event["detail"]["lastStatus"] == "RUNNING"]
    return Recording(tuple(Random(0).choices(running, k=count)), composed.facts)


def environment(endpoint: str) -> dict[str, str]:
    """What the function has in its own process."""
    return {
        "PATH": os.environ["PATH"],
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "sandbox",
        "AWS_SECRET_ACCESS_KEY": "sandbox",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "PYTHONPATH": str(FOLDER),
        **ENVIRONMENT,
    }


class Loop:
    """The function in one process that calls it event after event."""

    def __init__(self, events: Path, variables: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", LOOP, str(events)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=variables,
        )

    def run(self, first: int, last: int) -> float:
        """Seconds for the events from ``first`` up to ``last``."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{first} {last}\n")
        self._process.stdin.flush()
        seconds, done = self._process.stdout.readline().split()
        assert int(done) == last - first
        return float(seconds)

    def close(self) -> None:
        self._process.communicate()


def told(replayer: Replayer, first: int, last: int) -> float:
    """Seconds of the replayer for the events from ``first`` up to ``last``, none of which may be lost."""
    plan = tuple(Delivery(event) for event in range(first, last))
    begun = time.perf_counter()
    report = replayer.run(plan, {"points": record_points_at_running_task()}, check="always")
    seconds = time.perf_counter() - begun
    assert report.held, report.broken
    assert [step.event for step in report.steps] == list(range(first, last))
    assert all(not step.error and "address" in step.result for step in report.steps)
    return seconds


def main() -> int:
    """Measure all three and print the table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    chunk = count // ROUNDS
    replayed = recording(chunk * ROUNDS)
    handler = Handler.load(f"{FOLDER / 'by_name.py'}:handler", environment=ENVIRONMENT)
    with (
        tempfile.TemporaryDirectory() as folder,
        Replayer(replayed, handler, zones=[HostedZone("Z1", "example.com")]) as replayer,
    ):
        events = Path(folder) / "events.json"
        events.write_text(json.dumps([one.event for one in replayed.events]))
        variables = environment(replayer.endpoint_url)
        told(replayer, 0, 10)  # imports, connections, caches
        loop = Loop(events, variables)
        loop.run(0, 10)
        ours, theirs = [], []
        for number in range(ROUNDS):
            first, last = number * chunk, (number + 1) * chunk
            turns = [(ours, lambda: told(replayer, first, last)), (theirs, lambda: loop.run(first, last))]  # noqa: B023
            for times, run in turns if number % 2 else reversed(turns):
                times.append(run())
        loop.close()
        alone = []
        for number in range(PROCESSES):
            begun = time.perf_counter()
            subprocess.run([sys.executable, "-c", ONCE, str(events), str(number)], check=True, env=variables)
            alone.append(time.perf_counter() - begun)
    rates = {
        "replayer": len(replayed.events) / sum(ours),
        "plain loop": len(replayed.events) / sum(theirs),
        "process per event": 1 / statistics.mean(alone),
    }
    table = Table("", "events", "events a second", "milliseconds an event", "replayer is")
    for name, rate in rates.items():
        measured = PROCESSES if name == "process per event" else len(replayed.events)
        table.add_row(
            name, f"{measured:,}", f"{rate:.1f}", f"{1000 / rate:.1f}", f"{rates['replayer'] / rate:.2f} times as fast"
        )
    Console().print(table)
    faster = rates["replayer"] / rates["process per event"]
    slower = min(ours) / min(
        theirs
    )  # the best rounds, as those of the other benchmarks: others' work is no matter of ours
    print(f"{len(replayed.events):,} events told, none lost")
    print(f"{faster:.1f} times the rate of a process per event (at least {FASTER_THAN_PROCESSES:g})")
    print(f"{slower:.2f} times the time of a plain loop (at most {SLOWER_THAN_LOOP:g}), the best of {ROUNDS} rounds")
    return int(faster < FASTER_THAN_PROCESSES or slower > SLOWER_THAN_LOOP)


if __name__ == "__main__":
    sys.exit(main())
