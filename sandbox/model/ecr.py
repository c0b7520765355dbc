"""References to images in Amazon ECR.

Source: user guide "Amazon ECR private registry" ("ACCOUNT.dkr.ecr.REGION.amazonaws.com") and "Image tags"; names of
repositories: API reference "CreateRepository".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_REFERENCE = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/"
    r"(?P<repository>[a-z0-9]+(?:[._/-]+[a-z0-9]+)*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)


@dataclass(frozen=True)
class EcrReference:
    """An image in a private registry; ``tag`` is "latest" where the reference has neither tag nor digest."""

    account: str
    region: str
    repository: str
    tag: str
    digest: str

    @property
    def registry(self) -> str:
        """The registry's host name."""
        return f"{self.account}.dkr.ecr.{self.region}.amazonaws.com"

    def __str__(self) -> str:
        return f"{self.registry}/{self.repository}" + (f"@{self.digest}" if self.digest else f":{self.tag}")


def parse(reference: str) -> EcrReference | None:
    """What a reference says, or None where it is not of ECR's form."""
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        return None
    tag, digest = match["tag"] or "", match["digest"] or ""
    return EcrReference(
        match["account"], match["region"], match["repository"], tag or ("" if digest else "latest"), digest
    )
