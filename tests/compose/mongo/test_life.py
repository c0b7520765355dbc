"""The contract of the image mongo: its arguments, its environment, its volume, how it starts and how it ends."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from pymongo.errors import AutoReconnect, OperationFailure, PyMongoError

pytestmark = pytest.mark.docker

NUMBERS = itertools.count()
ROOT = {"MONGO_INITDB_ROOT_USERNAME": "root", "MONGO_INITDB_ROOT_PASSWORD": "pa:ss wörd"}


@pytest.fixture
def volume(mongo):
    """A volume of this test's own."""
    return mongo.containers.create_volume(f"data-{next(NUMBERS)}")


@pytest.fixture
def only_stand_in(mongo):
    """For what is said in other words, or not at all, by MongoDB itself."""
    if not mongo.stand_in:
        pytest.skip("about the stand-in alone")


def test_it_says_when_it_waits_for_connections(mongo, server):
    line = json.loads(mongo.wait_for(server, "Waiting for connections"))
    assert (line["c"], line["ctx"], line["attr"]["port"]) == ("NETWORK", "listener", 27017)


def test_no_process_is_roots(mongo, server):
    processes = mongo.containers.client.api.top(server, "-eo pid,uid,args")["Processes"]
    assert {uid for _, uid, _ in processes} == {"999"}
    assert mongo.containers.execute(server, ["stat", "-c", "%u", "/data/db", "/data/configdb"])[1] == "999\n999\n"


def test_another_port(mongo):
    container = mongo.run("port", ["--port", "27999"], publish={27999: 0})
    mongo.until_it_answers(container, 27999)


def test_an_address_of_its_own_is_not_on_the_network(mongo):
    container = mongo.run("local", ["mongod", "--bind_ip", "127.0.0.1"])
    mongo.wait_for(container, "Waiting for connections")
    client = mongo.client(container, serverSelectionTimeoutMS=500)
    with pytest.raises(PyMongoError):
        client.admin.command("ping")


def test_it_ends_on_sigterm_and_loses_nothing(mongo, volume):
    first = mongo.start("first", volume=volume)
    client = mongo.client(first)
    client.db.c.insert_many([{"_id": i} for i in range(500)])
    client.db.c.create_index("n")
    mongo.containers.client.api.stop(first, timeout=30)
    assert mongo.exit_code(first) == 0
    second = mongo.start("second", volume=volume)
    assert mongo.client(second).db.c.count_documents({}) == 500
    assert "n_1" in mongo.client(second).db.c.index_information()


def test_every_write_that_was_acknowledged_survives_sigkill(mongo, volume):
    first = mongo.start("killed", volume=volume)
    acknowledged: list[int] = []
    enough = threading.Event()

    def write(start):
        client = mongo.client(first)
        with contextlib.suppress(PyMongoError):
            for number in range(start, start + 100_000):
                client.db.c.insert_one({"_id": number})
                acknowledged.append(number)
                if len(acknowledged) > 300:
                    enough.set()

    threads = [threading.Thread(target=write, args=(i * 100_000,)) for i in range(4)]
    for thread in threads:
        thread.start()
    assert enough.wait(60)
    mongo.containers.client.api.kill(first, "SIGKILL")
    for thread in threads:
        thread.join()
    second = mongo.start("after", volume=volume)
    found = {document["_id"] for document in mongo.client(second).db.c.find()}
    assert set(acknowledged) <= found


def test_without_a_volume_the_data_dies_with_the_container(mongo):
    first = mongo.start("lost")
    mongo.client(first).db.c.insert_one({})
    mongo.containers.remove(first)
    assert mongo.client(mongo.start("empty")).db.c.count_documents({}) == 0


def test_a_restarted_container_has_its_data(mongo):
    container = mongo.start("restarted")
    mongo.client(container).db.c.insert_one({"_id": 1})
    mongo.containers.client.api.restart(container, timeout=30)
    mongo.until_it_answers(container)
    assert mongo.client(container).db.c.find_one() == {"_id": 1}


def test_two_servers_cannot_have_one_directory(mongo, volume):
    first = mongo.start("holder", volume=volume)
    second = mongo.run("intruder", volume=volume)
    assert mongo.exit_code(second) == 100
    assert "DBPathInUse" in mongo.wait_for(second, "Another mongod instance is already running")
    mongo.client(first).db.c.insert_one({})


def test_a_login_is_needed_where_there_is_a_root_user(mongo, volume, refused):
    container = mongo.start("auth", environment=ROOT, volume=volume)
    login = {"username": "root", "password": ROOT["MONGO_INITDB_ROOT_PASSWORD"]}
    root = mongo.client(container, **login)
    root.db.c.insert_one({"_id": 1})
    assert root.admin.command("connectionStatus")["authInfo"]["authenticatedUsers"] == [{"user": "root", "db": "admin"}]
    refused(13, mongo.client(container).db.c.find_one)
    for wrong in ({"password": "wrong"}, {"username": "nobody"}, {"authSource": "db"}):
        refused(18, lambda wrong=wrong: mongo.client(container, **{**login, **wrong}).db.c.find_one())
    assert mongo.client(container, **login, authMechanism="SCRAM-SHA-256").db.c.find_one() == {"_id": 1}
    mongo.containers.client.api.stop(container, timeout=30)
    # The user is in the data: a later start with another password has no effect.
    again = mongo.start("auth-again", environment={**ROOT, "MONGO_INITDB_ROOT_PASSWORD": "other"}, volume=volume)
    assert mongo.client(again, **login).db.c.find_one() == {"_id": 1}


def test_the_password_may_be_in_a_file(mongo, tmp_path):
    secrets = mongo.containers.create_volume("secrets")
    (tmp_path / "password").write_text("from a file\n")
    mongo.containers.fill_volume(secrets, tmp_path, mongo.image)
    environment = {"MONGO_INITDB_ROOT_USERNAME": "root", "MONGO_INITDB_ROOT_PASSWORD_FILE": "/run/secrets/password"}
    mount = {"Target": "/run/secrets", "Source": secrets, "Type": "volume"}
    container = mongo.start("secret", environment=environment, mounts=[mount])
    client = mongo.client(container, username="root", password="from a file")
    assert client.db.c.count_documents({}) == 0


def test_a_user_without_a_password_is_refused(mongo):
    container = mongo.run("half", environment={"MONGO_INITDB_ROOT_USERNAME": "root"})
    assert mongo.exit_code(container) == 1
    assert mongo.wait_for(container, "both must be specified for a user to be created")


def test_auth_without_a_user_lets_nobody_do_anything(mongo, refused):
    container = mongo.start("closed", ["--auth"])
    refused(13, lambda: mongo.client(container).db.c.insert_one({}))


@pytest.mark.parametrize(
    "arguments", [["--nonsense"], ["--port", "many"], ["mongod", "--replSet", "rs0", "--nonsense"]]
)
def test_arguments_that_are_refused(mongo, arguments):
    container = mongo.run(f"arguments-{next(NUMBERS)}", arguments)
    assert mongo.exit_code(container) != 0
    assert mongo.wait_for(container, "rror parsing command line")


def test_what_is_not_carried_out_is_refused_by_name(mongo, only_stand_in):
    container = mongo.run("replicas", ["mongod", "--replSet", "rs0"])
    assert mongo.exit_code(container) == 2
    assert mongo.wait_for(container, "unrecognised option '--replSet'")
    assert mongo.wait_for(container, "this is a stand-in for MongoDB, which takes --port")


def test_data_of_mongodb_itself_is_not_touched(mongo, only_stand_in, volume, tmp_path):
    (tmp_path / "WiredTiger").write_text("WiredTiger")
    mongo.containers.fill_volume(volume, tmp_path, mongo.image)
    container = mongo.run("foreign", volume=volume)
    assert mongo.exit_code(container) == 14
    assert mongo.wait_for(container, "holds data of MongoDB itself, which this stand-in cannot read")


def test_a_start_that_was_killed_before_it_was_ready(mongo, only_stand_in, volume):
    for attempt, sign in enumerate(("MongoDB starting", "database system is ready")):
        container = mongo.run(f"killed-{attempt}", volume=volume)
        mongo.wait_for(container, sign)
        mongo.containers.client.api.kill(container, "SIGKILL")
    mongo.client(mongo.start("third", volume=volume)).db.c.insert_one({})


def test_it_ends_on_sigterm_while_it_starts(mongo, only_stand_in):
    container = mongo.run("hurried")
    mongo.wait_for(container, "MongoDB starting")
    mongo.containers.client.api.stop(container, timeout=30)
    assert mongo.exit_code(container) == 0
    container = mongo.run("at-once")
    mongo.wait_for_tini(container)
    mongo.containers.client.api.stop(container, timeout=30)
    assert mongo.exit_code(container) != 137


def test_its_engine_going_away_ends_it(mongo, only_stand_in):
    container = mongo.start("engine")
    kill = "kill -9 $(head -1 /data/db/documentdb/postmaster.pid)"
    assert mongo.containers.execute(container, ["sh", "-c", kill])[0] == 0
    assert mongo.exit_code(container) == 14
    assert mongo.wait_for(container, "PostgreSQL has ended")


def test_an_open_operation_is_answered_before_the_end(mongo):
    container = mongo.start("busy")
    client = mongo.client(container)
    client.db.c.insert_one({"_id": 1, "n": 0})
    done: list[int] = []

    def write():
        with contextlib.suppress(AutoReconnect, OperationFailure):
            while True:
                client.db.c.update_one({"_id": 1}, {"$inc": {"n": 1}})
                done.append(1)

    thread = threading.Thread(target=write)
    thread.start()
    mongo.containers.client.api.stop(container, timeout=30)
    assert mongo.exit_code(container) == 0
    thread.join(60)
    assert not thread.is_alive()
    mongo.containers.start(container)
    mongo.until_it_answers(container)
    assert mongo.client(container).db.c.find_one()["n"] - len(done) in (0, 1)


def test_two_hundred_clients_at_once(mongo, server):
    clients = [mongo.client(server, maxPoolSize=1) for _ in range(200)]
    with ThreadPoolExecutor(50) as pool:
        list(pool.map(lambda client: client.crowd.c.insert_one({}), clients))
        assert list(pool.map(lambda client: client.crowd.c.count_documents({}), clients)) == [200] * 200
    for client in clients:
        client.close()


@pytest.mark.parametrize(
    "message",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 600,  # TLS
        (16 + 5).to_bytes(4, "little") + bytes(8) + (2013).to_bytes(4, "little") + b"\0\0\0\0\7",  # no such section
        (48_000_001).to_bytes(4, "little") + bytes(12),
        (15).to_bytes(4, "little") + bytes(12),
        (16 + 14).to_bytes(4, "little") + bytes(8) + (2013).to_bytes(4, "little") + bytes(5) + b"\x09\0\0\0\x7fx\0\0\0",
    ],
    ids=["http", "tls", "section", "too-long", "too-short", "bson"],
)
def test_what_is_no_message_ends_that_connection_only(mongo, server, client, message):
    with socket.create_connection(("127.0.0.1", mongo.port(server)), timeout=30) as connection:
        connection.sendall(message)
        with contextlib.suppress(ConnectionResetError):
            while connection.recv(4096):
                pass
    assert client.admin.command("ping")["ok"] == 1


def test_a_connection_that_sends_half_a_message_holds_up_nobody(mongo, server, client):
    with socket.create_connection(("127.0.0.1", mongo.port(server))) as connection:
        connection.sendall((100).to_bytes(4, "little") + bytes(20))
        assert client.admin.command("ping")["ok"] == 1
