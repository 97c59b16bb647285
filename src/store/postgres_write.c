/* Changes. Several rows go into one statement: planning costs the server more than writing. */
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

/* fresh: a new row's version is 1. */
static void add_row(
    struct pg_statement *st, const struct store_schema *schema, const void *row, bool fresh)
{
    for (size_t i = 0; i < schema->column_count; i++) {
        buf_add_cstr(&st->sql, i ? ", " : "(");
        if (fresh && i == 2 && !schema->by_seq)
            buf_add_char(&st->sql, '1');
        else
            pg_add_column(st, &schema->columns[i], row);
    }
    buf_add_char(&st->sql, ')');
}

static void add_rows(
    struct pg_statement *st, const struct store_op *const *ops, size_t count, bool fresh)
{
    buf_add_cstr(&st->sql, "VALUES ");
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_add_cstr(&st->sql, ", ");
        add_row(st, &store_schemas[ops[i]->entity], ops[i]->row, fresh);
    }
}

static void write_insert(struct pg_statement *st, const struct store_op *const *ops, size_t count)
{
    const struct store_schema *schema = &store_schemas[ops[0]->entity];

    buf_printf(&st->sql, "INSERT INTO %s (", schema->table);
    add_names(st, schema);
    buf_add_cstr(&st->sql, ") ");
    add_rows(st, ops, count, true);
}

static void write_put(struct pg_statement *st, const struct store_op *const *ops, size_t count)
{
    const struct store_schema *schema = &store_schemas[ops[0]->entity];

    write_insert(st, ops, count);
    buf_printf(&st->sql, " ON CONFLICT (workspace_id, %s%s) DO UPDATE SET ",
        schema->columns[1].name, schema->by_seq ? ", seq" : "");
    if (!schema->by_seq)
        buf_printf(&st->sql, "version = %s.version + 1", schema->table);
    for (size_t i = 3; i < schema->column_count; i++)
        buf_printf(&st->sql, "%s%s = excluded.%s", i > 3 || !schema->by_seq ? ", " : "",
            schema->columns[i].name, schema->columns[i].name);
}

/* The outcome of one update is told apart in the same statement, by the error it makes. */
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
        " RETURNING 1) SELECT CASE WHEN count(*) = 1 THEN 1 WHEN EXISTS (SELECT 1 FROM %s WHERE ",
        schema->table);
    add_key(st, schema, op->row);
    buf_add_cstr(&st->sql, ") THEN 1 / count(*) ELSE ln(count(*)::float8) END FROM done");
}

/* All or an error; whose row it was is found out one by one. */
static void update_many(struct pg_statement *st, const struct store_op *const *ops, size_t count)
{
    const struct store_schema *schema = &store_schemas[ops[0]->entity];

    buf_add_cstr(&st->sql, "WITH given (");
    add_names(st, schema);
    buf_add_cstr(&st->sql, ") AS (");
    add_rows(st, ops, count, false);
    buf_printf(
        &st->sql, "), done AS (UPDATE %s AS held SET version = held.version + 1", schema->table);
    for (size_t i = 3; i < schema->column_count; i++)
        buf_printf(&st->sql, ", %s = given.%s", schema->columns[i].name, schema->columns[i].name);
    buf_add_cstr(&st->sql, " FROM given WHERE held.workspace_id = given.workspace_id AND "
                           "held.workspace_id = ");
    pg_add_str(st, pg_op_workspace(ops[0]));
    buf_printf(&st->sql,
        " AND held.id = given.id AND (given.version = 0 OR held.version = given.version) RETURNING "
        "1) SELECT 1 / CASE count(*) WHEN %zu THEN 1 ELSE 0 END FROM done",
        count);
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
