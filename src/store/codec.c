#include "store/front.h"

struct str hex_encode(struct arena *arena, struct str bytes)
{
    static const char digits[] = "0123456789abcdef";
    char *out = arena_alloc(arena, bytes.len * 2 + 1);

    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char byte = (unsigned char)bytes.ptr[i];
        out[2 * i] = digits[byte >> 4];
        out[2 * i + 1] = digits[byte & 15];
    }
    out[bytes.len * 2] = '\0';
    return (struct str){out, bytes.len * 2};
}

static int hex_value(char c)
{
    if (char_is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

bool hex_decode(struct arena *arena, struct str hex, struct str *ret_bytes)
{
    char *out = arena_alloc(arena, hex.len / 2);

    if (hex.len % 2 != 0)
        return false;
    for (size_t i = 0; i < hex.len / 2; i++) {
        int high = hex_value(hex.ptr[2 * i]), low = hex_value(hex.ptr[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (char)(high << 4 | low);
    }
    *ret_bytes = (struct str){out, hex.len / 2};
    return true;
}

/* RFC 4648, section 5. */
static const char base64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

struct str base64url_encode(struct arena *arena, struct str bytes)
{
    char *out = arena_alloc(arena, bytes.len / 3 * 4 + 5);
    size_t len = 0;
    uint32_t bits = 0;
    int count = 0;

    for (size_t i = 0; i < bytes.len; i++) {
        bits = bits << 8 | (unsigned char)bytes.ptr[i];
        for (count += 8; count >= 6; count -= 6)
            out[len++] = base64url[bits >> (count - 6) & 63];
    }
    if (count > 0)
        out[len++] = base64url[bits << (6 - count) & 63];
    out[len] = '\0';
    return (struct str){out, len};
}

bool base64url_decode(struct arena *arena, struct str text, struct str *ret_bytes)
{
    char *out = arena_alloc(arena, text.len / 4 * 3 + 3);
    size_t len = 0;
    uint32_t bits = 0;
    int count = 0;

    for (size_t i = 0; i < text.len; i++) {
        const char *at = text.ptr[i] ? strchr(base64url, text.ptr[i]) : NULL;
        if (!at)
            return false;
        bits = bits << 6 | (uint32_t)(at - base64url);
        count += 6;
        if (count >= 8) {
            count -= 8;
            out[len++] = (char)(bits >> count & 255);
        }
    }
    if (count == 6 || (bits & ((1u << count) - 1)) != 0)
        return false; /* a lone character, or bits that no encoder writes */
    *ret_bytes = (struct str){out, len};
    return true;
}

/* A cursor's bytes: 8 of check sum, 8 of order, the id. The check sum (FNV-1a) binds it to the
 * question, so that a cursor of another list is refused instead of giving odd pages. It needs no
 * secret: the place alone decides nothing about who may read what. */
#define CURSOR_ID 16

static uint64_t fnv(uint64_t hash, const void *bytes, size_t len)
{
    const unsigned char *p = bytes;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ p[i]) * 0x100000001b3u;
    return (hash ^ len) * 0x100000001b3u;
}

static uint64_t cursor_check(const struct store_query *query, const char *place, size_t len)
{
    const int shape[] = {(int)query->entity, query->index, query->descending};
    uint64_t hash = fnv(0xcbf29ce484222325u, shape, sizeof(shape));

    hash = fnv(hash, query->workspace_id.ptr, query->workspace_id.len);
    hash = fnv(hash, query->value.ptr, query->value.len);
    return fnv(hash, place, len);
}

static void put_u64(char *out, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        out[i] = (char)(value >> (56 - 8 * i) & 255);
}

static uint64_t get_u64(const char *in)
{
    uint64_t value = 0;

    for (int i = 0; i < 8; i++)
        value = value << 8 | (unsigned char)in[i];
    return value;
}

struct str cursor_make(
    const struct store_query *query, int64_t order, struct str id, struct arena *arena)
{
    char *bytes = arena_alloc(arena, CURSOR_ID + id.len);

    put_u64(bytes + 8, (uint64_t)order);
    memcpy(bytes + CURSOR_ID, id.ptr, id.len);
    put_u64(bytes, cursor_check(query, bytes + 8, 8 + id.len));
    return base64url_encode(arena, (struct str){bytes, CURSOR_ID + id.len});
}

int cursor_open(
    const struct store_query *query, struct arena *arena, int64_t *ret_order, struct str *ret_id)
{
    struct str bytes;

    if (query->cursor.len > 4 * STORE_KEY_MAX || !base64url_decode(arena, query->cursor, &bytes) ||
        bytes.len <= CURSOR_ID ||
        get_u64(bytes.ptr) != cursor_check(query, bytes.ptr + 8, bytes.len - 8))
        return err_field(ERR_INVALID, "cursor",
            "The cursor does not belong to this list: take it from the page before, unchanged.");
    *ret_order = (int64_t)get_u64(bytes.ptr + 8);
    *ret_id = str_slice(bytes, CURSOR_ID, bytes.len);
    return 0;
}

/* NULL: there is none of that name that could have been split off. */
static const struct store_column *find_column(const struct store_schema *schema, struct str name)
{
    for (size_t i = 2; i < schema->column_count; i++) {
        const struct store_column *column = &schema->columns[i];

        if ((column->type == COLUMN_TEXT || column->type == COLUMN_SEALED) &&
            str_is(name, column->name))
            return column;
    }
    return NULL;
}

int row_join(const struct store_schema *schema, struct str columns, struct str bytes,
    struct arena *arena, void *row)
{
    struct str one, name;

    while (str_next(&columns, ',', &one)) {
        const struct store_column *column;
        int64_t len = -1;

        str_next(&one, ':', &name);
        column = find_column(schema, name);
        if (str_empty(name) || !str_to_i64(one, &len) || len < 0 || (size_t)len > bytes.len)
            return err_set(ERR_CORRUPT, "A row of %s is split wrongly: restore it from a backup.",
                schema->table);
        if (column) /* or another version's */
            *row_str(row, column) = str_dup(arena, str_slice(bytes, 0, (size_t)len));
        bytes = str_slice(bytes, (size_t)len, bytes.len);
    }
    return 0;
}
