"""Empties LocalStack between two sandboxes. LocalStack's free edition knows how, and has no call for it."""

from __future__ import annotations

import logging
import shutil
import threading
from pathlib import Path
from typing import Any

from localstack.http import Response
from localstack.services.plugins import SERVICE_PLUGINS, ServiceState
from localstack.state import AssetDirectory, StateVisitor

LOG = logging.getLogger(__name__)
# What EventBridge's provider keeps beside its store, by ARN: it would be found again by a rule of the same name.
_OF_EVENTS = (
    "_event_bus_services_store",
    "_rule_services_store",
    "_target_sender_store",
    "_archive_service_store",
    "_replay_service_store",
    "_connection_service_store",
    "_api_destination_service_store",
)


class _Reset(StateVisitor):
    """Empties stores of LocalStack, backends of moto, and folders."""

    def visit(self, state_container: Any) -> None:
        if isinstance(state_container, AssetDirectory):
            for path in Path(state_container.path).glob("*"):
                shutil.rmtree(path, ignore_errors=True)
        else:
            state_container.reset()


def reset(request: Any) -> Response:
    """Forget everything in each service that has been loaded; the services stay loaded."""
    # Lambda first: its functions are at work in the others.
    for name in sorted(SERVICE_PLUGINS.list_available(), key=lambda name: name != "lambda"):
        container = SERVICE_PLUGINS.get_service_container(name)
        if container is not None and container.state == ServiceState.RUNNING:
            _empty(container.service)
    return Response("emptied", status=200)


def _empty(service: Any) -> None:
    hook = service.lifecycle_hook
    if service.name() == "lambda":
        _end_functions(service._provider)
    else:
        hook.on_before_state_reset()
    service.accept_state_visitor(_Reset())
    if service.name() == "events":
        from localstack.services.events.scheduler import JobScheduler

        JobScheduler.instance().jobs.clear()
        for store in _OF_EVENTS:
            getattr(service._provider, store).clear()
    elif service.name() == "s3":
        service._provider._storage_backend.reset()
    hook.on_after_state_reset()


def _end_functions(provider: Any) -> None:
    """End what runs at once, and in the background what only waits: LocalStack would poll its queues to the end."""
    for worker in provider.esm_workers.values():
        worker.stop_for_shutdown()
    provider.esm_workers = {}
    ended = provider.lambda_service
    for manager in ended.event_managers.values():
        if manager.poller:
            manager.poller._shutdown_event.set()
    for version in list(ended.lambda_running_versions.values()):
        version.assignment_service.stop_environments_for_version(version.id)
    threading.Thread(target=ended.stop, name="sandbox-reset", daemon=True).start()
