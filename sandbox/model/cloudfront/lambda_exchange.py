"""One request through the functions of the viewer's side, or of the origin's: which one runs when.

    step = exchange.begin()
    while not isinstance(step, Answer):
        if isinstance(step, Run):        # invoke the function, and say what came of it
            step = exchange.ran(outcome)
        else:                            # Forward: send the request on, and say what came back
            step = exchange.came(response)

Amazon CloudFront Developer Guide, "CloudFront events that can trigger a Lambda@Edge function", "HTTP 502 status code
(Lambda validation error)", "HTTP 503 status code (Service Unavailable)", "Test and debug Lambda@Edge functions".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.model.cloudfront.lambda_edge import Association, Trigger
from sandbox.model.cloudfront.lambda_events import EdgeRequest, EdgeResponse, Place, request_event, response_event
from sandbox.model.cloudfront.lambda_results import InvalidResultError, of_request, of_response

GENERATED = "LambdaGeneratedResponse"
_STATUS = {"LambdaValidationError": 502, "LambdaExecutionError": 503, "LambdaLimitExceeded": 503}
_REASON = {502: "Bad Gateway", 503: "Service Unavailable"}


@dataclass(frozen=True, slots=True)
class Run:
    """A function is to be invoked with an event."""

    association: Association
    event: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Forward:
    """A request is to be sent on: to the cache, or to the origin that it names."""

    request: EdgeRequest


@dataclass(frozen=True, slots=True)
class Answer:
    """The end.

    Attributes:
        response: Its body is the one that came where it has none.
        x_cache: What X-Cache is to say, without "from cloudfront"; "" where it says what it would without functions.
        detail: What the log of the distribution gets.
    """

    response: EdgeResponse
    x_cache: str = ""
    detail: str = ""

    @property
    def failed(self) -> bool:
        """Whether a function is to blame for this answer."""
        return self.x_cache in _STATUS


Step = Run | Forward | Answer


@dataclass(frozen=True, slots=True)
class Returned:
    """What a function returned."""

    value: object


@dataclass(frozen=True, slots=True)
class Failed:
    """A function failed.

    Attributes:
        throttled: Lambda did not run it at all.
        error: Its error, for the log.
    """

    throttled: bool = False
    error: str = ""


class Exchange:
    """A request, and the answer to it, at one side.

    Args:
        side: "viewer" or "origin".
        functions: The associations of the cache behaviour.
        place: What events say of the distribution.
        request: As it came.
    """

    def __init__(self, side: str, functions: Mapping[Trigger, Association], place: Place, request: EdgeRequest) -> None:
        self._on_request = functions.get("viewer-request" if side == "viewer" else "origin-request")
        self._on_response = functions.get("viewer-response" if side == "viewer" else "origin-response")
        self._side = side
        self._place = place
        self._request = request
        self._response: EdgeResponse | None = None

    def begin(self) -> Step:
        """The first step."""
        run = self._on_request
        if run is None:
            return Forward(self._request)
        return Run(run, request_event(self._place, run.trigger, self._request, run.include_body))

    def ran(self, outcome: Returned | Failed) -> Step:
        """What follows the function's end."""
        if isinstance(outcome, Failed):
            return _failed(outcome)
        try:
            if self._response is not None:
                assert self._on_response is not None
                return Answer(of_response(self._on_response.trigger, self._response, outcome.value))
            run = self._on_request
            assert run is not None
            made = of_request(run.trigger, self._request, run.include_body, outcome.value)
        except InvalidResultError as error:
            words = f"The Lambda function result failed validation: {error.words}"
            return _error("LambdaValidationError", words, f"ERROR Validation error: {error.detail}")
        if isinstance(made, EdgeResponse):
            return Answer(made, GENERATED)
        self._request = made
        return Forward(made)

    def came(self, response: EdgeResponse, *, no_answer: bool = False, x_cache: str = "") -> Step:
        """What follows the answer.

        Args:
            response: The answer.
            no_answer: It is CloudFront's own: the origin gave none.
            x_cache: Of an answer from the cache, without "from cloudfront".
        """
        run = self._on_response
        if run is None or no_answer or (self._side == "viewer" and not _shown_to_viewers(response, x_cache)):
            return Answer(response)
        self._response = response
        return Run(run, response_event(self._place, run.trigger, self._request, response))


def _shown_to_viewers(response: EdgeResponse, x_cache: str) -> bool:
    """Whether a viewer response function runs: not for errors, nor for the custom pages that stand for them."""
    return response.status < 400 and x_cache not in {"Error", "Redirect", *_STATUS}


def _failed(outcome: Failed) -> Answer:
    if outcome.throttled:
        words = "The Lambda function associated with the CloudFront distribution was throttled."
        return _error("LambdaLimitExceeded", words, f"ERROR Limit exceeded: {outcome.error}")
    words = (
        "The Lambda function associated with the CloudFront distribution is invalid or doesn't have the required "
        "permissions."
    )
    return _error("LambdaExecutionError", words, f"ERROR Execution error: {outcome.error}")


def _error(kind: str, words: str, detail: str) -> Answer:
    status = _STATUS[kind]
    page = (
        "<!DOCTYPE html><html><head><title>ERROR: The request could not be satisfied</title></head><body>\n"
        f"<h1>{status} ERROR</h1><h2>The request could not be satisfied.</h2>\n<p>{words}</p>\n</body></html>\n"
    )
    headers = (("Server", "CloudFront"), ("Content-Type", "text/html"))
    return Answer(EdgeResponse(status, _REASON[status], headers, page.encode()), kind, detail)
