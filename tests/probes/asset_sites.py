"""Sites with hashed assets and lazy chunks, as Vite builds them, served by a real nginx."""

from __future__ import annotations

import shutil
from pathlib import Path

TYPES = "types { text/html html; text/javascript js; text/css css; image/png png; }"
HTTP = """user root;
http { TYPES access_log off; server { listen 127.0.0.1:PORT; root FOLDER/www; SERVER } }"""
PAGE = """<!doctype html><html><head>
<link rel="modulepreload" as="script" crossorigin href="/_nuxt/entry.{v}.js">
<link rel="modulepreload" as="script" crossorigin href="/_nuxt/vendor.js">
<link rel="stylesheet" href="/_nuxt/style.{v}.css">
<script type="module" src="/_nuxt/entry.{v}.js" crossorigin></script>
</head><body><img src="/logo.png">build {v}</body></html>"""
ENTRY = """const __vite__mapDeps=(i,m=__vite__mapDeps,d=(m.f||(m.f=["./about.{v}.js","./about.{v}.css"])))=>
i.map(i=>d[i]);
import{{a}}from"./vendor.js";const about=()=>p(()=>import("./about.{v}.js"),__vite__mapDeps([0,1]),import.meta.url);"""


def build(folder: Path, version: str) -> Path:
    """What a build leaves: the page, its assets, and a chunk with a style sheet that are loaded later."""
    assets = folder / "_nuxt"
    assets.mkdir(parents=True, exist_ok=True)
    (folder / "logo.png").write_bytes(b"\x89PNG")
    (assets / "vendor.js").write_text("export const a=1;")
    (assets / f"entry.{version}.js").write_text(ENTRY.format(v=version))
    (assets / f"style.{version}.css").write_text("body{}")
    (assets / f"about.{version}.js").write_text('import{a}from"./vendor.js";export default a;')
    (assets / f"about.{version}.css").write_text("p{}")
    (folder / "index.html").write_text(PAGE.format(v=version))  # last: what it names is there
    return folder


def serve(nginx, name: str, server: str = "", *, version: str = "a1b2c3d4") -> tuple[str, Path]:
    """Build a site and serve it; its URL and its folder."""
    folder = build(nginx.folder / name / "www", version)
    text = HTTP.replace("TYPES", TYPES).replace("SERVER", server)
    url, _ = nginx.serve(name, text)
    return url, folder


def deploy(folder: Path, version: str) -> None:
    """Another build takes the place of the one that is there."""
    shutil.rmtree(folder / "_nuxt")
    build(folder, version)
