"""The verdict of edge-resize, from observations as a run makes them, and the photograph that it is about."""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path

from PIL import Image

from sandbox import paths, scenario
from sandbox.timeline import Observation

SCENARIO = scenario.load_all()["edge-resize"]
ASKED = "http://pictures.example.com/pictures/photo.jpg?width=1200"


def seen(*pictures, error=None):
    return [
        Observation(1.0, "original", {"bytes": 362_662, "width": 2000, "height": 1334}),
        Observation(
            2.0,
            "lambda.invocation",
            {"function": "us-east-1.resize", "log": ["START", "/pictures/photo.jpg: 1200x800, 119405 bytes", "END"]},
        ),
        Observation(
            3.0,
            "cdn.function",
            {"event": "origin-response", "url": "/pictures/photo.jpg?width=1200", "error": error},
        ),
        *(Observation(4.0, "picture", picture) for picture in pictures),
    ]


def picture(status=200, x_cache="Miss", size=(1200, 800), error=""):
    kind = "image/jpeg" if size else "text/html"
    return {
        "status": status,
        "error": error,
        "x_cache": x_cache,
        "content_type": kind,
        "bytes": 119_405,
        "size": size,
    }


def test_a_picture_of_the_right_width_holds():
    verdict = SCENARIO.judge(seen(picture(), picture(x_cache="Hit")))
    assert verdict.outcome == "holds"
    assert verdict.evidence == (
        "the origin has 2000x1334 pixels in 362,662 bytes",
        "/pictures/photo.jpg: 1200x800, 119405 bytes",
        f"{ASKED}: 200 Miss, image/jpeg, 1200x800 pixels, 119,405 bytes",
        f"{ASKED}: 200 Hit, image/jpeg, 1200x800 pixels, 119,405 bytes",
        "the function ran 1 times for 2 requests",
    )


def test_an_error_reproduces():
    verdict = SCENARIO.judge(
        seen(picture(502, "LambdaValidationError", None), error="ERROR Validation error: it is too large")
    )
    assert verdict.outcome == "reproduces"
    assert "origin-response: ERROR Validation error: it is too large" in verdict.evidence
    shown = f"{ASKED}: 502 LambdaValidationError, text/html, 119,405 bytes"
    assert shown in verdict.evidence


def test_a_picture_of_another_width_reproduces():
    assert SCENARIO.judge(seen(picture(size=(2000, 1334)))).outcome == "reproduces"


def test_the_photograph_is_the_same_each_time_and_no_larger_than_the_limit():
    path = Path(paths.share()) / "scenarios" / "edge_resize.py"
    spec = importlib.util.spec_from_file_location("edge_resize", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    content = module.photograph()
    assert content == module.photograph()
    assert len(content) < 1 << 20
    assert Image.open(io.BytesIO(content)).size == (2000, 1334)
