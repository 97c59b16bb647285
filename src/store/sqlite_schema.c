/* Creating, checking and extending the tables. */
#include "secure/keys.h"
#include "store/sqlite.h"

static int read_version(struct sqlite_conn *conn, int64_t *ret_version)
{
    sqlite3_stmt *stmt;
    int rc, r = sqlite_prepare(conn, "PRAGMA user_version", &stmt);

    if (r < 0)
        return r;
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        *ret_version = sqlite3_column_int64(stmt, 0);
    else
        r = sqlite_error(conn, rc);
    sqlite3_finalize(stmt);
    return r;
}

static void add_tables(struct buf *out)
{
    buf_add_cstr(out, "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)"
                      " WITHOUT ROWID;\n");
    for (size_t i = 0; i < STORE_ENTITY_COUNT; i++) {
        sqlite_sql_table(&store_schemas[i], out);
        buf_add_cstr(out, ";\n");
    }
}

static void add_indexes(struct buf *out)
{
    for (size_t i = 0; i < STORE_ENTITY_COUNT; i++)
        for (size_t j = 0; j < store_schemas[i].index_count; j++) {
            sqlite_sql_index(&store_schemas[i], j, out);
            buf_add_cstr(out, ";\n");
        }
}

/* What this program expects to find, as a hash: one row to compare at a normal start. */
static void schema_hash(char out[65])
{
    struct buf sql = BUF_HEAP;

    add_tables(&sql);
    add_indexes(&sql);
    hash_hex(buf_str(&sql), out);
    buf_deinit(&sql);
}

static int has_column(
    struct sqlite_conn *conn, const char *table, const char *column, bool *ret_found)
{
    sqlite3_stmt *stmt;
    int rc, r;

    r = sqlite_prepare(conn, "SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2", &stmt);
    if (r < 0)
        return r;
    sqlite3_bind_text(stmt, 1, table, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 2, column, -1, SQLITE_STATIC);
    rc = sqlite3_step(stmt);
    *ret_found = rc == SQLITE_ROW;
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        r = sqlite_error(conn, rc);
    sqlite3_finalize(stmt);
    return r;
}

static int add_missing_columns(struct sqlite_conn *conn, const struct store_schema *schema)
{
    struct buf sql = BUF_HEAP;
    int r = 0;

    for (size_t i = 0; r == 0 && i < schema->column_count; i++) {
        const struct store_column *column = &schema->columns[i];
        bool found;
        r = has_column(conn, schema->table, column->name, &found);
        if (r < 0 || found)
            continue;
        buf_clear(&sql);
        buf_printf(&sql, "ALTER TABLE %s ADD COLUMN %s %s", schema->table, column->name,
            sqlite_column_sql(column));
        r = sqlite_exec(conn, sql.ptr);
    }
    buf_deinit(&sql);
    return r;
}

static int create_all(struct sqlite_conn *conn)
{
    struct buf sql = BUF_HEAP;
    char hash[65];
    int r;

    add_tables(&sql);
    r = sqlite_exec(conn, sql.ptr);
    for (size_t i = 0; r == 0 && i < STORE_ENTITY_COUNT; i++)
        r = add_missing_columns(conn, &store_schemas[i]);
    buf_clear(&sql);
    add_indexes(&sql);
    schema_hash(hash);
    buf_printf(&sql, "INSERT OR REPLACE INTO meta VALUES ('schema', '%s');", hash);
    buf_printf(&sql, "PRAGMA user_version = %d;", SQLITE_SCHEMA_VERSION);
    if (r == 0)
        r = sqlite_exec(conn, sql.ptr);
    buf_deinit(&sql);
    return r;
}

static int refuse_newer(struct sqlite_conn *conn, int64_t version)
{
    return err_set(ERR_INVALID,
        "The database %s has schema %lld, this theo knows up to %d: run a newer theo, or restore a "
        "backup from before the upgrade.",
        conn->path, (long long)version, SQLITE_SCHEMA_VERSION);
}

/* One transaction: another process that starts at the same time waits, then finds it done.
 *
 * In pages of 4 KiB a row of more than 1,000 bytes spills into a page of its own, which each run
 * did twice; in 8 KiB nearly all rows fit (a third fewer writes). An older database keeps its
 * size. */
static int create_or_extend(struct sqlite_conn *conn)
{
    int64_t version;
    int r =
        sqlite_exec(conn, "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; BEGIN IMMEDIATE");

    if (r < 0)
        return r;
    r = read_version(conn, &version);
    if (r == 0 && version > SQLITE_SCHEMA_VERSION)
        r = refuse_newer(conn, version);
    if (r == 0)
        r = create_all(conn);
    if (r == 0)
        r = sqlite_exec(conn, "COMMIT");
    if (r < 0 && !sqlite3_get_autocommit(conn->db))
        sqlite3_exec(conn->db, "ROLLBACK", NULL, NULL, NULL);
    return r;
}

static int is_current(struct sqlite_conn *conn, bool *ret_current)
{
    sqlite3_stmt *stmt;
    char hash[65];
    int rc, r = sqlite_prepare(conn, "SELECT value FROM meta WHERE name = 'schema'", &stmt);

    if (r < 0)
        return r;
    schema_hash(hash);
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        *ret_current = strcmp((const char *)sqlite3_column_text(stmt, 0), hash) == 0;
    else if (rc == SQLITE_DONE)
        *ret_current = false;
    else
        r = sqlite_error(conn, rc);
    sqlite3_finalize(stmt);
    return r;
}

/* The first page of each table: finds a file that was cut or overwritten, within microseconds. A
 * whole quick_check would take seconds on a large store. */
static int check_pages(struct sqlite_conn *conn)
{
    struct buf sql = BUF_HEAP;
    int r = 0;

    for (size_t i = 0; r == 0 && i < STORE_ENTITY_COUNT; i++) {
        buf_clear(&sql);
        buf_printf(&sql, "SELECT * FROM %s LIMIT 1", store_schemas[i].table);
        r = sqlite_exec(conn, sql.ptr);
    }
    buf_deinit(&sql);
    return r;
}

int sqlite_migrate(struct sqlite_conn *conn)
{
    bool current = false;
    int64_t version;
    int r = read_version(conn, &version);

    if (r == 0 && version > SQLITE_SCHEMA_VERSION)
        return refuse_newer(conn, version);
    if (r == 0 && version == SQLITE_SCHEMA_VERSION)
        r = is_current(conn, &current);
    if (r == 0 && !current)
        r = create_or_extend(conn);
    if (r == 0)
        r = check_pages(conn);
    return r;
}
