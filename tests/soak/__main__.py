"""``make soak``: `tests.soak.soak` on a machine apart, from the command line.

Exit code 0: nothing was left behind, and nothing lost. 1: something was, and the summary has it. 2: it cannot run here.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
import tempfile
import time
from pathlib import Path

from sandbox import scenario
from sandbox.controllers import stack_file
from sandbox.engine import daemon
from sandbox.engine.images import Images
from tests import apart
from tests.soak import plan
from tests.soak.soak import Soak, Summary

QUICK = (
    plan.Quick("edge-resize", ("no-resize",)),
    plan.Quick("srv-discovery", ("address-and-container-port", "srv")),
    plan.Quick("cloudmap-balance", ("all-addresses",)),
    plan.Quick("eni-limit", ("awsvpc",)),
)
"""Between them: tasks, services, Cloud Map, instances, a distribution, functions at its edge, a load balancer."""

SLOWER = (plan.Quick("pipeline-rollback", ("circuit-breaker-with-rollback",)),)
"""Played where ``--only`` names them: images are built, in a container of CodeBuild's."""


def main() -> int:
    """Read the options, enter a machine apart, and soak."""
    parser = argparse.ArgumentParser(prog="make soak")
    parser.add_argument("--runs", type=int, default=200, help="scenario runs in all (200)")
    parser.add_argument("--seed", type=int, default=0, help="of the plan: the same seed, the same plan (0)")
    parser.add_argument("--summary", type=Path, default=Path("soak.json"), help="the figures as JSON (soak.json)")
    parser.add_argument("--only", default="", help="comma-separated: only these scenarios")
    parser.add_argument(
        "--repository", type=Path, default=Path.cwd(), help="whose sandbox is run (this one): to compare versions"
    )
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not apart.IS_POSSIBLE:
        print("error: a soak wants Linux, root, and dockerd", file=sys.stderr)
        return 2
    if options.folder is None:
        return _outside(options)
    return _inside(options)


def _outside(options: argparse.Namespace) -> int:
    """Make the folder, and run this module again on a machine apart; whatever ends that, all is gone but logs."""
    folder = Path(tempfile.mkdtemp(prefix="acs-soak-"))
    arguments = [*sys.argv[1:], "--folder", str(folder)]
    code = 1
    try:
        code = apart.run("tests.soak", *arguments, folder=folder)
    finally:
        for path in folder.iterdir():
            if code == 0 or path.name != "log":
                shutil.rmtree(path, ignore_errors=True)
        if code == 0:
            folder.rmdir()
        else:
            print(f"the logs of runs that failed are in {folder}/log", file=sys.stderr)
    return code


def _inside(options: argparse.Namespace) -> int:
    begun = time.monotonic()
    scenarios = scenario.load_all()
    named = options.only.split(",")
    chosen = [one for one in (*QUICK, *SLOWER) if one.scenario in named] if options.only else list(QUICK)
    needed = {image for one in chosen for image in stack_file.load(scenarios[one.scenario].stack).images}
    with contextlib.closing(daemon.connect()) as client:
        source = Images(client, "auto", print)
        references = sorted(source.ensure(name) for name in {"toolbox", *needed})

    def say(text: str) -> None:
        print(f"{time.monotonic() - begun:7.1f} s  {text}", flush=True)

    summary = Summary(options.seed)
    soak = Soak(options.folder, summary, options.summary.absolute(), options.repository.absolute(), references, say)
    try:
        soak.play(plan.rounds(options.seed, options.runs, chosen))
    finally:
        soak.close()
    say(
        f"{summary.runs} runs in {summary.rounds} rounds, {summary.variants_told} results told, "
        f"{len(summary.failures)} failures; seed {summary.seed}; {options.summary}"
    )
    return 1 if summary.failures else 0


if __name__ == "__main__":
    sys.exit(main())
