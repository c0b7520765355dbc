"""S3 for those who sign nothing, as a distribution does for a bucket that is public: they read what all may read.

moto lets everybody list a bucket and learn which objects there are not. On AWS it takes s3:ListBucket for either:
without it an object that is missing is a 403 ("GetObject", Permissions, in S3's API reference), which a distribution
then shows.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import unquote

from sandbox.model.s3 import bucket_of

_SIGNATURES = ("X-Amz-Signature=", "AWSAccessKeyId=")


def is_refused(environ: dict[str, Any], path: str, buckets: dict[str, Any]) -> bool:
    """Whether S3 denies a request because nobody signed it.

    Args:
        environ: Of the request.
        path: As sent.
        buckets: moto's, by name.
    """
    query = environ.get("QUERY_STRING", "")
    if "HTTP_AUTHORIZATION" in environ or any(part in query for part in _SIGNATURES):
        return False
    named = bucket_of(environ.get("HTTP_HOST", "").partition(":")[0])
    bucket = buckets.get(named.name) if named else None
    if bucket is None:
        return False  # which moto says
    key = unquote(path.removeprefix("/"))
    if environ["REQUEST_METHOD"] not in ("GET", "HEAD") or query:
        return True
    found = bucket.keys.get(key)
    if found is None:
        return not _lets_everybody(bucket, "s3:ListBucket", f"arn:aws:s3:::{bucket.name}")
    public = found.acl is not None and found.acl.public_read
    return not (public or _lets_everybody(bucket, "s3:GetObject", f"arn:aws:s3:::{bucket.name}/{key}"))


def _lets_everybody(bucket: Any, action: str, resource: str) -> bool:
    """Whether the bucket's policy does. A statement with a condition, or for somebody, lets nobody here."""
    block = bucket.public_access_block
    if bucket.policy is None or (block is not None and block.restrict_public_buckets):
        return False
    statements = _listed(json.loads(bucket.policy).get("Statement", ()))
    effects = {
        one["Effect"]
        for one in statements
        if (one["Effect"] == "Deny" or _is_for_everybody(one))
        and any(fnmatchcase(action.lower(), pattern.lower()) for pattern in _listed(one.get("Action", ())))
        and any(fnmatchcase(resource, pattern) for pattern in _listed(one.get("Resource", ())))
    }
    return effects == {"Allow"}


def _is_for_everybody(statement: dict[str, Any]) -> bool:
    principal = statement.get("Principal")
    named = principal.get("AWS") if isinstance(principal, dict) else principal
    return "*" in _listed(named or ()) and not statement.get("Condition")


def _listed(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list | tuple) else [value]
