"""The trace header of the request that moto is answering: SQS and SNS send it along with what they are given."""

from __future__ import annotations

from contextvars import ContextVar

TRACE_ID: ContextVar[str] = ContextVar("TRACE_ID", default="")
"""The X-Amzn-Trace-Id header of the present request; "" without."""
