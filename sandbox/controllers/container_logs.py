"""Containers' output on its way to CloudWatch Logs, line by line as it comes (the awslogs driver)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator

from sandbox.aws.log_writer import LogWriter
from sandbox.clock import Clock
from sandbox.engine.containers import Containers
from sandbox.model.ecs.logs import LogTarget

log = logging.getLogger(__name__)

# Seconds: the end of a container ends its output, so that this only bounds an engine that hangs.
_END_WITHIN = 10.0
# Bytes up to which the output of a container that has ended is read once more.
_READ_AGAIN = 16 * 2**20


class ContainerLogs:
    """Follows containers, each on a thread of its own.

    Args:
        containers: The run's.
        writer: Takes the lines.
        clock: Gives the lines their times.
    """

    def __init__(self, containers: Containers, writer: LogWriter, clock: Clock) -> None:
        self._containers = containers
        self._writer = writer
        self._clock = clock
        self._threads: dict[str, threading.Thread] = {}

    def follow(self, container_id: str, target: LogTarget, stream: str, since: float | None = None) -> None:
        """Send what a started container prints, and has printed since its start or a time, to ``stream``."""
        thread = threading.Thread(
            target=self._follow, args=(container_id, target, stream, since), name=f"logs-{stream}", daemon=True
        )
        self._threads[container_id] = thread
        thread.start()

    def finish(self, container_id: str) -> None:
        """Wait until all output of a container that has ended is with the writer; then it may be removed."""
        thread = self._threads.pop(container_id, None)
        if thread is not None:
            thread.join(_END_WITHIN)
            if thread.is_alive():
                log.warning(
                    "%s: the engine sends output still, %g s after the end; it is cut", thread.name, _END_WITHIN
                )

    def _follow(self, container_id: str, target: LogTarget, stream: str, since: float | None) -> None:
        for line in lines(self._output(container_id, since)):
            self._writer.write(
                target.group,
                stream,
                [(self._clock.now(), line)],
                region=target.region,
                create_group=target.create_group,
            )

    def _output(self, container_id: str, since: float | None) -> Iterator[bytes]:
        """What it prints, until it ends.

        The engine may end what it lets follow before the last of it (seen with Docker 20.10, a container that ends at
        once and a busy machine), so the rest is looked for.
        """
        taken = 0
        for chunk in self._containers.follow(container_id, since):
            taken += len(chunk)
            yield chunk
        if taken <= _READ_AGAIN:
            yield self._containers.output(container_id, since)[taken:]


def lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """The lines of output that comes in pieces, without their ends; the last one may have none."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line.decode(errors="replace").removesuffix("\r") for line in whole)
    if rest:
        yield rest.decode(errors="replace")
