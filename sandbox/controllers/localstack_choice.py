"""Which LocalStack has the services that are not the sandbox's own, as options name it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sandbox.controllers.localstack_server import LocalStackServer


@contextmanager
def localstack_of(
    aws: str, images: str, speed: float, progress: Callable[[str], None] = lambda text: None
) -> Iterator[LocalStackServer | None]:
    """The LocalStack that ``--aws`` names, which sandboxes share as long as the block lasts; None: it is ``embedded``.

    Raises:
        SandboxError: There is no such LocalStack.
    """
    if aws == "embedded":
        yield None
        return
    from sandbox.controllers import localstack_server  # loads Testcontainers

    with localstack_server.opened(aws, images, speed, progress) as server:
        yield server
