/* One sealed value a row: each costs 45 bytes, a nonce and two passes of the cipher, and a column
 * in every back end. */
#include "store/front.h"

#include <endian.h>

static const struct store_column *sealed_column(const struct store_schema *schema)
{
    return &schema->columns[schema->column_count - 1];
}

/* The values in the order of entities.def, each behind its length in four bytes, big-endian; empty
 * ones at the end are left out, so that a row of before a column was added reads as if it were
 * empty. */
void *row_pack(const struct store_schema *schema, const void *row, struct arena *arena)
{
    void *copy = arena_alloc(arena, schema->row_size);
    struct buf out = BUF_IN(arena);
    size_t size = 0, count = 0;

    memcpy(copy, row, schema->row_size);
    for (size_t i = 0; i < schema->secret_count; i++) {
        size_t len = row_str(row, &schema->secrets[i])->len;

        size += 4 + len;
        if (len > 0)
            count = i + 1;
    }
    if (count > 0)
        buf_reserve(&out, size);
    for (size_t i = 0; i < schema->secret_count; i++) {
        struct str *value = row_str(copy, &schema->secrets[i]);

        if (i < count) {
            uint32_t number = htobe32((uint32_t)value->len);

            buf_add(&out, &number, sizeof(number));
            buf_add_str(&out, *value);
        }
        *value = (struct str){"", 0};
    }
    *row_str(copy, sealed_column(schema)) = buf_str(&out);
    return copy;
}

static bool take(struct str *rest, struct str *ret_value)
{
    uint32_t number;
    size_t len;

    if (rest->len < sizeof(number))
        return false;
    memcpy(&number, rest->ptr, sizeof(number));
    len = be32toh(number);
    if (len > rest->len - sizeof(number))
        return false;
    *ret_value = (struct str){rest->ptr + sizeof(number), len};
    *rest = (struct str){ret_value->ptr + len, rest->len - sizeof(number) - len};
    return true;
}

int row_unpack(const struct store_schema *schema, void *row)
{
    struct str *packed = row_str(row, sealed_column(schema));
    struct str rest = *packed;

    for (size_t i = 0; i < schema->secret_count; i++) {
        struct str *value = row_str(row, &schema->secrets[i]);

        *value = (struct str){"", 0};
        if (rest.len > 0 && !take(&rest, value))
            return err_set(ERR_CORRUPT, "%s %.*s is damaged: restore the store from a backup.",
                schema->table, STR_ARG(*row_str(row, &schema->columns[1])));
    }
    *packed = (struct str){"", 0};
    return 0;
}

/* "table|workspace|id or parent|seq" binds the value to its place. Only the third part may hold
 * bars, so no two places give the same bytes. seq is 0 for rows by id, whose third number is the
 * version. */
static struct str place_of(const struct store_schema *schema, const void *row, struct arena *arena)
{
    struct str workspace_id = *row_str(row, &schema->columns[0]);
    struct str key = *row_str(row, &schema->columns[1]);
    struct buf out = BUF_IN(arena);

    buf_reserve(&out, workspace_id.len + key.len + 64);
    buf_add_cstr(&out, schema->table);
    buf_add_char(&out, '|');
    buf_add_str(&out, workspace_id);
    buf_add_char(&out, '|');
    buf_add_str(&out, key);
    buf_add_char(&out, '|');
    buf_add_i64(&out, schema->by_seq ? *row_int(row, &schema->columns[2]) : 0);
    return buf_str(&out);
}

int row_seal(
    struct sealer *sealer, const struct store_schema *schema, struct arena *arena, void *row)
{
    struct str *value = row_str(row, sealed_column(schema));

    if (str_empty(*value))
        return 0;
    return seal(sealer, *row_str(row, &schema->columns[0]), place_of(schema, row, arena), *value,
        arena, value);
}

int row_unseal(
    struct sealer *sealer, const struct store_schema *schema, struct arena *arena, void *row)
{
    struct str *value = row_str(row, sealed_column(schema));
    int r;

    if (str_empty(*value))
        return 0;
    r = unseal(sealer, *row_str(row, &schema->columns[0]), place_of(schema, row, arena), *value,
        arena, value);
    if (r < 0)
        return err_wrap("%s %.*s", schema->table, STR_ARG(*row_str(row, &schema->columns[1])));
    return 0;
}
