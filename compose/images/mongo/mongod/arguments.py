"""The command line of mongod, as far as it is carried out; the rest is refused as mongod refuses unknown ones."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from mongod.session import VERSION

SCRIPTS = Path("/docker-entrypoint-initdb.d")


class Refused(Exception):
    """These arguments, or this environment, cannot be carried out. ``code`` is the exit code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Arguments:
    """How this mongod runs.

    Attributes:
        addresses: To listen on.
        port: To listen on.
        dbpath: Where the data is.
        auth: Commands need a login.
        root: Name and password of the user that a new dbpath gets, or None.
    """

    addresses: tuple[str, ...]
    port: int
    dbpath: Path
    auth: bool
    root: tuple[str, str] | None


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Refused(f"Error parsing command line: {message}\ntry 'mongod --help' for more information", 2)


def parse(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> Arguments:
    """The arguments of mongod, and the variables MONGO_INITDB_* of the official image.

    Raises:
        Refused: One of them is not known here.
        SystemExit: --help or --version has been answered.
    """
    parser = _Parser(
        prog="mongod", description="A stand-in for MongoDB's server (DocumentDB inside).", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"db version v{VERSION} (stand-in: DocumentDB)")
    parser.add_argument("--port", type=int, default=27017)
    parser.add_argument("--bind_ip", default="127.0.0.1", help="addresses, with commas between them")
    parser.add_argument("--bind_ip_all", action="store_true")
    parser.add_argument("--dbpath", type=Path, default=Path("/data/db"))
    parser.add_argument("--auth", action="store_true")
    known, unknown = parser.parse_known_args(arguments)
    if unknown:
        raise Refused(
            f"Error parsing command line: unrecognised option '{unknown[0]}'\n"
            "this is a stand-in for MongoDB, which takes --port, --bind_ip, --bind_ip_all, --dbpath and --auth",
            2,
        )
    if not 0 < known.port < 65536:
        raise Refused(f"net.port: {known.port} is not in the range of 1 to 65535", 2)
    root = _root(environment)
    addresses = ("0.0.0.0",) if known.bind_ip_all else tuple(known.bind_ip.split(","))
    return Arguments(addresses, known.port, known.dbpath, known.auth or root is not None, root)


def _root(environment: Mapping[str, str]) -> tuple[str, str] | None:
    name = _value(environment, "MONGO_INITDB_ROOT_USERNAME")
    password = _value(environment, "MONGO_INITDB_ROOT_PASSWORD")
    if bool(name) != bool(password):
        raise Refused(
            "error: missing 'MONGO_INITDB_ROOT_USERNAME' or 'MONGO_INITDB_ROOT_PASSWORD'\n"
            "       both must be specified for a user to be created",
            1,
        )
    if scripts := sorted(SCRIPTS.glob("*.js")) + sorted(SCRIPTS.glob("*.sh")):
        raise Refused(f"error: {scripts[0]} cannot be run: this stand-in for MongoDB has no mongosh", 1)
    return (name, password) if name and password else None


def _value(environment: Mapping[str, str], name: str) -> str:
    """The value of a variable, or the content of the file that NAME_FILE names."""
    file = environment.get(f"{name}_FILE")
    if file and environment.get(name):
        raise Refused(f"error: both {name} and {name}_FILE are set (but are exclusive)", 1)
    if not file:
        return environment.get(name, "")
    try:
        return Path(file).read_text().rstrip("\n")
    except OSError as error:
        raise Refused(f"error: {name}_FILE: {error}", 1) from error
