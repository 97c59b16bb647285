/* Changes. Several rows go into one statement, an array for each column: the text is then as short
 * for a hundred rows as for one, and reading the text costs the server more than writing rows. */
#include "store/postgres.h"

struct str pg_op_workspace(const struct store_op *op)
{
    if (op->kind == OP_DELETE_ALL)
        return op->workspace_id;
    return *row_str(op->row, &store_schemas[op->entity].columns[0]);
}

static void add_key(struct pg_statement *st, const struct store_schema *schema, const void *row)
{
    for (int i = 0; i < (schema->by_seq ? 3 : 2); i++) {
        buf_printf(&st->sql, "%s%s = ", i ? " AND " : "", schema->columns[i].name);
        pg_add_column(st, &schema->columns[i], row);
    }
}

static void add_names(struct pg_statement *st, const struct store_schema *schema)
{
    for (size_t i = 0; i < schema->column_count; i++)
        buf_printf(&st->sql, "%s%s", i ? ", " : "", schema->columns[i].name);
}

/* A new row's version is 1. */
static void add_row(struct pg_statement *st, const struct store_schema *schema, const void *row)
{
    for (size_t i = 0; i < schema->column_count; i++) {
        buf_add_cstr(&st->sql, i ? ", " : "(");
        if (i == 2 && !schema->by_seq)
            buf_add_char(&st->sql, '1');
        else
            pg_add_column(st, &schema->columns[i], row);
    }
    buf_add_char(&st->sql, ')');
}

/* A row for each element of the arrays. */
static void add_rows(
    struct pg_statement *st, const struct store_op *const *ops, size_t count, bool expected)
{
    const struct store_schema *schema = &store_schemas[ops[0]->entity];

    for (size_t i = 0; i < schema->column_count; i++) {
        buf_add_cstr(&st->sql, i ? ", " : "SELECT * FROM unnest(");
        if (i == 2 && !schema->by_seq)
            pg_add_versions(st, ops, count, expected);
        else
            pg_add_array(st, &schema->columns[i], ops, count);
    }
    buf_add_char(&st->sql, ')');
}

static void write_insert(struct pg_statement *st, const struct store_op *const *ops, size_t count)
{
    const struct store_schema *schema = &store_schemas[ops[0]->entity];

    buf_printf(&st->sql, "INSERT INTO %s (", schema->table);
    add_names(st, schema);
    if (count == 1) {
        buf_add_cstr(&st->sql, ") VALUES ");
        add_row(st, schema, ops[0]->row);
        return;
    }
    buf_add_cstr(&st->sql, ") ");
    add_rows(st, ops, count, false);
}

static void add_upsert(struct pg_statement *st, const struct store_schema *schema)
{
    buf_printf(&st->sql, " ON CONFLICT (workspace_id, %s%s) DO UPDATE SET ",
        schema->columns[1].name, schema->by_seq ? ", seq" : "");
    if (!schema->by_seq)
        buf_printf(&st->sql, "version = %s.version + 1", schema->table);
    for (size_t i = 3; i < schema->column_count; i++)
        buf_printf(&st->sql, "%s%s = excluded.%s", i > 3 || !schema->by_seq ? ", " : "",
            schema->columns[i].name, schema->columns[i].name);
}

static void write_put(struct pg_statement *st, const struct store_op *const *ops, size_t count)
{
    write_insert(st, ops, count);
    add_upsert(st, &store_schemas[ops[0]->entity]);
}

/* An update that should not be kept must fail in the server, because the COMMIT has been sent with
 * it: it reads a text that is no number, or no time, and says what it is about in the server's log.
 * The outcome of one update is told apart in the same statement, by the error it makes. */
#define FAIL_CONFLICT                                                                              \
    "('theo: another version is stored, the caller is told; rows changed: ' || count(*))::bigint"
#define FAIL_MISSING                                                                               \
    "date_part('epoch', ('theo: no such row, the caller is told; rows changed: ' || "              \
    "count(*))::timestamptz)::bigint"

static void update_one(struct pg_statement *st, const struct store_op *op)
{
    const struct store_schema *schema = &store_schemas[op->entity];
    int64_t version = *row_int(op->row, &schema->columns[2]);

    buf_printf(&st->sql, "WITH done AS (UPDATE %s SET version = version + 1", schema->table);
    for (size_t i = 3; i < schema->column_count; i++) {
        buf_printf(&st->sql, ", %s = ", schema->columns[i].name);
        pg_add_column(st, &schema->columns[i], op->row);
    }
    buf_add_cstr(&st->sql, " WHERE ");
    add_key(st, schema, op->row);
    if (version != 0) {
        buf_add_cstr(&st->sql, " AND version = ");
        pg_add_int(st, version);
    }
    buf_printf(&st->sql,
        " RETURNING 1) SELECT CASE WHEN count(*) = 1 THEN 1::bigint WHEN EXISTS (SELECT 1 FROM %s "
        "WHERE ",
        schema->table);
    add_key(st, schema, op->row);
    buf_add_cstr(&st->sql, ") THEN " FAIL_CONFLICT " ELSE " FAIL_MISSING " END FROM done");
}

/* All or an error; whose row it was is found out one by one. An upsert, because that finds every
 * row by the primary key, while the planner may join an UPDATE's rows in any way. A row that is not
 * there is inserted with a negative version, which is an error, too. */
static void update_many(struct pg_statement *st, const struct store_op *const *ops, size_t count)
{
    const struct store_schema *schema = &store_schemas[ops[0]->entity];
    const char *table = schema->table;

    buf_printf(&st->sql, "WITH done AS (INSERT INTO %s (", table);
    add_names(st, schema);
    buf_add_cstr(&st->sql, ") ");
    add_rows(st, ops, count, true);
    add_upsert(st, schema);
    buf_printf(&st->sql,
        " WHERE excluded.version IN (-1, -1 - %s.version) RETURNING version) SELECT CASE count(*) "
        "WHEN %zu THEN 1::bigint ELSE " FAIL_CONFLICT " END FROM done WHERE version > 0",
        table, count);
}

static void delete_one(struct pg_statement *st, const struct store_op *op)
{
    const struct store_schema *schema = &store_schemas[op->entity];

    buf_printf(&st->sql, "DELETE FROM %s WHERE ", schema->table);
    if (op->kind == OP_DELETE) {
        add_key(st, schema, op->row);
        return;
    }
    buf_add_cstr(&st->sql, "workspace_id = ");
    pg_add_str(st, op->workspace_id);
    buf_printf(&st->sql, " AND %s = ",
        schema->columns[op->index == STORE_CHILDREN ? 1 : schema->indexes[op->index].column].name);
    pg_add_str(st, op->parent);
}

void pg_sql_write(struct pg_statement *st, const struct store_op *const *ops, size_t count)
{
    switch (ops[0]->kind) {
    case OP_INSERT:
        write_insert(st, ops, count);
        return;
    case OP_PUT:
        write_put(st, ops, count);
        return;
    case OP_UPDATE:
        if (count == 1)
            update_one(st, ops[0]);
        else
            update_many(st, ops, count);
        return;
    case OP_DELETE:
    case OP_DELETE_ALL:
        assert(count == 1);
        delete_one(st, ops[0]);
        return;
    }
}

void pg_sql_held(struct pg_statement *st, const struct store_op *op)
{
    const struct store_schema *schema = &store_schemas[op->entity];

    buf_add_cstr(&st->sql, "SELECT ");
    add_names(st, schema);
    buf_printf(&st->sql, " FROM %s WHERE ", schema->table);
    add_key(st, schema, op->row);
}

bool pg_is_written(const struct store_op *op, const void *held)
{
    const struct store_schema *schema = &store_schemas[op->entity];
    bool same = true;

    for (size_t i = 0; i < schema->column_count; i++) {
        const struct store_column *column = &schema->columns[i];
        int64_t ours, theirs;

        if (column->type == COLUMN_TEXT || column->type == COLUMN_SEALED) {
            same &= str_eq(*row_str(op->row, column), *row_str(held, column));
            continue;
        }
        ours = *row_int(op->row, column);
        theirs = *row_int(held, column);
        if (i == 2 && !schema->by_seq)
            same &= op->kind == OP_INSERT ? theirs == 1 : ours == 0 || theirs == ours + 1;
        else if (column->type == COLUMN_TIME)
            same &= pg_time_from_ms(ours) == pg_time_from_ms(theirs) || theirs == INT64_MAX - 1;
        else
            same &= ours == theirs;
    }
    return same;
}
