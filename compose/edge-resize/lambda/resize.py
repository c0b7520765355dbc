"""Lambda@Edge, origin response: a picture in the width that the viewer asks for, ``/pictures/photo.jpg?width=800``.

The trigger does not see the body that the origin has sent, so each of these fetches the original itself. There are no
environment variables at the edge: what differs is another handler.
"""

from __future__ import annotations

import base64
import io
import urllib.parse
import urllib.request

from PIL import Image

WIDEST = 2400


def handler(event, context):
    """Resize to a JPEG: what the browser gets is smaller than what the origin has."""
    return _changed(event, "image/jpeg", lambda picture: _packed(picture, "JPEG", quality=80))


def as_png(event, context):
    """The fault: a photograph as a PNG, which is larger than the JPEG it was made of."""
    return _changed(event, "image/png", lambda picture: _packed(picture, "PNG"))


def without_resizing(event, context):
    """The fault: whatever the width, the picture is only written again, in the best quality."""
    return _changed(event, "image/jpeg", lambda picture: _packed(picture, "JPEG", quality=100), resize=False)


def _changed(event, kind, pack, resize=True):
    cf = event["Records"][0]["cf"]
    request, response = cf["request"], cf["response"]
    width = _width(request["querystring"])
    if response["status"] != "200" or width is None:
        return response  # as it came: an error, a 304, or somebody wants the original
    picture = Image.open(io.BytesIO(_original(request)))
    if resize:
        picture = picture.resize((width, round(picture.height * width / picture.width)))
    content = pack(picture)
    print(f"{request['uri']}: {picture.width}x{picture.height}, {len(content)} bytes")
    response["body"] = base64.b64encode(content).decode()
    response["bodyEncoding"] = "base64"
    response["headers"]["content-type"] = [{"key": "Content-Type", "value": kind}]
    response["headers"].pop("etag", None)  # it is the original's
    return response


def _width(querystring):
    """A width that makes sense, else None; anything else would let viewers choose what it costs."""
    (value,) = urllib.parse.parse_qs(querystring).get("width", [""])[:1]
    return int(value) if value.isdecimal() and 1 <= int(value) <= WIDEST else None


def _original(request):
    origin = request["origin"]["custom"]
    url = f"{origin['protocol']}://{origin['domainName']}:{origin['port']}{origin['path']}{request['uri']}"
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.read()


def _packed(picture, form, **options):
    packed = io.BytesIO()
    picture.save(packed, form, **options)
    return packed.getvalue()
