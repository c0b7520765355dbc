"""The first release's statements, with a check that a module of its own makes when it is loaded."""

from currency import check

RELEASE = "currency"
SCHEMA = "CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, total INTEGER)"
READ = "SELECT total FROM orders ORDER BY id DESC LIMIT 1"
WRITE = "INSERT INTO orders (total) VALUES (:amount)"

check("JPY")
