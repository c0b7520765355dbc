"""The images that a Dockerfile begins with are replaced, and nothing else."""

from __future__ import annotations

import pytest

from sandbox.model.dockerfile import rebased


@pytest.mark.parametrize(
    ("text", "arguments", "made"),
    [
        ("FROM nginx:1.27\nRUN x", {}, "FROM <nginx:1.27>\nRUN x\n"),
        ("from nginx AS web\nFROM web\nFROM scratch", {}, "from <nginx> AS web\nFROM web\nFROM scratch\n"),
        ("ARG BASE=debian:1\nFROM ${BASE}", {}, "ARG BASE=debian:1\nFROM <debian:1>\n"),
        ("ARG BASE=debian:1\nFROM $BASE", {"BASE": "alpine"}, "ARG BASE=debian:1\nFROM <alpine>\n"),
        ("FROM ${BASE:-debian}", {}, "FROM <debian>\n"),
        ("FROM a\nARG BASE=b\nFROM ${BASE:-c}", {}, "FROM <a>\nARG BASE=b\nFROM <c>\n"),
        (
            "FROM --platform=linux/amd64 a AS x\nCOPY --from=x /a /",
            {},
            "FROM --platform=linux/amd64 <a> AS x\nCOPY --from=x /a /\n",
        ),
        ("RUN echo FROM here", {}, "RUN echo FROM here\n"),
    ],
)
def test_transcripts(text, arguments, made):
    assert rebased(text, arguments, lambda image: f"<{image}>") == made
