/* The tables as they should be, the tables that are there, and what lies between. */
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

/* A new column has a constant default: the server adds it without touching the rows. */
static void add_column(const struct store_schema *schema, size_t number, struct buf *out)
{
    buf_printf(out, "ALTER TABLE %s ADD COLUMN IF NOT EXISTS %s %s;\n", schema->table,
        schema->columns[number].name, column_type(&schema->columns[number]));
}

static void add_index_name(const struct store_schema *schema, size_t number, struct buf *out)
{
    const struct store_index *index = &schema->indexes[number];
    const char *column = schema->columns[index->column].name;

    if (index->kind == INDEX_LIST)
        buf_printf(out, "%s_by_%s_%s", schema->table, column, schema->columns[index->order].name);
    else
        buf_printf(
            out, "%s_%s_%s", schema->table, column, index->kind == INDEX_GLOBAL ? "key" : "unique");
}

static void add_index(
    const struct store_schema *schema, size_t number, const char *online, struct buf *out)
{
    const struct store_index *index = &schema->indexes[number];
    const char *column = schema->columns[index->column].name;
    bool list = index->kind == INDEX_LIST;

    buf_printf(out, "CREATE %sINDEX %sIF NOT EXISTS ", list ? "" : "UNIQUE ", online);
    add_index_name(schema, number, out);
    buf_printf(out, " ON %s (%s%s", schema->table,
        index->kind == INDEX_GLOBAL ? "" : "workspace_id, ", column);
    if (list)
        buf_printf(out, ", %s, id);\n", schema->columns[index->order].name);
    else
        buf_printf(out, ") WHERE %s <> '';\n", column);
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

void pg_schema_hash(char out[65])
{
    struct buf sql = BUF_HEAP;

    for (size_t i = 0; i < STORE_ENTITY_COUNT; i++) {
        const struct store_schema *schema = &store_schemas[i];
        add_table(schema, &sql);
        for (size_t j = 0; j < schema->index_count; j++)
            add_index(schema, j, "", &sql);
        add_policy(schema, &sql);
    }
    hash_hex(buf_str(&sql), out);
    buf_deinit(&sql);
}

/* What is there, as words between spaces: t:TABLE, s:TABLE (row security is on and forced),
 * p:TABLE (has the policy), c:TABLE.COLUMN, i:INDEX, x:INDEX (its making broke off). */
static int read_catalog(struct pg_conn *conn, struct arena *arena, struct str *ret_words)
{
    return pg_query_text(conn,
        "WITH here AS (SELECT c.oid, c.relname AS name, c.relkind AS kind, "
        "c.relrowsecurity AND c.relforcerowsecurity AS walled "
        "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = current_schema()), words AS ("
        "SELECT 't:' || name AS word FROM here WHERE kind IN ('r', 'p') UNION ALL "
        "SELECT 's:' || name FROM here WHERE walled UNION ALL "
        "SELECT 'p:' || tablename FROM pg_catalog.pg_policies WHERE schemaname = "
        "current_schema() AND policyname = 'theo_workspace' UNION ALL "
        "SELECT 'c:' || here.name || '.' || a.attname FROM pg_catalog.pg_attribute a JOIN here ON "
        "here.oid = a.attrelid WHERE a.attnum > 0 AND NOT a.attisdropped UNION ALL "
        "SELECT CASE WHEN i.indisvalid THEN 'i:' ELSE 'x:' END || here.name FROM "
        "pg_catalog.pg_index i JOIN here ON here.oid = i.indexrelid) "
        "SELECT ' ' || coalesce(string_agg(word, ' '), '') || ' ' FROM words",
        NULL, 0, arena, ret_words);
}

static bool is_there(
    struct arena *arena, struct str words, const char *kind, const char *name, const char *column)
{
    struct str word =
        str_printf(arena, " %s%s%s%s ", kind, name, column ? "." : "", column ? column : "");

    return str_find(words, word, 0) >= 0;
}

static void add_change(struct pg_changes *changes, enum pg_change_kind kind,
    const struct store_schema *schema, size_t number)
{
    assert(changes->count < ARRAY_LEN(changes->list));
    changes->list[changes->count++] = (struct pg_change){kind, schema, number};
}

static void compare_indexes(struct arena *arena, struct str words,
    const struct store_schema *schema, bool fresh, struct pg_changes *changes)
{
    for (size_t i = 0; i < schema->index_count; i++) {
        struct buf name = BUF_IN(arena);

        add_index_name(schema, i, &name);
        if (is_there(arena, words, "i:", name.ptr, NULL))
            continue;
        if (is_there(arena, words, "x:", name.ptr, NULL))
            add_change(changes, PG_DROP_INDEX, schema, i);
        add_change(changes, fresh ? PG_MAKE_INDEX : PG_ADD_INDEX, schema, i);
    }
}

static void compare_table(struct arena *arena, struct str words, const struct store_schema *schema,
    struct pg_changes *changes)
{
    bool fresh = !is_there(arena, words, "t:", schema->table, NULL);

    if (fresh)
        add_change(changes, PG_MAKE_TABLE, schema, 0);
    for (size_t i = 3; !fresh && i < schema->column_count; i++)
        if (!is_there(arena, words, "c:", schema->table, schema->columns[i].name))
            add_change(changes, PG_ADD_COLUMN, schema, i);
    compare_indexes(arena, words, schema, fresh, changes);
    if (!is_there(arena, words, "p:", schema->table, NULL) ||
        !is_there(arena, words, "s:", schema->table, NULL))
        add_change(changes, PG_MAKE_POLICY, schema, 0);
}

int pg_find_changes(struct pg_conn *conn, struct arena *arena, struct pg_changes *ret_changes)
{
    struct str words;
    int r = read_catalog(conn, arena, &words);

    if (r != 0)
        return r;
    ret_changes->count = 0;
    for (size_t i = 0; i < STORE_ENTITY_COUNT; i++)
        compare_table(arena, words, &store_schemas[i], ret_changes);
    return 0;
}

void pg_change_sql(const struct pg_change *change, struct buf *out)
{
    switch (change->kind) {
    case PG_MAKE_TABLE:
        add_table(change->schema, out);
        return;
    case PG_ADD_COLUMN:
        add_column(change->schema, change->number, out);
        return;
    case PG_MAKE_INDEX:
        add_index(change->schema, change->number, "", out);
        return;
    case PG_MAKE_POLICY:
        add_policy(change->schema, out);
        return;
    case PG_DROP_INDEX:
        buf_add_cstr(out, "DROP INDEX CONCURRENTLY IF EXISTS ");
        add_index_name(change->schema, change->number, out);
        return;
    case PG_ADD_INDEX:
        add_index(change->schema, change->number, "CONCURRENTLY ", out);
        return;
    }
}

/* Nothing for what goes without saying: the indexes and the policy of a new table. */
void pg_change_text(const struct pg_change *change, bool fresh, struct buf *out)
{
    const struct store_schema *schema = change->schema;

    switch (change->kind) {
    case PG_MAKE_TABLE:
        buf_printf(out, "make table %s with its indexes\n", schema->table);
        return;
    case PG_ADD_COLUMN:
        buf_printf(out, "add column %s to table %s\n", schema->columns[change->number].name,
            schema->table);
        return;
    case PG_MAKE_INDEX:
        return;
    case PG_MAKE_POLICY:
        if (!fresh)
            buf_printf(out, "protect table %s by row-level security\n", schema->table);
        return;
    case PG_DROP_INDEX:
    case PG_ADD_INDEX:
        buf_add_cstr(out, change->kind == PG_ADD_INDEX ? "make index " : "drop broken index ");
        add_index_name(schema, change->number, out);
        buf_add_char(out, '\n');
        return;
    }
}
