"""The new column alone."""

RELEASE = "contract"
SCHEMA = "CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, amount INTEGER)"
READ = "SELECT amount FROM orders ORDER BY id DESC LIMIT 1"
WRITE = "INSERT INTO orders (amount) VALUES (:amount)"
