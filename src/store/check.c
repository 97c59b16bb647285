/* What a caller hands to the store is checked before anything is sealed or sent: every back end
 * then meets only values that all of them can hold. */
#include "store/front.h"

int check_entity(enum store_entity entity)
{
    if ((unsigned)entity >= STORE_ENTITY_COUNT)
        return err_field(ERR_INVALID, "entity", "There is no store entity %d.", (int)entity);
    return 0;
}

/* The bar separates the parts of the associated data that a sealed value is bound to. */
int check_workspace(struct str workspace_id)
{
    if (str_empty(workspace_id) || workspace_id.len > STORE_WORKSPACE_MAX)
        return err_field(
            ERR_INVALID, "workspace_id", "A workspace id has 1 to %d bytes.", STORE_WORKSPACE_MAX);
    for (size_t i = 0; i < workspace_id.len; i++) {
        char c = workspace_id.ptr[i];
        if (c <= ' ' || c == '|' || c == 0x7f)
            return err_field(ERR_INVALID, "workspace_id",
                "A workspace id is made of printable ASCII without spaces and bars.");
    }
    return 0;
}

static int check_text(const char *field, struct str text, size_t max)
{
    if (text.len > max)
        return err_field(ERR_TOO_LARGE, field, "The value of %s has %zu bytes; %zu is the most.",
            field, text.len, max);
    if (text.len && memchr(text.ptr, '\0', text.len))
        return err_field(ERR_INVALID, field, "The value of %s holds a NUL byte.", field);
    if (!utf8_valid(text))
        return err_field(ERR_INVALID, field, "The value of %s is not valid UTF-8.", field);
    return 0;
}

static int check_key(const char *field, struct str key)
{
    if (str_empty(key))
        return err_field(ERR_INVALID, field, "The key %s is empty.", field);
    return check_text(field, key, STORE_KEY_MAX);
}

static bool is_indexed(const struct store_schema *schema, size_t column)
{
    for (size_t i = 0; i < schema->index_count; i++)
        if ((size_t)schema->indexes[i].column == column)
            return true;
    return false;
}

static int check_row_key(const struct store_schema *schema, const void *row)
{
    const struct store_column *columns = schema->columns;
    struct str workspace_id = *row_str(row, &columns[0]);
    struct str key = *row_str(row, &columns[1]);
    int r = check_workspace(workspace_id);

    if (r == 0)
        r = check_key(columns[1].name, key);
    if (r == 0 && schema->entity == STORE_WORKSPACES && !str_eq(workspace_id, key))
        r = err_field(ERR_INVALID, "id", "A workspace's id and workspace_id are the same.");
    if (r == 0 && !schema->by_seq && *row_int(row, &columns[2]) < 0)
        r = err_field(ERR_INVALID, "version", "A version is never negative.");
    return r;
}

static int check_row(const struct store_schema *schema, const void *row)
{
    int r = check_row_key(schema, row);

    for (size_t i = 3; r == 0 && i < schema->column_count; i++) {
        const struct store_column *column = &schema->columns[i];
        if (column->type == COLUMN_TEXT)
            r = check_text(column->name, *row_str(row, column),
                is_indexed(schema, i) ? STORE_KEY_MAX : STORE_VALUE_MAX);
    }
    for (size_t i = 0; r == 0 && i < schema->secret_count; i++) {
        const struct store_column *column = &schema->secrets[i];
        if (row_str(row, column)->len > STORE_VALUE_MAX)
            r = err_field(ERR_TOO_LARGE, column->name, "The value of %s has %zu bytes; %d is most.",
                column->name, row_str(row, column)->len, STORE_VALUE_MAX);
    }
    return r;
}

/* index of a list or delete_all: a LIST number, or the children of a parent. */
static int check_list_index(const struct store_schema *schema, int index)
{
    if (index == STORE_CHILDREN && schema->by_seq)
        return 0;
    if (index >= 0 && (size_t)index < schema->index_count &&
        schema->indexes[index].kind == INDEX_LIST)
        return 0;
    return err_field(ERR_INVALID, "index", "%s have no list number %d.", schema->table, index);
}

static int check_op(const struct store_op *op)
{
    const struct store_schema *schema;
    int r = check_entity(op->entity);

    if (r < 0)
        return r;
    schema = &store_schemas[op->entity];
    if (op->kind == OP_DELETE)
        return check_row_key(schema, op->row);
    if (op->kind != OP_DELETE_ALL) {
        if (op->kind == OP_UPDATE && schema->by_seq)
            return err_field(ERR_INVALID, "entity", "%s are append-only.", schema->table);
        return check_row(schema, op->row);
    }
    r = check_workspace(op->workspace_id);
    if (r == 0)
        r = check_list_index(schema, op->index);
    if (r == 0 && op->index >= 0) /* rows with an empty value are in no list */
        return check_key("value", op->parent);
    if (r == 0)
        r = check_text("value", op->parent, STORE_KEY_MAX);
    return r;
}

int check_batch(const struct store_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        int r = check_op(&batch->ops[i]);
        if (r < 0)
            return r;
    }
    return 0;
}

int check_query(const struct store_query *query)
{
    const struct store_schema *schema;
    int r = check_entity(query->entity);

    if (r < 0)
        return r;
    schema = &store_schemas[query->entity];
    if (query->limit < 1 || query->limit > STORE_LIST_MAX)
        return err_field(ERR_INVALID, "limit", "A page has 1 to %d rows.", STORE_LIST_MAX);
    if (query->index == STORE_ALL) {
        if (query->entity == STORE_WORKSPACES && str_empty(query->workspace_id))
            return 0;
        return err_field(ERR_INVALID, "index", "Only workspaces can be listed without a value.");
    }
    r = check_workspace(query->workspace_id);
    if (r == 0)
        r = check_list_index(schema, query->index);
    if (r == 0)
        r = check_text("value", query->value, STORE_KEY_MAX);
    return r;
}

int check_find(enum store_entity entity, struct str workspace_id, int index)
{
    const struct store_schema *schema;
    int r = check_entity(entity);

    if (r < 0)
        return r;
    schema = &store_schemas[entity];
    if (index < 0 || (size_t)index >= schema->index_count ||
        schema->indexes[index].kind == INDEX_LIST)
        return err_field(ERR_INVALID, "index", "%s have no unique index %d.", schema->table, index);
    if (schema->indexes[index].kind == INDEX_GLOBAL && str_empty(workspace_id))
        return 0;
    return check_workspace(workspace_id);
}

static bool has_owner(const struct store_schema *schema)
{
    for (size_t i = 3; i < schema->column_count; i++)
        if (strcmp(schema->columns[i].name, "owner") == 0)
            return schema->columns[i].type == COLUMN_TEXT;
    return false;
}

int check_claim(const struct store_claim *claim)
{
    const struct store_schema *schema;
    int r = check_entity(claim->entity);

    if (r < 0)
        return r;
    schema = &store_schemas[claim->entity];
    if (schema->by_seq || !has_owner(schema))
        return err_field(ERR_INVALID, "entity", "%s cannot be claimed.", schema->table);
    r = check_workspace(claim->workspace_id);
    if (r == 0)
        r = check_list_index(schema, claim->index);
    if (r == 0)
        r = check_key("value", claim->value);
    if (r == 0)
        r = check_key("owner", claim->owner);
    if (r == 0 && (claim->limit < 1 || claim->limit > STORE_CLAIM_MAX))
        r = err_field(ERR_INVALID, "limit", "A claim has 1 to %d rows.", STORE_CLAIM_MAX);
    if (r == 0 && (claim->now_ms < 0 || claim->lease_ms <= 0 ||
                      claim->lease_ms > INT64_MAX - 1 - claim->now_ms))
        r = err_field(ERR_INVALID, "lease_ms", "A claim needs a time and a lease above 0 ms.");
    return r;
}
