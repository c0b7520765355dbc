"""An EC2 instance from within: where its user data and the commands of Systems Manager run.

A container with a file system and processes of its own, in the network namespace of the instance. Its `docker` is a
client of an engine that has the containers of the instance's ECS tasks, and no others (`sandbox.engine.own_engine`):
it has neither the engine's own socket nor any capability beyond Docker's default ones.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from docker.types import Mount

from sandbox.controllers.container_specs import LABEL_ON_INSTANCE
from sandbox.controllers.interfaces import Eni, ImageSource, Interfaces
from sandbox.engine import archives
from sandbox.engine.containers import Containers, Spec
from sandbox.engine.own_engine import OwnEngine, agent_name
from sandbox.errors import SandboxError
from sandbox.timeline import Timeline

DOCKER_SOCKET = "/var/run/docker.sock"
_LOG = "/var/log/cloud-init-output.log"
_SCRIPT = "/var/lib/cloud/instance/scripts/part-001"


@dataclass(frozen=True)
class Machine:
    """What an instance has beside its network.

    Attributes:
        container: Where its processes run.
        engine: What its `docker` talks to.
    """

    container: str
    engine: OwnEngine
    folder: Path


class Machines:
    """Makes and removes them. Safe to use from several threads.

    Args:
        containers: The run's.
        interfaces: Has the files with names of the instance's network.
        images: Where images come from.
        environment: Leads AWS clients on the instance to the endpoint.
        timeline: Gets ``instance.user_data`` with the exit code of a script and the last lines that it printed.
    """

    def __init__(
        self,
        containers: Containers,
        interfaces: Interfaces,
        images: ImageSource,
        environment: Mapping[str, str],
        timeline: Timeline,
    ) -> None:
        self._containers = containers
        self._interfaces = interfaces
        self._images = images
        self._environment = environment
        self._timeline = timeline

    def make(self, instance_id: str, eni: Eni) -> Machine:
        """The machine of an instance that has its network.

        Raises:
            SandboxError: The engine refused; nothing is left.
        """
        folder = self._containers.run.folder / instance_id
        socket = folder / "docker.sock"
        label = f"{LABEL_ON_INSTANCE}={instance_id}"
        engine = OwnEngine(self._containers.client, socket, label, agent_name)
        engine.start()
        try:
            container = self._containers.run_new(
                Spec(
                    f"instance-{instance_id}",
                    self._images.ensure("instance"),
                    entrypoint=["tini", "--"],
                    command=["sleep", "infinity"],
                    environment=self._environment,
                    network_of=eni.container,
                    mounts=[
                        *self._interfaces.name_files(eni),
                        Mount(DOCKER_SOCKET, str(socket), type="bind"),
                    ],
                )
            )
        except SandboxError:
            engine.close()
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return Machine(container, engine, folder)

    def boot(self, instance_id: str, machine: Machine, user_data: str) -> None:
        """Run the user data, where it is a script, as cloud-init does: as root, once, its output in a log.

        Returns when the script has ended.
        """
        files = {"/var/lib/cloud/data/instance-id": f"{instance_id}\n".encode()}
        if user_data.startswith("#!"):
            files[_SCRIPT] = user_data.encode()
        archives.put(self._containers.client, machine.container, "/", archives.packed(files, 0o700))
        if _SCRIPT not in files:
            return
        command = ["sh", "-c", f"{_SCRIPT} > {_LOG} 2>&1 < /dev/null; code=$?; tail -n 20 {_LOG}; exit $code"]
        try:
            code, said, _ = self._containers.execute(machine.container, command)
        except SandboxError:  # the instance has been terminated meanwhile
            return
        self._timeline.record("instance.user_data", instance=instance_id, exit_code=code, log=said.splitlines())

    def remove(self, machine: Machine) -> None:
        """Remove a machine with its files."""
        self._containers.remove(machine.container)
        machine.engine.close()
        shutil.rmtree(machine.folder, ignore_errors=True)
