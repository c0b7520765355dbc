from __future__ import annotations

import pytest

from sandbox.model.s3 import bucket_of


@pytest.mark.parametrize(
    ("host", "bucket"),
    [
        ("files.s3.us-east-1.amazonaws.com", ("files", "us-east-1")),
        ("my.files.s3.ap-southeast-2.amazonaws.com", ("my.files", "ap-southeast-2")),
        ("files.s3.amazonaws.com", ("files", "")),
        ("s3.us-east-1.amazonaws.com", None),
        ("files.s3-website-us-east-1.amazonaws.com", None),
        ("shop-1.elb.us-east-1.amazonaws.com", None),
        ("files.s3.us-east-1.amazonaws.com.example.com", None),
    ],
)
def test_names_of_buckets(host, bucket):
    assert bucket_of(host) == bucket
