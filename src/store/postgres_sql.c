/* Questions. Each names the workspace: it is the first column of every key and index, and the
 * column to distribute by. Names stand in double quotes nowhere: none is a reserved word. */
#include "store/postgres.h"

static void add_columns(struct pg_statement *st, const struct store_schema *schema)
{
    for (size_t i = 0; i < schema->column_count; i++)
        buf_printf(&st->sql, "%s%s", i ? ", " : "", schema->columns[i].name);
}

static void add_select(struct pg_statement *st, const struct store_schema *schema)
{
    buf_add_cstr(&st->sql, "SELECT ");
    add_columns(st, schema);
    buf_printf(&st->sql, " FROM %s WHERE ", schema->table);
}

static void add_workspace(struct pg_statement *st, struct str workspace)
{
    buf_add_cstr(&st->sql, "workspace_id = ");
    pg_add_str(st, workspace);
}

void pg_sql_get(
    struct pg_statement *st, const struct store_schema *schema, struct str workspace, struct str id)
{
    add_select(st, schema);
    add_workspace(st, workspace);
    buf_add_cstr(&st->sql, " AND id = ");
    pg_add_str(st, id);
}

void pg_sql_find(struct pg_statement *st, const struct store_schema *schema, int index,
    struct str workspace, struct str value)
{
    const char *column = schema->columns[schema->indexes[index].column].name;

    add_select(st, schema);
    if (!str_empty(workspace)) {
        add_workspace(st, workspace);
        buf_add_cstr(&st->sql, " AND ");
    }
    buf_printf(&st->sql, "%s = ", column);
    pg_add_str(st, value);
    buf_printf(&st->sql, " AND %s <> ''", column); /* lets the planner use the partial index */
}

static void add_limit(struct pg_statement *st, size_t limit)
{
    buf_add_cstr(&st->sql, " LIMIT ");
    buf_add_i64(&st->sql, (int64_t)limit);
}

static void list_workspaces(
    struct pg_statement *st, const struct store_query *query, struct str after_id)
{
    const struct store_schema *schema = &store_schemas[query->entity];

    add_select(st, schema);
    buf_add_cstr(&st->sql, "true");
    if (!str_empty(after_id)) {
        buf_printf(&st->sql, " AND workspace_id %c ", query->descending ? '<' : '>');
        pg_add_str(st, after_id);
    }
    buf_printf(&st->sql, " ORDER BY workspace_id%s", query->descending ? " DESC" : "");
    add_limit(st, query->limit);
}

static void add_order_value(
    struct pg_statement *st, const struct store_column *order, int64_t value)
{
    if (order->type == COLUMN_TIME)
        pg_add_time(st, value);
    else
        pg_add_int(st, value);
}

static void add_bounds(
    struct pg_statement *st, const struct store_query *query, const struct store_column *order)
{
    buf_printf(&st->sql, " AND %s >= ", order->name);
    add_order_value(st, order, query->from);
    if (query->to != 0 && query->to != INT64_MAX) {
        buf_printf(&st->sql, " AND %s < ", order->name);
        add_order_value(st, order, query->to);
    }
}

void pg_sql_list(struct pg_statement *st, const struct store_query *query, int64_t after_order,
    struct str after_id)
{
    const struct store_schema *schema = &store_schemas[query->entity];
    bool children = query->index == STORE_CHILDREN;
    const char *way = query->descending ? " DESC" : "";
    char sign = query->descending ? '<' : '>';
    const struct store_index *index;
    const struct store_column *column, *order;

    if (query->index == STORE_ALL) {
        list_workspaces(st, query, after_id);
        return;
    }
    index = children ? NULL : &schema->indexes[query->index];
    column = &schema->columns[children ? 1 : index->column];
    order = &schema->columns[children ? 2 : index->order];
    add_select(st, schema);
    add_workspace(st, query->workspace_id);
    buf_printf(&st->sql, " AND %s = ", column->name);
    pg_add_str(st, query->value);
    add_bounds(st, query, order);
    if (!str_empty(after_id) && children) {
        buf_printf(&st->sql, " AND seq %c ", sign);
        pg_add_int(st, after_order);
    } else if (!str_empty(after_id)) {
        buf_printf(&st->sql, " AND (%s, id) %c (", order->name, sign);
        add_order_value(st, order, after_order);
        buf_add_cstr(&st->sql, ", ");
        pg_add_str(st, after_id);
        buf_add_char(&st->sql, ')');
    }
    buf_printf(&st->sql, " ORDER BY %s%s", order->name, way);
    if (!children)
        buf_printf(&st->sql, ", id%s", way);
    add_limit(st, query->limit);
}

/* The rows that nobody else is just claiming, in the order in which they were due. */
void pg_sql_claim(struct pg_statement *st, const struct store_claim *claim)
{
    const struct store_schema *schema = &store_schemas[claim->entity];
    const struct store_index *index = &schema->indexes[claim->index];
    const char *due = schema->columns[index->order].name;

    buf_printf(&st->sql, "WITH due AS (SELECT id AS due_id, %s AS was_due FROM %s WHERE ", due,
        schema->table);
    add_workspace(st, claim->workspace_id);
    buf_printf(&st->sql, " AND %s = ", schema->columns[index->column].name);
    pg_add_str(st, claim->value);
    buf_printf(&st->sql, " AND %s <= ", due);
    add_order_value(st, &schema->columns[index->order], claim->now_ms);
    buf_printf(&st->sql, " ORDER BY %s, id", due);
    add_limit(st, claim->limit);
    buf_printf(&st->sql,
        " FOR UPDATE SKIP LOCKED), taken AS (UPDATE %s SET version = version + 1, "
        "owner = ",
        schema->table);
    pg_add_str(st, claim->owner);
    buf_printf(&st->sql, ", %s = ", due);
    add_order_value(st, &schema->columns[index->order], claim->now_ms + claim->lease_ms);
    buf_add_cstr(&st->sql, " FROM due WHERE ");
    add_workspace(st, claim->workspace_id);
    buf_printf(&st->sql, " AND id = due_id RETURNING %s.*, was_due) SELECT ", schema->table);
    add_columns(st, schema);
    buf_add_cstr(&st->sql, " FROM taken ORDER BY was_due, id");
}
