"""Recursive loops of the Lambda API: functions that cause their own invocation, and are stopped."""

from __future__ import annotations

from typing import Any

from sandbox.aws.protocol import AwsError, RequestContext
from sandbox.aws.services.lambda_functions import Function, FunctionStore
from sandbox.model.lambda_recursion import LIMIT, enter

Request = dict[str, Any]
Answer = dict[str, Any]

RECURSIVE = "RecursiveInvocationException"


class RecursionOperations:
    """The API's operations on recursive loop detection.

    Args:
        store: The functions.
    """

    def __init__(self, store: FunctionStore) -> None:
        self._store = store

    def put_function_recursion_config(self, request: Request, context: RequestContext) -> Answer:
        """PutFunctionRecursionConfig: Allow or Terminate."""
        self._store.find(request, context).recursive_loop = request["RecursiveLoop"]
        return {"RecursiveLoop": request["RecursiveLoop"]}

    def get_function_recursion_config(self, request: Request, context: RequestContext) -> Answer:
        """GetFunctionRecursionConfig."""
        return {"RecursiveLoop": self._store.find(request, context).recursive_loop}

    def _entered(self, function: Function, trace_id: str) -> str:
        """What the trace header of an invocation has of the chain that it is in.

        Raises:
            AwsError: RecursiveInvocationException: it goes round in circles.
        """
        count, lineage = enter(trace_id, function.config.name)
        if count > LIMIT and function.recursive_loop == "Terminate":
            raise AwsError(
                RECURSIVE,
                "Lambda has detected your function being invoked in a recursive loop with other AWS resources and "
                "stopped your function's invocation.",
                members={"Type": "User"},
            )
        return lineage
