"""Event source mappings of the Lambda API: queues whose messages invoke functions."""

from __future__ import annotations

import threading
import uuid
from typing import Any

from botocore.exceptions import ClientError

from sandbox.aws.clients import Clients
from sandbox.aws.lambda_runtime.function import FunctionConfig, Result
from sandbox.aws.lambda_runtime.runtime import FunctionRuntime
from sandbox.aws.protocol import AwsError, RequestContext
from sandbox.aws.services.lambda_async import AsyncOperations
from sandbox.aws.services.lambda_functions import FunctionStore
from sandbox.aws.services.lambda_poller import PollerSettings, SqsPoller
from sandbox.aws.services.lambda_requests import invalid, not_found, parse_name
from sandbox.clock import Clock
from sandbox.model.eventbridge_operators import InvalidEventPatternError
from sandbox.model.lambda_sqs import Filters
from sandbox.timeline import Timeline

Request = dict[str, Any]
Answer = dict[str, Any]

_SETTINGS = ("BatchSize", "MaximumBatchingWindowInSeconds", "FilterCriteria", "FunctionResponseTypes", "ScalingConfig")
_TAKEN = frozenset({*_SETTINGS, "EventSourceArn", "FunctionName", "Enabled", "Tags", "UUID"})
_DEFAULTS = {"BatchSize": 10, "MaximumBatchingWindowInSeconds": 0}
_SMALL_BATCH = 10  # a larger one needs a window
_FILTERS = 5  # "Lambda quotas"
# Batches of a mapping at work at once. AWS begins with five and adds more while messages wait.
_AT_ONCE = 5


class EventSourceOperations(AsyncOperations):
    """The API's operations on event source mappings.

    Args:
        store: The functions.
        runtime: Runs them.
        timeline: As of `AsyncOperations` and `SqsPoller`.
        clock: Times batching windows and retries.
        clients: Of the sandbox's endpoint, where the queues are; None refuses mappings.
    """

    def __init__(
        self,
        store: FunctionStore,
        runtime: FunctionRuntime,
        timeline: Timeline,
        clock: Clock,
        clients: Clients | None,
    ) -> None:
        AsyncOperations.__init__(self, store, runtime, timeline, clock, clients)
        self._clients = clients
        self._mappings: dict[str, Answer] = {}
        self._pollers: dict[str, SqsPoller] = {}
        self._mappings_lock = threading.Lock()

    def create_event_source_mapping(self, request: Request, context: RequestContext) -> Answer:
        """CreateEventSourceMapping, of a queue; it polls from now on."""
        queue_arn = request.get("EventSourceArn", "")
        if not queue_arn.startswith("arn:aws:sqs:"):
            raise invalid(f"The sandbox has event sources of SQS only yet, not {queue_arn or 'others'}.")
        function = self._store.find(request, context).config
        mapping: Answer = {
            "UUID": str(uuid.uuid4()),
            "EventSourceArn": queue_arn,
            "FunctionArn": function.arn,
            **_DEFAULTS,
            **self._given(request),
            "State": "Enabled" if request.get("Enabled", True) else "Disabled",
            "StateTransitionReason": "USER_INITIATED",
            "LastModified": self._clock.now(),
        }
        arn = f"arn:aws:lambda:{context.region}:{context.account_id}:event-source-mapping:{mapping['UUID']}"
        mapping["EventSourceMappingArn"] = arn
        self._check(mapping, function)
        with self._mappings_lock:
            for other in self._mappings.values():
                if (other["EventSourceArn"], other["FunctionArn"]) == (queue_arn, function.arn):
                    raise AwsError(
                        "ResourceConflictException",
                        f'An event source mapping with SQS arn (" {queue_arn} ") and function (" {function.name} ") '
                        f"already exists. Please update or delete the existing mapping with UUID {other['UUID']}",
                        409,
                    )
            self._mappings[mapping["UUID"]] = mapping
            self._start(mapping)
        return {**mapping, "State": "Creating"}

    def get_event_source_mapping(self, request: Request, context: RequestContext) -> Answer:
        """GetEventSourceMapping."""
        with self._mappings_lock:
            return self._mapping(request)

    def list_event_source_mappings(self, request: Request, context: RequestContext) -> Answer:
        """ListEventSourceMappings; one page."""
        wanted = {}
        if request.get("EventSourceArn"):
            wanted["EventSourceArn"] = request["EventSourceArn"]
        if request.get("FunctionName"):
            wanted["FunctionArn"] = parse_name(request["FunctionName"], context)[0]
        with self._mappings_lock:
            found = [m for m in self._mappings.values() if m["FunctionArn"].split(":")[3] == context.region]
        return {"EventSourceMappings": [m for m in found if wanted.items() <= m.items()]}

    def update_event_source_mapping(self, request: Request, context: RequestContext) -> Answer:
        """UpdateEventSourceMapping; what it leaves out stays."""
        with self._mappings_lock:
            old = self._mapping(request)
        enabled = request.get("Enabled", old["State"] == "Enabled")
        changed = {
            **old,
            **self._given(request),
            "State": "Enabled" if enabled else "Disabled",
            "LastModified": self._clock.now(),
        }
        if request.get("FunctionName"):
            changed["FunctionArn"] = self._store.find(request, context).config.arn
        function = self._store.get(changed["FunctionArn"])
        if function is None:
            raise not_found(f"Function not found: {changed['FunctionArn']}")
        self._check(changed, function.config)
        with self._mappings_lock:
            self._mapping(request)
            self._mappings[changed["UUID"]] = changed
            self._stop(changed)
            self._start(changed)
        return {**changed, "State": "Updating"}

    def delete_event_source_mapping(self, request: Request, context: RequestContext) -> Answer:
        """DeleteEventSourceMapping; what is at work goes on."""
        with self._mappings_lock:
            mapping = self._mapping(request)
            del self._mappings[mapping["UUID"]]
            self._stop(mapping)
        return {**mapping, "State": "Deleting"}

    def close(self) -> None:
        """Stop polling, and drop the events that wait."""
        with self._mappings_lock:
            for mapping in self._mappings.values():
                self._stop(mapping)
        super().close()

    # -- inside --

    def _mapping(self, request: Request) -> Answer:
        mapping = self._mappings.get(request["UUID"])
        if mapping is None:
            raise not_found("The resource you requested does not exist.")
        return mapping

    def _given(self, request: Request) -> Answer:
        for name in request:
            if name not in _TAKEN:
                raise invalid(f"{name} is not implemented by the sandbox for queues.")
        return {name: request[name] for name in _SETTINGS if name in request}

    def _check(self, mapping: Answer, function: FunctionConfig) -> None:
        """Refuse what AWS refuses.

        Raises:
            AwsError: InvalidParameterValueException.
        """
        size, window = mapping["BatchSize"], mapping["MaximumBatchingWindowInSeconds"]
        if mapping["EventSourceArn"].endswith(".fifo"):
            if size > _SMALL_BATCH or window:
                raise invalid("A FIFO queue has batches of 10 messages at most, and no batching window.")
        elif size > _SMALL_BATCH and not window:
            raise invalid(
                "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10"
            )
        patterns = mapping.get("FilterCriteria", {}).get("Filters", [])
        if len(patterns) > _FILTERS:
            raise invalid(f"There are {_FILTERS} filters at most.")
        try:
            _filters(mapping)
        except InvalidEventPatternError as error:
            raise invalid(f"Invalid filter pattern definition. {error}") from error
        visible = self._visibility_timeout(mapping["EventSourceArn"], function.region)
        if visible < function.timeout:
            raise invalid(
                f"Queue visibility timeout: {visible} seconds is less than Function timeout: {function.timeout} seconds"
            )

    def _visibility_timeout(self, queue_arn: str, region: str) -> int:
        if self._clients is None:
            raise invalid("This endpoint has no SQS to read from.")
        *_, queue_region, account, name = queue_arn.split(":")
        if queue_region != region:
            raise invalid(f"The queue {queue_arn} is not in the function's region, {region}.")
        sqs = self._clients("sqs", region)
        try:
            url = sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]
            found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
        except ClientError as error:
            refusal = error.response["Error"]
            raise invalid(
                f"Error occurred while ReceiveMessage. SQS Error Code: {refusal['Code']}. "
                f"SQS Error Message: {refusal['Message']}"
            ) from error
        return int(found["Attributes"]["VisibilityTimeout"])

    def _start(self, mapping: Answer) -> None:
        if mapping["State"] != "Enabled" or self._clients is None:
            return
        scaling = mapping.get("ScalingConfig", {})
        settings = PollerSettings(
            uuid=mapping["UUID"],
            queue_arn=mapping["EventSourceArn"],
            function_arn=mapping["FunctionArn"],
            batch_size=mapping["BatchSize"],
            window=mapping["MaximumBatchingWindowInSeconds"],
            filters=_filters(mapping),
            report_failures="ReportBatchItemFailures" in mapping.get("FunctionResponseTypes", ()),
            at_once=min(scaling.get("MaximumConcurrency", _AT_ONCE), _AT_ONCE),
        )
        self._pollers[settings.uuid] = SqsPoller(
            settings, self._clients, self._invoke_for_source, self._clock, self._timeline
        )

    def _stop(self, mapping: Answer) -> None:
        poller = self._pollers.pop(mapping["UUID"], None)
        if poller is not None:
            poller.end()

    def _invoke_for_source(self, function_arn: str, payload: bytes, trigger: str, trace_id: str) -> Result | None:
        function = self._store.get(function_arn)
        if function is None or self._runtime.closed:
            return None
        lineage = self._entered(function, trace_id)
        with self._admitted(function.config):
            return self._runtime.invoke(function.config, payload, trigger=trigger, lineage=lineage)


def _filters(mapping: Answer) -> Filters:
    return Filters(one.get("Pattern", "{}") for one in mapping.get("FilterCriteria", {}).get("Filters", []))
