"""What the first release says to the database."""

RELEASE = "first"
SCHEMA = "CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, total INTEGER)"
READ = "SELECT total FROM orders ORDER BY id DESC LIMIT 1"
WRITE = "INSERT INTO orders (total) VALUES (:amount)"
