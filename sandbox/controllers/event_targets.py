"""Calls the targets of EventBridge's rules: one attempt, in the way of each kind of target.

"Event bus targets in Amazon EventBridge". Functions and event buses are called as they are here; the other services
through a client of the sandbox's own endpoint, whoever answers for them there.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError

from sandbox.aws.clients import Clients
from sandbox.aws.protocol import AwsError
from sandbox.aws.services.events_state import Arrival
from sandbox.aws.services.lambda_ import LambdaService
from sandbox.aws.services.lambda_requests import check_event
from sandbox.clock import Clock
from sandbox.model.eventbridge_input import log_event, target_input
from sandbox.model.eventbridge_recursion import Lineage, started_by
from sandbox.model.eventbridge_retry import Failure, classify
from sandbox.model.eventbridge_transformer import InvalidJsonError

# What RunTask takes of an input: the API's TaskOverride.
_OVERRIDES = (
    "containerOverrides",
    "cpu",
    "memory",
    "taskRoleArn",
    "executionRoleArn",
    "ephemeralStorage",
    "inferenceAcceleratorOverrides",
)


@dataclass(frozen=True, slots=True)
class Job:
    """An event on its way to a target of a rule, a Target of the API."""

    rule_arn: str
    target: Mapping[str, Any]
    arrival: Arrival

    @property
    def rule(self) -> str:
        """The rule's name."""
        return self.rule_arn.rpartition("/")[2]

    @property
    def arn(self) -> str:
        """The target's."""
        return str(self.target["Arn"])

    @property
    def service(self) -> str:
        """The service of the target ("lambda")."""
        return self.arn.split(":")[2]

    def input(self) -> str:
        """What the target is given.

        Raises:
            InvalidJsonError: A JSON template became no JSON.
        """
        return target_input(self.target, self.arrival.event, rule_arn=self.rule_arn, ingested=self.arrival.at)


class TargetError(Exception):
    """A target did not take an event."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.code}: {failure.message}")
        self.failure = failure


class EventTargets:
    """Knows how to call each kind of target.

    Args:
        functions: Where Lambda targets are.
        aws: Makes clients of the sandbox's endpoint, when the first event for a service comes.
        clock: Dates log events.

    Attributes:
        forward: Puts an event on another bus, by ARN (see `EventsService.receive`); set once EventBridge is there.
    """

    def __init__(self, functions: LambdaService, aws: Clients, clock: Clock) -> None:
        self._functions = functions
        self._aws = aws
        self._clock = clock
        self.forward: Callable[[str, Arrival], None] | None = None

    def invoke(
        self,
        job: Job,
        lineage: Lineage,
        *,
        accepted: Callable[[], object],
        submit: Callable[[Callable[[], None]], None],
    ) -> None:
        """Hand an event over; returns when the target has taken it or, a function, has run for the first time.

        Args:
            job: What goes where.
            lineage: How the event came to be; a function's trace header has it.
            accepted: Called once the target has it.
            submit: Is given what a function's own retries have to run later.

        Raises:
            TargetError: The target did not take it.
        """
        try:
            if job.service == "lambda":
                payload = job.input().encode()
                check_event(payload, "Event")
                self._functions.deliver(
                    job.arn,
                    payload,
                    trigger=f"events:{job.rule}",
                    accepted=accepted,
                    submit=submit,
                    lineage=lineage.header(),
                )
                return
            {
                "events": self._to_bus,
                "sns": self._to_topic,
                "sqs": self._to_queue,
                "logs": self._to_log_group,
                "ecs": self._to_cluster,
                "codepipeline": self._to_pipeline,
            }[job.service](job)
        except InvalidJsonError as error:
            raise TargetError(Failure("INVALID_JSON", str(error), retryable=False)) from error
        except AwsError as error:
            raise TargetError(classify(error.code, error.message, error.status)) from error
        except ClientError as error:
            raise TargetError(_of_client(error)) from error
        except ReadTimeoutError as error:
            raise TargetError(Failure("TIMEOUT", str(error), retryable=True)) from error
        except BotoCoreError as error:
            raise TargetError(Failure("CONNECTION_FAILURE", str(error), retryable=True)) from error
        accepted()

    def send_to_queue(self, arn: str, body: str, **more: Any) -> None:
        """SendMessage to a queue by its ARN.

        Raises:
            ClientError, BotoCoreError: It was refused or could not be sent.
        """
        _, _, _, region, account, name = arn.split(":", 5)
        url = f"{self._aws.endpoint_url}/{account}/{name}"
        self._aws("sqs", region).send_message(QueueUrl=url, MessageBody=body, **more)

    def _to_bus(self, job: Job) -> None:
        assert self.forward is not None
        self.forward(job.arn, job.arrival)

    def _to_topic(self, job: Job) -> None:
        self._client("sns", job).publish(TopicArn=job.arn, Message=job.input())

    def _to_queue(self, job: Job) -> None:
        self.send_to_queue(job.arn, job.input(), **job.target.get("SqsParameters", {}))

    def _to_log_group(self, job: Job) -> None:
        """One stream for each event, as users have seen it."""
        client = self._client("logs", job)
        group = job.arn.split(":")[6]
        stream = str(uuid.uuid4())
        message, at = log_event(job.input())
        client.create_log_stream(logGroupName=group, logStreamName=stream)
        event = {"timestamp": int(1000 * (self._clock.now() if at is None else at)), "message": message}
        client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[event])

    def _to_cluster(self, job: Job) -> None:
        given = dict(job.target["EcsParameters"])
        request: dict[str, Any] = {
            "cluster": job.arn,
            "taskDefinition": given.pop("TaskDefinitionArn"),
            "count": given.pop("TaskCount", 1),
            "startedBy": started_by(job.rule),
        }
        network = given.pop("NetworkConfiguration", {}).get("awsvpcConfiguration")
        if network:
            request["networkConfiguration"] = {"awsvpcConfiguration": _small(network)}
        tags = given.pop("Tags", [])
        if tags:
            request["tags"] = [_small(tag) for tag in tags]
        request |= _small(given)
        overrides = _overrides(job)
        if overrides:
            request["overrides"] = overrides
        failures = self._client("ecs", job).run_task(**request)["failures"]
        if failures:
            reason = ", ".join(f"{failure.get('arn', '')} {failure.get('reason', '')}".strip() for failure in failures)
            raise TargetError(Failure("ERROR_FROM_TARGET", reason, retryable=True))

    def _to_pipeline(self, job: Job) -> None:
        """Nothing of the event goes to a pipeline."""
        self._client("codepipeline", job).start_pipeline_execution(name=job.arn.split(":")[5])

    def _client(self, service: str, job: Job) -> Any:
        return self._aws(service, job.arn.split(":")[3])


def _small(members: Mapping[str, Any]) -> dict[str, Any]:
    """Members by the names that ECS gives them: EventBridge's begin with a capital."""
    return {name[:1].lower() + name[1:]: value for name, value in members.items()}


def _overrides(job: Job) -> dict[str, Any]:
    """Nothing of the event goes to a task, but what Input, InputPath or InputTransformer make of it."""
    if not any(member in job.target for member in ("Input", "InputPath", "InputTransformer")):
        return {}
    text = job.input()
    try:
        value = json.loads(text)
    except ValueError as error:
        raise InvalidJsonError(text) from error
    return {name: value[name] for name in _OVERRIDES if name in value} if isinstance(value, dict) else {}


def _of_client(error: ClientError) -> Failure:
    told = error.response["Error"]
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
    return classify(told.get("Code", ""), told.get("Message", ""), status)
