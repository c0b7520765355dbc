"""Removal by label: of one run, of dead runs, or of everything that ever was the sandbox's."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import Any

import docker
from docker.errors import APIError, NotFound

from sandbox.engine import removal
from sandbox.engine.run import (
    LABEL_BUILDS,
    LABEL_OWNER,
    LABEL_PROJECT,
    LABEL_RUN,
    PROJECT,
    folder_owner,
    is_gone,
    kept_runs,
    remove_folder,
    runs_folder,
)

# Another process removes the same dead run: the container's removal is under way (409), or a network still has
# a container that is on its way out (403). That process sees it through.
_OTHERS_AT_WORK = {403, 409}
_HAS_ENDPOINTS = 403  # for good, at times, though their containers are removed (Docker 20.10)
_HALF_REMOVED = "unrecognized image ID"  # what the engine says of a layer that another removal has just taken
_ENDPOINTS_GO_WITHIN = 10.0  # seconds
_PASSES = 4


@dataclass
class Swept:
    """How much was removed."""

    containers: int = 0
    networks: int = 0
    volumes: int = 0
    images: int = 0
    folders: int = 0

    def __str__(self) -> str:
        return ", ".join(f"{getattr(self, field.name)} {field.name}" for field in fields(self))

    def __add__(self, other: Swept) -> Swept:
        return Swept(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def __bool__(self) -> bool:
        return any(getattr(self, field.name) for field in fields(self))


def remove_run(client: docker.DockerClient, run_id: str) -> Swept:
    """Remove what the run ``run_id`` has in the engine, also what is being made while this is under way."""
    total, builds = Swept(), False
    for _ in range(_PASSES):
        builds = builds or _builds(client, {LABEL_RUN: run_id}, lambda labels: True)
        swept = _remove(client, {LABEL_RUN: run_id}, lambda labels: True, images=builds)
        if not swept:
            break
        total += swept
    return total


def remove_dead_runs(client: docker.DockerClient, *, kept: bool = False) -> Swept:
    """Remove what runs left behind whose process has ended, folders included.

    Args:
        client: The engine's.
        kept: Also runs that were kept to be looked at (``--keep``).
    """
    spared = set() if kept else kept_runs()

    def dead(labels: Mapping[str, str]) -> bool:
        return labels.get(LABEL_RUN) not in spared and is_gone(labels.get(LABEL_OWNER, ""))

    images = kept or _builds(client, {LABEL_PROJECT: PROJECT}, dead)
    swept = _remove(client, {LABEL_PROJECT: PROJECT}, dead, images=images)
    swept.folders = _remove_folders(lambda run, owner: run not in spared and is_gone(owner))
    return swept


def remove_everything(client: docker.DockerClient) -> Swept:
    """Remove everything of every run, also of living ones."""
    swept = _remove(client, {LABEL_PROJECT: PROJECT}, lambda labels: True, images=True)
    swept.folders = _remove_folders(lambda run, owner: True)
    return swept


def left_overs(client: docker.DockerClient) -> list[str]:
    """The names of containers that dead runs left behind."""
    return [
        container["Names"][0].lstrip("/")
        for container in client.api.containers(all=True, filters={"label": f"{LABEL_PROJECT}={PROJECT}"})
        if is_gone(container["Labels"].get(LABEL_OWNER, "")) and container["Labels"][LABEL_RUN] not in kept_runs()
    ]


def _builds(client: docker.DockerClient, label: dict[str, str], chosen: Callable[[dict[str, str]], bool]) -> bool:
    """Whether one of them builds images (`ImageBuilder`): few do, and no other list costs the engine so much."""
    filters = {"label": [*_as_filter(label), LABEL_BUILDS]}
    return any(chosen(volume["Labels"]) for volume in client.api.volumes(filters=filters)["Volumes"] or ())


def _as_filter(label: dict[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in label.items()]


def _remove(
    client: docker.DockerClient, label: dict[str, str], chosen: Callable[[dict[str, str]], bool], *, images: bool
) -> Swept:
    api = client.api
    filters = {"label": _as_filter(label)}
    containers = [c for c in api.containers(all=True, filters=filters) if chosen(c["Labels"])]
    # Containers that joined another's network namespace first: removing the owner under them is noisy.
    joined = [c for c in containers if c["HostConfig"]["NetworkMode"].startswith("container:")]
    others = [c for c in containers if c not in joined]
    _each(lambda c: api.remove_container(c["Id"], force=True, v=True), joined)
    _each(lambda c: removal.remove(api, c["Id"]), others)
    networks = [n for n in api.networks(filters=filters) if chosen(n["Labels"])]
    _each(lambda n: _remove_network(api, n["Id"]), networks)
    built = [i for i in api.images(filters=filters) if chosen(i["Labels"] or {})] if images else []
    # One after the other, what was built from another one before it: they share layers, over which the engine stumbles.
    for image in sorted(built, key=lambda i: -int(i["Created"])):
        with contextlib.suppress(NotFound):
            try:
                api.remove_image(image["Id"], force=True)
            except APIError as error:
                if error.status_code not in _OTHERS_AT_WORK and _HALF_REMOVED not in str(error.explanation):
                    raise
    # After the images, because one of them may tell that there are some.
    volumes = [v for v in api.volumes(filters=filters)["Volumes"] or () if chosen(v["Labels"] or {})]
    _each(lambda v: api.remove_volume(v["Name"], force=True), volumes)
    return Swept(len(containers), len(networks), len(volumes), len(built))


def _remove_network(api: docker.APIClient, network: str) -> None:
    """Remove a network; what the engine believes to be on it still, of containers that are gone, is taken off first."""
    deadline = time.monotonic() + _ENDPOINTS_GO_WITHIN
    while True:
        try:
            api.remove_network(network)
        except APIError as error:
            if error.status_code != _HAS_ENDPOINTS or time.monotonic() > deadline:
                raise
        else:
            return
        for endpoint in (api.inspect_network(network)["Containers"] or {}).values():
            with contextlib.suppress(APIError):  # it has gone meanwhile
                api.disconnect_container_from_network(endpoint["Name"], network, force=True)
        time.sleep(0.1)  # what is on its way out may be on no list, and nobody tells of its end


def _each(remove: Callable[[Any], None], things: list[Any]) -> None:
    def one(thing: Any) -> None:
        with contextlib.suppress(NotFound):
            try:
                remove(thing)
            except APIError as error:
                if error.status_code not in _OTHERS_AT_WORK:
                    raise

    if things:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(one, things))


def _remove_folders(chosen: Callable[[str, str], bool]) -> int:
    count = 0
    if not runs_folder().is_dir():
        return 0
    for folder in runs_folder().iterdir():
        owner = folder_owner(folder)
        if owner is not None and chosen(folder.name, owner):
            remove_folder(folder)
            count += 1
    return count
