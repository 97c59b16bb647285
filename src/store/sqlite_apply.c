/* One batch inside the writer's transaction. */
#include "store/sqlite.h"

/* Run a statement that gives no rows. ret_changed: rows it touched. STORE_EXISTS when a unique
 * value is taken. */
static int run(struct sqlite_conn *conn, sqlite3_stmt *stmt, int *ret_changed)
{
    int rc = sqlite3_step(stmt), r = 0;

    if ((rc & 0xff) == SQLITE_CONSTRAINT)
        r = STORE_EXISTS;
    else if (rc != SQLITE_DONE)
        r = sqlite_error(conn, rc);
    sqlite3_reset(stmt);
    if (r == 0)
        *ret_changed = sqlite3_changes(conn->db);
    return r;
}

static void bind_key(sqlite3_stmt *stmt, const struct store_schema *schema, const void *row)
{
    sqlite_bind_value(stmt, 1, &schema->columns[0], row);
    sqlite_bind_value(stmt, 2, &schema->columns[1], row);
    if (schema->by_seq)
        sqlite_bind_value(stmt, 3, &schema->columns[2], row);
}

static int insert(struct sqlite_conn *conn, const struct store_op *op, enum sql_kind kind)
{
    const struct store_schema *schema = &store_schemas[op->entity];
    sqlite3_stmt *stmt;
    int changed = 0, r = sqlite_statement(conn, op->entity, kind, 0, &stmt);

    if (r < 0)
        return r;
    for (size_t i = 0; i < schema->column_count; i++) {
        int rc = sqlite_bind_value(stmt, (int)i + 1, &schema->columns[i], op->row);
        if (rc != SQLITE_OK)
            return sqlite_error(conn, rc);
    }
    if (!schema->by_seq)
        sqlite3_bind_int64(stmt, 3, 1);
    r = run(conn, stmt, &changed);
    return r == 0 && changed == 0 ? STORE_EXISTS : r;
}

static bool same_value(
    sqlite3_stmt *stmt, int place, const struct store_column *column, const void *row)
{
    struct str old;

    if (column->type != COLUMN_TEXT)
        return sqlite3_column_int64(stmt, place) == *row_int(row, column);
    old.ptr = sqlite3_column_blob(stmt, place);
    old.len = (size_t)sqlite3_column_bytes(stmt, place);
    return str_eq(old, *row_str(row, column));
}

/* The version of the row with op's key and which indexed columns would change, a bit each. */
static int look(
    struct sqlite_conn *conn, const struct store_op *op, int64_t *ret_version, int *ret_changed)
{
    const struct store_schema *schema = &store_schemas[op->entity];
    size_t indexed[4];
    size_t count = sqlite_indexed_columns(schema, indexed);
    sqlite3_stmt *stmt;
    int rc, changed = 0, r = sqlite_statement(conn, op->entity, SQL_CHECK, 0, &stmt);

    if (r < 0)
        return r;
    bind_key(stmt, schema, op->row);
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        for (size_t i = 0; i < count; i++)
            if (!same_value(stmt, (int)i + 1, &schema->columns[indexed[i]], op->row))
                changed |= 1 << i;
        *ret_version = sqlite3_column_int64(stmt, 0);
        *ret_changed = changed;
    } else if (rc == SQLITE_DONE) {
        r = STORE_MISSING;
    } else {
        r = sqlite_error(conn, rc);
    }
    sqlite3_reset(stmt);
    return r;
}

static int update(struct sqlite_conn *conn, const struct store_op *op)
{
    const struct store_schema *schema = &store_schemas[op->entity];
    int64_t version = 0, expected = *row_int(op->row, &schema->columns[2]);
    sqlite3_stmt *stmt;
    int changed, r = look(conn, op, &version, &changed);

    if (r != 0)
        return r;
    if (op->kind == OP_UPDATE && expected != 0 && expected != version)
        return STORE_CONFLICT;
    r = sqlite_statement(conn, op->entity, SQL_UPDATE, changed, &stmt);
    if (r < 0)
        return r;
    bind_key(stmt, schema, op->row);
    for (size_t i = 3; i < schema->column_count; i++) {
        /* a place past the last one named is a column that this variant leaves alone */
        int rc = sqlite_bind_value(stmt, (int)i + 1, &schema->columns[i], op->row);
        if (rc != SQLITE_OK && rc != SQLITE_RANGE)
            return sqlite_error(conn, rc);
    }
    return run(conn, stmt, &changed);
}

static int put(struct sqlite_conn *conn, const struct store_op *op)
{
    int r;

    if (store_schemas[op->entity].by_seq)
        return insert(conn, op, SQL_REPLACE);
    r = update(conn, op);
    return r == STORE_MISSING ? insert(conn, op, SQL_INSERT) : r;
}

static int delete_rows(struct sqlite_conn *conn, const struct store_op *op)
{
    bool all = op->kind == OP_DELETE_ALL;
    int arg = all && op->index != STORE_CHILDREN ? op->index + 1 : 0;
    sqlite3_stmt *stmt;
    int changed,
        r = sqlite_statement(conn, op->entity, all ? SQL_DELETE_ALL : SQL_DELETE, arg, &stmt);

    if (r < 0)
        return r;
    if (all) {
        sqlite_bind_str(stmt, 1, op->workspace_id);
        sqlite_bind_str(stmt, 2, op->parent);
    } else {
        bind_key(stmt, &store_schemas[op->entity], op->row);
    }
    return run(conn, stmt, &changed);
}

int sqlite_apply(struct sqlite_conn *conn, struct store_batch *batch)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < batch->count; i++) {
        const struct store_op *op = &batch->ops[i];
        batch->failed = i;
        switch (op->kind) {
        case OP_INSERT:
            r = insert(conn, op, SQL_INSERT);
            break;
        case OP_PUT:
            r = put(conn, op);
            break;
        case OP_UPDATE:
            r = update(conn, op);
            break;
        case OP_DELETE:
        case OP_DELETE_ALL:
            r = delete_rows(conn, op);
            break;
        }
    }
    return r;
}
