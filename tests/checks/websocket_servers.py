"""Real servers to check: Flask-SocketIO on this machine and in containers, nginx and H2O before it."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from docker.types import Mount

from sandbox.engine.containers import Containers, Spec

APP = Path(__file__).with_name("socketio_app.py")
PATIENCE = 20.0


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


def wait_for(port: int, log: Callable[[], Sequence[str]]) -> None:
    """Until somebody listens there, who tells nobody of it."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            assert time.monotonic() < deadline, log()
            time.sleep(0.05)
        else:
            return


class Apps:
    """Flask-SocketIO processes."""

    def __init__(self) -> None:
        self._running: list[subprocess.Popen[str]] = []

    def start(self, mode: str = "threading", *options: str) -> int:
        """Start one; the port that it listens on."""
        port = free_port()
        process = subprocess.Popen(
            [sys.executable, APP, mode, str(port), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._running.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return port

    def close(self) -> None:
        """End them."""
        for process in self._running:
            process.kill()
            process.wait()


class OnThisNetwork:
    """Containers that share this machine's network, so that they reach its processes and listen on 127.0.0.1."""

    def __init__(self, containers: Containers, image: Callable[[str], str], folder: Path) -> None:
        self.folder = folder
        self.image = image
        self.containers = containers

    def run(self, component: str, command: Sequence[str], port: int, *mounts: tuple[Path, str]) -> None:
        """Start one and wait until it listens."""
        container = self.containers.run_new(
            Spec(
                f"{component}-{port}",
                self.image(component),
                entrypoint=list(command),
                command=[],
                networks=[("host", None)],
                mounts=[Mount(target, str(source), type="bind") for source, target in mounts],
            )
        )
        wait_for(port, lambda: self.containers.log_tail(container))

    def app(self, component: str, mode: str, *options: str) -> int:
        """The same application as `Apps` have it, with the versions of an image; its port."""
        port = free_port()
        self.run(component, ["python", "/app/app.py", mode, str(port), *options], port, (APP, "/app/app.py"))
        return port

    def h2o(self, port: int, directives: str) -> tuple[str, Path]:
        """An H2O before a port; its URL and its configuration."""
        listens = free_port()
        file = self.folder / f"h2o-{listens}.conf"
        file.write_text(
            f"listen: {{ host: 127.0.0.1, port: {listens} }}\nuser: root\nhosts:\n  default:\n    paths:\n      /:\n"
            f"        proxy.reverse.url: http://127.0.0.1:{port}/\n{directives}"
        )
        self.run("h2o", ["h2o", "-c", "/etc/h2o/h2o.conf"], listens, (file, "/etc/h2o/h2o.conf"))
        return f"http://127.0.0.1:{listens}/", file


class Nginx:
    """A container on this machine's network, in which one nginx runs for each configuration."""

    def __init__(self, containers: Containers, image: str, folder: Path) -> None:
        self.folder = folder
        self._containers = containers
        self._id = containers.run_new(
            Spec(
                "nginx-websocket",
                image,
                command=["sleep", "infinity"],
                networks=[("host", None)],
                mounts=[Mount("/conf", str(folder), type="bind")],
            )
        )

    def serve(self, name: str, text: str) -> tuple[str, Path]:
        """Start an nginx; its URL and its configuration. ``PORT`` and ``FOLDER`` in it are filled in."""
        port = free_port()
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        file = folder / "nginx.conf"
        made = text.replace("PORT", str(port)).replace("FOLDER", f"/conf/{name}")
        file.write_text(f"pid /tmp/{name}.pid;\nerror_log /tmp/{name}.log;\nevents {{}}\n{made}")
        code, out, err = self._containers.execute(self._id, ["nginx", "-c", f"/conf/{name}/nginx.conf"])
        assert code == 0, out + err
        wait_for(port, lambda: [self.log(name)])
        return f"http://127.0.0.1:{port}/", file

    def log(self, name: str) -> str:
        """What it has written to its error log."""
        return self._containers.execute(self._id, ["cat", f"/tmp/{name}.log"])[1]
