"""A soak: runs of scenarios, with trouble upon them, and a look at what they leave and at what they have written."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.engine import daemon, image_copies
from tests.apart import Disk, Dockerd
from tests.soak import results
from tests.soak.left import RUN_VARIABLE, Machine
from tests.soak.plan import Quick, Round

_RUN_ENDS = 180.0  # seconds; a run of quick variants on a busy machine
_LOOK = 0.02  # seconds
_ENGINE, _RESULTS, _TEMPORARY = 2500, 32, 400  # megabytes


@dataclass
class Run:
    """One ``sandbox run`` that has been started."""

    number: int
    quick: Quick
    folder: Path
    log: Path
    process: subprocess.Popen[bytes]
    killed: bool = False

    def told(self) -> list[results.Told]:
        """The results that it has told of so far."""
        return results.told((self.log / "out").read_text(errors="replace").splitlines())

    @property
    def is_over(self) -> bool:
        """Whether its process has ended."""
        return self.process.poll() is not None

    def errors(self) -> str:
        """What it has said on standard error."""
        return (self.log / "err").read_text(errors="replace")


@dataclass
class Summary:
    """The figures of a soak, and what went wrong."""

    seed: int
    runs: int = 0
    variants_told: int = 0
    rounds: int = 0
    trouble: Counter[str] = field(default_factory=Counter)
    exit_codes: Counter[str] = field(default_factory=Counter)
    failures: list[dict[str, Any]] = field(default_factory=list)
    lost_by_engine: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def write(self, file: Path) -> None:
        """Write it as JSON, whole at once."""
        text = json.dumps(self.__dict__, indent=2) + "\n"
        partial = file.with_name(f".{file.name}.new")
        partial.write_text(text)
        partial.rename(file)


class Soak:
    """Plays rounds on a machine apart.

    Args:
        folder: A short one, for everything.
        summary: Gets the figures.
        summary_file: Where they are written after each round.
        repository: Its ``sandbox`` is run.
        images: References that the engine is to have; this machine's own engine has them.
        say: Told what is done.
    """

    def __init__(
        self,
        folder: Path,
        summary: Summary,
        summary_file: Path,
        repository: Path,
        images: Sequence[str],
        say: Callable[[str], object],
    ) -> None:
        self._folder = folder
        self._summary = summary
        self._summary_file = summary_file
        self._repository = repository
        self._say = say
        self._runs: list[Run] = []
        self._engine = Dockerd(folder / "e", _ENGINE)
        self._disks = {
            "results' disk is full": Disk(folder / "results", _RESULTS),
            "temporary disk is full": Disk(folder / "tmp", _TEMPORARY),
            "engine's disk is full": self._engine.disk,
        }
        self._engine.start()
        with contextlib.closing(daemon.connect()) as source, contextlib.closing(self._engine.client()) as target:
            for reference in images:
                say(f"copying image {reference}")
                image_copies.copy(source, target, reference)
        self._machine = Machine(self._engine, folder / "tmp", self._number_of)

    def play(self, rounds: Sequence[Round]) -> None:
        """Play all rounds; what goes wrong is in the summary."""
        begun = time.monotonic()
        for planned in rounds:
            failures = list(self._round(planned))
            self._summary.rounds += 1
            self._summary.trouble[planned.trouble] += 1
            self._summary.failures += failures
            self._summary.seconds = round(time.monotonic() - begun, 1)
            self._summary.write(self._summary_file)
            for failure in failures:
                self._say(f"FAILED: {json.dumps(failure, indent=2)}")
        self._summary.write(self._summary_file)

    def close(self) -> None:
        """End the engine and remove everything but the logs."""
        for run in self._runs:
            if not run.is_over:
                run.process.kill()
        self._engine.remove()
        for name in ("results", "tmp"):
            subprocess.run(["umount", "-l", str(self._folder / name)], check=False)

    # -- a round --

    def _round(self, planned: Round) -> Iterator[dict[str, Any]]:
        begun = time.monotonic()
        runs = [self._start(quick) for quick in planned.runs]
        victim = runs[planned.victim]
        if planned.after is None:
            self._wait(lambda: bool(victim.told()) or victim.is_over, _RUN_ENDS)
        else:
            self._wait(lambda: all(run.is_over for run in runs), planned.after)
        came = time.monotonic() - begun
        self._bring(planned, runs, victim)
        for run in runs:
            if not self._wait(lambda run=run: run.is_over, _RUN_ENDS):
                yield self._failure(planned, run, [f"it has not ended {_RUN_ENDS:g} s after the trouble"])
                run.process.kill()
                run.process.wait()
                run.killed = True
        codes = [run.process.returncode for run in runs]
        self._say(
            f"round {planned.number}: runs {runs[0].number}-{runs[-1].number} "
            f"({', '.join(run.quick.scenario for run in runs)}), {planned.trouble} at {came:.1f} s, exit codes "
            f"{', '.join(map(str, codes))}, {time.monotonic() - begun:.1f} s"
        )
        for run in runs:
            yield from self._judged(planned, run)
        yield from self._then(planned)

    def _then(self, planned: Round) -> Iterator[dict[str, Any]]:
        """The next run, or ``sandbox down``: after it there is to be nothing."""
        if planned.then is not None:
            after = self._start(planned.then)
            if not self._wait(lambda: after.is_over, _RUN_ENDS):
                yield self._failure(planned, after, [f"it has not ended within {_RUN_ENDS:g} s"])
                after.process.kill()
                after.process.wait()
            if after.process.returncode != 0:
                yield self._failure(planned, after, [f"the next run ended with {after.process.returncode}"])
            yield from self._judged(planned, after)
        else:
            code, said = self._down()
            if code != 0:
                yield {"round": planned.number, "trouble": planned.trouble, "wrong": [f"down: {code}", *said]}
        if planned.trouble == "engine is killed" and (lost := self._machine.end_what_the_engine_lost()):
            self._say(f"the engine has lost sight of {len(lost)} containers")
            self._summary.lost_by_engine += lost
        left = self._machine.left()
        if left:
            yield {"round": planned.number, "trouble": planned.trouble, "then": str(planned.then), "left": left}
            self._clear()

    def _bring(self, planned: Round, runs: Sequence[Run], victim: Run) -> None:
        trouble = planned.trouble
        if trouble in {"kill one", "kill all"}:
            for run in runs if trouble == "kill all" else [victim]:
                if not run.is_over:
                    run.process.kill()
                    run.process.wait()
                    run.killed = run.process.returncode == -signal.SIGKILL
        elif trouble == "interrupt":
            if not victim.is_over:
                victim.process.send_signal(signal.SIGINT)
        elif trouble in {"engine restarts", "engine is killed"}:
            self._engine.stop() if trouble == "engine restarts" else self._engine.kill()
            self._engine.start()
        elif trouble in self._disks:
            disk = self._disks[trouble]
            disk.fill(left=planned.number % 5 * 4096)
            self._wait(lambda: all(run.is_over for run in runs), planned.lasts)
            disk.free()

    def _judged(self, planned: Round, run: Run) -> Iterator[dict[str, Any]]:
        self._summary.runs += 1
        told = run.told()
        self._summary.variants_told += len(told)
        self._summary.exit_codes[str(run.process.returncode)] += 1
        full = planned.trouble == "results' disk is full"
        found = results.wrong(run.folder, told, was_killed=run.killed, may_lack=full and run.process.returncode == 2)
        if "Traceback" in run.errors():
            found.append("it shows a traceback")
        if planned.trouble == "none" and run.process.returncode != 0:
            found.append(f"it ended with {run.process.returncode}, and nothing troubled it")
        if run.process.returncode < 0 and not run.killed:
            found.append(f"signal {-run.process.returncode} has ended it")
        if found:
            yield self._failure(planned, run, found)
        else:
            shutil.rmtree(run.folder, ignore_errors=True)
            shutil.rmtree(run.log, ignore_errors=True)

    def _failure(self, planned: Round, run: Run, found: list[str]) -> dict[str, Any]:
        return {
            "round": planned.number,
            "run": run.number,
            "scenario": run.quick.scenario,
            "trouble": planned.trouble,
            "after": planned.after,
            "exit_code": run.process.returncode,
            "wrong": found,
            "said": run.errors().splitlines()[-12:],
        }

    # -- processes --

    def _start(self, quick: Quick) -> Run:
        number = len(self._runs)
        folder, log = self._folder / "results" / str(number), self._folder / "log" / str(number)
        folder.mkdir(parents=True)
        log.mkdir(parents=True)
        chosen = ["--variant", quick.variants[0]] if len(quick.variants) == 1 else []
        arguments = ["run", quick.scenario, *chosen, "--json", folder / results.JSON, "--junit", folder / results.JUNIT]
        arguments += ["--timelines", folder / results.TIMELINES, "--report", folder / results.REPORT]
        run = Run(number, quick, folder, log, self._spawn(log, number, *map(str, arguments)))
        self._runs.append(run)
        return run

    def _spawn(self, log: Path, number: int | str, *arguments: str) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ,
            "DOCKER_HOST": self._engine.host,
            "TMPDIR": str(self._folder / "tmp"),
            "XDG_CACHE_HOME": str(self._folder / "cache"),
            "COLUMNS": "200",
            RUN_VARIABLE: str(number),
        }
        with (log / "out").open("wb") as out, (log / "err").open("wb") as err:
            return subprocess.Popen(
                [sys.executable, "-m", "sandbox.cli", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=environment,
                cwd=self._repository,  # the modules of the folder come first
                start_new_session=True,
            )

    def _down(self) -> tuple[int, list[str]]:
        log = self._folder / "log" / "down"
        log.mkdir(parents=True, exist_ok=True)
        process = self._spawn(log, "down", "down")
        try:
            process.wait(_RUN_ENDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        return process.returncode, (log / "err").read_text(errors="replace").splitlines()[-12:]

    def _number_of(self, pid: int) -> int | None:
        return next((run.number for run in self._runs if run.process.pid == pid), None)

    def _clear(self) -> None:
        """Remove what is left, so that the next round begins as this one did; `down` has failed to."""
        with contextlib.closing(self._engine.client()) as client:
            for container in client.api.containers(all=True):
                client.api.remove_container(container["Id"], force=True, v=True)
            client.api.prune_networks()
            client.api.prune_volumes()
        for path in (self._folder / "tmp").glob("*/*"):
            shutil.rmtree(path, ignore_errors=True)

    @staticmethod
    def _wait(condition: Callable[[], bool], within: float) -> bool:
        deadline = time.monotonic() + within
        while not (met := condition()) and time.monotonic() < deadline:
            time.sleep(_LOOK)  # processes and files of others: nothing tells of both at once
        return met
