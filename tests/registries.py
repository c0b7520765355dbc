"""Registries of images that do not do what they are there for."""

from __future__ import annotations

import http.server
import threading


class Silent:
    """A registry that is there, and never says whether it has an image."""

    def __enter__(self) -> Silent:
        asked = self.asked = threading.Event()
        over = self._over = threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path != "/v2/":
                    asked.set()
                    over.wait(60)
                    return
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_HEAD = do_GET

            def log_message(self, *arguments: object) -> None: ...

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True).start()
        self.image = f"127.0.0.1:{self._server.server_address[1]}/shop:1"
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
