"""boto3 clients that can only reach the sandbox, and the environment that makes other AWS clients do the same."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterable
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from sandbox.aws.account import REGION
from sandbox.aws.protocol import botocore_data
from sandbox.aws.sessions import Session
from sandbox.errors import SandboxError

ACCESS_KEY = "sandbox"
OWN_ACCESS_KEY = "sandbox-itself"
"""Signs what the sandbox itself calls, for AWS's services that it carries out: no stack and no scenario has asked."""
SECRET_KEY = "sandbox"

_PROFILES = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
_FILES = ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")


def without_configuration() -> Callable[[], None]:
    """Take the caller's profile and AWS files out of this process's environment; the result puts them back.

    moto makes boto3 sessions of its own, which read them: a profile that is not in the files breaks it.
    """
    before = {name: os.environ.get(name) for name in (*_PROFILES, *_FILES)}

    def put_back() -> None:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    for name in _PROFILES:
        os.environ.pop(name, None)
    for name in _FILES:
        os.environ[name] = os.devnull
    return put_back


class Clients:
    """Makes boto3 clients: ``aws = Clients(gateway.url)``, then ``aws("ecs").run_task(...)``.

    Nothing of the caller's AWS configuration is read: no profile, no credentials, no endpoint of ``~/.aws``.

    Args:
        endpoint_url: The gateway's URL.
        region: The region where none is named.
        session: Of a role, as which they call; without it they are the account's administrator's.
        access_key: What the administrator's calls are signed with.

    Raises:
        SandboxError: There is no endpoint: such a client would talk to the real AWS.
    """

    def __init__(
        self, endpoint_url: str, region: str = REGION, session: Session | None = None, access_key: str = ACCESS_KEY
    ) -> None:
        if not endpoint_url.startswith(("http://", "https://")):
            raise SandboxError(
                f"AWS clients need the URL of the sandbox's endpoint, not {endpoint_url!r}",
                hint="start the gateway and pass its url; without one boto3 would call the real AWS",
            )
        self.endpoint_url = endpoint_url
        self.region = region
        self._credentials = {
            "aws_access_key_id": session.access_key_id if session else access_key,
            "aws_secret_access_key": session.secret_access_key if session else SECRET_KEY,
            "aws_session_token": session.token if session else None,
        }
        self._session: Any = None
        self._boto3_session: Any = None
        self._clients: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()

    def __call__(self, service: str, region: str | None = None) -> Any:
        """The boto3 client of a service ("ecs"), made once per service and region; safe to use from many threads."""
        key = (service, region or self.region)
        with self._lock:
            if key not in self._clients:
                self._clients[key] = self._create(*key)
            return self._clients[key]

    def make_ahead(self, services: Iterable[str]) -> None:
        """Begin to make clients of ``services``: botocore parses a service's model for 0.1 s at most."""

        def make() -> None:
            for service in services:
                with contextlib.suppress(BotoCoreError):  # whoever asks for it is told
                    self(service)

        threading.Thread(target=make, name="clients", daemon=True).start()

    def environment(self) -> dict[str, str]:
        """Variables that point boto3, the AWS CLI, the SDKs and Terraform in a child process at the sandbox.

        Remove ``AWS_PROFILE`` and ``AWS_IGNORE_CONFIGURED_ENDPOINT_URLS`` from an inherited environment: the second
        one makes clients ignore ``AWS_ENDPOINT_URL``.
        """
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": str(self._credentials["aws_access_key_id"]),
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            # 127.0.0.1 cannot have the "data-" that Cloud Map's DiscoverInstances wants before the endpoint's name.
            "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
            **dict.fromkeys(_FILES, os.devnull),
        }

    def close(self) -> None:
        """Close the clients' connections."""
        with self._lock:
            for client in self._clients.values():
                client.close()
            self._clients.clear()

    def _create(self, service: str, region: str) -> Any:
        config = Config(
            # Cloud Map's and others' "data-" prefixes would need a name that resolves with any prefix.
            inject_host_prefix=False,
            retries={"mode": "standard", "total_max_attempts": 2},
            connect_timeout=5,
            read_timeout=70,
            max_pool_connections=64,
            s3={"addressing_style": "path"},
            # A proxy of the caller's environment must not see, or break, calls to the loopback interface.
            proxies={},
        )
        return self._maker(service)(
            service,
            region_name=region,
            endpoint_url=self.endpoint_url,
            config=config,
            **self._credentials,
        )

    def _maker(self, service: str) -> Callable[..., Any]:
        """What makes a client as boto3 does, which takes a while to load and adds methods to S3's clients alone."""
        session = self._isolated_session()
        make: Callable[..., Any] = session.create_client
        if service == "s3":
            import boto3

            if self._boto3_session is None:  # each one adds its methods once more, which botocore refuses
                self._boto3_session = boto3.Session(botocore_session=session, **self._credentials)
            make = self._boto3_session.client
        return make

    def _isolated_session(self) -> Any:
        if self._session is None:
            # Each variable of the chain without an environment name and file: only what is passed here counts.
            session = botocore.session.Session(
                session_vars={
                    "profile": (None, None, None, None),
                    "config_file": (None, None, os.devnull, None),
                    "credentials_file": (None, None, os.devnull, None),
                    "ignore_configured_endpoint_urls": (None, None, False, None),
                }
            )
            session.register_component("data_loader", botocore_data())
            self._session = session
        return self._session
