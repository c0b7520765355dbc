"""What moto does at its first requests, of any service, and need not. Importing this imports moto."""

from __future__ import annotations

from typing import Any

from moto.core import utils
from moto.core.authorization import ActionAuthenticatorMixin

from sandbox.aws.protocol import botocore_data


def spare_first_requests() -> None:
    """Leave out, from now on in this process, what a first request takes 0.2 s of the processor for.

    - Who may call is the sandbox's own to say (`sandbox.aws.authorization`). moto lets everybody, and imports its IAM,
      S3 and EventBridge before it does.
    - Botocore's models come from the loader that the gateway has, which has parsed some of them. moto makes one for
      each model, which looks through all of botocore's folders.
    """
    everybody: Any = ActionAuthenticatorMixin
    everybody._authenticate_and_authorize_action = lambda self, iam_request_cls, resource="*": None
    everybody._authenticate_and_authorize_normal_action = lambda self, resource="*": None
    everybody._authenticate_and_authorize_s3_action = lambda self, bucket_name=None, key_name=None: None
    loader: Any = utils
    loader.create_loader = botocore_data
