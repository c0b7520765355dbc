"""A Lambda@Edge function that makes too much of a picture: 502, whatever the origin has."""

from __future__ import annotations

import base64
import io
import random
from collections.abc import Sequence

from sandbox.errors import SandboxError
from sandbox.scenario import Play, Scenario, Variant, Verdict
from sandbox.timeline import Observation

SITE = "http://pictures.example.com"
PHOTO = "pictures/photo.jpg"
FOLDER = "/usr/share/nginx/html"
SIZE = (2000, 1334)
WIDTH = 1200
ASKED = f"{SITE}/{PHOTO}?width={WIDTH}"
_PIECE = 90_000  # characters; an argument of a command has 128 KiB at most


def photograph() -> bytes:
    """A JPEG that compresses as a photograph does: soft shapes, and grain all over. The same one each time."""
    from PIL import Image

    seeded = random.Random(1826)
    shapes = Image.frombytes("RGB", (25, 17), seeded.randbytes(25 * 17 * 3)).resize(SIZE, Image.Resampling.BICUBIC)
    grain = Image.frombytes("RGB", SIZE, seeded.randbytes(SIZE[0] * SIZE[1] * 3))
    packed = io.BytesIO()
    Image.blend(shapes, grain, 0.12).save(packed, "JPEG", quality=75)
    return packed.getvalue()


def play(play: Play) -> None:
    """Put a photograph on the origin, and ask CloudFront for it in a smaller width; if it comes, once more."""
    sandbox = play.sandbox
    sandbox.progress("putting a photograph on the origin")
    original = photograph()
    (task,) = sandbox.aws("ecs").list_tasks(cluster="pictures", serviceName="pictures")["taskArns"]
    text = base64.b64encode(original).decode()
    for start in range(0, len(text), _PIECE):
        command = f"echo {text[start : start + _PIECE]} | base64 -d >> {FOLDER}/{PHOTO}"
        code, _, error = sandbox.execute(task, "nginx", ["sh", "-c", command])
        if code:
            raise SandboxError("the photograph could not be put on the origin", state=error)
    sandbox.timeline.record("original", bytes=len(original), width=SIZE[0], height=SIZE[1])
    sandbox.progress(f"asking for it {WIDTH} pixels wide")
    if _ask(play):
        _ask(play)


def _ask(play: Play) -> bool:
    """Ask for the picture; whether there was one."""
    from PIL import Image, UnidentifiedImageError

    result = play.sandbox.http_fetch(ASKED)
    try:
        size: tuple[int, int] | None = Image.open(io.BytesIO(result.content)).size
    except UnidentifiedImageError:
        size = None
    play.sandbox.timeline.record(
        "picture",
        status=result.status,
        error=result.error,
        x_cache=result.facts().get("x_cache", ""),
        content_type=result.headers.get("content-type", ""),
        bytes=len(result.content),
        size=size,
    )
    return size is not None


def judge(observations: Sequence[Observation]) -> Verdict:
    """Failed when a viewer gets no picture of the width that was asked for."""
    original = next(seen for seen in observations if seen.kind == "original")
    asked = [seen for seen in observations if seen.kind == "picture"]
    ran = [seen for seen in observations if seen.kind == "cdn.function" and PHOTO in seen["url"]]
    facts = [f"the origin has {original['width']}x{original['height']} pixels in {original['bytes']:,} bytes"]
    facts += [
        line.strip()
        for seen in observations
        if seen.kind == "lambda.invocation" and seen["function"] == "us-east-1.resize"
        for line in seen["log"]
        if line.startswith(f"/{PHOTO}: ")
    ]
    facts += [f"{seen['event']}: {seen['error']}" for seen in ran if seen["error"]]
    facts += [f"{ASKED}: {_shown(seen)}" for seen in asked]
    facts.append(f"the function ran {len(ran)} times for {len(asked)} requests")
    height = round(original["height"] * WIDTH / original["width"])
    served = [seen["status"] == 200 and tuple(seen["size"] or ()) == (WIDTH, height) for seen in asked]
    return Verdict(not all(served), tuple(facts))


def _shown(seen: Observation) -> str:
    if seen["error"]:
        return str(seen["error"])
    size = f", {seen['size'][0]}x{seen['size'][1]} pixels" if seen["size"] else ""
    return f"{seen['status']} {seen['x_cache']}, {seen['content_type']}{size}, {seen['bytes']:,} bytes"


SCENARIO = Scenario(
    name="edge-resize",
    stack="edge-resize",
    symptom="Some pictures are 502, with `X-Cache: LambdaValidationError`; the function's own log shows no error.",
    cause=(
        "What a Lambda@Edge function of an origin's trigger returns has 1 MB at most, headers and body, and a viewer's "
        "40 KB. The function has run well; CloudFront cannot use its answer. Small pictures never show it."
    ),
    fix="Return less: resize, in a format for photographs; or write the result to S3 and redirect there.",
    variants=(
        Variant(
            "no-resize",
            "reproduces",
            "the picture is written again in its own size, in the best quality",
            {"handler": "without_resizing"},
        ),
        Variant("as-png", "reproduces", "it is resized, and becomes a PNG", {"handler": "as_png"}),
        Variant("resized-below-limit", "holds", "it is resized to a JPEG", {"handler": "handler"}),
    ),
    play=play,
    judge=judge,
)
