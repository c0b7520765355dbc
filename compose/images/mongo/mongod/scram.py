"""SCRAM-SHA-256, the server's side. No I/O.

Sources: RFC 5802, RFC 7677, RFC 4013 (SASLprep); MongoDB's specification for drivers, Authentication.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import stringprep
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

MECHANISM = "SCRAM-SHA-256"
ITERATIONS = 15_000


class Refused(Exception):
    """This client is not who it says, or does not speak SCRAM. The text is for the log."""


@dataclass(frozen=True)
class Credentials:
    """What is kept of a user's password."""

    salt: bytes
    iterations: int
    stored_key: bytes
    server_key: bytes

    @classmethod
    def of(cls, password: str) -> Credentials:
        """Of a new password, with a salt of its own."""
        salt = secrets.token_bytes(28)
        salted = hashlib.pbkdf2_hmac("sha256", _prepared(password).encode(), salt, ITERATIONS)
        client_key = _hmac(salted, b"Client Key")
        return cls(salt, ITERATIONS, hashlib.sha256(client_key).digest(), _hmac(salted, b"Server Key"))


class Conversation:
    """One client's attempt.

    Args:
        credentials_of: The credentials of a user name, or None.
    """

    def __init__(self, credentials_of: Callable[[str], Credentials | None]) -> None:
        self._credentials_of = credentials_of
        self._credentials: Credentials | None = None
        self._first = ""
        self._nonce = ""
        self.user = ""
        self.done = False

    def begin(self, message: bytes) -> bytes:
        """The answer to a client's first message.

        Raises:
            Refused: There is no such user, or it is no such message.
        """
        header, _, bare = _text(message).partition(",,")
        if header != "n":
            raise Refused("channel binding or an authorization identity is not supported")
        fields = _fields(bare)
        self.user = fields.get("n", "").replace("=2C", ",").replace("=3D", "=")
        self._credentials = self._credentials_of(self.user)
        if self._credentials is None:
            raise Refused("UserNotFound: Could not find user")
        if not fields.get("r"):
            raise Refused("the client's nonce is missing")
        self._nonce = fields["r"] + base64.b64encode(secrets.token_bytes(24)).decode()
        salt = base64.b64encode(self._credentials.salt).decode()
        answer = f"r={self._nonce},s={salt},i={self._credentials.iterations}"
        self._first = f"{bare},{answer}"
        return answer.encode()

    def finish(self, message: bytes) -> bytes:
        """The answer to a client's last message; the client has proved itself when this returns.

        Raises:
            Refused: It has not.
        """
        if self._credentials is None:
            raise Refused("the conversation has not begun")
        without_proof, _, proof = _text(message).rpartition(",p=")
        fields = _fields(without_proof)
        if fields.get("c") != "biws" or fields.get("r") != self._nonce:
            raise Refused("the nonce or the channel binding is another one")
        signed = f"{self._first},{without_proof}".encode()
        signature = _hmac(self._credentials.stored_key, signed)
        client_key = bytes(a ^ b for a, b in zip(signature, _decoded(proof), strict=False))
        if not hmac.compare_digest(hashlib.sha256(client_key).digest(), self._credentials.stored_key):
            raise Refused("AuthenticationFailed: SCRAM authentication failed, storedKey mismatch")
        self.done = True
        return b"v=" + base64.b64encode(_hmac(self._credentials.server_key, signed))


def _text(message: bytes) -> str:
    try:
        return message.decode()
    except UnicodeDecodeError as error:
        raise Refused("the message is not UTF-8") from error


def _fields(text: str) -> dict[str, str]:
    return {part[:1]: part[2:] for part in text.split(",") if part[1:2] == "="}


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused("the proof is not base64") from error


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def _prepared(password: str) -> str:
    """SASLprep: characters mapped to nothing or to a space, then normalized."""
    mapped = (
        " " if stringprep.in_table_c12(character) else character
        for character in password
        if not stringprep.in_table_b1(character)
    )
    return unicodedata.normalize("NFKC", "".join(mapped))
