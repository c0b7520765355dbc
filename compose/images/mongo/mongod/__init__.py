"""A stand-in for MongoDB's server: its wire protocol in front of DocumentDB, an extension of PostgreSQL.

Bytes are in `wire`, logins in `scram`, errors in `errors`, what is not taken in `refusals`; these know no I/O. `engine`
runs PostgreSQL, `commands` turns commands into the calls of it that are in `statements`, `session` is one connection's
state, `server` holds the connections, and `__main__` starts and ends it all.
"""
