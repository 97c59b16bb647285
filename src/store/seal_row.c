#include "store/front.h"

bool schema_seals(const struct store_schema *schema)
{
    for (size_t i = 0; i < schema->column_count; i++)
        if (schema->columns[i].type == COLUMN_SEALED)
            return true;
    return false;
}

/* "table|workspace|id or parent|seq|column" binds a value to its place. Only the third part may
 * hold bars, so no two places give the same bytes. seq is 0 for rows by id: their version changes
 * while unchanged values stay sealed as they are. */
struct aad {
    struct buf buf;
    size_t prefix;
};

static void aad_init(
    struct aad *aad, const struct store_schema *schema, const void *row, struct arena *arena)
{
    struct str workspace_id = *row_str(row, &schema->columns[0]);
    struct str key = *row_str(row, &schema->columns[1]);

    aad->buf = BUF_IN(arena);
    buf_reserve(&aad->buf, workspace_id.len + key.len + 96);
    buf_add_cstr(&aad->buf, schema->table);
    buf_add_char(&aad->buf, '|');
    buf_add_str(&aad->buf, workspace_id);
    buf_add_char(&aad->buf, '|');
    buf_add_str(&aad->buf, key);
    buf_add_char(&aad->buf, '|');
    buf_add_i64(&aad->buf, schema->by_seq ? *row_int(row, &schema->columns[2]) : 0);
    buf_add_char(&aad->buf, '|');
    aad->prefix = aad->buf.len;
}

static struct str aad_of(struct aad *aad, const struct store_column *column)
{
    aad->buf.len = aad->prefix;
    buf_add_cstr(&aad->buf, column->name);
    return buf_str(&aad->buf);
}

int seal_row(struct sealer *sealer, const struct store_schema *schema, const void *row,
    struct arena *arena, void **ret_row)
{
    struct str workspace_id = *row_str(row, &schema->columns[0]);
    void *copy = arena_alloc(arena, schema->row_size);
    struct aad aad;

    memcpy(copy, row, schema->row_size);
    aad_init(&aad, schema, row, arena);
    for (size_t i = 3; i < schema->column_count; i++) {
        const struct store_column *column = &schema->columns[i];
        struct str *value = row_str(copy, column);
        int r;
        if (column->type != COLUMN_SEALED || str_empty(*value))
            continue;
        r = seal(sealer, workspace_id, aad_of(&aad, column), *value, arena, value);
        if (r < 0)
            return r;
    }
    *ret_row = copy;
    return 0;
}

int unseal_row(
    struct sealer *sealer, const struct store_schema *schema, struct arena *arena, void *row)
{
    struct str workspace_id = *row_str(row, &schema->columns[0]);
    struct aad aad;

    aad_init(&aad, schema, row, arena);
    for (size_t i = 3; i < schema->column_count; i++) {
        const struct store_column *column = &schema->columns[i];
        struct str *value = row_str(row, column);
        int r;
        if (column->type != COLUMN_SEALED || str_empty(*value))
            continue;
        r = unseal(sealer, workspace_id, aad_of(&aad, column), *value, arena, value);
        if (r < 0) {
            struct str key = *row_str(row, &schema->columns[1]);
            return err_wrap("%s %.*s, %s", schema->table, STR_ARG(key), column->name);
        }
    }
    return 0;
}
