"""Errors of services that are not our own, in the form in which their clients read them."""

from __future__ import annotations

import json
from xml.sax.saxutils import escape

from sandbox.aws.protocol import AwsError, HttpRequest, HttpResponse


def backend_refusal(error: AwsError, request: HttpRequest, service: str) -> HttpResponse:
    """The answer to a call of a service that is not our own, which is refused before that gets it."""
    as_json = "x-amz-target" in request.headers or "json" in request.headers["content-type"]
    headers, body = error_answer(service, error.code, error.message, as_json=as_json)
    return HttpResponse(error.status, headers, body.encode())


def error_answer(service: str, code: str, message: str, *, as_json: bool) -> tuple[dict[str, str], str]:
    """Headers and body of an error.

    Args:
        service: The service's name in signatures.
        code: AWS's name of the error.
        message: What it says.
        as_json: The request was JSON.
    """
    if as_json:
        body = json.dumps({"__type": code, "message": message})
        return {"Content-Type": "application/json", "x-amzn-ErrorType": code}, body
    text = f"<Code>{code}</Code><Message>{escape(message)}</Message>"
    if service == "ec2":
        return {"Content-Type": "text/xml"}, f"<Response><Errors><Error>{text}</Error></Errors></Response>"
    if service == "s3":
        return {"Content-Type": "text/xml"}, f"<Error>{text}</Error>"
    return {"Content-Type": "text/xml"}, f"<ErrorResponse><Error>{text}</Error></ErrorResponse>"
