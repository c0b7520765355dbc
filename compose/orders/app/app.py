"""Orders over HTTP, in an SQLite database that all tasks share: POST / makes one, GET / shows the latest.

Answers have the header X-Release. What the database refuses is a 500 with its words. /health does not ask it.
"""

import json
import os
import signal
import sqlite3
import sys
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import statements

DATABASE = os.environ["DATABASE"]
AMOUNT = 1200


def execute(statement, values=()):
    # Autocommit; another task's writing is waited for.
    with closing(sqlite3.connect(DATABASE, timeout=5, isolation_level=None)) as database:
        return database.execute(statement, values).fetchone()


class Orders(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/health":
            self.answer(200, {"release": statements.RELEASE})
        else:
            self.answer_from_database(200, lambda: {"amount": (execute(statements.READ) or [None])[0]})

    def do_POST(self):
        self.answer_from_database(201, lambda: execute(statements.WRITE, {"amount": AMOUNT}) or {})

    def answer_from_database(self, status, ask):
        try:
            content = ask()
        except sqlite3.Error as error:
            print(f"{self.command} {self.path}: {error}", file=sys.stderr)
            self.answer(500, {"error": str(error)})
        else:
            self.answer(status, content)

    def answer(self, status, content):
        body = json.dumps(content).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Release", statements.RELEASE)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *arguments):
        """Requests are not logged: errors are."""


# A container's first process ends at SIGTERM by its own doing alone.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
execute(statements.SCHEMA)
ThreadingHTTPServer(("", 5000), Orders).serve_forever()
