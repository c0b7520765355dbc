"""Volumes of a task definition.

Rules: API reference "Volume", "HostVolumeProperties", "DockerVolumeConfiguration" and "EFSAuthorizationConfig";
developer guide "Storage options for Amazon ECS tasks" (bind mounts with a sourcePath and Docker volumes are not for
Fargate). The words about a root directory as seen: aws-cdk 10683; those about transit encryption are ours.
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
        _check_efs(volume.get("efsVolumeConfiguration") or {})
    return list(volumes)


def _check_efs(efs: Mapping[str, Any]) -> None:
    given = efs.get("authorizationConfig") or {}
    point, by_role = given.get("accessPointId"), given.get("iam") == "ENABLED"
    if point and efs.get("rootDirectory", "/") not in {"", "/"}:
        raise client_exception(
            'Create TaskDefinition: When using an EFS access point, the root directory must either be set to "/" or be '
            "omitted."
        )
    if (point or by_role) and efs.get("transitEncryption") != "ENABLED":
        what = "an EFS access point" if point else "IAM authorization for EFS"
        raise client_exception(f"Create TaskDefinition: When using {what}, transit encryption must be enabled.")


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
