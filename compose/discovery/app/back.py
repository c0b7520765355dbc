"""The back service: GET /stock is what the front asks for, and says which task answers; GET /health whether it can.

Environment:
    SERVE_AFTER_TERM: seconds for which it goes on serving after SIGTERM (0).
    HEALTH_ASKS: a URL that has to answer, too, for GET /health/deep to be 200 ("": none).
"""

import json
import os
import pathlib
import signal
import socket
import sys
import urllib.request

from gevent import monkey

monkey.patch_all()

import gevent  # noqa: E402  (after the patch)
from gevent.pywsgi import WSGIHandler, WSGIServer  # noqa: E402

SERVE_AFTER_TERM = float(os.environ.get("SERVE_AFTER_TERM") or 0)
HEALTH_ASKS = os.environ.get("HEALTH_ASKS", "")
STOCK = pathlib.Path("/tmp/stock.json")  # this task's own copy
HEALTH = "/health"


def this_task():
    """Who answers: from ECS's metadata endpoint, or, without ECS, the host's name."""
    endpoint = os.environ.get("ECS_CONTAINER_METADATA_URI_V4")
    if not endpoint:
        return {"task": socket.gethostname(), "zone": ""}
    with urllib.request.urlopen(f"{endpoint}/task", timeout=10) as answer:
        task = json.load(answer)
    return {"task": task["TaskARN"].rpartition("/")[2], "zone": task["AvailabilityZone"]}


def stock():
    return {**TASK, "stock": json.loads(STOCK.read_text())}


def health():
    stock()
    return {"health": "this task can answer"}


def deep_health():
    """Also asks for what this task does not need to answer. It is what not to do."""
    urllib.request.urlopen(HEALTH_ASKS, timeout=1).close()
    return health()


PAGES = {"/stock": stock, HEALTH: health, f"{HEALTH}/deep": deep_health}


def application(environ, start_response):
    page = PAGES.get(environ["PATH_INFO"])
    try:
        status, content = ("200 OK", page()) if page else ("404 Not Found", {"error": "not found"})
    except (OSError, ValueError) as error:
        status, content = "500 Internal Server Error", {"error": str(error)}
    start_response(status, [("Content-Type", "application/json")])
    return [json.dumps(content).encode() + b"\n"]


class Handler(WSGIHandler):
    """Its access log leaves out health checks."""

    def log_request(self):
        if not self.path.startswith(HEALTH):
            super().log_request()


def stop():
    gevent.sleep(SERVE_AFTER_TERM)
    server.stop(timeout=1)


STOCK.write_text('{"apples": 4, "pears": 7}')
TASK = this_task()
server = WSGIServer(("0.0.0.0", 8080), application, log=sys.stdout, handler_class=Handler)
gevent.signal_handler(signal.SIGTERM, stop)
server.serve_forever()
