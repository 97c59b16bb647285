/* The SQL of store "sqlite", generated from the schemas. */
#include "store/sqlite.h"

const char *sqlite_column_sql(const struct store_column *column)
{
    switch (column->type) {
    case COLUMN_TEXT:
        return "TEXT NOT NULL DEFAULT ''";
    case COLUMN_SEALED:
        return "BLOB NOT NULL DEFAULT x''";
    case COLUMN_INT:
    case COLUMN_TIME:
        break;
    }
    return "INTEGER NOT NULL DEFAULT 0";
}

size_t sqlite_indexed_columns(const struct store_schema *schema, size_t columns[4])
{
    size_t count = 0;

    for (size_t i = 3; i < schema->column_count; i++)
        for (size_t j = 0; j < schema->index_count; j++) {
            const struct store_index *index = &schema->indexes[j];
            if ((size_t)index->column != i && index->order != (int)i)
                continue;
            assert(count < 4);
            columns[count++] = i;
            break;
        }
    return count;
}

/* WITHOUT ROWID keeps the rows themselves in order of the key: a session's messages lie side by
 * side, and there is no second tree to write. */
void sqlite_sql_table(const struct store_schema *schema, struct buf *out)
{
    buf_printf(out, "CREATE TABLE IF NOT EXISTS %s (", schema->table);
    for (size_t i = 0; i < schema->column_count; i++)
        buf_printf(out, "%s %s, ", schema->columns[i].name, sqlite_column_sql(&schema->columns[i]));
    buf_printf(out, "PRIMARY KEY (workspace_id, %s%s)) WITHOUT ROWID", schema->columns[1].name,
        schema->by_seq ? ", seq" : "");
}

void sqlite_sql_index(const struct store_schema *schema, size_t index, struct buf *out)
{
    const struct store_index *it = &schema->indexes[index];
    const char *column = schema->columns[it->column].name;

    if (it->kind == INDEX_LIST) {
        const char *order = schema->columns[it->order].name;
        buf_printf(out,
            "CREATE INDEX IF NOT EXISTS %s_by_%s_%s ON %s (workspace_id, %s, %s, %s) WHERE %s <> "
            "''",
            schema->table, column, order, schema->table, column, order, schema->columns[1].name,
            column);
        return;
    }
    buf_printf(out, "CREATE UNIQUE INDEX IF NOT EXISTS %s_one_%s ON %s (%s%s) WHERE %s <> ''",
        schema->table, column, schema->table, it->kind == INDEX_GLOBAL ? "" : "workspace_id, ",
        column, column);
}

static void add_columns(const struct store_schema *schema, const char *separator, struct buf *out)
{
    for (size_t i = 0; i < schema->column_count; i++)
        buf_printf(out, "%s%s", i ? separator : "", schema->columns[i].name);
}

static void add_key(const struct store_schema *schema, struct buf *out)
{
    buf_printf(out, " WHERE workspace_id = ?1 AND %s = ?2%s", schema->columns[1].name,
        schema->by_seq ? " AND seq = ?3" : "");
}

static void sql_insert(const struct store_schema *schema, bool replace, struct buf *out)
{
    buf_printf(out, "INSERT %sINTO %s (", replace ? "OR REPLACE " : "", schema->table);
    add_columns(schema, ", ", out);
    buf_add_cstr(out, ") VALUES (");
    for (size_t i = 0; i < schema->column_count; i++)
        buf_printf(out, "%s?%zu", i ? ", " : "", i + 1);
    buf_printf(out, ")%s", replace ? "" : " ON CONFLICT DO NOTHING");
}

/* SQLite rewrites the entries of every index whose columns are named in SET, changed or not. So a
 * column that an index uses is named only if its bit in changed says that its value is new. */
static void sql_update(const struct store_schema *schema, int changed, struct buf *out)
{
    size_t indexed[4];
    size_t count = sqlite_indexed_columns(schema, indexed);

    buf_printf(out, "UPDATE %s SET version = version + 1", schema->table);
    for (size_t i = 3; i < schema->column_count; i++) {
        bool skip = false;
        for (size_t j = 0; j < count; j++)
            skip |= indexed[j] == i && !(changed >> j & 1);
        if (!skip)
            buf_printf(out, ", %s = ?%zu", schema->columns[i].name, i + 1);
    }
    add_key(schema, out);
}

static void sql_check(const struct store_schema *schema, struct buf *out)
{
    size_t indexed[4];
    size_t count = sqlite_indexed_columns(schema, indexed);

    buf_add_cstr(out, "SELECT version");
    for (size_t i = 0; i < count; i++)
        buf_printf(out, ", %s", schema->columns[indexed[i]].name);
    buf_printf(out, " FROM %s", schema->table);
    add_key(schema, out);
}

static void sql_find(const struct store_schema *schema, int arg, struct buf *out)
{
    const char *column = schema->columns[schema->indexes[arg & 7].column].name;

    buf_printf(out, " WHERE %s = ?2 AND %s <> ''%s", column, column,
        arg & 8 ? "" : " AND workspace_id = ?1");
}

/* ?1 workspace, ?2 value, ?3 from, ?4 last (inclusive), ?5 and ?6 the place of the cursor, ?7 the
 * limit. The place is compared as a pair, which SQLite finds in the index directly. */
static void sql_list(const struct store_schema *schema, int arg, struct buf *out)
{
    int index = (arg >> 2) - 2;
    const char *id = schema->columns[1].name, *way = arg & 2 ? " DESC" : "";
    char sign = arg & 2 ? '<' : '>';
    const char *column, *order;

    if (index == STORE_ALL) {
        if (arg & 1)
            buf_printf(out, " WHERE workspace_id %c ?6", sign);
        buf_printf(out, " ORDER BY workspace_id%s LIMIT ?7", way);
        return;
    }
    column = index == STORE_CHILDREN ? id : schema->columns[schema->indexes[index].column].name;
    order = index == STORE_CHILDREN ? "seq" : schema->columns[schema->indexes[index].order].name;
    buf_printf(out, " WHERE workspace_id = ?1 AND %s = ?2", column);
    if (index != STORE_CHILDREN)
        buf_printf(out, " AND %s <> ''", column); /* as the index says: else it is not used */
    if (!(arg & 1) || arg & 2)
        buf_printf(out, " AND %s >= ?3", order);
    if (!(arg & 1) || !(arg & 2))
        buf_printf(out, " AND %s <= ?4", order);
    if (index == STORE_CHILDREN) {
        if (arg & 1)
            buf_printf(out, " AND seq %c ?5", sign);
        buf_printf(out, " ORDER BY seq%s LIMIT ?7", way);
        return;
    }
    if (arg & 1)
        buf_printf(out, " AND (%s, %s) %c (?5, ?6)", order, id, sign);
    buf_printf(out, " ORDER BY %s%s, %s%s LIMIT ?7", order, way, id, way);
}

static void sql_delete_all(const struct store_schema *schema, int arg, struct buf *out)
{
    const char *column =
        arg ? schema->columns[schema->indexes[arg - 1].column].name : schema->columns[1].name;

    buf_printf(out, "DELETE FROM %s WHERE workspace_id = ?1 AND %s = ?2", schema->table, column);
    if (arg)
        buf_printf(out, " AND %s <> ''", column);
}

static void sql_select(const struct store_schema *schema, struct buf *out)
{
    buf_add_cstr(out, "SELECT ");
    add_columns(schema, ", ", out);
    buf_printf(out, " FROM %s", schema->table);
}

void sqlite_sql(const struct store_schema *schema, enum sql_kind kind, int arg, struct buf *out)
{
    switch (kind) {
    case SQL_INSERT:
    case SQL_REPLACE:
        sql_insert(schema, kind == SQL_REPLACE, out);
        return;
    case SQL_UPDATE:
        sql_update(schema, arg, out);
        return;
    case SQL_DELETE:
        buf_printf(out, "DELETE FROM %s", schema->table);
        add_key(schema, out);
        return;
    case SQL_DELETE_ALL:
        sql_delete_all(schema, arg, out);
        return;
    case SQL_CHECK:
        sql_check(schema, out);
        return;
    case SQL_GET:
        sql_select(schema, out);
        add_key(schema, out);
        return;
    case SQL_FIND:
        sql_select(schema, out);
        sql_find(schema, arg, out);
        return;
    case SQL_LIST:
        sql_select(schema, out);
        sql_list(schema, arg, out);
        return;
    case SQL_KIND_COUNT:
        break;
    }
    assert(false);
}
