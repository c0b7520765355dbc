"""A Flask-SocketIO process: `socketio_app.py MODE PORT [OPTION=JSON ...]`; prints "ready" once it listens.

MODE is "threading" (Werkzeug, simple-websocket) or "gevent" (gevent-websocket). It says to all what one says.
"""

from __future__ import annotations

import json
import socket
import sys

mode, port, *given = sys.argv[1:]
if mode == "gevent":
    from gevent import monkey

    monkey.patch_all()

import flask  # noqa: E402
import flask_socketio  # noqa: E402

options = {name: json.loads(value) for name, _, value in (one.partition("=") for one in given)}
app = flask.Flask("app")
server = flask_socketio.SocketIO(app, async_mode=mode, **options)


@app.route("/")
def page() -> str:
    """A page beside Socket.IO."""
    return "<html>a page</html>"


@server.on("say")
def say(text: str) -> None:
    """Tell everybody who is connected to this process."""
    server.emit("said", text)


if mode == "threading":
    from werkzeug.serving import make_server

    listening = make_server("127.0.0.1", int(port), app, threaded=True)
    print("ready", flush=True)
    listening.serve_forever()
else:
    from gevent.pywsgi import WSGIServer
    from geventwebsocket.handler import WebSocketHandler

    listening = socket.create_server(("127.0.0.1", int(port)))
    print("ready", flush=True)
    WSGIServer(listening, app, handler_class=WebSocketHandler, log=None).serve_forever()
