"""How often Python looks for garbage in a process that is the sandbox's own."""

from __future__ import annotations

import gc

# Objects made before Python looks for garbage. Boto3, moto and botocore's models make half a million that stay; at
# Python's own 700 the looking took a third of the time until a stack's first container started.
_THRESHOLD = 200_000


def look_rarely() -> None:
    """From now on, look for garbage once in a long while."""
    gc.set_threshold(_THRESHOLD)
