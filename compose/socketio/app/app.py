"""Rooms, broadcast, echo and a board with Flask-SocketIO. One process; the message queue joins several.

Runs on Flask-SocketIO 5 and, with ASYNC_MODE=gevent, on 4.3 of 2020. settings.py has its settings.
"""

import settings

if settings.ASYNC_MODE == "gevent":
    from gevent import monkey

    monkey.patch_all()
elif settings.ASYNC_MODE == "eventlet":
    import eventlet

    eventlet.monkey_patch()

import functools
import signal
import sys
import threading
import time

import identity
from board import Unavailable, open_board
from flask import Flask, g, jsonify, send_file
from flask_socketio import SocketIO, join_room, leave_room

ROOM_LENGTH = 64
TEXT_LENGTH = 2000
GRACE = 5.0  # seconds that requests under way are given after SIGTERM
CLIENT = "/opt/socket.io-client/socket.io.js"
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'"

app = Flask(__name__, static_url_path="/static")
app.config["SEND_FILE_MAX_AGE_DEFAULT"] = 0  # a browser that has the client of 2020 must not keep it for today's server
options = {"transports": settings.TRANSPORTS_ALLOWED} if settings.TRANSPORTS_ALLOWED else {}
socketio = SocketIO(
    app,
    async_mode=settings.ASYNC_MODE,
    message_queue=settings.REDIS_URL,
    cors_allowed_origins=settings.CORS_ALLOWED_ORIGINS,
    ping_interval=settings.PING_INTERVAL,
    ping_timeout=settings.PING_TIMEOUT,
    **options,
)
board = open_board(settings.MONGO_URL)
under_way = set()
stopping = threading.Event()
ended = threading.Event()


def refusing(inner):
    """WSGI middleware: a process that ends begins nothing new, sessions of Engine.IO neither."""

    def answer(environ, start_response):
        if stopping.is_set() and environ.get("PATH_INFO") != "/health":
            start_response("503 Service Unavailable", [("Content-Type", "text/plain")])
            return [b"this process ends\n"]
        return inner(environ, start_response)

    return answer


app.wsgi_app = identity.Named(refusing(app.wsgi_app))


class Refused(Exception):
    """What a client sent is not what the event wants."""


def text_of(values, what, limit):
    """The one text that an event comes with."""
    value = values[0] if len(values) == 1 else None
    if not isinstance(value, str) or not value.strip() or len(value) > limit:
        raise Refused(f"{what}: text of 1 to {limit} characters is wanted")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Refused(f"{what}: this is no text") from None
    return value


def answers(event):
    """Register a handler whose result is the acknowledgement, with the process that gave it or an ``error``."""

    def register(handler):
        @functools.wraps(handler)
        def handle(*values):
            try:
                return {**handler(*values), "process": identity.NAME}
            except (Refused, Unavailable) as error:
                return {"error": str(error), "process": identity.NAME}

        socketio.on(event)(handle)
        return handler

    return register


@answers("where")
def where(*_):
    """Who answers."""
    return {}


@answers("join")
def join(*values):
    """From now on the client hears what is said in a room."""
    room = text_of(values, "room", ROOM_LENGTH)
    join_room("room " + room)
    return {"room": room}


@answers("leave")
def leave(*values):
    """From now on it does not."""
    room = text_of(values, "room", ROOM_LENGTH)
    leave_room("room " + room)
    return {"room": room}


@answers("say")
def say(*values):
    """Say something in a room: room and text."""
    room, text = text_of(values[:1], "room", ROOM_LENGTH), text_of(values[1:], "text", TEXT_LENGTH)
    socketio.emit("said", {"room": room, "text": text, "process": identity.NAME}, room="room " + room)
    return {"room": room}


@answers("shout")
def shout(*values):
    """Tell everybody."""
    text = text_of(values, "text", TEXT_LENGTH)
    socketio.emit("shouted", {"text": text, "process": identity.NAME})
    return {}


@answers("post")
def post(*values):
    """Put something on the board, which everybody sees at once."""
    posted = board.add(text_of(values, "text", TEXT_LENGTH), identity.NAME)
    socketio.emit("posted", posted)
    return {"stored": board.stored}


@socketio.on("echo")
def echo(*values):
    """Send back what came, text or bytes, as the acknowledgement."""
    return values[0] if values else None


@app.route("/")
def page():
    """The page."""
    answer = app.send_static_file("index.html")
    answer.headers["Content-Security-Policy"] = POLICY
    return answer


@app.route("/client/socket.io.js")
def client():
    """The browser's client, of the version that this server speaks with."""
    return send_file(CLIENT, mimetype="text/javascript")


@app.route("/board")
def posts():
    """What is on the board."""
    try:
        return jsonify(posts=board.latest(), stored=board.stored, process=identity.NAME)
    except Unavailable as error:
        return jsonify(error=str(error), process=identity.NAME), 503


@app.route("/health")
def health():
    """Whether this process takes requests: not while it ends."""
    ends = stopping.is_set()
    return jsonify(status="stopping" if ends else "ok", **identity.facts()), 503 if ends else 200


@app.before_request
def begin():
    """Count a request as under way; Engine.IO's do not come this way."""
    g.mark = object()
    under_way.add(g.mark)


@app.teardown_request
def end(_):
    """It has been answered."""
    under_way.discard(g.pop("mark", None))


def serve():
    """Serve until the process ends; a server that cannot (its port is taken) ends the process."""
    unsafe = {"allow_unsafe_werkzeug": True} if settings.ASYNC_MODE == "threading" else {}
    try:
        socketio.run(app, host="0.0.0.0", port=settings.PORT, **unsafe)
    finally:
        ended.set()


def close_clients():
    """Cut every connection, so that clients come back (to another process); then wait for what is under way.

    Clients take a goodbye for one: JavaScript's does not come back after a Socket.IO disconnect, Python's not even
    after Engine.IO's CLOSE packet, which ``abort`` leaves out.
    """
    for client in list(socketio.server.eio.sockets.values()):
        client.close(wait=False, abort=True)  # waiting would be for the next poll of a client that may be gone
    until = time.monotonic() + GRACE
    socketio.sleep(0.2)  # what has left a client's queue is being sent; nothing tells when it has been
    while under_way and time.monotonic() < until:
        socketio.sleep(0.05)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    print(f"{identity.NAME}: {settings.ASYNC_MODE}, port {settings.PORT}", flush=True)
    socketio.start_background_task(serve)
    # A handler can do no more than set a flag: what it starts in eventlet's loop does not run before the next event.
    while not (stopping.is_set() or ended.is_set()):
        socketio.sleep(0.1)
    if not stopping.is_set():
        sys.exit(f"{identity.NAME}: the server has ended")
    close_clients()
    print(f"{identity.NAME}: ended", flush=True)
