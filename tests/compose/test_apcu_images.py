"""php-fpm with APCu, and MariaDB: what the stack apcu relies on, whether the image is the official one or our build."""

from __future__ import annotations

import pytest

from sandbox.engine.containers import Spec
from tests.compose.test_images import log, until

pytestmark = pytest.mark.docker

ACCOUNT = {"MARIADB_DATABASE": "shop", "MARIADB_USER": "shop", "MARIADB_PASSWORD": "it's \\ secret"}
PAGE = """<?php apcu_add('n', 41);
echo apcu_inc('n'), ' ', getenv('COLOUR'), ' ', extension_loaded('pdo_mysql'), class_exists('Redis');
"""
SITE = "server { listen 80; location / { include fastcgi_params; fastcgi_param SCRIPT_FILENAME /var/www/html/x.php; \
fastcgi_pass 127.0.0.1:9000; } }"


def volume(containers, image, folder, name, files):
    for file, text in files.items():
        (folder / file).write_text(text)
    made = containers.create_volume(name)
    containers.fill_volume(made, folder, image("toolbox"))
    return made


def mounted(source, target):
    return {"Target": target, "Source": source, "Type": "volume", "ReadOnly": True}


def test_php_fpm_keeps_a_cache_of_its_own(containers, image, tmp_path):
    for name in ("app", "conf"):
        (tmp_path / name).mkdir()
    app = volume(containers, image, tmp_path / "app", "app", {"x.php": PAGE})
    conf = volume(containers, image, tmp_path / "conf", "conf", {"site.conf": SITE})
    mounts = [mounted(app, "/var/www/html")]
    php = containers.run_new(Spec("php", image("php-apcu"), environment={"COLOUR": "blue"}, mounts=mounts))
    nginx = containers.run_new(
        Spec("nginx", image("nginx"), network_of=php, mounts=[mounted(conf, "/etc/nginx/conf.d")])
    )
    ask = ["curl", "--fail", "--silent", "http://127.0.0.1/"]  # the official nginx has curl, too
    assert until(containers, nginx, ask, 10) == "42 blue 11"
    assert containers.execute(nginx, ask)[1] == "43 blue 11"
    cleared = containers.execute(php, ["php", "-d", "apc.enable_cli=1", "-r", "var_dump(apcu_clear_cache());"])
    assert cleared == (0, "bool(true)\n", "")
    assert containers.execute(nginx, ask)[1] == "44 blue 11"
    processes = containers.client.api.top(php, "-eo pid,user,args")["Processes"]
    assert any(arguments.startswith("php-fpm: pool www") for *_, arguments in processes)
    assert any('"GET /' in line for line in log(containers, php))
    shown = containers.client.api.inspect_container(php)["Config"]
    assert (shown["StopSignal"], shown["WorkingDir"]) == ("SIGQUIT", "/var/www/html")
    containers.client.api.stop(php, timeout=10)
    assert containers.client.api.inspect_container(php)["State"]["ExitCode"] == 0


def test_mariadb_makes_its_database_and_keeps_it(containers, image, tmp_path):
    table = {"1.sql": "CREATE TABLE t (x INT);\nINSERT INTO t VALUES (7);\n"}
    first = volume(containers, image, tmp_path, "sql", table)
    data = containers.create_volume("data")
    mounts = [
        {"Target": "/var/lib/mysql", "Source": data, "Type": "volume"},
        mounted(first, "/docker-entrypoint-initdb.d"),
    ]
    environment = {**ACCOUNT, "MARIADB_ROOT_PASSWORD": "root's"}

    def ask(container, statement, *, user="shop", password=ACCOUNT["MARIADB_PASSWORD"]):
        host = ["-h", "127.0.0.1", f"-u{user}", f"-p{password}"]
        return until(containers, container, ["mariadb", *host, "-N", "-e", statement, "shop"], 30).strip()

    server = containers.run_new(Spec("mariadb", image("mariadb"), environment=environment, mounts=mounts))
    assert ask(server, "SELECT x FROM t") == "7"
    assert ask(server, "SELECT CURRENT_USER()", user="root", password="root's") == "root@%"
    ask(server, "UPDATE t SET x = 8")
    containers.client.api.stop(server, timeout=20)
    assert containers.client.api.inspect_container(server)["State"]["ExitCode"] == 0
    again = containers.run_new(Spec("again", image("mariadb"), mounts=mounts))
    assert ask(again, "SELECT x FROM t") == "8"
    assert containers.client.api.top(again, "-eo pid,args")["Processes"][0][1].startswith("mariadbd")


def test_mariadb_without_a_password_for_root_says_so_and_exits(containers, image):
    server = containers.run_new(Spec("mariadb", image("mariadb"), environment=ACCOUNT))
    assert containers.client.api.wait(server, timeout=20)["StatusCode"] == 1
    assert any(
        "Database is uninitialized and password option is not specified" in line for line in log(containers, server)
    )
