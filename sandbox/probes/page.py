"""What a browser has shown and what went wrong on the way, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

TEXT_LIMIT = 2000  # characters of a page's text
# What a script or a style sheet may be answered as; a browser refuses the others for modules and style sheets. (MDN,
# "Media types (MIME types)", "JavaScript types" and "text/css")
_TYPES: Mapping[str, tuple[str, ...]] = {"script": ("javascript", "ecmascript"), "stylesheet": ("text/css",)}


@dataclass(frozen=True)
class FailedRequest:
    """A request of a page that did not bring what the page wanted.

    Attributes:
        status: 0 where no answer came.
        kind: What for, in Playwright's words: "document", "script", "stylesheet", "image", "fetch", ...
        error: In Chromium's words where no answer came; "answered as TYPE" where a script or a style sheet was
            something else (an HTML page with status 200); "" where the status says it.
    """

    url: str
    status: int
    kind: str
    error: str

    def __str__(self) -> str:
        status = f"HTTP {self.status}" if self.status else ""
        return f"{self.kind} {self.url}: {' '.join(filter(None, (status, self.error)))}"


@dataclass(frozen=True)
class PageVisit:
    """What a user sees in a tab, and what happened there since the tab was looked at before.

    Attributes:
        url: What the address bar shows; where nothing could be loaded, what was asked for.
        status: Of the document (0: no answer came).
        title, text: What is visible; of the text the first `TEXT_LIMIT` characters.
        works: Whether the page came to do what was asked of it; None where nothing was asked.
        seconds: Until the page had loaded, or a click had its effect, or it was clear that it would not.
        error: Why there is no document ("net::ERR_NAME_NOT_RESOLVED"), or "".
        console: The errors in the browser's console, each with the URL that it is about.
        failures: The requests that failed.
        page_errors: Errors of the page's scripts that nothing caught.
    """

    url: str
    status: int
    title: str
    text: str
    works: bool | None
    seconds: float
    error: str
    console: tuple[str, ...]
    failures: tuple[FailedRequest, ...]
    page_errors: tuple[str, ...]

    @property
    def failed(self) -> bool:
        """Whether a user was let down: no page, or one that does not work, or (nothing asked) one with any error."""
        if self.error or self.status >= 400:
            return True
        return bool(self.failures or self.page_errors) if self.works is None else not self.works

    def facts(self) -> dict[str, Any]:
        """What goes to the timeline."""
        facts = asdict(self) | {"seconds": round(self.seconds, 3)}
        return {name: list(fact) if isinstance(fact, tuple) else fact for name, fact in facts.items()}

    def __str__(self) -> str:
        parts = [f"{self.url}: " + (self.error or f"HTTP {self.status}")]
        if self.works is not None:
            parts.append("works" if self.works else "does not work")
        if self.failures:
            parts.append(f"{len(self.failures)} failed request{'s' * (len(self.failures) > 1)}")
        return ", ".join(parts)


def refused(kind: str, content_type: str) -> str:
    """Why a browser does not take an answer for a script or a style sheet ("": it does, or may)."""
    allowed = _TYPES.get(kind, ())
    essence = content_type.partition(";")[0].strip().lower()
    if not allowed or not essence or any(part in essence for part in allowed):
        return ""
    return f"answered as {essence}"
