"""Several variants at a time: each in a process of its own, since a process has one sandbox."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from sandbox import garbage, interrupts, runner, scenario
from sandbox.errors import SandboxError
from sandbox.runner import Listener, Options, Result, Run
from sandbox.scenario import Scenario, Variant

Chosen = tuple[Scenario, Variant]
Told = str | Result | SandboxError  # of a worker: its progress, a result, or why it has none

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass
class _Worker:
    process: SpawnProcess
    connection: Connection[tuple[str, str], Told]
    busy_with: Chosen | None = None


def run(chosen: Sequence[Chosen], options: Options, listener: Listener, into: Run, count: int) -> None:
    """Run the chosen variants, ``count`` at a time; results are added to ``into`` as they come, and are sorted at last.

    An interruption ends all of them, and returns when each has cleaned up after itself. So does the end of this
    process, whatever ends it.

    Args:
        chosen: They are begun in this order.
        options: As of `runner.run`.
        listener: As of `runner.run`; what is told of progress begins with the variant's name.
        into: As of `runner.run`.
        count: Of processes. Each has networks, and a LocalStack if one is wanted, of its own.

    Raises:
        SandboxError: As of `runner.run`.
    """
    waiting = deque(chosen)
    workers: list[_Worker] = []
    try:
        while waiting or any(worker.busy_with for worker in workers):
            while waiting and len(workers) < count:
                workers.append(_start(options))
            for worker in workers:
                if waiting and worker.busy_with is None:
                    _begin(worker, waiting.popleft(), listener)
            _hear(workers, listener, into)
    except KeyboardInterrupt:
        into.interrupted = True
        raise
    finally:
        _end(workers)
        order = [(item.name, variant.name) for item, variant in chosen]
        into.results.sort(key=lambda result: order.index((result.scenario, result.variant)))


def _start(options: Options) -> _Worker:
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_work, args=(there, options), name="variants")
    # An interruption waits until the new process knows what to do about one.
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    there.close()
    return _Worker(process, here)


def _begin(worker: _Worker, chosen: Chosen, listener: Listener) -> None:
    worker.busy_with = chosen
    listener.started(*chosen)
    with contextlib.suppress(OSError):  # it has ended: `_hear` says so
        worker.connection.send((chosen[0].name, chosen[1].name))


def _hear(workers: list[_Worker], listener: Listener, into: Run) -> None:
    """Take what workers have to tell; those that have ended are taken off the list."""
    ready = wait([worker.connection for worker in workers])
    for worker in [worker for worker in workers if worker.connection in ready]:
        chosen = worker.busy_with
        try:
            told = worker.connection.recv()
        except (EOFError, OSError):
            workers.remove(worker)
            worker.process.join()
            if chosen is not None:
                _finish(_lost(chosen, worker.process.exitcode), listener, into)
            continue
        if isinstance(told, SandboxError):
            raise told
        if isinstance(told, Result):
            worker.busy_with = None
            _finish(told, listener, into)
        elif chosen is not None:
            listener.progress(f"{chosen[0].name} / {chosen[1].name}: {told}")


def _finish(result: Result, listener: Listener, into: Run) -> None:
    into.results.append(result)
    listener.finished(result)


def _lost(chosen: Chosen, exit_code: int | None) -> Result:
    item, variant = chosen
    error = SandboxError(
        f"{item.name} / {variant.name}: its process has ended",
        state=f"exit code {exit_code}",
        hint="`sandbox down` removes what it has left",
    )
    return Result(item.name, variant.name, item.stack, variant.expect, "not run", (), 0.0, str(error))


def _end(workers: Sequence[_Worker]) -> None:
    """Interrupt those that are busy, let the others go, and wait until all have cleaned up."""
    with interrupts.held_back():
        for worker in workers:
            worker.connection.close()
            if worker.busy_with is not None and worker.process.pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker.process.pid, signal.SIGINT)
        for worker in workers:
            worker.process.join()


# -- in the worker --


def _work(connection: Connection[Told, tuple[str, str]], options: Options) -> None:
    """Run variants until there are no more, or until whoever wants them is gone."""
    lock = threading.Lock()

    def tell(told: Told) -> None:
        with lock, contextlib.suppress(OSError):  # nobody wants to know
            connection.send(told)

    garbage.look_rarely()
    try:
        interrupts.install()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
        _run_what_comes(connection, options, tell)
    except SandboxError as error:
        tell(error)
    except (KeyboardInterrupt, EOFError):
        pass  # what there was is cleaned up


def _run_what_comes(
    connection: Connection[Told, tuple[str, str]], options: Options, tell: Callable[[Told], None]
) -> None:
    from sandbox.controllers.localstack_choice import localstack_of
    from sandbox.controllers.site import Site  # loads Docker

    known = scenario.load_all()
    with localstack_of(options.aws, options.images, options.speed, tell) as localstack, Site() as site:
        while True:
            name, variant = connection.recv()
            tell(runner.run_variant(known[name], known[name].variant(variant), options, tell, site, localstack))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGINT)
