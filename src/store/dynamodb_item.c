/* Rows as items: keys, attributes, and values split into parts. */
#include "store/dynamodb.h"

#include <sodium.h>
#include <stdlib.h>

#define TTL_OLDEST_MS (50 * 365 * DAY_MS) /* the end of 2019 */

struct str ddb_number_sk(int64_t number, struct arena *arena)
{
    return str_printf(arena, "%016llx", (unsigned long long)((uint64_t)number ^ (uint64_t)1 << 63));
}

struct str ddb_children_pk(const struct store_schema *schema, struct str workspace_id,
    struct str parent, struct arena *arena)
{
    return str_printf(arena, "%s|%.*s|%.*s", schema->table, STR_ARG(workspace_id), STR_ARG(parent));
}

/* Workspaces share a partition: they are few, and listing them is then a query. */
struct ddb_key ddb_id_key(
    enum store_entity entity, struct str workspace_id, struct str id, struct arena *arena)
{
    if (entity == STORE_WORKSPACES)
        return (struct ddb_key){STR("workspaces"), id};
    return (struct ddb_key){
        ddb_children_pk(&store_schemas[entity], workspace_id, id, arena), STR("row")};
}

struct ddb_key ddb_row_key(const struct store_schema *schema, const void *row, struct arena *arena)
{
    struct str workspace_id = *row_str(row, &schema->columns[0]);
    struct str key = *row_str(row, &schema->columns[1]);

    if (!schema->by_seq)
        return ddb_id_key(schema->entity, workspace_id, key, arena);
    return (struct ddb_key){ddb_children_pk(schema, workspace_id, key, arena),
        ddb_number_sk(*row_int(row, &schema->columns[2]), arena)};
}

struct ddb_key ddb_marker_key(const struct store_schema *schema, int index, struct str workspace_id,
    struct str value, struct arena *arena)
{
    if (schema->indexes[index].kind == INDEX_GLOBAL)
        workspace_id = STR("");
    return (struct ddb_key){str_printf(arena, "unique|%s.%d|%.*s|%.*s", schema->table, index,
                                STR_ARG(workspace_id), STR_ARG(value)),
        STR("marker")};
}

struct str ddb_list_pk(const struct store_schema *schema, int index, struct str workspace_id,
    struct str value, struct arena *arena)
{
    return str_printf(
        arena, "%s.%d|%.*s|%.*s", schema->table, index, STR_ARG(workspace_id), STR_ARG(value));
}

struct ddb_key ddb_part_key(const struct ddb_key *row, int number, struct arena *arena)
{
    return (struct ddb_key){str_printf(arena, "part|%.*s", STR_ARG(row->pk)),
        str_printf(arena, "%.*s|%06d", STR_ARG(row->sk), number)};
}

bool ddb_key_eq(const struct ddb_key *a, const struct ddb_key *b)
{
    return str_eq(a->sk, b->sk) && str_eq(a->pk, b->pk);
}

int ddb_gsi(const struct store_schema *schema, int index)
{
    int number = 1;

    for (int i = 0; i < index; i++)
        number += schema->indexes[i].kind == INDEX_LIST;
    assert(number <= DDB_INDEXES);
    return number;
}

void ddb_write_s(struct json_writer *w, const char *name, struct str value)
{
    json_name(w, name);
    json_object_begin(w);
    json_str_member(w, "S", value);
    json_object_end(w);
}

void ddb_write_n(struct json_writer *w, const char *name, int64_t value)
{
    char text[24];

    snprintf(text, sizeof(text), "%lld", (long long)value);
    json_name(w, name);
    json_object_begin(w);
    json_cstr_member(w, "N", text);
    json_object_end(w);
}

void ddb_write_b(struct json_writer *w, const char *name, struct str bytes)
{
    size_t len = sodium_base64_encoded_len(bytes.len, sodium_base64_VARIANT_ORIGINAL);
    char *text = xmalloc(len);

    sodium_bin2base64(
        text, len, (const unsigned char *)bytes.ptr, bytes.len, sodium_base64_VARIANT_ORIGINAL);
    json_name(w, name);
    json_object_begin(w);
    json_str_member(w, "B", (struct str){text, len - 1});
    json_object_end(w);
    free(text);
}

void ddb_write_key(struct json_writer *w, const struct ddb_key *key)
{
    json_object_begin(w);
    ddb_write_s(w, "pk", key->pk);
    ddb_write_s(w, "sk", key->sk);
    json_object_end(w);
}

struct str ddb_read_s(const struct json *item, const char *name)
{
    return json_get_str(json_get(item, name), "S");
}

/* Numbers come as text, so that 64 bits are exact. */
int64_t ddb_read_n(const struct json *item, const char *name)
{
    int64_t value;

    return str_to_i64(json_get_str(json_get(item, name), "N"), &value) ? value : 0;
}

int ddb_read_b(
    const struct json *item, const char *name, struct arena *arena, struct str *ret_bytes)
{
    struct str text = json_get_str(json_get(item, name), "B");
    unsigned char *bytes = arena_alloc(arena, text.len / 4 * 3 + 4);
    size_t len;

    if (sodium_base642bin(bytes, text.len / 4 * 3 + 4, text.ptr, text.len, NULL, &len, NULL,
            sodium_base64_VARIANT_ORIGINAL) != 0)
        return err_set(ERR_CORRUPT, "The attribute %s of an item is not what was written.", name);
    *ret_bytes = (struct str){(const char *)bytes, len};
    return 0;
}

static bool is_bytes(const struct store_column *column)
{
    return column->type == COLUMN_TEXT || column->type == COLUMN_SEALED;
}

static bool is_indexed(const struct store_schema *schema, size_t column)
{
    for (size_t i = 0; i < schema->index_count; i++)
        if ((size_t)schema->indexes[i].column == column)
            return true;
    return false;
}

/* Worth splitting off: what indexes and conditions look at stays in the item. */
static bool can_split(const struct store_schema *schema, size_t column, const void *row)
{
    return column >= 2 && is_bytes(&schema->columns[column]) && !is_indexed(schema, column) &&
           row_str(row, &schema->columns[column])->len > 4 * KIB;
}

struct ddb_split ddb_split_row(
    const struct store_schema *schema, const void *row, struct arena *arena)
{
    struct buf columns = BUF_IN(arena), bytes = BUF_IN(arena);
    size_t size = 0;

    for (size_t i = 0; i < schema->column_count; i++)
        if (is_bytes(&schema->columns[i]))
            size += row_str(row, &schema->columns[i])->len;
    if (size <= DDB_INLINE_MAX)
        return (struct ddb_split){STR(""), STR(""), 0};
    for (size_t i = 0; i < schema->column_count; i++) {
        struct str value;
        if (!can_split(schema, i, row))
            continue;
        value = *row_str(row, &schema->columns[i]);
        buf_printf(
            &columns, "%s%s:%zu", columns.len ? "," : "", schema->columns[i].name, value.len);
        buf_add_str(&bytes, value);
    }
    return (struct ddb_split){
        buf_str(&columns), buf_str(&bytes), (int)((bytes.len + DDB_PART - 1) / DDB_PART)};
}

static void write_column(struct json_writer *w, const struct store_column *column, const void *row)
{
    if (!is_bytes(column))
        ddb_write_n(w, column->name, *row_int(row, column));
    else if (str_empty(*row_str(row, column)))
        return; /* absent is empty */
    else if (column->type == COLUMN_SEALED)
        ddb_write_b(w, column->name, *row_str(row, column));
    else
        ddb_write_s(w, column->name, *row_str(row, column));
}

static void write_list_keys(
    struct json_writer *w, const struct store_schema *schema, const void *row, struct arena *arena)
{
    for (size_t i = 0; i < schema->index_count; i++) {
        const struct store_index *index = &schema->indexes[i];
        struct str order;
        int gsi;
        if (index->kind != INDEX_LIST || str_empty(*row_str(row, &schema->columns[index->column])))
            continue;
        gsi = ddb_gsi(schema, (int)i);
        order = ddb_number_sk(*row_int(row, &schema->columns[index->order]), arena);
        ddb_write_s(w, gsi == 1 ? "gsi1pk" : "gsi2pk",
            ddb_list_pk(schema, (int)i, *row_str(row, &schema->columns[0]),
                *row_str(row, &schema->columns[index->column]), arena));
        ddb_write_s(w, gsi == 1 ? "gsi1sk" : "gsi2sk",
            str_printf(
                arena, "%.*s|%.*s", STR_ARG(order), STR_ARG(*row_str(row, &schema->columns[1]))));
    }
}

/* The service deletes what is past its ttl (seconds) some time later, without cost. Only answers
 * kept for idempotency: an API key that expired is still to be shown. */
static void write_ttl(struct json_writer *w, const struct store_schema *schema, const void *row)
{
    const struct idempotency_row *kept = row;

    /* AWS leaves alone what is more than five years past; DynamoDB Local would delete it. */
    if (schema->entity == STORE_IDEMPOTENCY && kept->expires_at > TTL_OLDEST_MS)
        ddb_write_n(w, "ttl", kept->expires_at / 1000 + 1);
}

void ddb_write_row(struct json_writer *w, const struct store_schema *schema, const void *row,
    const struct ddb_split *split, struct str write, struct arena *arena)
{
    struct ddb_key key = ddb_row_key(schema, row, arena);

    json_object_begin(w);
    ddb_write_s(w, "pk", key.pk);
    ddb_write_s(w, "sk", key.sk);
    ddb_write_s(w, "write", write);
    for (size_t i = 0; i < schema->column_count; i++)
        if (split->parts == 0 || !can_split(schema, i, row))
            write_column(w, &schema->columns[i], row);
    if (split->parts > 0) {
        ddb_write_s(w, "split", split->columns);
        ddb_write_n(w, "parts", split->parts);
    }
    write_list_keys(w, schema, row, arena);
    write_ttl(w, schema, row);
    json_object_end(w);
}

int ddb_read_row(
    const struct store_schema *schema, const struct json *item, struct arena *arena, void *ret_row)
{
    for (size_t i = 0; i < schema->column_count; i++) {
        const struct store_column *column = &schema->columns[i];
        int r = 0;
        if (!is_bytes(column))
            *row_int(ret_row, column) = ddb_read_n(item, column->name);
        else if (column->type == COLUMN_TEXT)
            *row_str(ret_row, column) = str_dup(arena, ddb_read_s(item, column->name));
        else
            r = ddb_read_b(item, column->name, arena, row_str(ret_row, column));
        if (r < 0)
            return r;
    }
    return 0;
}
