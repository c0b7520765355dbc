"""The files of the stack nuxt that parameters choose from: CloudFront takes each of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from sandbox import paths
from sandbox.model.cloudfront.config import parse
from sandbox.model.cloudfront.policies import Ttl

FOLDER = paths.share() / "compose" / "nuxt"
YEAR = 31536000


def names(folder: str) -> list[str]:
    return sorted(path.stem for path in (FOLDER / folder).glob("*.json"))


def config(**files: str) -> dict[str, Any]:
    """The distribution's configuration with these files in it."""
    calls = yaml.safe_load((FOLDER / "stack.yaml").read_text())["calls"]
    (found,) = (call["cloudfront.create_distribution"] for call in calls if "cloudfront.create_distribution" in call)
    config: dict[str, Any] = found["DistributionConfig"]
    for origin in config["Origins"]["Items"]:
        origin["DomainName"] = "origin.example.com"  # what is there is known only when the stack is up
    for key, file in files.items():
        config[key] = json.loads((FOLDER / file).read_text())
    return config


@pytest.mark.parametrize("behaviors", names("behaviors"))
@pytest.mark.parametrize("errors", names("errors"))
def test_a_distribution(behaviors: str, errors: str) -> None:
    made = parse(config(CacheBehaviors=f"behaviors/{behaviors}.json", CustomErrorResponses=f"errors/{errors}.json"))
    kept = {path: made.behavior(path) for path in ("/_nuxt/entry.1.js", "/_nuxt/picture.1.png", "/photo.jpg")}
    for behavior in kept.values():
        assert behavior.cache.ttl == Ttl(0, YEAR, YEAR)
    assert kept["/_nuxt/entry.1.js"].target == ("bucket" if behaviors == "s3" else "alb")
    assert kept["/photo.jpg"].target == "alb"
    for path in ("/", "/catalogue"):
        assert made.behavior(path).cache.name == "CachingDisabled"
    seconds = {"at-once": 0, "five-minutes": 300, "a-day": 86400}
    assert {status: made.error_ttl(status) for status in (403, 404)} == dict.fromkeys(
        (403, 404), seconds.get(errors, 10)
    )
