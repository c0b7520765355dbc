"""Who owns what: every container, network, volume and folder carries its run's labels, so that nothing is orphaned.

A run is one process. Its resources outlive it only when it was killed; the next run, or ``sandbox down``, sees by the
owner label that the process is gone and removes them. Runs of living processes are never touched.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

PROJECT = "aws-container-sandbox"
LABEL_PROJECT = f"{PROJECT}.project"
LABEL_RUN = f"{PROJECT}.run"
LABEL_OWNER = f"{PROJECT}.owner"
LABEL_BUILDS = f"{PROJECT}.builds"
"""Of a volume that a run has once it builds images: whoever removes the run then looks for them."""
OWNER_FILE = "owner"
KEPT_FILE = "kept"


@dataclass(frozen=True)
class Run:
    """One run of the sandbox: its id, the folder for its files, and the process that owns it."""

    id: str
    owner: str
    folder: Path

    @classmethod
    def begin(cls) -> Run:
        """A new run of this process, with a folder that only its user can read."""
        run = cls(secrets.token_hex(4), owner_of_this_process(), Path())
        folder = runs_folder() / run.id
        folder.mkdir(parents=True, mode=0o700)
        # Whole at once: a run whose owner cannot be read yet is taken for nobody's by another process that sweeps.
        written = folder / f"{OWNER_FILE}.new"
        written.write_text(run.owner)
        written.rename(folder / OWNER_FILE)
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
            shutil.rmtree(self.folder, ignore_errors=True)


def runs_folder() -> Path:
    """The folder of all runs of this user. Short, because the path of a Unix socket has 107 characters at most."""
    return Path(tempfile.gettempdir()) / f"acs-{os.getuid()}"


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
