"""Why a browser cannot use an answer.

WHATWG Fetch and HTML: a module script needs a type of JavaScript; a classic one is refused as an image, sound, film or
CSV, and as anything but JavaScript under ``X-Content-Type-Options: nosniff``; HTML as a classic script runs into its
first "<". Modules of another origin need its leave (CORS). A style sheet needs text/css (in quirks mode browsers are
laxer; pages without a doctype are judged as if they had one). W3C Mixed Content: a page that came by HTTPS loads no
script and no style sheet by plain HTTP, and asks for images by HTTPS instead.
"""

from __future__ import annotations

from yarl import URL

from sandbox.model.assets.references import IMAGE, JAVASCRIPT, MODULE, PAGE, SCRIPT, STYLE
from sandbox.model.assets.urls import origin_of, place

_HTTP = 80
MISSING = "missing"  # 404, 410
DENIED = "denied"  # 401, 403: what S3 answers for a key that is not there, to those who may not list the bucket
REFUSED_REQUEST = "client error"  # the other 4xx
SERVER_ERROR = "server error"  # 5xx
WRONG_TYPE = "wrong type"  # an answer of 200 that a browser refuses to use as what it was asked for
CROSS_ORIGIN = "cross origin"  # a module of another origin, which does not allow the page's
MIXED = "mixed content"  # by plain HTTP, for a page that came by HTTPS
ODD_STATUS = "odd status"  # neither 200 nor an error
REDIRECT = "redirect"  # in circles, or to a host that may not be asked
REFUSED = "connection refused"
RESET = "connection reset"  # also: closed without an answer
CUT = "cut off"  # in mid-answer
TIMEOUT = "timeout"
NO_NAME = "no such name"
TLS = "tls"
MALFORMED = "malformed answer"
UNREACHABLE = "unreachable"
CAUSES = (
    *(MISSING, DENIED, REFUSED_REQUEST, SERVER_ERROR, WRONG_TYPE, CROSS_ORIGIN, MIXED, ODD_STATUS, REDIRECT),
    *(REFUSED, RESET, CUT, TIMEOUT, NO_NAME, TLS, MALFORMED, UNREACHABLE),
)


def cause(kind: str, status: int, content_type: str, *, nosniff: bool) -> str:
    """One of `CAUSES`, or "" where the browser can use the answer as what it is to be.

    Args:
        kind: What was asked for, a kind of `sandbox.model.assets.references`.
        status: The last one, redirects followed.
        content_type: The header's value, "" where there is none.
        nosniff: Whether the answer says so.
    """
    if status in {404, 410}:
        return MISSING
    if status in {401, 403}:
        return DENIED
    if 400 <= status < 500:
        return REFUSED_REQUEST
    if status >= 500:
        return SERVER_ERROR
    if status not in {200, 203, 206}:
        return ODD_STATUS
    return "" if _usable(kind, content_type.partition(";")[0].strip().lower(), nosniff) else WRONG_TYPE


def _usable(kind: str, media: str, nosniff: bool) -> bool:
    if kind == MODULE:
        return media in JAVASCRIPT
    if kind == SCRIPT:
        if nosniff:
            return media in JAVASCRIPT
        return media not in {"text/html", "text/csv"} and not media.startswith(("image/", "audio/", "video/"))
    if kind == STYLE:
        return media == "text/css" or (not media and not nosniff)
    if kind == IMAGE:
        return media != "text/html"
    return kind != PAGE or media in {"", "text/html", "application/xhtml+xml"}


def allowed(kind: str, url: str, origin: str, allow_origin: str) -> bool:
    """Whether a browser lets a page have an answer, by Access-Control-Allow-Origin: asked of modules alone.

    Args:
        kind: What was asked for.
        url: Where the answer came from.
        origin: The page's.
        allow_origin: The header's value, "" where there is none.
    """
    return kind != MODULE or origin_of(url) == origin or allow_origin.strip() in {"*", origin}


def by_browser(kind: str, url: str, origin: str) -> str:
    """Where a browser asks for what a page names: by HTTPS where it puts that in HTTP's place; "": nowhere.

    https://www.w3.org/TR/mixed-content/: "Upgradeable Content" are images, sound and film, the rest is "Blockable
    Content"; what is on the viewer's own machine is neither.

    Args:
        kind: What is asked for.
        url: As the page has it.
        origin: The page's; "": it is the page itself.
    """
    if not origin.startswith("https:") or not url.startswith("http:") or _is_local(url):
        return url
    if kind != IMAGE:
        return ""
    named = URL(url)
    return str(named.with_scheme("https").with_port(None if named.port == _HTTP else named.port))


def _is_local(url: str) -> bool:
    name = place(url)[0]
    return name == "localhost" or name.endswith(".localhost") or name.startswith("127.") or name == "::1"
