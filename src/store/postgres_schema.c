/* Creating, checking and extending the tables.
 *
 * However many instances start at once, one migrates: the row 'lock' of the table meta is held
 * meanwhile. That works where advisory locks do not (CockroachDB, poolers in transaction mode). A
 * start that finds its own hash in meta asks one question and changes nothing. */
#include "secure/keys.h"
#include "store/postgres.h"

static const char *column_type(const struct store_column *column)
{
    switch (column->type) {
    case COLUMN_TEXT:
        return "text COLLATE \"C\" NOT NULL DEFAULT ''";
    case COLUMN_SEALED:
        return "bytea NOT NULL DEFAULT ''";
    case COLUMN_INT:
        return "bigint NOT NULL DEFAULT 0";
    case COLUMN_TIME:
        return "timestamptz NOT NULL DEFAULT '1970-01-01 00:00:00+00'";
    }
    return NULL;
}

static void add_table(const struct store_schema *schema, struct buf *out)
{
    buf_printf(out, "CREATE TABLE IF NOT EXISTS %s (", schema->table);
    for (size_t i = 0; i < schema->column_count; i++)
        buf_printf(out, "%s %s, ", schema->columns[i].name, column_type(&schema->columns[i]));
    buf_printf(out, "PRIMARY KEY (workspace_id, %s%s));\n", schema->columns[1].name,
        schema->by_seq ? ", seq" : "");
}

/* New columns have a constant default: the server adds them without touching the rows. */
static void add_columns(const struct store_schema *schema, struct buf *out)
{
    for (size_t i = 3; i < schema->column_count; i++)
        buf_printf(out, "ALTER TABLE %s ADD COLUMN IF NOT EXISTS %s %s;\n", schema->table,
            schema->columns[i].name, column_type(&schema->columns[i]));
}

static void add_index(const struct store_schema *schema, size_t number, struct buf *out)
{
    const struct store_index *index = &schema->indexes[number];
    const char *column = schema->columns[index->column].name, *order;

    if (index->kind == INDEX_LIST) {
        order = schema->columns[index->order].name;
        buf_printf(out,
            "CREATE INDEX IF NOT EXISTS %s_by_%s_%s ON %s (workspace_id, %s, %s, id);\n",
            schema->table, column, order, schema->table, column, order);
        return;
    }
    buf_printf(out, "CREATE UNIQUE INDEX IF NOT EXISTS %s_%s_%s ON %s (%s%s) WHERE %s <> '';\n",
        schema->table, column, index->kind == INDEX_GLOBAL ? "key" : "unique", schema->table,
        index->kind == INDEX_GLOBAL ? "" : "workspace_id, ", column, column);
}

/* The second wall: a statement that forgot its workspace sees nothing. "*" is said by the few
 * questions that go across: an API key that arrives, the list of workspaces. */
static void add_policy(const struct store_schema *schema, struct buf *out)
{
    buf_printf(out,
        "DROP POLICY IF EXISTS theo_workspace ON %s;\n"
        "CREATE POLICY theo_workspace ON %s USING (workspace_id = "
        "current_setting('theo.workspace', true) OR current_setting('theo.workspace', true) = "
        "'*');\n"
        "ALTER TABLE %s ENABLE ROW LEVEL SECURITY;\n"
        "ALTER TABLE %s FORCE ROW LEVEL SECURITY;\n",
        schema->table, schema->table, schema->table, schema->table);
}

static void add_all(struct buf *out)
{
    for (size_t i = 0; i < STORE_ENTITY_COUNT; i++) {
        const struct store_schema *schema = &store_schemas[i];
        add_table(schema, out);
        add_columns(schema, out);
        for (size_t j = 0; j < schema->index_count; j++)
            add_index(schema, j, out);
        add_policy(schema, out);
    }
}

static void schema_hash(char out[65])
{
    struct buf sql = BUF_HEAP;

    add_all(&sql);
    hash_hex(buf_str(&sql), out);
    buf_deinit(&sql);
}

static int read_meta(
    struct pg_conn *conn, const char *name, struct arena *arena, struct str *ret_value)
{
    return pg_query_text(
        conn, "SELECT value FROM meta WHERE name = $1", &name, 1, arena, ret_value);
}

static int check_version(struct pg_conn *conn, struct arena *arena)
{
    struct str value;
    int64_t version = 0;
    int r = read_meta(conn, "schema_version", arena, &value);

    if (r != 0 || str_empty(value))
        return r;
    if (!str_to_i64(value, &version) || version > PG_SCHEMA_VERSION)
        return err_set(ERR_INVALID,
            "The database %s has schema %.*s, this theo knows up to %d: run a newer theo, or "
            "restore a backup from before the upgrade.",
            conn->pq->db(conn->db), STR_ARG(value), PG_SCHEMA_VERSION);
    return 0;
}

/* Two that create the same table at the same moment may both be refused: ask again. */
static int make_meta(struct pg_conn *conn)
{
    int r = 0;

    for (int i = 0; i < 10; i++) {
        r = pg_exec(conn, "CREATE TABLE IF NOT EXISTS meta (name text PRIMARY KEY, "
                          "value text NOT NULL)");
        if (r == 0)
            r = pg_exec(conn, "INSERT INTO meta VALUES ('lock', '') ON CONFLICT (name) DO NOTHING");
        if (r <= 0)
            return r;
    }
    return err_set(ERR_UNAVAILABLE, "Other instances change the schema at the moment: try again.");
}

static int create_all(struct pg_conn *conn, const char *hash)
{
    struct buf sql = BUF_HEAP;
    int r;

    add_all(&sql);
    buf_printf(&sql,
        "INSERT INTO meta VALUES ('schema', '%s'), ('schema_version', '%d') ON CONFLICT (name) DO "
        "UPDATE SET value = excluded.value;\n",
        hash, PG_SCHEMA_VERSION);
    r = pg_exec(conn, sql.ptr);
    buf_deinit(&sql);
    return r;
}

static int migrate_locked(struct pg_conn *conn, const char *hash, struct arena *arena)
{
    struct str found;
    int r = pg_exec(conn, "SELECT value FROM meta WHERE name = 'lock' FOR UPDATE");

    if (r == 0)
        r = check_version(conn, arena);
    if (r == 0)
        r = read_meta(conn, "schema", arena, &found);
    if (r == 0 && !str_is(found, hash))
        r = create_all(conn, hash);
    return r;
}

static int has_meta(struct pg_conn *conn, struct arena *arena, bool *ret_found)
{
    struct str value;
    int r = pg_query_text(
        conn, "SELECT 'yes' WHERE to_regclass('meta') IS NOT NULL", NULL, 0, arena, &value);

    if (r == 0)
        *ret_found = !str_empty(value);
    return r;
}

static int migrate(struct pg_conn *conn, const char *hash, struct arena *arena)
{
    struct err err;
    int r = make_meta(conn);

    if (r == 0)
        r = pg_exec(conn, "BEGIN");
    if (r == 0)
        r = migrate_locked(conn, hash, arena);
    err = *err_get();
    if (pg_exec(conn, r == 0 ? "COMMIT" : "ROLLBACK") != 0 && r == 0)
        r = err_set(ERR_IO, "The schema could not be committed: look into the server's log.");
    else
        *err_get() = err;
    return r;
}

int pg_migrate(struct pg_conn *conn)
{
    struct str found = STR("");
    struct arena arena;
    char hash[65];
    bool exists = false;
    int r;

    arena_init(&arena);
    schema_hash(hash);
    r = has_meta(conn, &arena, &exists);
    if (r == 0 && exists)
        r = check_version(conn, &arena);
    if (r == 0 && exists)
        r = read_meta(conn, "schema", &arena, &found);
    for (int i = 0; (r == 0 || r > 0) && !str_is(found, hash) && i < 10; i++) {
        r = migrate(conn, hash, &arena);
        if (r <= 0)
            break;
    }
    if (r > 0)
        r = err_set(ERR_UNAVAILABLE, "Other instances change the schema at the moment: try again.");
    arena_deinit(&arena);
    return r;
}
