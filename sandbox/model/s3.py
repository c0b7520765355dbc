"""S3's names for buckets (User Guide, "Virtual hosting of general purpose buckets")."""

from __future__ import annotations

import re
from typing import NamedTuple

_NAME = re.compile(r"(.+)\.s3(?:\.([a-z]{2}(?:-[a-z]+)+-\d))?\.amazonaws\.com")


class Bucket(NamedTuple):
    """A bucket by its name, and its region ("" where the name has none)."""

    name: str
    region: str


def bucket_of(host: str) -> Bucket | None:
    """The bucket that a host name stands for, as ``files.s3.us-east-1.amazonaws.com``; None: it is no bucket's."""
    match = _NAME.fullmatch(host)
    return Bucket(match[1], match[2] or "") if match else None
