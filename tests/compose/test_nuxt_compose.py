"""The shop's compose.yaml by itself: plain Docker Compose, no sandbox, on the source in a folder."""

from __future__ import annotations

import json
import re
import shutil

import pytest
import requests
import websocket

from sandbox import paths

pytestmark = pytest.mark.docker

FOLDER = paths.share() / "compose" / "nuxt"


@pytest.fixture
def site(compose, tmp_path):
    """The project's address on 127.0.0.1, and the folder with its source."""
    source = shutil.copytree(
        FOLDER / "app", tmp_path / "app", ignore=shutil.ignore_patterns("node_modules", ".nuxt", ".output")
    )
    images = {"NODE_IMAGE": "nuxt-dev", "H2O_IMAGE": "h2o"}
    with compose(FOLDER, images, NUXT_APP=str(source), NUXT_PORT="0") as up:  # any free one
        publisher = up.get_container("h2o").get_publisher(by_port=8080)
        assert publisher.URL == "127.0.0.1"
        yield f"127.0.0.1:{publisher.PublishedPort}", source


def test_a_page_learns_of_a_change_of_its_source_through_h2o(site):
    address, source = site
    page = requests.get(f"http://{address}/about", timeout=60)
    assert page.headers["Server"].startswith("h2o/")
    assert "the same in every build" in page.text
    client = requests.get(f"http://{address}/_nuxt/@vite/client", timeout=60).text
    assert requests.get(f"http://{address}/_nuxt/pages/about.vue", timeout=60).status_code == 200
    token = re.search(r'wsToken = "([^"]+)"', client)[1]
    tab = websocket.create_connection(f"ws://{address}/_nuxt/?token={token}", subprotocols=["vite-hmr"], timeout=30)
    assert json.loads(tab.recv()) == {"type": "connected"}
    file = source / "app" / "pages" / "about.vue"
    file.write_text(file.read_text().replace("the same in every build", "another one by now"))
    while (message := json.loads(tab.recv()))["type"] != "update":
        pass
    tab.close()
    assert message["updates"][0]["path"].endswith("/pages/about.vue")
    assert "another one by now" in requests.get(f"http://{address}/about", timeout=60).text
    assert {path.name for path in (source / "node_modules").iterdir()} == set()  # what is made is in volumes
