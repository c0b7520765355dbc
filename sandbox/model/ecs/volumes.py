"""Volumes of a task definition.

Rules: API reference "Volume", "HostVolumeProperties" and "DockerVolumeConfiguration"; developer guide "Storage options
for Amazon ECS tasks" (bind mounts with a sourcePath and Docker volumes are not for Fargate).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.model.ecs.errors import client_exception, not_carried_out

_NOT_YET = ("fsxWindowsFileServerVolumeConfiguration", "configuredAtLaunch")


def parse(volumes: Sequence[Mapping[str, Any]], *, fargate: bool) -> list[Mapping[str, Any]]:
    """Check the volumes of a RegisterTaskDefinition request.

    Raises:
        EcsError: ClientException, also for what is not carried out.
    """
    for volume in volumes:
        if not volume.get("name"):
            raise client_exception("Volume.name should not be null or empty.")
        where = f"volumes[name={volume['name']}]"
        for parameter in _NOT_YET:
            if volume.get(parameter):
                raise not_carried_out(f"{where}.{parameter}")
        if (volume.get("host") or {}).get("sourcePath") and fargate:
            raise client_exception("host.sourcePath should not be set for volumes in Fargate.")
        if volume.get("dockerVolumeConfiguration"):
            _check_docker(where, volume["dockerVolumeConfiguration"], fargate=fargate)
        if ((volume.get("efsVolumeConfiguration") or {}).get("authorizationConfig") or {}).get("accessPointId"):
            raise not_carried_out(f"{where}.efsVolumeConfiguration.authorizationConfig")
    return list(volumes)


def _check_docker(where: str, docker: Mapping[str, Any], *, fargate: bool) -> None:
    if fargate:
        raise client_exception("dockerVolumeConfiguration should not be set for volumes in Fargate.")
    if docker.get("driver", "local") != "local":
        raise not_carried_out(f"{where}.dockerVolumeConfiguration.driver {docker['driver']}")
    if docker.get("driverOpts"):
        raise not_carried_out(f"{where}.dockerVolumeConfiguration.driverOpts")
    shared = docker.get("scope") == "shared"
    if docker.get("autoprovision") and not shared:
        raise client_exception("autoprovision can only be set for Docker volumes of the scope 'shared'.")
    if shared and not docker.get("autoprovision"):
        raise not_carried_out(f"{where}.dockerVolumeConfiguration of the scope shared without autoprovision")
