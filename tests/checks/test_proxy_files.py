"""Configurations of proxies from files: includes, and files that are wrong."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.checks import proxy_files
from sandbox.errors import SandboxError


@pytest.fixture
def written(tmp_path):
    def write(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text) if isinstance(text, bytes) else path.write_text(text)
        return tmp_path / next(iter(files))

    return write


def test_what_is_included_stands_in_place_with_its_own_lines(written):
    file = written(
        {
            "nginx.conf": "http {\n include mime.types;\n include conf.d/*.conf;\n include /etc/nginx/proxy_params;\n}",
            "conf.d/b.conf": "server { }",
            "conf.d/a.conf": "\nupstream a { server x; }",
            "proxy_params": "proxy_set_header Host $http_host;",
        }
    )
    (http,) = proxy_files.nginx(file)
    folder = file.parent
    assert [(one.name, one.where) for one in http.block] == [
        ("upstream", f"{folder}/conf.d/a.conf:2"),
        ("server", f"{folder}/conf.d/b.conf:1"),
        ("proxy_set_header", f"{folder}/proxy_params:1"),
    ]
    assert http.block[0].block[0].args == ("x",)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"nginx.conf": "http {\n  server {\n"}, "nginx.conf:2 is no configuration of nginx"),
        ({"nginx.conf": "http { } }"}, "nginx.conf:1 is no configuration of nginx"),
        ({"nginx.conf": "http { listen 80 }"}, "is no configuration of nginx"),
        ({"nginx.conf": "a 'b"}, "is no configuration of nginx"),
        ({"nginx.conf": b"\x7fELF\x00"}, "cannot be read as a configuration of nginx"),
        ({"nginx.conf": "\n\ninclude gone.conf;"}, "nginx.conf:3: include gone.conf: there is no such file"),
        ({"nginx.conf": "include /etc/nginx/gone;"}, "include /etc/nginx/gone: there is no such file"),
        ({"nginx.conf": "include nginx.conf;"}, "nginx.conf includes itself"),
        ({"nginx.conf": "include a;", "a": "include b;", "b": "include a;"}, "includes itself"),
        ({"nginx.conf": "include a;", "a": "x {"}, "/a:1 is no configuration of nginx"),
    ],
)
def test_an_nginx_conf_that_is_wrong(written, files, words):
    with pytest.raises(SandboxError) as error:
        proxy_files.nginx(written(files))
    assert words in error.value.message


def test_files_that_are_none(tmp_path):
    for read in (proxy_files.nginx, proxy_files.h2o):
        for path in (tmp_path, tmp_path / "gone"):
            with pytest.raises(SandboxError, match="cannot be read as a configuration of"):
                read(path)


@pytest.mark.parametrize("text", ["", "a: [", "- a", "text", "\x00", "a: &a {b: *a, <<: [*a]}\n" * 2])
def test_an_h2o_conf_that_is_wrong(written, text):
    with pytest.raises(SandboxError, match=r"H2O|nested"):
        proxy_files.h2o(written({"h2o.conf": text}))


@given(st.text(st.sampled_from("ab {};'\"\\$\n#")))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_a_tree_or_an_error(tmp_path, text):
    file = tmp_path / "any.conf"
    file.write_text(text)
    with contextlib.suppress(SandboxError):
        assert isinstance(proxy_files.nginx(file), list)
