"""A stand-in for MongoDB's server: its wire protocol in front of DocumentDB, an extension of PostgreSQL.

Bytes are in `wire`, users in `scram`, errors in `errors`; these three know no I/O. `engine` runs PostgreSQL, `cursors` and
`commands` turn commands into calls of the engine, `server` holds the connections, `lifecycle` starts and ends it all.
"""
