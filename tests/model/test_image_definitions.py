"""``imagedefinitions.json`` and the revision that it makes."""

from __future__ import annotations

import json

import pytest

from sandbox.model.image_definitions import MAX_BYTES, InvalidImagesError, parse, revision_with

DEFINITION = {
    "family": "web",
    "revision": 3,
    "taskDefinitionArn": "arn",
    "status": "ACTIVE",
    "registeredAt": 1.0,
    "cpu": "256",
    "containerDefinitions": [{"name": "web", "image": "old"}, {"name": "proxy", "image": "kept"}],
}


def test_it_names_containers_and_images():
    assert parse(b'[{"name": "web", "imageUri": "repo:1"}]') == {"web": "repo:1"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "is not valid JSON"),
        (b"\xff", "is not valid JSON"),
        (b"{}", "is not a list"),
        (b"[]", "is not a list"),
        (b'["web"]', "each item has a name and an imageUri"),
        (b'[{"name": "web"}]', "each item has a name and an imageUri"),
        (b'[{"name": "web", "imageUri": ""}]', "each item has a name and an imageUri"),
        (json.dumps([{"name": "w" * MAX_BYTES, "imageUri": "x"}]).encode(), "the limit is 102400"),
    ],
)
def test_what_is_malformed_is_refused(content, words):
    with pytest.raises(InvalidImagesError, match=words):
        parse(content)


def test_the_revision_has_the_new_image_and_all_else():
    assert revision_with(DEFINITION, {"web": "new"}, [{"key": "a", "value": "b"}]) == {
        "family": "web",
        "cpu": "256",
        "containerDefinitions": [{"name": "web", "image": "new"}, {"name": "proxy", "image": "kept"}],
        "tags": [{"key": "a", "value": "b"}],
    }
    assert DEFINITION["containerDefinitions"][0]["image"] == "old"


def test_variables_go_to_the_containers_that_get_an_image():
    given = {"name": "web", "image": "old", "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}
    definition = {**DEFINITION, "containerDefinitions": [given, {"name": "proxy", "image": "kept"}]}
    made = revision_with(definition, {"web": "new"}, environment={"B": "3", "C": "4"})["containerDefinitions"]
    assert made[0]["environment"] == [{"name": k, "value": v} for k, v in (("A", "1"), ("B", "3"), ("C", "4"))]
    assert made[1] == {"name": "proxy", "image": "kept"}
    assert given["environment"][1]["value"] == "2"


def test_a_container_that_there_is_not_is_named():
    with pytest.raises(InvalidImagesError, match="web:3 has no container 'app'; it has proxy, web"):
        revision_with(DEFINITION, {"app": "new"})
