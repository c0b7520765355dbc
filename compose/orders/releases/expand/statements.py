"""Both columns are written and either is read: the tasks before it know one of them, those after it the other."""

RELEASE = "expand"
SCHEMA = "CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, total INTEGER, amount INTEGER)"
READ = "SELECT COALESCE(amount, total) FROM orders ORDER BY id DESC LIMIT 1"
WRITE = "INSERT INTO orders (total, amount) VALUES (:amount, :amount)"
