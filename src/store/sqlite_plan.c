/* What a start would make or change, read from the file without changing it. */
#include "store/sqlite.h"

#include <unistd.h>

static int is_there(
    struct sqlite_conn *conn, const char *sql, const char *a, const char *b, bool *ret_found)
{
    sqlite3_stmt *stmt;
    int rc, r = sqlite_prepare(conn, sql, &stmt);

    if (r < 0)
        return r;
    sqlite3_bind_text(stmt, 1, a, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 2, b, -1, SQLITE_STATIC);
    rc = sqlite3_step(stmt);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        r = sqlite_error(conn, rc);
    *ret_found = rc == SQLITE_ROW;
    sqlite3_finalize(stmt);
    return r;
}

static int plan_columns(
    struct sqlite_conn *conn, const struct store_schema *schema, struct buf *out)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < schema->column_count; i++) {
        const char *column = schema->columns[i].name;
        bool found = true;

        r = is_there(conn, "SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2", schema->table,
            column, &found);
        if (!found)
            buf_printf(out, "add column %s to table %s\n", column, schema->table);
    }
    return r;
}

static int plan_indexes(
    struct sqlite_conn *conn, const struct store_schema *schema, struct buf *out)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < schema->index_count; i++) {
        const struct store_index *index = &schema->indexes[i];
        const char *column = schema->columns[index->column].name;
        struct buf name = BUF_HEAP;
        bool found = true;

        if (index->kind == INDEX_LIST)
            buf_printf(
                &name, "%s_by_%s_%s", schema->table, column, schema->columns[index->order].name);
        else
            buf_printf(&name, "%s_one_%s", schema->table, column);
        r = is_there(conn, "SELECT 1 FROM sqlite_master WHERE type = 'index' AND name = ?1",
            name.ptr, "", &found);
        if (!found)
            buf_printf(out, "make index %s\n", name.ptr);
        buf_deinit(&name);
    }
    return r;
}

static int plan_table(struct sqlite_conn *conn, const struct store_schema *schema, struct buf *out)
{
    bool found = true;
    int r = is_there(conn, "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?1",
        schema->table, "", &found);

    if (r == 0 && !found)
        buf_printf(out, "make table %s with its indexes\n", schema->table);
    if (r < 0 || !found)
        return r;
    r = plan_columns(conn, schema, out);
    return r < 0 ? r : plan_indexes(conn, schema, out);
}

int sqlite_plan(const char *path, struct buf *out)
{
    struct sqlite_conn *conn;
    int r = 0;

    if (access(path, F_OK) < 0) {
        buf_printf(out, "make the database %s with %d tables\n", path, STORE_ENTITY_COUNT);
        return 0;
    }
    r = sqlite_conn_open(path, &conn);
    if (r < 0)
        return r;
    r = sqlite_exec(conn, "PRAGMA query_only = ON");
    for (size_t i = 0; r == 0 && i < STORE_ENTITY_COUNT; i++)
        r = plan_table(conn, &store_schemas[i], out);
    sqlite_conn_close(conn);
    return r;
}
