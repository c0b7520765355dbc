"""`predict` alone: 500 tasks, 20,000 requests a second, ten minutes of virtual time. Exit 1 above 60 s of one core.

Run: ``python benchmarks/simulate.py``.
"""

from __future__ import annotations

import sys
import time

from sandbox.model.rolling_deploy.fleet import Fleet
from sandbox.model.rolling_deploy.rollout import roll
from sandbox.model.rolling_deploy.visits import predict

GOAL = 60.0  # seconds on one core
FLEET = Fleet(tasks=500, rps=20_000, assets=19, changed=5, duration=600.0)


def main() -> int:
    begun = time.process_time()
    roll(FLEET)
    rolled = time.process_time()
    prediction = predict(FLEET)
    spent = time.process_time() - rolled
    assert prediction.rollout.ending == "completed", "the rolling update does not end"
    assert prediction.broken, "a deploy without broken loads proves nothing"
    requests = prediction.loads * (1 + FLEET.assets)
    print(f"{FLEET.tasks} tasks, {FLEET.duration:.0f} s of virtual time, {requests:,} requests")
    print(f"{spent:.1f} s of one core, the deployment alone {rolled - begun:.1f} s: {requests / spent:,.0f} requests/s")
    print(f"{spent / GOAL:.2f} times the {GOAL:.0f} s that are allowed")
    return 0 if spent <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
