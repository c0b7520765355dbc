"""What the environment says, checked: a wrong setting ends the process at its start, with the setting's name."""

import os
import sys

MODES = ("threading", "gevent", "eventlet")
TRANSPORTS = ("polling", "websocket")


def _choice(name, default, choices):
    value = os.environ.get(name) or default
    if value not in choices:
        sys.exit(f"{name}={value}: one of {', '.join(choices)} is wanted")
    return value


def _number(name, default, kind=float):
    value = os.environ.get(name) or default
    try:
        number = kind(value)
    except ValueError:
        sys.exit(f"{name}={value}: a number is wanted")
    if number <= 0:
        sys.exit(f"{name}={value}: more than 0 is wanted")
    return number


def _origins():
    """None: the page's own origin, as the Host header says it. "*": any."""
    value = os.environ.get("CORS_ALLOWED_ORIGINS", "")
    return value if value == "*" else [origin.strip() for origin in value.split(",") if origin.strip()] or None


ASYNC_MODE = _choice("ASYNC_MODE", "threading", MODES)
PORT = _number("PORT", 5000, int)
PING_INTERVAL = _number("PING_INTERVAL", 25)  # seconds
PING_TIMEOUT = _number("PING_TIMEOUT", 20)  # seconds
CORS_ALLOWED_ORIGINS = _origins()
TRANSPORTS_ALLOWED = [name.strip() for name in os.environ.get("TRANSPORTS", "").split(",") if name.strip()]
for _name in TRANSPORTS_ALLOWED:
    if _name not in TRANSPORTS:
        sys.exit(f"TRANSPORTS={_name}: {' and '.join(TRANSPORTS)} are known")
REDIS_URL = os.environ.get("REDIS_URL") or None  # None: an event reaches the clients of this process alone
MONGO_URL = os.environ.get("MONGO_URL") or None  # None: the board is in this process's memory
