"""Removal of containers, one after another.

Docker up to 20.10 can hang for good where two containers leave one network at the same moment, each waiting for a lock
that the other one's leaving holds (moby/moby#42545). The networks here are a process's own, so it is enough that each
process lets them leave in turn. Those in another container's network namespace leave no network.
"""

from __future__ import annotations

import threading

import docker

_IN_TURN = threading.Lock()


def remove(api: docker.APIClient, container: str) -> None:
    """Remove a container, running or not, with its anonymous volumes.

    Raises:
        docker.errors.NotFound: There is none.
        docker.errors.APIError: Status 409: somebody else is removing it.
    """
    with _IN_TURN:
        api.remove_container(container, force=True, v=True)
