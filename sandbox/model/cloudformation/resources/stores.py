"""What keeps something: parameters, secrets, logs, file systems, images and buckets."""

from __future__ import annotations

from typing import Any

from sandbox.model.cloudformation.resources.kind import Kind, Made, Resource, kind
from sandbox.model.cloudformation.shapes import Given, PropertyError
from sandbox.model.cloudformation.values import apply, text, with_member


def _parameter(r: Resource) -> Made:
    name = r.named("Name")
    tags = [{"Key": key, "Value": value} for key, value in _tag_map(r).items()]
    r.call(
        "ssm.put_parameter",
        {
            "Name": name,
            **r.given("AllowedPattern", "DataType", "Description", "Tier", "Type", "Value"),
            **({"Tags": tags} if tags else {}),
        },
    )
    r.around.remember("parameter", name, r.get("Value"))
    return Made(name, {"Type": r.get("Type"), "Value": r.get("Value")})


def _tag_map(r: Resource) -> dict[str, Any]:
    """Its tags, which are a mapping and not a list."""
    found = r.get("Tags", {})
    if not isinstance(found, dict):
        raise PropertyError((*r.path, "Tags"), "Tags is a mapping")
    return found


def _secret(r: Resource) -> Made:
    name = r.named("Name")
    value = r.around.secret(r.get("Name"), r.label)
    if value is None:
        value = r.get("SecretString")
    if value is None:
        value = _generated(r)
    answer = r.call(
        "secretsmanager.create_secret",
        {"Name": name, "SecretString": value, **r.given("Description", "KmsKeyId", "Tags")},
    )
    arn = answer("ARN")
    r.around.remember("secret", arn, value)
    r.around.remember("secret", name, value)
    return Made(arn, {"Id": arn})


def _generated(r: Resource) -> Any:
    """A random value, alone or as a member of the template's document."""
    path = (*r.path, "GenerateSecretString")
    found = r.get("GenerateSecretString")
    if not isinstance(found, dict):
        raise PropertyError(r.path, "a secret has SecretString or GenerateSecretString")
    about = {"GenerateStringKey", "SecretStringTemplate"}
    request = {name: Given(one, (*path, name)) for name, one in found.items() if name not in about}
    password = r.call("secretsmanager.get_random_password", request)("RandomPassword")
    if not found.keys() & about:
        return password
    if not about <= found.keys():
        raise PropertyError(path, "GenerateStringKey and SecretStringTemplate go together")
    return apply(with_member, found["SecretStringTemplate"], found["GenerateStringKey"], password)


def _log_group(r: Resource) -> Made:
    name = r.named("LogGroupName", 512)
    r.call(
        "logs.create_log_group",
        {"logGroupName": name, "tags": r.tags(), **r.given("KmsKeyId", LogGroupClass="logGroupClass")},
    )
    for given in r.given("RetentionInDays").values():
        r.call("logs.put_retention_policy", {"logGroupName": name, "retentionInDays": given})
    return Made(name, {"Arn": r.arn("logs", text(["log-group:", name, ":*"]))})


_FILE_SYSTEM = "AvailabilityZoneName Encrypted KmsKeyId PerformanceMode ProvisionedThroughputInMibps ThroughputMode"


def _file_system(r: Resource) -> Made:
    backup = r.get("BackupPolicy")
    if backup is not None and backup not in ({"Status": "ENABLED"}, {"Status": "DISABLED"}):
        raise PropertyError((*r.path, "BackupPolicy"), "BackupPolicy has the Status ENABLED or DISABLED")
    answer = r.call(
        "efs.create_file_system",
        {
            "CreationToken": r.label,
            "Backup": backup == {"Status": "ENABLED"},
            **r.given(*_FILE_SYSTEM.split(), FileSystemTags="Tags"),
        },
    )
    name = answer("FileSystemId")
    for given in r.given("LifecyclePolicies").values():
        r.call("efs.put_lifecycle_configuration", {"FileSystemId": name, "LifecyclePolicies": given})
    return Made(name, {"Arn": answer("FileSystemArn"), "FileSystemId": name})


def _mount_target(r: Resource) -> Made:
    answer = r.call("efs.create_mount_target", r.given("FileSystemId", "IpAddress", "SecurityGroups", "SubnetId"))
    target = answer("MountTargetId")
    return Made(target, {"Id": target, "IpAddress": answer("IpAddress")})


def _access_point(r: Resource) -> Made:
    answer = r.call(
        "efs.create_access_point",
        {"ClientToken": r.label, **r.given("FileSystemId", "PosixUser", "RootDirectory", AccessPointTags="Tags")},
    )
    point = answer("AccessPointId")
    return Made(point, {"AccessPointId": point, "Arn": answer("AccessPointArn")})


_REPOSITORY = "EncryptionConfiguration ImageScanningConfiguration ImageTagMutability Tags"


def _repository(r: Resource) -> Made:
    name = r.get("RepositoryName") or r.name().lower()
    answer = r.call("ecr.create_repository", {"repositoryName": name, **r.given(*_REPOSITORY.split())})
    place = r.around.place
    # Known beforehand, so that an image of it can be named in [images].
    uri = text([f"{place.account}.dkr.ecr.{place.region}.amazonaws.com/", name])
    return Made(name, {"Arn": answer("repository.repositoryArn"), "RepositoryUri": uri})


def _bucket(r: Resource) -> Made:
    name = r.get("BucketName") or r.name(63).lower()
    r.call("s3.create_bucket", {"Bucket": name})
    tags = [{"Key": key, "Value": value} for key, value in r.tags().items()]
    if tags:
        r.call("s3.put_bucket_tagging", {"Bucket": name, "Tagging": {"TagSet": tags}})
    return Made(
        name,
        {"Arn": text(["arn:aws:s3:::", name]), "DomainName": text([name, ".s3.amazonaws.com"])},
    )


KINDS: dict[str, Kind] = {
    "AWS::ECR::Repository": kind(f"{_REPOSITORY} RepositoryName", "Arn RepositoryUri", _repository),
    "AWS::EFS::AccessPoint": kind(
        "AccessPointTags FileSystemId PosixUser RootDirectory", "AccessPointId Arn", _access_point
    ),
    "AWS::EFS::FileSystem": kind(
        f"{_FILE_SYSTEM} BackupPolicy FileSystemTags LifecyclePolicies", "Arn FileSystemId", _file_system
    ),
    "AWS::EFS::MountTarget": kind("FileSystemId IpAddress SecurityGroups SubnetId", "Id IpAddress", _mount_target),
    "AWS::Logs::LogGroup": kind("KmsKeyId LogGroupClass LogGroupName RetentionInDays Tags", "Arn", _log_group),
    "AWS::S3::Bucket": kind("BucketName Tags", "Arn DomainName", _bucket),
    "AWS::SSM::Parameter": kind(
        "AllowedPattern DataType Description Name Tags Tier Type Value", "Type Value", _parameter
    ),
    "AWS::SecretsManager::Secret": kind(
        "Description GenerateSecretString KmsKeyId Name SecretString Tags", "Id", _secret
    ),
}
