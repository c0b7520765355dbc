"""Concurrency of the Lambda API: what functions reserve, and which invocations are throttled."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sandbox.aws.lambda_runtime.function import FunctionConfig
from sandbox.aws.protocol import AwsError, RequestContext
from sandbox.aws.services.lambda_code import UNPACKED_LIMIT
from sandbox.aws.services.lambda_functions import FunctionStore
from sandbox.aws.services.lambda_requests import invalid
from sandbox.model.lambda_concurrency import ACCOUNT_LIMIT, Concurrency, ReservationError

Request = dict[str, Any]
Answer = dict[str, Any]

# "Lambda quotas"
_STORAGE = 75 * 2**30
_ZIPPED_LIMIT = 50 * 2**20


class ConcurrencyOperations:
    """The API's operations on concurrency.

    Args:
        store: The functions.
    """

    def __init__(self, store: FunctionStore) -> None:
        self._store = store
        self._concurrency: defaultdict[str, Concurrency] = defaultdict(Concurrency)  # by region
        self._concurrency_lock = threading.Lock()

    def put_function_concurrency(self, request: Request, context: RequestContext) -> Answer:
        """PutFunctionConcurrency; holds for invocations from now on."""
        config = self._store.find(request, context).config
        count = request["ReservedConcurrentExecutions"]
        with self._concurrency_lock:
            try:
                self._concurrency[config.region].reserve(config.arn, count)
            except ReservationError as error:
                raise invalid(str(error)) from error
        return {"ReservedConcurrentExecutions": count}

    def get_function_concurrency(self, request: Request, context: RequestContext) -> Answer:
        """GetFunctionConcurrency; empty where nothing is reserved."""
        reserved = self._reserved(self._store.find(request, context).config)
        return {} if reserved is None else {"ReservedConcurrentExecutions": reserved}

    def delete_function_concurrency(self, request: Request, context: RequestContext) -> Answer:
        """DeleteFunctionConcurrency."""
        self._unreserve(self._store.find(request, context).config)
        return {}

    def get_account_settings(self, request: Request, context: RequestContext) -> Answer:
        """GetAccountSettings, of the request's region."""
        functions = self._store.in_region(context.region)
        with self._concurrency_lock:
            unreserved = self._concurrency[context.region].unreserved
        return {
            "AccountLimit": {
                "TotalCodeSize": _STORAGE,
                "CodeSizeUnzipped": UNPACKED_LIMIT,
                "CodeSizeZipped": _ZIPPED_LIMIT,
                "ConcurrentExecutions": ACCOUNT_LIMIT,
                "UnreservedConcurrentExecutions": unreserved,
            },
            "AccountUsage": {
                "TotalCodeSize": sum(len(function.config.code) for function in functions),
                "FunctionCount": len(functions),
            },
        }

    def _reserved(self, config: FunctionConfig) -> int | None:
        with self._concurrency_lock:
            return self._concurrency[config.region].reserved(config.arn)

    def _unreserve(self, config: FunctionConfig) -> None:
        with self._concurrency_lock:
            self._concurrency[config.region].unreserve(config.arn)

    @contextmanager
    def _admitted(self, config: FunctionConfig) -> Iterator[None]:
        """For the time of an invocation.

        Raises:
            AwsError: TooManyRequestsException: it is throttled.
        """
        with self._concurrency_lock:
            reason = self._concurrency[config.region].begin(config.arn)
        if reason is not None:
            members = {"Reason": reason, "Type": "User"}
            raise AwsError("TooManyRequestsException", "Rate Exceeded.", 429, members=members)
        try:
            yield
        finally:
            with self._concurrency_lock:
                self._concurrency[config.region].end(config.arn)
