"""What a task's containers need of AWS before they start: secrets, environment files, log streams.

All of it is asked of the sandbox's own endpoint. Values never reach the timeline, an event or a description.
"""

from __future__ import annotations

from collections.abc import Iterable

from botocore.exceptions import BotoCoreError, ClientError

from sandbox.aws.clients import Clients
from sandbox.aws.log_writer import LogWriter
from sandbox.model.ecs.containerdef import ContainerDefinition
from sandbox.model.ecs.environment_files import variables
from sandbox.model.ecs.secrets import ManagedSecret, Parameter, Secret, json_value
from sandbox.model.ecs.taskdef import TaskDefinition

_RESOURCE = "ResourceInitializationError"
_SECRETS = f"{_RESOURCE}: unable to pull secrets or registry auth: execution resource retrieval failed"
_RETRIED = "service call has been retried 1 time(s)"
_PARAMETERS_A_CALL = 10  # GetParameters


class Unavailable(Exception):
    """Something cannot be had; the reason of the task's end, in ECS's words (seen in stoppedReason)."""


class TaskResources:
    """Looks things up for tasks.

    Args:
        aws: Clients of the sandbox's endpoint.
        logs: Makes the log streams.
    """

    def __init__(self, aws: Clients, logs: LogWriter) -> None:
        self._aws = aws
        self._logs = logs

    def prepare(self, task_id: str, definition: TaskDefinition) -> dict[str, dict[str, str]]:
        """Make the log streams; the environment that each container gets of its secrets and files.

        ``environment`` of the definition comes before the files', which this leaves out then.

        Raises:
            Unavailable: Something cannot be had.
        """
        secret = {c.name: self._secrets(c.secrets) for c in definition.containers if c.secrets}
        found = {}
        for container in definition.containers:
            own = {item["name"] for item in container.raw["environment"]}
            files = {name: value for name, value in self._files(container).items() if name not in own}
            found[container.name] = {**files, **secret.get(container.name, {})}
        for container in definition.containers:
            self._open_log(container, task_id)
        return found

    def _secrets(self, wanted: Iterable[Secret]) -> dict[str, str]:
        parameters: dict[str, list[tuple[str, str]]] = {}
        values = {}
        for secret in wanted:
            match secret.source:
                case Parameter(name, region):
                    parameters.setdefault(region, []).append((secret.name, name))
                case ManagedSecret():
                    values[secret.name] = self._managed(secret.source)
        for region, named in parameters.items():
            found = self._parameters(region, sorted({parameter for _, parameter in named}))
            values.update({variable: found[parameter] for variable, parameter in named})
        return values

    def _parameters(self, region: str, names: list[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        invalid: list[str] = []
        for start in range(0, len(names), _PARAMETERS_A_CALL):
            try:
                answer = self._aws("ssm", region or None).get_parameters(
                    Names=names[start : start + _PARAMETERS_A_CALL], WithDecryption=True
                )
            except (ClientError, BotoCoreError) as error:
                raise Unavailable(f"{_SECRETS}: unable to retrieve secrets from ssm: {_RETRIED}: {error}") from error
            found.update({item["Name"]: item["Value"] for item in answer["Parameters"]})
            invalid += answer["InvalidParameters"]
        if invalid:
            raise Unavailable(
                f"{_SECRETS}: unable to retrieve secrets from ssm: {_RETRIED}: invalid parameters: {', '.join(invalid)}"
            )
        return found

    def _managed(self, source: ManagedSecret) -> str:
        version = {"VersionStage": source.version_stage, "VersionId": source.version_id}
        given = {name: value for name, value in version.items() if value}
        failed = f"{_SECRETS}: unable to retrieve secret from asm: {_RETRIED}"
        try:
            answer = self._aws("secretsmanager", source.region).get_secret_value(SecretId=source.arn, **given)
            text = str(answer.get("SecretString", ""))
            return json_value(text, source.json_key) if source.json_key else text
        except (ClientError, BotoCoreError) as error:
            said = f"failed to fetch secret {source.arn} from secrets manager: {_words(error)}"
            raise Unavailable(f"{failed}: {said}") from error
        except LookupError as error:
            raise Unavailable(f"{failed}: {error.args[0]}") from error

    def _files(self, container: ContainerDefinition) -> dict[str, str]:
        texts = []
        for file in container.environment_files:
            try:
                body = self._aws("s3").get_object(Bucket=file.bucket, Key=file.key)["Body"].read()
                texts.append(body.decode())
            except (ClientError, BotoCoreError, UnicodeDecodeError) as error:
                said = f"{file.bucket}/{file.key}: {_words(error)}"
                raise Unavailable(f"{_RESOURCE}: failed to download env files: {_RETRIED}: {said}") from error
        return variables(texts)

    def _open_log(self, container: ContainerDefinition, task_id: str) -> None:
        target = container.log
        if target is None:
            return
        stream = target.stream(container.name, task_id)
        try:
            self._logs.open_stream(target.group, stream, region=target.region, create_group=target.create_group)
        except (ClientError, BotoCoreError) as error:
            raise Unavailable(
                f"{_RESOURCE}: failed to validate logger args: create stream has been retried 1 times: "
                f"failed to create Cloudwatch log stream: {_words(error)} : exit status 1"
            ) from error


def _words(error: Exception) -> str:
    if isinstance(error, ClientError):
        return f"{error.response['Error']['Code']}: {error.response['Error'].get('Message', '')}"
    return str(error)
