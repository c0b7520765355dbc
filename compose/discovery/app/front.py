"""The front service: GET / asks the back service and shows who has answered; a 502 where nobody has.

Environment:
    BACK: where the back service is, HOST:PORT: its name (the system then looks its addresses up for each connection),
        or a proxy in the same task, which looks them up its own way.
    NAME: the back service's name, whose addresses the page shows.
    KEEP_CONNECTION: "true": one connection is kept for all requests, as pools of HTTP clients do.
"""

import collections
import contextlib
import json
import os
import socket
from http.client import HTTPConnection, HTTPException

from gevent import monkey

monkey.patch_all()

from flask import Flask, render_template  # noqa: E402  (after the patch)
from gevent.lock import BoundedSemaphore  # noqa: E402
from gevent.pywsgi import WSGIServer  # noqa: E402

BACK, NAME = os.environ["BACK"], os.environ["NAME"]
TIMEOUT = 5  # seconds, to connect and for each read
SHOWN = 50

app = Flask(__name__)
latest = collections.deque(maxlen=SHOWN)
kept = HTTPConnection(BACK, timeout=TIMEOUT) if os.environ.get("KEEP_CONNECTION") == "true" else None
in_use = BoundedSemaphore()


@contextlib.contextmanager
def connection():
    """A connection to the back service. One that is closed connects anew with the next request."""
    if kept is None:
        with contextlib.closing(HTTPConnection(BACK, timeout=TIMEOUT)) as new:
            yield new
        return
    with in_use:
        try:
            yield kept
        except BaseException:
            kept.close()
            raise


def ask():
    with connection() as back:
        back.request("GET", "/stock")
        response = back.getresponse()
        content = response.read()
        if response.status != 200:
            raise HTTPException(f"HTTP {response.status}")
        return json.loads(content)


def addresses():
    """The addresses that the name has now, or why it has none."""
    try:
        found = socket.getaddrinfo(NAME, None, socket.AF_INET, socket.SOCK_STREAM)
    except socket.gaierror as error:
        return [], error.strerror
    return [address for *_, (address, _) in found], ""


@app.get("/")
def page():
    answer, error = {}, ""
    try:
        answer = ask()
    except (OSError, HTTPException) as failure:
        error = f"{type(failure).__name__}: {failure}"
    latest.append(answer.get("task", ""))
    now, unknown = addresses()
    shares = collections.Counter(latest).most_common()
    shown = render_template(
        "page.html", answer=answer, error=error, name=NAME, addresses=now, unknown=unknown, shares=shares
    )
    return shown, 502 if error else 200


@app.get("/health")
def health():
    return {}


WSGIServer(("0.0.0.0", 5000), app, log=None).serve_forever()
