"""When a signature is too old or too new, and in which words each kind of service says so."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.signature import Refusal, refusal, region_refusal

NOW = 1767258000.0  # 2026-01-01T09:00:00Z
FORM = "%Y%m%dT%H%M%SZ"


def asked(seconds, service="ecs", *, is_form=False, has_target=True):
    signed = datetime.fromtimestamp(NOW + seconds, UTC).strftime(FORM)
    return refusal(service, signed, NOW, is_form=is_form, has_target=has_target)


def test_the_words_of_a_json_service():
    assert asked(-301) == Refusal(
        "InvalidSignatureException",
        "Signature expired: 20260101T085459Z is now earlier than 20260101T085500Z (20260101T090000Z - 5 min.)",
        400,
    )
    assert asked(301) == Refusal(
        "InvalidSignatureException",
        "Signature not yet current: 20260101T090501Z is still later than 20260101T090500Z (20260101T090000Z + 5 min.)",
        400,
    )


@pytest.mark.parametrize(
    ("service", "is_form", "has_target", "code", "status"),
    [
        ("sts", True, False, "SignatureDoesNotMatch", 403),
        ("route53", False, False, "SignatureDoesNotMatch", 403),
        ("lambda", False, False, "InvalidSignatureException", 403),
        ("ssm", False, True, "InvalidSignatureException", 400),
    ],
)
def test_each_protocol_has_its_code(service, is_form, has_target, code, status):
    found = asked(-600, service, is_form=is_form, has_target=has_target)
    assert (found.code, found.status) == (code, status)


def test_s3_has_fifteen_minutes_and_words_of_its_own():
    assert asked(-899, "s3", has_target=False) is None
    found = asked(901, "s3", has_target=False)
    assert found == Refusal(
        "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.", 403
    )


@pytest.mark.parametrize("signed", ["", "2026-01-01", "20260101T090000+", "2026010xT090000Z", "99999999T999999Z9"])
def test_a_time_that_cannot_be_read_is_let_through(signed):
    assert refusal("ecs", signed, NOW, is_form=False, has_target=True) is None


@given(st.integers(-90_000, 90_000))
def test_exactly_those_more_than_five_minutes_off_are_refused(seconds):
    assert (asked(seconds) is None) == (abs(seconds) <= 300)


@given(st.text(alphabet="0123456789TZ", max_size=18))
def test_whatever_the_header_says(signed):
    found = refusal("ecs", signed, NOW, is_form=False, has_target=True)
    assert found is None or found.code == "InvalidSignatureException"


@pytest.mark.parametrize(
    ("service", "is_form", "has_target", "expected"),
    [
        ("ecs", False, True, ("InvalidSignatureException", 400)),
        ("lambda", False, False, ("InvalidSignatureException", 403)),
        ("ec2", True, False, ("SignatureDoesNotMatch", 403)),
        ("cloudfront", False, False, ("SignatureDoesNotMatch", 403)),
    ],
)
def test_a_region_that_there_is_not(service, is_form, has_target, expected):
    protocol = {"is_form": is_form, "has_target": has_target}
    assert region_refusal(service, "eu-west-1", {"eu-west-1"}, **protocol) is None
    found = region_refusal(service, "us-esat-1", {"us-east-1", "eu-west-1"}, **protocol)
    assert (found.code, found.status) == expected
    assert found.message == "Credential should be scoped to a valid region, not 'us-esat-1'."


def test_s3_tells_of_the_header():
    assert region_refusal("s3", "us-esat-1", {"us-east-1"}, is_form=False, has_target=False) == Refusal(
        "AuthorizationHeaderMalformed",
        "The authorization header is malformed; the region 'us-esat-1' is wrong; expecting 'us-east-1'",
        400,
    )
