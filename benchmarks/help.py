"""`sandbox --help` against the floor, an interpreter that does nothing. Exit 1 above the goal of 0.3 s."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 15
GOAL = 0.3


def seconds(command: list[str]) -> float:
    """How long ``command`` takes."""
    begun = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - begun


def main() -> None:
    """Measure both in turn and print the medians."""
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "sandbox --help": [str(Path(sys.executable).with_name("sandbox")), "--help"],
    }
    measured: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, command in commands.items():
            measured[name].append(seconds(command))
    medians = {name: statistics.median(values) for name, values in measured.items()}
    for name, values in measured.items():
        print(f"{name:15} median {medians[name]:.3f} s, best {min(values):.3f} s")
    ratio = medians["sandbox --help"] / medians["python -c pass"]
    print(f"ratio {ratio:.1f}; goal: sandbox --help under {GOAL} s")
    sys.exit(medians["sandbox --help"] >= GOAL)


if __name__ == "__main__":
    main()
