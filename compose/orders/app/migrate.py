"""A release's migration, in one transaction: `python migrate.py before` (or `after`) its tasks are deployed.

Runs before.sql (or after.sql), where the release has one. What the database refuses is an exit code of 1.
"""

import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

script = Path(__file__).with_name(f"{sys.argv[1]}.sql")
if script.is_file():
    with closing(sqlite3.connect(os.environ["DATABASE"], timeout=5)) as database:
        database.executescript(f"BEGIN;\n{script.read_text()}\nCOMMIT;")  # not committed, it is taken back
    print(f"{script.name} is done")
