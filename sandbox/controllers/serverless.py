"""EventBridge, Lambda and what SNS delivers: one protocol, and the sandbox's own that fulfils it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sandbox.aws.backends.topics import deliver_with, send_to_queue
from sandbox.aws.clients import Clients
from sandbox.aws.gateway import Gateway
from sandbox.aws.lambda_runtime.function import Result
from sandbox.aws.lambda_runtime.runtime import FunctionRuntime
from sandbox.aws.log_writer import LogWriter
from sandbox.aws.services.events import EventsService
from sandbox.aws.services.lambda_ import LambdaService
from sandbox.aws.sessions import Sessions
from sandbox.clock import Clock
from sandbox.controllers.event_targets import EventTargets
from sandbox.controllers.events import EventDelivery
from sandbox.controllers.notifications import NotificationDelivery
from sandbox.timeline import Timeline


class EventBus(Protocol):
    """EventBridge, as AWS's own services use it."""

    def publish(self, event: Mapping[str, Any]) -> None:
        """Put an event, envelope and all, on the default bus of its region; any source is taken. Returns at once."""


class Functions(Protocol):
    """Lambda, as CloudFront and IAM use it.

    Attributes:
        is_replicated: Whether a distribution has the version of an ARN: it cannot be deleted then.
    """

    is_replicated: Callable[[str], bool]

    def run_at_edge(self, arn: str, payload: bytes, trigger: str) -> Result:
        """Run a published version as Lambda@Edge does, and wait for its result.

        Raises:
            AwsError: It is throttled, or there is no such version, or it cannot be run now.
        """

    def policy(self, arn: str) -> str | None:
        """The policy of a function or of one of its versions; None where there is none."""

    def edge_function(self, arn: str) -> Mapping[str, Any] | None:
        """The FunctionConfiguration of a published version by its ARN; None where there is none."""


@dataclass(frozen=True)
class Parts:
    """What EventBridge and Lambda are made of.

    Attributes:
        aws: Clients of the endpoint.
        own: The same for what the sandbox itself calls.
        gateway: The endpoint.
        logs: Writes to CloudWatch Logs.
        sessions: Those of functions' roles.
        trusts: Whether a service may assume a role.
        clock: Times what AWS does later.
        timeline: Gets the observations.
        folder: For the files of functions.
        connect: A connection from the sandbox's internet (name, port, seconds).
        endpoint_for: The endpoint's URL for this machine (True) or a container.
    """

    aws: Clients
    own: Clients
    gateway: Gateway
    logs: LogWriter
    sessions: Sessions
    trusts: Callable[[str, str], bool]
    clock: Clock
    timeline: Timeline
    folder: Path
    connect: Callable[[str, int, float], socket.socket]
    endpoint_for: Callable[[bool], str]


@dataclass(frozen=True)
class Serverless:
    """Who carries out EventBridge and Lambda.

    Attributes:
        events: EventBridge.
        functions: Lambda.
        services: The APIs that the gateway answers itself.
        open_internet: Lets functions reach the sandbox's internet, names and addresses (its range, and the socket of
            the DNS server for those who are outside).
        close: Ends functions and deliveries.
        delivery: Brings events to targets, where this process does.
        runtime: Runs functions, where this process does.
    """

    events: EventBus
    functions: Functions
    services: tuple[object, ...]
    open_internet: Callable[[str], object]
    close: Callable[[], None]
    delivery: EventDelivery | None = None
    runtime: FunctionRuntime | None = None


def own(parts: Parts) -> Serverless:
    """EventBridge and Lambda in this process. moto's SNS delivers through it, too."""
    closing = ExitStack()
    try:
        runtime = FunctionRuntime(
            parts.aws.environment(), parts.timeline, folder=parts.folder, logs=parts.logs, sessions=parts.sessions
        )
        closing.callback(runtime.close)
        functions = LambdaService(runtime, parts.timeline, parts.clock, parts.aws)
        functions.may_assume = parts.trusts
        closing.callback(functions.close)
        notifications = NotificationDelivery(
            functions, send_to_queue, parts.connect, parts.endpoint_for, parts.clock, parts.timeline
        )
        deliver_with(notifications.deliver)
        closing.callback(notifications.close)
        targets = EventTargets(functions, parts.aws, parts.clock)
        delivery = EventDelivery(targets, parts.timeline, parts.clock)
        closing.callback(delivery.close)
        events = EventsService(delivery, parts.clock)
        targets.forward = events.receive
    except BaseException:
        closing.close()
        raise

    def open_internet(where: str) -> None:
        runtime.internet = where

    return Serverless(events, functions, (functions, events), open_internet, closing.close, delivery, runtime)
