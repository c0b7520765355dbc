"""The column has another name at once: the tasks of the release before do not know it."""

RELEASE = "rename"
SCHEMA = "CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, amount INTEGER)"
READ = "SELECT amount FROM orders ORDER BY id DESC LIMIT 1"
WRITE = "INSERT INTO orders (amount) VALUES (:amount)"
