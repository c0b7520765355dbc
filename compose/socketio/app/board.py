"""The board: what is posted stays there, for every process, if there is a MongoDB; else in this process's memory."""

import datetime
from collections import deque

import pymongo
import pymongo.errors

KEPT = 50


class Unavailable(Exception):
    """The database does not answer."""


def open_board(url):
    """The board at a MongoDB URL (its database, or "board"), or in memory where there is none."""
    return StoredBoard(url) if url else MemoryBoard()


def _post(text, process):
    at = datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds")
    return {"text": text, "process": process, "at": at}


class MemoryBoard:
    """Gone with its process, and no other process has it."""

    stored = False

    def __init__(self):
        self._posts = deque(maxlen=KEPT)

    def add(self, text, process):
        """Keep a post and return it."""
        post = _post(text, process)
        self._posts.appendleft(post)
        return post

    def latest(self):
        """The newest posts first."""
        return list(self._posts)


class StoredBoard:
    """In MongoDB, in the collection ``posts``."""

    stored = True

    def __init__(self, url):
        client = pymongo.MongoClient(url, serverSelectionTimeoutMS=10_000, connect=False)
        self._posts = client.get_default_database("board").posts

    def add(self, text, process):
        """Store a post and return it."""
        post = _post(text, process)
        try:
            self._posts.insert_one(dict(post))
        except pymongo.errors.PyMongoError as error:
            raise Unavailable(f"the board cannot be reached: {error}") from error
        return post

    def latest(self):
        """The newest posts first."""
        try:
            return list(self._posts.find({}, {"_id": 0}).sort("at", pymongo.DESCENDING).limit(KEPT))
        except pymongo.errors.PyMongoError as error:
            raise Unavailable(f"the board cannot be reached: {error}") from error
