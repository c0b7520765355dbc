"""The HTTP server under the gateway: on an address or a Unix socket, with as many threads as calls that wait need."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any, cast

from cheroot import wsgi
from cheroot.workers.threadpool import ThreadPool, WorkerThread

from sandbox.aws.backends.backend import WsgiApp
from sandbox.errors import SandboxError

_THREADS = 16
# Calls may wait for long: for a Lambda function, for a message of SQS. Others must still get through.
_SPARE_THREADS = 8
_MOST_THREADS = 1200  # Lambda runs 1,000 invocations at once
_READ_TIMEOUT = 30  # seconds until a client that sends half a request is dropped


class _Workers(ThreadPool):
    """Cheroot's threads; its own pool sleeps a tenth of a second where it finds one of them not begun yet."""

    def grow(self, amount: int) -> None:
        """Start so many more."""
        for _ in range(amount):
            worker = WorkerThread(self.server)  # type: ignore[no-untyped-call]
            worker.start()
            self._threads.append(worker)  # type: ignore[attr-defined]


class Listener:
    """One cheroot server on its own daemon threads: a call that never returns cannot keep the process alive."""

    def __init__(self, address: tuple[str, int] | str, app: WsgiApp) -> None:
        self._address = address
        self._app = app
        self._busy = 0
        self._threads = _THREADS
        self._counting = threading.Lock()
        self._server = wsgi.Server(
            address,
            self._call,
            server_name="sandbox",
            request_queue_size=128,
            timeout=_READ_TIMEOUT,
            shutdown_timeout=1,
        )
        self._server.requests = _Workers(self._server, min=_THREADS)
        self._server.keep_alive_conn_limit = 256  # cheroot's 10 would make many clients reconnect each time
        self._server.expiration_interval = 0.1  # seconds; stopping waits for one
        self._ready = threading.Event()
        self._error: OSError | None = None
        # Threads inherit "daemon" from the thread that starts them.
        threading.Thread(target=self._serve, name=f"gateway {address}", daemon=True).start()
        self._ready.wait()
        if self._error is not None:
            raise self._unusable(self._error)

    @property
    def port(self) -> int:
        return cast("int", self._server.bind_addr[1])

    def stop(self) -> None:
        self._server.stop()

    def _call(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        with self._counting:
            self._busy += 1
            more = _THREADS if self._busy > self._threads - _SPARE_THREADS and self._threads < _MOST_THREADS else 0
            self._threads += more
        try:
            if more:
                self._server.requests.grow(more)
            return self._app(environ, start_response)
        finally:
            with self._counting:
                self._busy -= 1

    def _serve(self) -> None:
        try:
            self._server.prepare()
        except OSError as error:
            self._error = error
            return
        finally:
            self._ready.set()
        self._server.serve()

    def _unusable(self, error: OSError) -> SandboxError:
        if isinstance(self._address, str):
            return SandboxError(
                f"the AWS endpoint cannot listen on the socket {self._address}: {error}",
                hint="use a shorter path (at most 107 bytes) in a directory that exists and is writable",
            )
        host, port = self._address
        if "in use" not in str(error):
            return SandboxError(f"the AWS endpoint cannot listen on {host}:{port}: {error}")
        return SandboxError(
            f"port {port} on {host} is in use, so the AWS endpoint cannot listen there",
            hint=f"end what listens there (`ss -ltnp 'sport = :{port}'` names it) or choose another port",
        )
