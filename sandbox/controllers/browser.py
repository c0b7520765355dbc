"""The browser of a sandbox's viewers: Chromium on the sandbox's internet, where DNS is as for any viewer."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from sandbox.controllers.network import RunNetwork
from sandbox.engine.containers import Containers
from sandbox.engine.images import Images
from sandbox.errors import NotRunnable, SandboxError

if TYPE_CHECKING:
    from sandbox.probes.browser import Browser

COMPONENT = "chromium"
PORT = 9222
UP_WITHIN = 30.0
_ASK_AGAIN = 0.05  # seconds
INSTALL_IMAGE = f"sandbox images build {COMPONENT}"


def playwright_version() -> str:
    """The version of Playwright that is installed ("": none)."""
    if importlib.util.find_spec("playwright") is None:
        return ""
    return importlib.metadata.version("playwright")


def install_playwright() -> str:
    """The command that installs the version of Playwright that this package names in its extra ``browser``."""
    try:
        named = importlib.metadata.requires("aws-container-sandbox") or []
    except importlib.metadata.PackageNotFoundError:
        named = []
    wanted = [one.partition(";")[0].strip() for one in named if one.startswith("playwright")]
    return f"python -m pip install {wanted[0] if wanted else 'playwright'}"


class Browsers:
    """Starts the container where none runs; each call connects anew.

    Args:
        containers, images, network: Of the run.
        record: Writes an observation.
        folder: Where screenshots go.
        ending: Set when the sandbox ends.
    """

    def __init__(
        self,
        containers: Containers,
        images: Images,
        network: RunNetwork,
        record: Callable[..., Any],
        folder: Path,
        ending: threading.Event,
    ) -> None:
        self._containers = containers
        self._images = images
        self._network = network
        self._record = record
        self._folder = folder
        self._ending = ending
        self._container = ""
        self._started = 0

    def connect(self) -> Browser:
        """A browser of one's own.

        Raises:
            NotRunnable: Playwright or the image is not to be had.
            SandboxError: The browser does not come up.
        """
        if not playwright_version():
            raise NotRunnable("a browser is needed, and Playwright is not installed", command=install_playwright())
        from sandbox.probes.browser import Browser

        if not self._container or self._containers.stats(self._container, once=True) is None:  # it may have crashed
            self._container = self._start()
        endpoint = f"http://127.0.0.1:{self._containers.published(self._container, PORT)}"
        return Browser(endpoint, self._record, self._folder, lambda: self._containers.log_tail(self._container, 8))

    def _start(self) -> str:
        try:
            image = self._images.ensure(COMPONENT)
        except SandboxError as error:
            raise NotRunnable(
                "a browser is needed, and the image of Chromium cannot be had",
                command=INSTALL_IMAGE,
                state=f"{error.message}: {error.state}",
                log=error.log,
            ) from error
        self._started += 1
        container = self._network.add_client(f"browser-{self._started}", image, publish=PORT)
        deadline, last = time.monotonic() + UP_WITHIN, ""
        while self._containers.runs(container) and time.monotonic() < deadline:
            try:
                url = f"http://127.0.0.1:{self._containers.published(container, PORT)}/json/version"
                if requests.get(url, timeout=5).ok:
                    return container
            except (requests.RequestException, LookupError, TypeError) as error:  # it has no port any more
                last = str(error)
            if self._ending.wait(_ASK_AGAIN):
                break
        ended = not self._containers.runs(container)
        refusal = SandboxError(
            "Chromium ended before it was up" if ended else f"Chromium did not come up within {UP_WITHIN:g} s",
            state=last,
            log=self._containers.log_tail(container),
            hint="the log lines are Chromium's own last words",
        )
        self._network.remove_client(container)
        raise refusal
