"""The contracts of the images: what stacks rely on, whether the image is the official one or our build."""

from __future__ import annotations

import time

import pytest

from sandbox.engine.containers import Spec

pytestmark = pytest.mark.docker

GHOST = {
    "url": "http://blog.example.com",
    "database__client": "sqlite3",
    "database__connection__filename": "/var/lib/ghost/content/data/ghost.db",
    "database__useNullAsDefault": "true",
    "privacy__useTinfoil": "true",
    "explore__update_url": "",
}


def until(containers, container, command, seconds):
    """The output of a command once it succeeds in the container; servers tell nobody that they are ready."""
    deadline = time.monotonic() + seconds
    while True:
        code, output, errors = containers.execute(container, command)
        if code == 0:
            return output
        assert time.monotonic() < deadline, f"{command}: {output}{errors}\n" + "\n".join(log(containers, container))
        time.sleep(0.1)


def log(containers, container):
    return containers.client.api.logs(container).decode().splitlines()


def test_nginx_runs_as_its_user_logs_to_the_output_and_ends_gracefully(containers, image):
    nginx = containers.run_new(Spec("nginx", image("nginx")))
    client = containers.run_new(Spec("client", image("toolbox"), command=["sleep", "60"], network_of=nginx))
    assert "Welcome to nginx" in until(containers, client, ["curl", "-sf", "http://localhost/"], 10)
    processes = containers.client.api.top(nginx, "-eo pid,uid,args")["Processes"]
    users = {uid for _, uid, arguments in processes if "worker" in arguments}
    assert users == {containers.execute(nginx, ["id", "-u", "nginx"])[1].strip()}
    assert any("GET / HTTP/1.1" in line for line in log(containers, nginx))
    assert containers.client.api.inspect_container(nginx)["Config"]["StopSignal"] == "SIGQUIT"
    containers.client.api.stop(nginx, timeout=10)
    assert containers.client.api.inspect_container(nginx)["State"]["ExitCode"] == 0
    assert any("gracefully shutting down" in line for line in log(containers, nginx))


def test_nginx_takes_its_sites_from_conf_d(containers, image, tmp_path):
    (tmp_path / "site.conf").write_text("server { listen 80; return 200 'mine'; }")
    volume = containers.create_volume("conf")
    containers.fill_volume(volume, tmp_path, image("toolbox"))
    mount = {"Target": "/etc/nginx/conf.d", "Source": volume, "Type": "volume", "ReadOnly": True}
    nginx = containers.run_new(Spec("nginx", image("nginx"), mounts=[mount]))
    client = containers.run_new(Spec("client", image("toolbox"), command=["sleep", "60"], network_of=nginx))
    assert until(containers, client, ["curl", "-sf", "http://localhost/"], 10) == "mine"


def test_nginx_says_what_is_wrong_with_a_configuration_and_exits(containers, image, tmp_path):
    (tmp_path / "site.conf").write_text("server { listen eighty; }")
    volume = containers.create_volume("conf")
    containers.fill_volume(volume, tmp_path, image("toolbox"))
    mount = {"Target": "/etc/nginx/conf.d", "Source": volume, "Type": "volume", "ReadOnly": True}
    nginx = containers.run_new(Spec("nginx", image("nginx"), mounts=[mount]))
    assert containers.client.api.wait(nginx, timeout=10)["StatusCode"] == 1
    assert any("eighty" in line for line in log(containers, nginx))


def test_ghost_runs_as_node_on_seeded_content_that_survives_it(containers, image):
    volume = containers.create_volume("content")
    mount = {"Target": "/var/lib/ghost/content", "Source": volume, "Type": "volume"}
    get = ["curl", "-sf", "-H", "Host: blog.example.com", "http://localhost:2368/"]

    ghost = containers.run_new(Spec("ghost", image("ghost"), environment=GHOST, mounts=[mount]))
    client = containers.run_new(Spec("client", image("toolbox"), command=["sleep", "300"], network_of=ghost))
    assert "<title>Ghost</title>" in until(containers, client, get, 90)
    assert containers.execute(ghost, ["stat", "-c", "%U", "/proc/1", "content", "content/data/ghost.db"]) == (
        0,
        "node\nnode\nnode\n",
        "",
    )
    assert "source" in containers.execute(ghost, ["ls", "content/themes"])[1]
    containers.execute(ghost, ["rm", "-r", "content/themes/source"])
    containers.execute(ghost, ["touch", "content/images/mine"])
    containers.client.api.remove_container(client, force=True)
    containers.client.api.remove_container(ghost, force=True)

    again = containers.run_new(Spec("again", image("ghost"), environment=GHOST, mounts=[mount]))
    client = containers.run_new(Spec("client2", image("toolbox"), command=["sleep", "300"], network_of=again))
    assert "<title>Ghost</title>" in until(containers, client, get, 90)
    assert containers.execute(again, ["ls", "content/images/mine", "-d", "content/themes/source"])[0] == 0


def test_ghost_goes_on_with_a_blog_that_has_been_up_before(containers, image):
    volume = containers.create_volume("content")
    containers.copy_to_volume(volume, image("ghost-blog"), "/blog")
    mount = {"Target": "/var/lib/ghost/content", "Source": volume, "Type": "volume"}
    ghost = containers.run_new(Spec("ghost", image("ghost"), environment=GHOST, mounts=[mount]))
    client = containers.run_new(Spec("client", image("toolbox"), command=["sleep", "300"], network_of=ghost))
    get = ["curl", "-sf", "-H", "Host: blog.example.com", "http://localhost:2368/"]
    assert "<title>Ghost</title>" in until(containers, client, get, 90)
    assert not [line for line in log(containers, ghost) if "Creating table" in line]
