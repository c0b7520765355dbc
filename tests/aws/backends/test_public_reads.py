"""Reads of S3 that nobody signed, by the bucket's name, as a distribution's."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.aws.backends.embedded import Embedded
from sandbox.aws.clients import Clients
from sandbox.aws.gateway import Gateway


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    backend = Embedded()
    with Gateway([], backend) as running:
        yield running
    backend.reset()


@pytest.fixture
def s3(gateway: Gateway) -> Any:
    client = Clients(gateway.url, "us-east-1")("s3")
    client.create_bucket(Bucket="files")
    client.put_object(Bucket="files", Key="a b.js", Body=b"1", ContentType="text/javascript", CacheControl="max-age=9")
    return client


def ask(gateway: Gateway, path: str, *, method: str = "GET", name: str = "files.s3.us-east-1.amazonaws.com") -> Any:
    connection = http.client.HTTPConnection(gateway.url.removeprefix("http://"), timeout=10)
    connection.request(method, path, headers={"Host": name}, body=b"x" if method == "PUT" else None)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, answer.headers, body


def let(s3: Any, *actions: str, resource: str = "arn:aws:s3:::files/*", **more: Any) -> dict[str, Any]:
    allowed = {"Effect": "Allow", "Principal": "*", "Action": list(actions), "Resource": resource, **more}
    s3.put_bucket_policy(Bucket="files", Policy=json.dumps({"Version": "2012-10-17", "Statement": [allowed]}))
    return allowed


def test_everybody_reads_what_the_policy_lets_everybody_read(gateway: Gateway, s3: Any) -> None:
    assert ask(gateway, "/a%20b.js")[0] == 403
    let(s3, "s3:GetObject")
    for name in ("files.s3.us-east-1.amazonaws.com", "files.s3.amazonaws.com"):
        status, headers, body = ask(gateway, "/a%20b.js", name=name)
        assert (status, headers["Content-Type"], headers["Cache-Control"], body) == (
            200,
            "text/javascript",
            "max-age=9",
            b"1",
        )
    assert ask(gateway, "/a%20b.js", method="HEAD")[0] == 200


def test_what_is_not_there_is_denied_to_who_may_not_list(gateway: Gateway, s3: Any) -> None:
    let(s3, "s3:GetObject")
    status, _, body = ask(gateway, "/none.js")
    assert (status, b"<Code>AccessDenied</Code>" in body) == (403, True)
    let(s3, "s3:*", resource="arn:aws:s3:::files*")
    status, _, body = ask(gateway, "/none.js")
    assert (status, b"<Code>NoSuchKey</Code>" in body) == (404, True)


def test_nobody_writes_or_lists_without_a_signature(gateway: Gateway, s3: Any) -> None:
    let(s3, "s3:GetObject")
    assert ask(gateway, "/")[0] == 403
    assert ask(gateway, "/?list-type=2")[0] == 403
    assert ask(gateway, "/mine.js", method="PUT")[0] == 403
    assert ask(gateway, "/a%20b.js", method="DELETE")[0] == 403
    assert [one["Key"] for one in s3.list_objects_v2(Bucket="files")["Contents"]] == ["a b.js"]


def test_a_policy_for_somebody_or_with_a_condition_is_not_for_everybody(gateway: Gateway, s3: Any) -> None:
    let(s3, "s3:GetObject", Principal={"Service": "cloudfront.amazonaws.com"})
    assert ask(gateway, "/a%20b.js")[0] == 403
    let(s3, "s3:GetObject", Condition={"StringEquals": {"aws:SourceArn": "arn:aws:cloudfront::1:distribution/E1"}})
    assert ask(gateway, "/a%20b.js")[0] == 403
    allowed = let(s3, "s3:GetObject", Principal={"AWS": "*"})
    assert ask(gateway, "/a%20b.js")[0] == 200
    both = [allowed, {**allowed, "Effect": "Deny"}]
    s3.put_bucket_policy(Bucket="files", Policy=json.dumps({"Version": "2012-10-17", "Statement": both}))
    assert ask(gateway, "/a%20b.js")[0] == 403


def test_block_public_access_and_an_object_s_acl(gateway: Gateway, s3: Any) -> None:
    s3.put_object(Bucket="files", Key="public.js", Body=b"2", ACL="public-read")
    assert ask(gateway, "/public.js")[0] == 200
    let(s3, "s3:GetObject")
    blocked = {
        "BlockPublicAcls": False,
        "IgnorePublicAcls": False,
        "BlockPublicPolicy": False,
        "RestrictPublicBuckets": True,
    }
    s3.put_public_access_block(Bucket="files", PublicAccessBlockConfiguration=blocked)
    assert ask(gateway, "/a%20b.js")[0] == 403
    s3.put_public_access_block(
        Bucket="files", PublicAccessBlockConfiguration={**blocked, "RestrictPublicBuckets": False}
    )
    assert ask(gateway, "/a%20b.js")[0] == 200


def test_a_bucket_that_is_not_there(gateway: Gateway, s3: Any) -> None:
    status, _, body = ask(gateway, "/a.js", name="other.s3.us-east-1.amazonaws.com")
    assert (status, b"<Code>NoSuchBucket</Code>" in body) == (404, True)
