"""Runs builds: the commands of the buildspec in a container of the project's image, phase by phase."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import yaml

from sandbox.aws.log_writer import LogWriter
from sandbox.clock import Clock
from sandbox.controllers.codebuild import script
from sandbox.controllers.codebuild.archive import unzip, zipped
from sandbox.controllers.codebuild.docker_commands import PATH, SHIM, URL_VARIABLE, DockerCommands
from sandbox.controllers.network import RunNetwork
from sandbox.engine import archives, commands
from sandbox.engine.containers import Containers
from sandbox.engine.images import Images
from sandbox.errors import SandboxError
from sandbox.model.codebuild import buildspec
from sandbox.model.codebuild.build import Build
from sandbox.model.codebuild.buildspec import Buildspec, BuildspecError, Phase
from sandbox.timeline import Timeline

# What AWS's own images stand for here: the sandbox's toolbox has sh, curl and tar.
_AWS_IMAGES = ("aws/codebuild/", "public.ecr.aws/codebuild/")
_FAILED = "COMMAND_EXECUTION_ERROR"


class _PhaseFailed(Exception):
    """A phase has failed: AWS's status code, and the message of its context."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Builds:
    """Each build has a thread and a container of its own.

    The container is a client on the sandbox's internet: it reaches the AWS endpoint and the names of the sandbox's DNS,
    and nothing else. What ``docker build`` in it builds has the network of the engine's builds.

    Args:
        containers: The run's.
        images: Where the projects' images come from.
        network: The run's.
        docker: Carries out the builds' ``docker`` commands.
        logs: Gets the output of the builds.
        clock: Times them.
        timeline: Gets ``codebuild.phase`` and, at the end, ``codebuild.build`` with the last lines of the log.
    """

    def __init__(
        self,
        containers: Containers,
        images: Images,
        network: RunNetwork,
        docker: DockerCommands,
        logs: LogWriter,
        clock: Clock,
        timeline: Timeline,
    ) -> None:
        self._containers = containers
        self._images = images
        self._network = network
        self._docker = docker
        self._logs = logs
        self._clock = clock
        self._timeline = timeline
        self._running: dict[str, str] = {}
        self._lock = threading.Lock()

    def start(self, build: Build, ended: Callable[[Build], None]) -> None:
        """Run a build, and call ``ended`` on its thread when it has ended. Returns at once."""
        threading.Thread(target=self._run, args=(build, ended), name=f"build {build.id}", daemon=True).start()
        timeout = build.project["timeoutInMinutes"] * 60.0
        self._clock.call_later(timeout, lambda: self.stop(build, "TIMED_OUT"))

    def stop(self, build: Build, status: str = "STOPPED") -> None:
        """End a build that has not ended; it has this status then."""
        with self._lock:
            if build.ended_at is not None or build.stopping:
                return
            build.stopping = status
            container = self._running.get(build.id)
        if container is not None:
            self._containers.remove(container)

    def _run(self, build: Build, ended: Callable[[Build], None]) -> None:
        try:
            self._phases(build)
        except Exception as error:  # nobody must wait for ever
            self._say(build, f"[Container] {type(error).__name__}: {error}")
            if build.phases and not build.phases[-1].status:
                build.end_phase(self._clock.now(), code="INTERNAL_SERVICE_ERROR", message=str(error))
            if not build.stopping:
                build.stopping = "FAULT"
        finally:
            self._docker.close(build.uuid)
            with self._lock:
                container = self._running.pop(build.id, None)
                build.end(self._clock.now())
            if container is not None:
                self._network.remove_client(container)
        self._timeline.record(
            "codebuild.build",
            build=build.id,
            project=build.project["name"],
            status=build.status,
            log=list(build.log),
        )
        ended(build)

    def _phases(self, build: Build) -> None:
        spec: list[Buildspec] = []
        self._phase(build, "PROVISIONING", lambda: self._provision(build))
        self._phase(build, "DOWNLOAD_SOURCE", lambda: spec.append(self._download(build)))
        if not spec:
            return
        for name in buildspec.PHASES:
            given = next((phase for phase in spec[0].phases if phase.name == name), None)
            self._phase(build, name.upper(), partial(self._commands, build, spec[0].shell, given))
        self._phase(build, "UPLOAD_ARTIFACTS", lambda: self._upload(build, spec[0]))

    def _phase(self, build: Build, name: str, work: Callable[[], object]) -> None:
        if not build.goes_on_with(name):
            return
        build.begin(name, self._clock.now())
        code = message = ""
        try:
            work()
        except _PhaseFailed as failure:
            code, message = failure.code, str(failure)
        except SandboxError as error:
            code = "INTERNAL_ERROR" if name == "PROVISIONING" else "CLIENT_ERROR"
            message = error.message + (f": {error.state}" if error.state else "")
        if build.stopping and not code:
            code, message = build.stopping, "Build was stopped"
        phase = build.end_phase(self._clock.now(), code=code, message=message)
        self._say(build, f"[Container] Phase complete: {name} State: {phase.status}")
        self._say(build, f"[Container] Phase context status code: {code} Message: {message}")
        self._timeline.record("codebuild.phase", build=build.id, phase=name, status=phase.status, message=message)

    def _provision(self, build: Build) -> None:
        wanted = build.project["environment"]["image"]
        aws = wanted.startswith(_AWS_IMAGES)
        image = self._images.ensure("toolbox") if aws else self._images.resolve(wanted)
        container = self._network.add_client(f"build-{build.uuid}", image)
        with self._lock:
            self._running[build.id] = container
        if build.stopping:
            self._containers.remove(container)
            return
        self._docker.open(build.uuid, container)
        client = self._containers.client
        archives.put(client, container, "/usr/local/bin", archives.packed({"docker": SHIM.encode()}, mode=0o755))
        if aws:
            aws_shim = archives.packed({"aws": script.AWS_SHIM.encode()}, mode=0o755)
            archives.put(client, container, "/usr/local/bin", aws_shim)

    def _download(self, build: Build) -> Buildspec:
        client, container = self._containers.client, self._running[build.id]
        primary = next(iter(build.sources), "")
        with tempfile.TemporaryDirectory(dir=self._containers.run.folder) as made:
            for name, content in build.sources.items():
                folder = Path(made) / (script.SOURCE if name == primary else f"{script.SOURCE}-{name}").lstrip("/")
                unzip(content, folder)
            (Path(made) / script.SOURCE.lstrip("/")).mkdir(parents=True, exist_ok=True)
            spec = self._buildspec(build, Path(made) / script.SOURCE.lstrip("/"))
            archives.put(client, container, "/", archives.packed_folder(Path(made)))
        variables = {
            **{"AWS_DEFAULT_REGION": "us-east-1", "AWS_REGION": "us-east-1"},
            "AWS_ENDPOINT_URL": self._network.endpoint_url_outside,
            **{"AWS_ACCESS_KEY_ID": "sandbox", "AWS_SECRET_ACCESS_KEY": "sandbox", "AWS_EC2_METADATA_DISABLED": "true"},
            "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
            **{f"CODEBUILD_SRC_DIR_{name}": f"{script.SOURCE}-{name}" for name in build.sources if name != primary},
            "CODEBUILD_SRC_DIR": script.SOURCE,
            "CODEBUILD_BUILD_ID": build.id,
            "CODEBUILD_BUILD_ARN": build.arn,
            "CODEBUILD_BUILD_NUMBER": str(build.number),
            "CODEBUILD_INITIATOR": build.initiator,
            "CODEBUILD_RESOLVED_SOURCE_VERSION": build.source_version,
            "CODEBUILD_SOURCE_VERSION": build.source_version,
            URL_VARIABLE: f"{self._network.endpoint_url_outside}{PATH}{build.uuid}",
            **spec.variables,
            **build.environment,  # "override": the project's and the start's win over the buildspec's
        }
        archives.put(client, container, "/", archives.packed(script.files(variables)))
        return spec

    def _buildspec(self, build: Build, source: Path) -> Buildspec:
        given = build.project["source"].get("buildspec") or buildspec.FILE
        text, name = given, "the project's buildspec"
        if "\n" not in given.strip():
            file = source / given
            if not file.is_file():
                raise _PhaseFailed("YAML_FILE_ERROR", f"stat {script.SOURCE}/{given}: no such file or directory")
            text, name = file.read_text(errors="replace"), given
        try:
            return buildspec.parse(yaml.safe_load(text))
        except (yaml.YAMLError, BuildspecError) as error:
            raise _PhaseFailed("YAML_FILE_ERROR", f"{name}: {error}") from error

    def _commands(self, build: Build, shell: str, phase: Phase | None) -> None:
        if phase is None:
            return
        self._say(build, f"[Container] Entering phase {phase.name.upper()}")
        succeeding = build.failure() is None
        failed = self._shell(build, shell, phase.commands, succeeding=succeeding)
        if phase.at_last and not build.stopping:
            failed = failed or self._shell(build, shell, phase.at_last, succeeding=succeeding and not failed)
        if failed and not phase.goes_on:
            raise _PhaseFailed(_FAILED, failed)

    def _shell(self, build: Build, shell: str, lines: Sequence[str], *, succeeding: bool) -> str:
        """Run commands in one shell; what the phase's context says of the one that failed, or ""."""
        client, container = self._containers.client, self._running[build.id]
        archives.put(client, container, "/", archives.packed({script.PHASE.lstrip("/"): script.phase(lines).encode()}))
        last: list[str] = []

        def say(line: str) -> None:
            if line.startswith(script.RUNNING):
                last[:] = [line.removeprefix(script.RUNNING)]
            self._say(build, line)

        command = [shell, script.PHASE, str(int(succeeding))]
        code = commands.run(client, container, command, say)
        if code == 0 or build.stopping:
            return ""
        reason = "the container has ended" if code == commands.GONE else f"exit status {code}"
        return f"Error while executing command: {''.join(last)}. Reason: {reason}"

    def _upload(self, build: Build, spec: Buildspec) -> None:
        self._export(build, spec)
        if spec.artifacts is None:
            return
        base = script.SOURCE if spec.artifacts.base == "." else f"{script.SOURCE}/{spec.artifacts.base}"
        with tempfile.TemporaryDirectory(dir=self._containers.run.folder) as made:
            here = Path(made)
            there = archives.fetch(self._containers.client, self._running[build.id], base, here)
            paths = [str(path.relative_to(here)) for path in here.rglob("*") if path.is_file()] if there else []
            chosen = spec.artifacts.choose(paths)
            if not chosen:
                patterns = " ".join(spec.artifacts.files)
                raise _PhaseFailed("CLIENT_ERROR", f"no matching artifact paths found for {patterns}")
            build.artifact = zipped({name: (here / path).read_bytes() for path, name in chosen.items()})

    def _export(self, build: Build, spec: Buildspec) -> None:
        if not spec.exported:
            return
        found: list[str] = []
        commands.run(
            self._containers.client,
            self._running[build.id],
            [spec.shell, "-c", script.READ_VARIABLES, "sh", *spec.exported],
            found.append,
        )
        build.exported = dict(zip(spec.exported, found, strict=False))

    def _say(self, build: Build, line: str) -> None:
        build.say(line)
        self._logs.write(build.log_group, build.log_stream, [(self._clock.now(), line)])
