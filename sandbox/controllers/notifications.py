"""Carries what is published to SNS topics to functions, queues and HTTP endpoints, without holding up who publishes."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from typing import Protocol
from urllib.parse import urlsplit

from sandbox.aws.lambda_runtime.bootstrap import is_loopback
from sandbox.aws.lambda_runtime.workers import Workers
from sandbox.aws.protocol import AwsError
from sandbox.aws.services.lambda_ import LambdaService
from sandbox.clock import Clock
from sandbox.model.sns import REQUEST_TIMEOUT, Delivery, headers, is_tried_again, lambda_event, retry_delays, text
from sandbox.probes import http
from sandbox.timeline import Timeline

_PORTS = {"http": 80, "https": 443}


class SendToQueue(Protocol):
    """Puts a message into a queue at once."""

    def __call__(
        self,
        queue_arn: str,
        body: str,
        attributes: Mapping[str, Mapping[str, str]],
        group_id: str | None = None,
        deduplication_id: str | None = None,
    ) -> None:
        """Raises LookupError if the queue does not take it."""


class NotificationDelivery:
    """Functions and queues get a message at once; each HTTP subscription has a queue and a thread of its own.

    Timeline: ``sns.delivery`` for each attempt.

    Args:
        functions: Where functions are.
        send_to_queue: Puts a message into a queue.
        connect: A connection to a name on the sandbox's internet (host, port, seconds); OSError where there is none.
        endpoint_url: The AWS endpoint as a subscriber reaches it: on this machine (True), or in the sandbox.
        clock: Times the retries.
        timeline: See above.
    """

    def __init__(
        self,
        functions: LambdaService,
        send_to_queue: SendToQueue,
        connect: http.Connect,
        endpoint_url: Callable[[bool], str],
        clock: Clock,
        timeline: Timeline,
    ) -> None:
        self._functions = functions
        self._send_to_queue = send_to_queue
        self._connect = connect
        self._endpoint_url = endpoint_url
        self._clock = clock
        self._timeline = timeline
        self._queues: dict[str, Workers] = {}
        self._lock = threading.Lock()
        self._closed = False

    def deliver(self, delivery: Delivery) -> None:
        """Take a message to its subscriber; returns at once."""
        if self._closed:
            return
        if delivery.protocol == "lambda":
            self._to_function(delivery)
        elif delivery.protocol == "sqs":
            self._to_queue(delivery)
        else:
            with self._lock:
                queue = self._queues.setdefault(
                    delivery.subscription_arn, Workers(f"sns-{delivery.topic_arn.rpartition(':')[2]}", 1)
                )
            queue.submit(lambda: self._to_http(delivery, queue, retry_delays(delivery), 1))

    def close(self) -> None:
        """Drop what is queued."""
        with self._lock:
            self._closed = True
            queues = list(self._queues.values())
        for queue in queues:
            queue.close()

    def _to_function(self, delivery: Delivery) -> None:
        topic = delivery.topic_arn.rpartition(":")[2]
        event = json.dumps(lambda_event(delivery, self._clock.now(), self._endpoint_url(False))).encode()
        try:
            self._functions.accept(delivery.endpoint, event, trigger=f"sns:{topic}", trace_id=delivery.trace_id)
        except AwsError as error:
            self._failed(delivery, 1, str(error))
        else:
            self._record(delivery, 1, None)

    def _to_queue(self, delivery: Delivery) -> None:
        body = text(delivery, self._clock.now(), self._endpoint_url(False))
        attributes = delivery.attributes if delivery.raw else {}
        try:
            self._send_to_queue(delivery.endpoint, body, attributes, delivery.group_id, delivery.deduplication_id)
        except LookupError as error:
            self._failed(delivery, 1, str(error))
        else:
            self._record(delivery, 1, None)

    def _to_http(self, delivery: Delivery, queue: Workers, delays: list[float], attempt: int) -> None:
        local = is_loopback(urlsplit(delivery.endpoint).hostname or "")
        body = text(delivery, self._clock.now(), self._endpoint_url(local)).encode()
        result = self._post(delivery, body)
        if 200 <= result.status < 300:
            self._record(delivery, attempt, None)
        elif delays and is_tried_again(result.status) and not self._closed:
            self._record(delivery, attempt, str(result))
            self._clock.call_later(
                delays[0],
                lambda: queue.submit(lambda: self._to_http(delivery, queue, delays[1:], attempt + 1)),
            )
        else:
            self._failed(delivery, attempt, str(result))

    def _post(self, delivery: Delivery, body: bytes) -> http.HttpResult:
        parts = urlsplit(delivery.endpoint)
        port = parts.port or _PORTS[delivery.protocol]
        # The request goes over the connection that is made for it, whatever scheme the URL names.
        url = parts._replace(netloc=f"{parts.hostname}:{port}").geturl()

        def connect(host: str, port: int, timeout: float) -> socket.socket:
            made = self._open(host, port, timeout)
            return _secured(made, host) if delivery.protocol == "https" else made

        return http.request(connect, url, REQUEST_TIMEOUT, method="POST", headers=headers(delivery), body=body)

    def _open(self, host: str, port: int, timeout: float) -> socket.socket:
        if is_loopback(host):
            address = "127.0.0.1" if host.endswith("localhost") else host
            return socket.create_connection((address, port), timeout=timeout)
        return self._connect(host, port, timeout)

    def _failed(self, delivery: Delivery, attempt: int, error: str) -> None:
        """Nothing more is tried; the message goes to the dead-letter queue, if there is one."""
        if self._closed:
            return
        self._record(delivery, attempt, error)
        if delivery.dead_letters and not delivery.token:
            body = text(delivery, self._clock.now(), self._endpoint_url(False))
            try:
                self._send_to_queue(delivery.dead_letters, body, delivery.attributes if delivery.raw else {})
            except LookupError as gone:
                self._record(delivery, attempt, f"dead-letter queue: {gone}")

    def _record(self, delivery: Delivery, attempt: int, error: str | None) -> None:
        self._timeline.record(
            "sns.delivery",
            topic=delivery.topic_arn.rpartition(":")[2],
            protocol=delivery.protocol,
            endpoint=delivery.endpoint,
            message_id=delivery.message_id,
            confirmation=bool(delivery.token),
            attempt=attempt,
            error=error,
        )


def _secured(connection: socket.socket, host: str) -> socket.socket:
    """TLS without a look at the certificate: no authority vouches for a name of the sandbox."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(connection, server_hostname=host)
