"""What is asked of the engine, in SQL. BSON goes in and comes out as bytea.

The functions are those of DocumentDB; `smoke.py`, beside this package, tries each of them when the image is built.
"""

_BSON = "::bytea::documentdb_core.bson"

_PAGE = f"SELECT cursorpage::bytea, continuation::bytea, cursorid FROM documentdb_api.{{}}($1, $2{_BSON})"
FIND = _PAGE.format("find_cursor_first_page")
AGGREGATE = _PAGE.format("aggregate_cursor_first_page")
LIST_COLLECTIONS = _PAGE.format("list_collections_cursor_first_page")
LIST_INDEXES = _PAGE.format("list_indexes_cursor_first_page")
GET_MORE = (
    f"SELECT cursorpage::bytea, continuation::bytea FROM documentdb_api.cursor_get_more($1, $2{_BSON}, $3{_BSON})"
)
DELETE_CURSORS = "SELECT documentdb_api_internal.delete_cursors($1::bigint[])::bytea"

# Of insert, update, delete: the command, and its documents where they came as a sequence.
_SEQUENCE = "::bytea::documentdb_core.bsonsequence"
WRITE = f"SELECT p_result::bytea, p_success FROM documentdb_api.{{}}($1, $2{_BSON}, $3{_SEQUENCE})"
FIND_AND_MODIFY = f"SELECT p_result::bytea FROM documentdb_api.find_and_modify($1, $2{_BSON})"

# Of the functions that take a database and the whole command.
SPEC = f"SELECT documentdb_api.{{}}($1, $2{_BSON})::bytea"

CREATE_INDEXES = f"SELECT documentdb_api_internal.create_indexes_non_concurrently($1, $2{_BSON}, true)::bytea"
DROP_INDEXES = f"CALL documentdb_api.drop_indexes($1, $2{_BSON})"
NUMBER_OF_INDEXES = (
    "SELECT count(*) FROM documentdb_api_catalog.collection_indexes JOIN documentdb_api_catalog.collections "
    "USING (collection_id) WHERE database_name = $1 AND collection_name = $2"
)
INDEX_NAME = "SELECT (index_spec).index_name FROM documentdb_api_catalog.collection_indexes WHERE index_id = $1"

DROP = "SELECT documentdb_api.drop_collection($1, $2)"
DROP_DATABASE = "SELECT documentdb_api.drop_database($1)::text"
LIST_DATABASES = f"SELECT documentdb_api.list_databases($1{_BSON})::bytea"
RENAME = f"SELECT documentdb_api.rename_collection($1{_BSON})::bytea"
COLL_MOD = f"SELECT documentdb_api.coll_mod($1, $2, $3{_BSON})::bytea"
COLL_STATS = "SELECT documentdb_api.coll_stats($1, $2, $3)::bytea"
DB_STATS = "SELECT documentdb_api.db_stats($1, $2)::bytea"
