"""What an application does with MongoDB, on the stand-in and on the official image alike."""

from __future__ import annotations

import datetime
import threading
import uuid

import pymongo
import pytest
from bson import Binary, Code, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from pymongo import DeleteOne, InsertOne, ReplaceOne, ReturnDocument, UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError, ExecutionTimeout
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

pytestmark = pytest.mark.docker


def side_by_side(number, work):
    """Run ``work(i)`` in as many threads, which begin at one moment; what each returned or raised."""
    begin = threading.Barrier(number)
    results = [None] * number

    def run(i):
        begin.wait()
        try:
            results[i] = work(i)
        except Exception as error:
            results[i] = error

    threads = [threading.Thread(target=run, args=(i,)) for i in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_a_document_is_stored_found_changed_and_deleted(db):
    made = db.c.insert_one({"name": "Ada", "age": 36}).inserted_id
    assert db.c.find_one({"_id": made}) == {"_id": made, "name": "Ada", "age": 36}
    assert db.c.update_one({"_id": made}, {"$set": {"age": 37}}).modified_count == 1
    assert db.c.replace_one({"_id": made}, {"name": "Ada L."}).modified_count == 1
    assert db.c.find_one() == {"_id": made, "name": "Ada L."}
    assert db.c.delete_one({"_id": made}).deleted_count == 1
    assert db.c.find_one() is None


def test_every_type_comes_back_as_it_was(db):
    document = {
        "_id": ObjectId(),
        "date": datetime.datetime(2026, 1, 2, 3, 4, 5, 678000),
        "before_1970": datetime.datetime(1901, 1, 1),
        "binary": b"\x00\xff",
        "uuid": Binary(uuid.uuid4().bytes, 4),
        "decimal": Decimal128("1.10"),
        "long": Int64(5),
        "int": 5,
        "double": 1.5,
        "none": None,
        "boolean": True,
        "regex": Regex("^a", "i"),
        "timestamp": Timestamp(1, 2),
        "code": Code("x"),
        "min": MinKey(),
        "max": MaxKey(),
        "array": [1, [2, {"x": 3}], []],
        "embedded": {"a": {"b": "é ☃"}, "": 1},
    }
    db.c.insert_one(document)
    found = db.c.find_one({"_id": document["_id"]})
    assert found == document
    assert list(found) == list(document)
    assert type(found["long"]) is Int64


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"n": {"$gt": 3}}, [4, 5]),
        ({"n": {"$gte": 2, "$lt": 4}}, [2, 3]),
        ({"n": {"$in": [1, 5, 9]}}, [1, 5]),
        ({"n": {"$nin": [1, 2, 3]}}, [4, 5]),
        ({"n": {"$ne": 1}}, [2, 3, 4, 5]),
        ({"$or": [{"n": 1}, {"tags": "odd", "n": 5}]}, [1, 5]),
        ({"tags": "odd"}, [1, 3, 5]),
        ({"tags": {"$all": ["odd", "small"]}}, [1]),
        ({"tags": {"$size": 2}}, [1, 2]),
        ({"optional": {"$exists": True}}, [3]),
        ({"optional": None}, [1, 2, 4, 5]),
        ({"name": {"$regex": "^N[12]", "$options": "i"}}, [1, 2]),
        ({"name": {"$type": "string"}, "n": {"$mod": [5, 0]}}, [5]),
        ({"n": {"$not": {"$gt": 1}}}, [1]),
        ({"place.floor": 2}, [2]),
        ({"$expr": {"$eq": ["$n", "$place.floor"]}}, [1, 2, 3, 4, 5]),
        ({"items": {"$elemMatch": {"a": 3, "b": 6}}}, [3]),
    ],
)
def test_queries(db, query, found):
    for n in range(1, 6):
        tags = ["odd" if n % 2 else "even"] + (["small"] if n < 3 else [])
        document = {"n": n, "name": f"n{n}", "tags": tags, "place": {"floor": n}, "items": [{"a": n, "b": 2 * n}]}
        db.c.insert_one(document | ({"optional": 1} if n == 3 else {}))
    assert sorted(document["n"] for document in db.c.find(query)) == found


def test_updates(db):
    db.c.insert_one({"_id": 1, "n": 1, "a": [1, 2, 3], "old": 1, "items": [{"k": 1, "v": 1}, {"k": 2, "v": 1}]})

    def update(change, query=None, **options):
        db.c.update_one(query or {"_id": 1}, change, **options)
        return db.c.find_one()

    assert update({"$inc": {"n": 2}, "$mul": {"old": 5}, "$min": {"low": 3}})["n"] == 3
    assert update({"$rename": {"old": "new"}, "$unset": {"low": ""}}).keys() == {"_id", "n", "a", "items", "new"}
    assert update({"$push": {"a": {"$each": [5, 4], "$sort": 1, "$slice": -4}}})["a"] == [2, 3, 4, 5]
    assert update({"$pull": {"a": {"$lt": 4}}})["a"] == [4, 5]
    assert update({"$addToSet": {"a": 5}})["a"] == [4, 5]
    assert update({"$pop": {"a": -1}})["a"] == [5]
    assert update({"$set": {"items.$.v": 9}}, {"items.k": 2})["items"][1]["v"] == 9
    assert update({"$inc": {"items.$[e].v": 1}}, array_filters=[{"e.k": 1}])["items"][0]["v"] == 2
    assert update([{"$set": {"size": {"$size": "$items"}}}])["size"] == 2
    assert isinstance(update({"$currentDate": {"at": True}})["at"], datetime.datetime)


def test_upserts(db):
    result = db.c.update_one({"_id": "x"}, {"$inc": {"n": 1}, "$setOnInsert": {"first": True}}, upsert=True)
    assert (result.matched_count, result.upserted_id) == (0, "x")
    assert db.c.update_one({"_id": "x"}, {"$inc": {"n": 1}}, upsert=True).upserted_id is None
    assert db.c.find_one() == {"_id": "x", "n": 2, "first": True}
    made = db.c.update_one({"key": 7}, {"$set": {"n": 1}}, upsert=True).upserted_id
    assert db.c.find_one({"key": 7}) == {"_id": made, "key": 7, "n": 1}


def test_find_and_modify(db):
    db.c.insert_many([{"_id": 1, "n": 5}, {"_id": 2, "n": 3}])
    assert db.c.find_one_and_update({}, {"$inc": {"n": 1}}, sort=[("n", 1)]) == {"_id": 2, "n": 3}
    after = db.c.find_one_and_update({"_id": 2}, {"$inc": {"n": 1}}, return_document=ReturnDocument.AFTER)
    assert after == {"_id": 2, "n": 5}
    assert db.c.find_one_and_replace({"_id": 1}, {"m": 1}, projection={"_id": 0}) == {"n": 5}
    assert db.c.find_one_and_delete({"_id": 1}) == {"_id": 1, "m": 1}
    assert db.c.find_one_and_update({"_id": 9}, {"$set": {"n": 1}}) is None


def test_a_bulk_write_does_all_its_parts(db):
    parts = [InsertOne({"_id": 1}), UpdateOne({"_id": 1}, {"$set": {"x": 1}}), ReplaceOne({"_id": 2}, {"y": 1}, True)]
    result = db.c.bulk_write([*parts, DeleteOne({"_id": 1})])
    assert (result.inserted_count, result.modified_count, result.upserted_ids) == (1, 1, {2: 2})
    assert list(db.c.find()) == [{"_id": 2, "y": 1}]


def test_sort_skip_and_limit(db):
    db.c.insert_many([{"_id": i, "third": i % 3} for i in range(30)])
    page = db.c.find().sort([("third", -1), ("_id", 1)]).skip(8).limit(4)
    assert [document["_id"] for document in page] == [26, 29, 1, 4]


def test_projections(db):
    db.c.insert_one({"_id": 1, "a": {"b": 1, "c": 2}, "d": [1, 2, 3]})
    assert db.c.find_one({}, {"a.b": 1, "_id": 0}) == {"a": {"b": 1}}
    assert db.c.find_one({}, {"a": 0}) == {"_id": 1, "d": [1, 2, 3]}
    assert db.c.find_one({}, {"d": {"$slice": -1}, "a": 0}) == {"_id": 1, "d": [3]}


def test_aggregation_unwinds_looks_up_and_groups(db):
    db.orders.insert_many([{"_id": 1, "items": ["tea", "milk"]}, {"_id": 2, "items": ["tea"]}])
    maker = ObjectId()
    db.products.insert_many([{"_id": "tea", "price": 3, "maker": maker}, {"_id": "milk", "price": 1, "maker": maker}])
    stages = [
        {"$unwind": "$items"},
        {"$lookup": {"from": "products", "localField": "items", "foreignField": "_id", "as": "product"}},
        {"$unwind": "$product"},
        {"$group": {"_id": "$product.maker", "sum": {"$sum": "$product.price"}, "orders": {"$addToSet": "$_id"}}},
    ]
    (found,) = db.orders.aggregate(stages)
    assert (found["_id"], found["sum"], sorted(found["orders"])) == (maker, 7, [1, 2])


def test_aggregation_computes(db):
    db.c.insert_many([{"_id": i, "n": i, "day": datetime.datetime(2026, 1, 1 + i)} for i in range(4)])
    stages = [
        {"$match": {"n": {"$gt": 0}}},
        {"$addFields": {"double": {"$multiply": ["$n", 2]}, "big": {"$cond": [{"$gt": ["$n", 1]}, "yes", "no"]}}},
        {"$project": {"_id": 0, "double": 1, "big": 1, "day": {"$dateToString": {"date": "$day", "format": "%d"}}}},
        {"$sort": {"double": -1}},
        {"$limit": 2},
    ]
    expected = [{"double": 6, "big": "yes", "day": "04"}, {"double": 4, "big": "yes", "day": "03"}]
    assert list(db.c.aggregate(stages)) == expected
    (facet,) = db.c.aggregate(
        [{"$facet": {"all": [{"$count": "n"}], "sum": [{"$group": {"_id": 0, "n": {"$sum": "$n"}}}]}}]
    )
    assert facet == {"all": [{"n": 4}], "sum": [{"_id": 0, "n": 6}]}


def test_aggregation_writes_collections(db):
    db.c.insert_many([{"_id": i} for i in range(5)])
    db.c.aggregate([{"$match": {"_id": {"$lt": 2}}}, {"$out": "other"}])
    db.c.aggregate([{"$match": {"_id": 4}}, {"$merge": {"into": "other"}}])
    assert sorted(document["_id"] for document in db.other.find()) == [0, 1, 4]


def test_count_and_distinct(db):
    db.c.insert_many([{"n": i % 3, "tags": ["a", str(i)]} for i in range(6)])
    assert (db.c.count_documents({"n": 1}), db.c.estimated_document_count()) == (2, 6)
    assert sorted(db.c.distinct("n")) == [0, 1, 2]
    assert sorted(db.c.distinct("tags", {"n": 0})) == ["0", "3", "a"]


@pytest.mark.parametrize("sort", [None, [("n", 1)], [("_id", -1)]], ids=["natural", "sorted", "by-id"])
def test_a_cursor_hands_out_every_document_once(db, sort):
    db.c.insert_many([{"_id": i, "n": -i, "text": "x" * 100} for i in range(2500)])
    cursor = db.c.find(batch_size=200)
    found = [document["_id"] for document in (cursor.sort(sort) if sort else cursor)]
    assert len(found) == 2500
    assert sorted(found) == list(range(2500))
    assert sort is None or found == list(reversed(range(2500)))
    assert len(list(db.c.aggregate([{"$match": {"_id": {"$gt": 999}}}], batchSize=100))) == 1500


def test_a_cursor_larger_than_a_message(db):
    db.c.insert_many([{"_id": i, "text": "x" * 1_000_000} for i in range(40)])
    assert sum(len(document["text"]) for document in db.c.find()) == 40_000_000


def test_a_killed_cursor_is_gone(db, refused):
    db.c.insert_many([{"_id": i} for i in range(100)])
    cursor = db.c.find(batch_size=10)
    next(cursor)
    number = cursor.cursor_id
    assert number
    result = db.command({"killCursors": "c", "cursors": [number, Int64(12345)]})
    assert (result["cursorsKilled"], result["cursorsNotFound"]) == ([number], [12345])
    refused(43, lambda: db.command({"getMore": number, "collection": "c"}))


def test_indexes_are_made_listed_and_dropped(db, refused):
    assert db.c.create_index([("a", 1), ("b", -1)], name="ab") == "ab"
    assert db.c.create_index("mail", unique=True, sparse=True) == "mail_1"
    assert db.c.create_index("at", expireAfterSeconds=3600) == "at_1"
    found = db.c.index_information()
    assert found["ab"] == {"v": 2, "key": [("a", 1), ("b", -1)]}
    assert found["mail_1"] == {"v": 2, "key": [("mail", 1)], "unique": True, "sparse": True}
    assert found["at_1"]["expireAfterSeconds"] == 3600
    db.c.drop_index("ab")
    assert set(db.c.index_information()) == {"_id_", "mail_1", "at_1"}
    refused(27, lambda: db.c.drop_index("ab"))
    refused(86, lambda: db.c.create_index("mail", unique=False, name="mail_1"))
    db.c.drop_indexes()
    assert set(db.c.index_information()) == {"_id_"}


def test_a_unique_index_holds(db):
    db.c.create_index("mail", unique=True)
    db.c.insert_many([{"_id": 1, "mail": "a"}, {"_id": 2, "mail": "b"}])
    for violate in (
        lambda: db.c.insert_one({"mail": "a"}),
        lambda: db.c.insert_one({"_id": 1, "mail": "c"}),
        lambda: db.c.update_one({"_id": 2}, {"$set": {"mail": "a"}}),
        lambda: db.c.find_one_and_update({"_id": 2}, {"$set": {"mail": "a"}}),
        lambda: db.c.update_one({"_id": 3}, {"$set": {"mail": "a"}}, upsert=True),
    ):
        with pytest.raises(DuplicateKeyError) as caught:
            violate()
        assert "E11000 duplicate key error collection: a_unique_index_holds.c index: " in str(caught.value)
        assert set(caught.value.details["keyPattern"]) <= {"mail", "_id"}
    assert sorted(document["mail"] for document in db.c.find()) == ["a", "b"]


def test_a_unique_index_over_what_is_not_unique_is_refused(db, refused):
    db.c.insert_many([{"x": 1}, {"x": 1}])
    refused(11000, lambda: db.c.create_index("x", unique=True))


def test_ordered_and_unordered_inserts_stop_and_go_on(db):
    with pytest.raises(BulkWriteError) as caught:
        db.c.insert_many([{"_id": 1}, {"_id": 1}, {"_id": 2}])
    assert caught.value.details["nInserted"] == 1
    with pytest.raises(BulkWriteError) as caught:
        db.c.insert_many([{"_id": 1}, {"_id": 1}, {"_id": 2}], ordered=False)
    assert [error["index"] for error in caught.value.details["writeErrors"]] == [0, 1]
    assert [error["code"] for error in caught.value.details["writeErrors"]] == [11000, 11000]
    assert sorted(document["_id"] for document in db.c.find()) == [1, 2]


def test_text_and_geographical_queries(db):
    db.c.create_index([("text", "text")])
    db.c.create_index([("place", "2dsphere")])
    db.c.insert_one({"_id": 1, "text": "tea and milk", "place": {"type": "Point", "coordinates": [139.7, 35.7]}})
    db.c.insert_one({"_id": 2, "text": "coffee", "place": {"type": "Point", "coordinates": [135.5, 34.7]}})
    assert [document["_id"] for document in db.c.find({"$text": {"$search": "milk"}})] == [1]
    near = {"$near": {"$geometry": {"type": "Point", "coordinates": [139, 35]}, "$maxDistance": 200_000}}
    assert [document["_id"] for document in db.c.find({"place": near})] == [1]


def test_collations(db):
    db.c.insert_many([{"_id": 1, "name": "Ada"}, {"_id": 2, "name": "ada"}, {"_id": 3, "name": "bob"}])
    found = db.c.find({"name": "ADA"}, collation={"locale": "en", "strength": 2})
    assert sorted(document["_id"] for document in found) == [1, 2]


def test_collections_are_made_listed_renamed_and_dropped(db, refused):
    db.create_collection("made")
    db.other.insert_one({})
    assert sorted(db.list_collection_names()) == ["made", "other"]
    db.made.rename("named")
    assert sorted(db.list_collection_names(filter={"name": {"$regex": "^n"}})) == ["named"]
    refused(26, lambda: db.made.rename("anything"))
    dropped = db.command("drop", "named")
    assert (dropped["nIndexesWas"], dropped["ns"]) == (1, f"{db.name}.named")
    assert db.command("drop", "named")["ok"] == 1
    refused(26, lambda: db.command("listIndexes", "named"))
    assert db.command("collStats", "other")["count"] == 1


def test_databases_are_listed_and_dropped(db):
    db.c.insert_one({})
    assert db.name in db.client.list_database_names()
    db.client.drop_database(db.name)
    assert db.name not in db.client.list_database_names()


def test_a_validator_holds(db, refused):
    db.create_collection("c", validator={"$jsonSchema": {"required": ["x"]}})
    refused(121, lambda: db.c.insert_one({"y": 1}))
    db.c.insert_one({"x": 1})


def test_what_is_wrong_is_refused_with_mongodbs_codes(db, refused):
    db.c.insert_one({"_id": 1})
    assert refused(59, lambda: db.command("frobnicate")).details["codeName"] == "CommandNotFound"
    refused(2, lambda: db.c.find_one({"$foo": 1}))
    refused(9, lambda: db.c.update_one({"_id": 1}, {"$foo": {"a": 1}}))
    refused(66, lambda: db.c.update_one({"_id": 1}, {"$set": {"_id": 2}}))
    refused(40324, lambda: db.c.aggregate([{"$foo": 1}]))
    refused(73, lambda: db.command({"insert": "", "documents": [{}]}))
    refused(43, lambda: db.command({"getMore": Int64(55), "collection": "c"}))
    refused(13, lambda: db.command("listDatabases"))


def test_what_a_standalone_server_does_not_have(db, refused):
    db.c.insert_one({})

    def in_transaction():
        with db.client.start_session() as session, session.start_transaction():
            db.c.insert_one({}, session=session)

    refused(20, in_transaction)
    refused(40573, db.c.watch)
    refused(2, lambda: db.get_collection("c", write_concern=WriteConcern(w=2)).insert_one({}))


def test_sessions_and_concerns_are_taken(db):
    careful = db.get_collection("c", write_concern=WriteConcern("majority"), read_concern=ReadConcern("majority"))
    with db.client.start_session() as session:
        careful.insert_one({"_id": 1}, session=session)
        assert careful.find_one({}, session=session) == {"_id": 1}


def test_a_write_that_asks_for_no_answer_is_done(db, until):
    db.get_collection("c", write_concern=WriteConcern(w=0)).insert_one({"_id": 1})
    until(lambda: db.c.find_one() == {"_id": 1})


def test_a_command_ends_at_its_time_limit(db):
    db.c.insert_many([{"_id": i, "n": i % 7} for i in range(3000)])
    join = {"$lookup": {"from": "c", "pipeline": [{"$match": {"n": {"$lt": 6}}}], "as": "all"}}
    with pytest.raises(ExecutionTimeout):
        db.c.aggregate([join, {"$unwind": "$all"}, {"$count": "n"}], maxTimeMS=100)
    assert db.c.find_one({"_id": 1}) == {"_id": 1, "n": 1}


def test_documents_up_to_16_mb(db):
    db.c.insert_one({"_id": 1, "x": b"x" * (15 << 20)})
    assert len(db.c.find_one()["x"]) == 15 << 20
    with pytest.raises(pymongo.errors.PyMongoError):
        db.c.insert_one({"_id": 2, "x": b"x" * (16 << 20)})
    assert db.c.count_documents({}) == 1


def test_nothing_is_lost_when_eight_threads_count(db):
    db.c.insert_one({"_id": 1, "n": 0})
    results = side_by_side(8, lambda i: [db.c.update_one({"_id": 1}, {"$inc": {"n": 1}}) for _ in range(50)])
    assert not [result for result in results if isinstance(result, Exception)]
    assert db.c.find_one() == {"_id": 1, "n": 400}


def test_upserts_of_one_document_side_by_side(db):
    results = side_by_side(
        8, lambda i: [db.c.update_one({"_id": k}, {"$inc": {"n": 1}}, upsert=True) for k in range(20)]
    )
    assert not [result for result in results if isinstance(result, Exception)]
    assert [document["n"] for document in db.c.find()] == [8] * 20


def test_a_queue_gives_each_of_its_items_to_one(db):
    db.c.insert_many([{"_id": i, "taken": False} for i in range(60)])

    def take(_):
        taken = []
        while item := db.c.find_one_and_update({"taken": False}, {"$set": {"taken": True}}, sort=[("_id", 1)]):
            taken.append(item["_id"])
        return taken

    assert sorted(item for taken in side_by_side(8, take) for item in taken) == list(range(60))


def test_updates_of_many_documents_in_opposite_orders(db):
    db.c.insert_many([{"_id": i, "n": 0} for i in range(100)])
    backwards = {"_id": {"$in": list(reversed(range(100)))}}
    results = side_by_side(
        4, lambda i: [db.c.update_many(backwards if i % 2 else {}, {"$inc": {"n": 1}}) for _ in range(5)]
    )
    assert not [result for result in results if isinstance(result, Exception)]
    assert {document["n"] for document in db.c.find()} == {20}


def test_a_collection_that_eight_make_at_one_moment(db):
    results = side_by_side(8, lambda i: db.c.insert_one({"_id": i}))
    assert not [result for result in results if isinstance(result, Exception)]
    assert db.c.count_documents({}) == 8
