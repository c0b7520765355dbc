"""On which of several engines a run is: the one with the fewest runs that live. With one engine nothing is decided.

A process is placed once, with its first run, and stays there as long as the engine answers: its sandboxes share
networks. So pytest-xdist's workers, which are processes, spread over the engines, and so do commands side by side.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import docker

from sandbox.engine import daemon, hosts, sweep
from sandbox.engine.run import LABEL_OWNER, LABEL_PROJECT, PROJECT, is_gone, owners_on
from sandbox.engine.turns import turn
from sandbox.errors import SandboxError

_WORKER = re.compile(r"gw(\d+)")  # pytest-xdist's name of a worker


@dataclass(frozen=True)
class Engines:
    """All engines of the list.

    Attributes:
        answering: By host, in the order of the list.
        dead: Why each of the others does not answer.
    """

    answering: Mapping[str, docker.DockerClient]
    dead: Mapping[str, SandboxError]

    @property
    def are_several(self) -> bool:
        """Whether there is more than one, dead ones included: then what is told of one names it."""
        return len(self.answering) + len(self.dead) > 1

    @property
    def exit_code(self) -> int:
        """Of a command that has done its work on those that answer: 2 where one does not, as for every lack."""
        return 2 if self.dead else 0

    def others(self, host: str) -> list[docker.DockerClient]:
        """All that answer but one, in the order of the list."""
        return [client for one, client in self.answering.items() if one != host]

    def complain(self, say: Callable[[str], object]) -> None:
        """Name each engine that does not answer."""
        for host, error in self.dead.items():
            say(f"engine {host} does not answer: {error.state}")


@contextlib.contextmanager
def opened() -> Iterator[Engines]:
    """All engines of the list, as long as the block lasts.

    Raises:
        SandboxError: None answers.
    """
    with ExitStack() as closing:
        answering: dict[str, docker.DockerClient] = {}
        dead: dict[str, SandboxError] = {}
        for host in hosts.listed():
            try:
                answering[host] = daemon.connect_to(host)
            except SandboxError as error:
                dead[host] = error
            else:
                closing.callback(answering[host].close)
        if not answering:
            raise _none(dead)
        yield Engines(answering, dead)


@contextlib.contextmanager
def placing(say: Callable[[str], object] = lambda text: None) -> Iterator[docker.DockerClient]:
    """A client of this process's engine, for a run that begins within the block: nobody else is placed meanwhile.

    Args:
        say: Told of engines that do not answer.

    Raises:
        SandboxError: None answers.
    """
    if len(hosts.listed()) == 1:
        yield daemon.connect()
        return
    with turn("placement"), opened() as engines:
        engines.complain(say)
        host = hosts.placed()
        if host not in engines.answering:
            host = choose({one: _living(one, client) for one, client in engines.answering.items()}, worker())
            hosts.place(host)
        assert host is not None
        yield daemon.connect_to(host)


def choose(living: Mapping[str, int], number: int) -> str:
    """The engine with the fewest runs that live; among equals the worker's number decides.

    Args:
        living: How many live on each engine, in the order of the list.
        number: Of a worker, from 0.
    """
    fewest = [host for host, count in living.items() if count == min(living.values())]
    return fewest[number % len(fewest)]


def worker() -> int:
    """The number of this pytest-xdist worker; 0 where it is none."""
    found = _WORKER.fullmatch(os.environ.get("PYTEST_XDIST_WORKER", ""))
    return int(found[1]) if found else 0


def remove_dead_runs(client: docker.DockerClient) -> None:
    """Remove what dead runs left, of every engine that answers.

    Args:
        client: Of this process's engine.
    """
    sweep.remove_dead_runs(client)
    if len(hosts.listed()) > 1:
        with opened() as engines:
            for other in engines.others(hosts.placed() or ""):
                sweep.remove_dead_runs(other)


def _living(host: str, client: docker.DockerClient) -> int:
    """How many processes have runs on an engine, those that have just begun included."""
    filters = {"label": f"{LABEL_PROJECT}={PROJECT}"}
    things = [*client.api.networks(filters=filters), *client.api.containers(all=True, filters=filters)]
    owners = {thing["Labels"].get(LABEL_OWNER, "") for thing in things} | owners_on(host)
    return sum(not is_gone(owner) for owner in owners)


def _none(dead: Mapping[str, SandboxError]) -> SandboxError:
    errors: Sequence[SandboxError] = list(dead.values())
    if len(errors) == 1:
        return errors[0]
    return SandboxError(
        f"none of the {len(dead)} Docker engines answers",
        state="; ".join(f"{host}: {error.state}" for host, error in dead.items()),
        hint=f"start one of them, or unset {hosts.VARIABLE}",
    )
