"""Who owns what: every container, network, volume and folder carries its run's labels, so that nothing is orphaned.

A run is one process. Its resources outlive it only when it was killed; the next run, or ``sandbox down``, sees by the
owner label that the process is gone and removes them. Runs of living processes are never touched.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sandbox.engine import hosts
from sandbox.errors import SandboxError

PROJECT = "aws-container-sandbox"
LABEL_PROJECT = f"{PROJECT}.project"
LABEL_RUN = f"{PROJECT}.run"
LABEL_OWNER = f"{PROJECT}.owner"
LABEL_BUILDS = f"{PROJECT}.builds"
"""Of a volume that a run has once it builds images: whoever removes the run then looks for them."""
OWNER_FILE = "owner"
KEPT_FILE = "kept"
ENGINE_FILE = "engine"
"""Of a run on one of several engines: the engine's host."""


@dataclass(frozen=True)
class Run:
    """One run of the sandbox: its id, the folder for its files, and the process that owns it."""

    id: str
    owner: str
    folder: Path

    @classmethod
    def begin(cls) -> Run:
        """A new run of this process, with a folder that only its user can read.

        Raises:
            SandboxError: There can be no folder.
        """
        run = cls(os.urandom(4).hex(), owner_of_this_process(), Path())
        folder = runs_folder() / run.id
        # Whole at once: a run whose owner cannot be read yet is taken for nobody's by another process that sweeps. And
        # if this process is killed meanwhile, the name says whose it was.
        beginning = folder.with_name(f"{run.id}.{run.owner}")
        try:
            beginning.mkdir(parents=True, mode=0o700)
            (beginning / OWNER_FILE).write_text(run.owner)
            if (engine := hosts.placed()) is not None:
                (beginning / ENGINE_FILE).write_text(engine)
            beginning.rename(folder)
        except OSError as error:
            shutil.rmtree(beginning, ignore_errors=True)
            raise SandboxError(
                f"a run needs a folder in {runs_folder()}, and there can be none",
                state=error.strerror or str(error),
                hint="make room there, or set TMPDIR to a folder that has some",
            ) from error
        return cls(run.id, run.owner, folder)

    @property
    def labels(self) -> dict[str, str]:
        """The labels of everything that the run creates in the engine."""
        return {LABEL_PROJECT: PROJECT, LABEL_RUN: self.id, LABEL_OWNER: self.owner}

    def name(self, what: str) -> str:
        """A name for a thing in the engine: ``acs-RUN-WHAT``."""
        return f"acs-{self.id}-{what}"

    def keep(self) -> None:
        """Spare the run when dead runs are removed, until ``sandbox down``."""
        (self.folder / KEPT_FILE).touch()

    @property
    def is_kept(self) -> bool:
        """Whether `keep` was called."""
        return (self.folder / KEPT_FILE).exists()

    def end(self) -> None:
        """Remove the run's folder, unless it is kept."""
        if not self.is_kept:
            remove_folder(self.folder)


def remove_folder(folder: Path) -> None:
    """Remove the folder of a run; one that is gone is fine.

    It is renamed first: if this process is killed meanwhile, the name of the rest says whose work was cut short, and
    whoever comes next goes on with it.
    """
    ending = folder.with_name(f"{folder.name.partition('.')[0]}.{owner_of_this_process()}")
    try:
        folder.rename(ending)
    except FileNotFoundError:
        return
    except OSError:
        ending = folder
    shutil.rmtree(ending, ignore_errors=True)


def folder_owner(folder: Path) -> str | None:
    """Who owns the folder of a run: its run's process, or the one that is making or removing it; None: it has none."""
    try:
        return (folder / OWNER_FILE).read_text() if "." not in folder.name else folder.name.partition(".")[2]
    except OSError:
        return None


def runs_folder() -> Path:
    """The folder of all runs of this user. Short, because the path of a Unix socket has 107 characters at most."""
    return Path(tempfile.gettempdir()) / f"acs-{os.getuid()}"


def owners_on(engine: str) -> set[str]:
    """The owners of the runs that have begun on one of several engines."""
    found = set()
    for file in runs_folder().glob(f"*/{ENGINE_FILE}"):
        with contextlib.suppress(OSError):  # it is being removed at this moment
            if file.read_text() == engine:
                found.add((file.parent / OWNER_FILE).read_text())
    return found


def kept_runs() -> set[str]:
    """The ids of the runs that are kept to be looked at."""
    return {file.parent.name for file in runs_folder().glob(f"*/{KEPT_FILE}")}


def owner_of_this_process() -> str:
    """``BOOT:PIDNAMESPACE:PID:STARTTIME``, which no later process can have."""
    pid = os.getpid()
    return f"{_boot_id()}:{_pid_namespace()}:{pid}:{_start_time(pid)}"


def is_gone(owner: str) -> bool:
    """Whether the process that ``owner`` names has surely ended.

    A process of another pid namespace (a container that shares this engine) cannot be seen from here: it counts as
    living.
    """
    boot, namespace, pid, started = (owner.split(":") + [""] * 4)[:4]
    if boot != _boot_id():
        return True
    if namespace != _pid_namespace() or not pid.isdigit():
        return False
    return _start_time(int(pid)) != started


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", "")[:12]
    except OSError:
        return "no-proc"


def _pid_namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:
        return "no-proc"


def _start_time(pid: int) -> str:
    """Field 22 of /proc/PID/stat ("" where there is no such process or it is a zombie)."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return _alive_without_proc(pid)
    return "" if after_name[0] == "Z" else after_name[19]


def _alive_without_proc(pid: int) -> str:
    if Path("/proc/self").exists():
        return ""
    try:
        os.kill(pid, 0)
    except OSError:
        return ""
    return "alive"
