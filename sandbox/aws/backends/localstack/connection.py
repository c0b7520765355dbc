"""HTTP to LocalStack, for what the gateway hands on and for what the sandbox asks itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from sandbox.aws.account import ACCOUNT_ID, REGION
from sandbox.aws.backends.localstack.services import authorization
from sandbox.errors import SandboxError
from sandbox.model.s3 import bucket_of

Answer = tuple[int, Mapping[str, str], bytes]

_CONNECT, _READ = 5.0, 910.0  # seconds; a function runs 900 at most
_KEEP = 64  # connections
_IN_HEADER = re.compile(r"(Credential=)([^/,\s]+)(/)")
_IN_QUERY = re.compile(r"(X-Amz-Credential=)([^%/&]+)(%2F|/)", re.IGNORECASE)
# Those of a hop, not of the message (RFC 9110, 7.6.1), and those that the server in front writes itself.
_OF_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "date", "server"})


class Connection:
    """A pool of connections to one LocalStack.

    LocalStack takes a request's account from its access key: 12 digits are the account, and a key that nobody has made
    is account 000000000000. So every request is sent with the one account that there is.

    Args:
        url: ``http://127.0.0.1:PORT``.
        account: The account.
        lost: Makes the error when it does not answer any more, from the cause.
    """

    def __init__(
        self,
        url: str,
        account: str = ACCOUNT_ID,
        lost: Callable[[str], SandboxError] = SandboxError,
    ) -> None:
        self._account = account
        self.lost = lost
        self.move_to(url)

    def move_to(self, url: str) -> None:
        """LocalStack is to be had there from now on: the engine moves a container's published ports at times."""
        parts = urlsplit(url)
        self.url = url
        self._host = parts.netloc
        kind = urllib3.HTTPSConnectionPool if parts.scheme == "https" else urllib3.HTTPConnectionPool
        self._pool = kind(parts.hostname or "", parts.port, maxsize=_KEEP, block=False)

    def ask(
        self, method: str, uri: str, headers: Mapping[str, str], body: bytes = b"", timeout: float | None = None
    ) -> Answer:
        """Send a request as it is.

        Raises:
            SandboxError: LocalStack does not answer; see ``lost``.
        """
        within = urllib3.Timeout(connect=_CONNECT, read=timeout or _READ)
        try:
            answer = self._pool.urlopen(
                method,
                uri,
                body=body,
                headers=headers,
                redirect=False,
                retries=False,
                decode_content=False,
                timeout=within,
            )
        except HTTPError as error:
            raise self.lost(f"{method} {uri.partition('?')[0]}: {error}") from error
        return answer.status, answer.headers, answer.data

    def wsgi(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Hand a request on that the gateway has read (see `Gateway`), and the answer back."""
        service, region = environ["sandbox.service"], environ["sandbox.region"]
        uri, headers = self._request(environ, service, region)
        body = environ["wsgi.input"].read()
        status, answered, content = self.ask(environ["REQUEST_METHOD"], uri, headers, body)
        # An answer without content still says how long it would be: that of HEAD.
        kept = [(name, value) for name, value in answered.items() if name.lower() not in _OF_HOP]
        start_response(f"{status} {_phrase(status)}", kept)
        return [content]

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()

    def _request(self, environ: dict[str, Any], service: str, region: str) -> tuple[str, dict[str, str]]:
        headers = {
            key[5:].replace("_", "-").title(): value
            for key, value in environ.items()
            if key.startswith("HTTP_") and key[5:].replace("_", "-").lower() not in _OF_HOP
        }
        if environ.get("CONTENT_TYPE"):
            headers["Content-Type"] = environ["CONTENT_TYPE"]
        # The body is read: nobody has to be asked for it any more.
        headers.pop("Expect", None)
        uri = environ["RAW_URI"]
        if service == "s3" and (bucket := bucket_of(headers.get("Host", "").partition(":")[0])) is not None:
            # LocalStack knows the names of buckets under its own domain alone.
            uri, headers["Host"] = f"/{bucket.name}{uri}", self._host
        if "Authorization" in headers:
            headers["Authorization"] = _IN_HEADER.sub(self._with_account, headers["Authorization"], count=1)
        elif "X-Amz-Credential" in uri:
            uri = _IN_QUERY.sub(self._with_account, uri, count=1)
        elif "AWSAccessKeyId=" not in uri:
            headers["Authorization"] = authorization(service, self._account, region or REGION)
        return uri, headers

    def _with_account(self, match: re.Match[str]) -> str:
        return f"{match[1]}{self._account}{match[3]}"


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
