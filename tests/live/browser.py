"""Chromium for the live view, which is on 127.0.0.1 of this machine: a container, and a socket that leads there.

The machine's own network is no place for it: Chromium drops its connections whenever an interface comes or goes, as
those of containers do all the time.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import socketserver
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sandbox.controllers.browser import COMPONENT, PORT, install_playwright, playwright_version
from sandbox.engine import daemon, sweep
from sandbox.engine.images import Images
from sandbox.engine.run import Run
from sandbox.errors import NotRunnable
from tests.chromium import wait_for


@contextlib.contextmanager
def chromium(port: int, mode: str = "auto") -> Iterator[tuple[Any, Callable[[], None]]]:
    """Playwright's browser, for which ``port`` of 127.0.0.1 is this machine's; what cuts its connections to that."""
    if not playwright_version():
        raise NotRunnable("a browser is needed", command=install_playwright())
    from playwright.sync_api import sync_playwright

    client = daemon.connect()
    run = Run.begin()
    folder = Path(tempfile.mkdtemp(prefix="acs-l-"))
    try:
        with _relay(folder, port) as cut:
            container = client.containers.run(
                Images(client, mode, lambda text: None).ensure(COMPONENT),
                name=run.name("live-browser"),
                labels=dict(run.labels),
                ports={f"{PORT}/tcp": ("127.0.0.1", None)},
                volumes={str(folder): {"bind": "/live", "mode": "ro"}},
                cap_drop=["ALL"],
                detach=True,
            )
            there = f"TCP4-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr"
            container.exec_run(["socat", there, "UNIX-CONNECT:/live/socket"], detach=True)
            container.reload()
            published = container.ports[f"{PORT}/tcp"][0]["HostPort"]
            url = f"http://127.0.0.1:{published}"
            wait_for(url, lambda: container.logs(tail=8).decode(errors="replace"))
            with sync_playwright() as playwright:
                browser = playwright.chromium.connect_over_cdp(url)
                yield browser, cut
                browser.close()
            container.remove(force=True)
    finally:
        sweep.remove_run(client, run.id)
        run.end()
        client.close()
        shutil.rmtree(folder)


@contextlib.contextmanager
def _relay(folder: Path, port: int) -> Iterator[Callable[[], None]]:
    """A Unix socket in ``folder`` that leads to a port of 127.0.0.1; what cuts all connections through it."""
    through: list[socket.socket] = []

    def cut() -> None:
        while through:
            with contextlib.suppress(OSError):
                through.pop().shutdown(socket.SHUT_RDWR)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)) as there:
                through.append(there)
                back = threading.Thread(target=_pump, args=(there, self.request), daemon=True)
                back.start()
                _pump(self.request, there)
                back.join()

    class Server(socketserver.ThreadingUnixStreamServer):
        daemon_threads = True

    folder.chmod(0o755)  # the browser is another user
    with Server(str(folder / "socket"), Handler) as server:
        (folder / "socket").chmod(0o666)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield cut
        server.shutdown()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            sink.sendall(piece)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(OSError):
        source.shutdown(socket.SHUT_RDWR)
