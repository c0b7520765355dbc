"""Which process this is: of an ECS task, by its metadata (version 4); else by host and port."""

import json
import os
import socket
import sys
import time
import urllib.request

from settings import PORT

TRIES = 20  # of half a second: the endpoint may come after the container


def _metadata(path=""):
    base = os.environ.get("ECS_CONTAINER_METADATA_URI_V4")
    for _ in range(TRIES if base else 0):
        try:
            with urllib.request.urlopen(base + path, timeout=5) as answer:
                return json.load(answer)
        except (OSError, ValueError) as error:
            print(f"no task metadata yet: {error}", file=sys.stderr)
            time.sleep(0.5)
    return {}


TASK = _metadata("/task").get("TaskARN", "").rpartition("/")[2]
CONTAINER = _metadata().get("Name", "") if TASK else ""
NAME = f"{CONTAINER} of task {TASK[:8]}" if TASK else f"{socket.gethostname()}:{PORT}"


def facts():
    """All that is known of this process."""
    return {"name": NAME, "host": socket.gethostname(), "pid": os.getpid(), "task": TASK, "container": CONTAINER}


class Named:
    """WSGI middleware: every HTTP answer says in ``X-Process`` who gave it, Engine.IO's too."""

    def __init__(self, inner):
        self.inner = inner

    def __call__(self, environ, start_response):
        def named(status, headers, *rest):
            return start_response(status, [*headers, ("X-Process", NAME)], *rest)

        return self.inner(environ, named)
