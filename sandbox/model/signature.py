"""The time and the region of a signature: AWS refuses a request whose clock is too far from its own, or whose region
there is not.

Rules of the time: IAM user guide "AWS Signature Version 4 for API requests" (in most cases a request has to come
within five minutes of its time stamp); Amazon S3 API reference "Error responses" (RequestTimeTooSkewed) and its
answers, which say 900 s. Codes and words of the others as seen: amazon-ecs-agent 1513 and aws-sdk-js 527
(InvalidSignatureException, JSON services), convox/rack 235 (SignatureDoesNotMatch, query services). Of regions:
aws-sdk-java 1097, JuliaCloud/AWS.jl 565 (SignatureDoesNotMatch), aws-sdk-js 4545 (InvalidSignatureException); Amazon
S3 API reference "Error responses" (AuthorizationHeaderMalformed).
"""

from __future__ import annotations

from calendar import timegm
from collections.abc import Container
from dataclasses import dataclass
from datetime import UTC, datetime

MINUTES, S3_MINUTES = 5, 15

_FORM = "%Y%m%dT%H%M%SZ"
_LENGTH = len("20260101T000000Z")
# Services whose errors are XML, although their requests are no forms.
_REST_XML = frozenset({"route53", "cloudfront"})


@dataclass(frozen=True)
class Refusal:
    """What AWS answers."""

    code: str
    message: str
    status: int


def refusal(service: str, signed: str, now: float, *, is_form: bool, has_target: bool) -> Refusal | None:
    """Why a request comes at the wrong time; None where it does not, or where its time cannot be read.

    Args:
        service: As in the credential scope.
        signed: X-Amz-Date, such as "20260101T000000Z".
        now: Seconds since the epoch.
        is_form: It is of the query protocol.
        has_target: It names its operation in X-Amz-Target, as those of the JSON protocols do.
    """
    at = _seconds(signed)
    allowed = (S3_MINUTES if service == "s3" else MINUTES) * 60
    if at is None or abs(now - at) <= allowed:
        return None
    if service == "s3":
        message = "The difference between the request time and the current time is too large."
        return Refusal("RequestTimeTooSkewed", message, 403)
    here = _shown(now)
    if at < now:
        message = f"Signature expired: {signed} is now earlier than {_shown(now - allowed)} ({here} - {MINUTES} min.)"
    else:
        late = _shown(now + allowed)
        message = f"Signature not yet current: {signed} is still later than {late} ({here} + {MINUTES} min.)"
    return _refused(service, message, is_form=is_form, has_target=has_target)


def region_refusal(
    service: str, region: str, regions: Container[str], *, is_form: bool, has_target: bool
) -> Refusal | None:
    """Why a request's region will not do; None where there is such a region.

    Args:
        service: As in the credential scope.
        region: As in the credential scope.
        regions: Those that there are.
        is_form: See `refusal`.
        has_target: See there.
    """
    if region in regions:
        return None
    if service == "s3":
        return Refusal(
            "AuthorizationHeaderMalformed",
            f"The authorization header is malformed; the region '{region}' is wrong; expecting 'us-east-1'",
            400,
        )
    message = f"Credential should be scoped to a valid region, not '{region}'."
    return _refused(service, message, is_form=is_form, has_target=has_target)


def _refused(service: str, message: str, *, is_form: bool, has_target: bool) -> Refusal:
    if is_form or service in _REST_XML:
        return Refusal("SignatureDoesNotMatch", message, 403)
    return Refusal("InvalidSignatureException", message, 400 if has_target else 403)


def _seconds(text: str) -> int | None:
    # Not by strptime, which takes longer than all else that the gateway does before it calls a service.
    if len(text) != _LENGTH or text[8] != "T" or text[15] != "Z" or not (text[:8] + text[9:15]).isdecimal():
        return None
    return timegm((int(text[:4]), int(text[4:6]), int(text[6:8]), int(text[9:11]), int(text[11:13]), int(text[13:15])))


def _shown(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime(_FORM)
