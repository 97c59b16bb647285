/* Documents: their names, and rows and values in Firestore's JSON. */
#include "store/firestore.h"

#include <sodium.h>

#define ID_MAX 1400 /* bytes; the service takes 1,500 */

/* Slashes would end the id, a percent sign and the colon are ours, "__…__" is Firestore's. */
static void add_escaped(struct buf *out, struct str part)
{
    for (size_t i = 0; i < part.len; i++) {
        unsigned char c = (unsigned char)part.ptr[i];
        if (c < ' ' || c == 0x7f || strchr("%/:_#", c))
            buf_printf(out, "%%%02X", c);
        else
            buf_add_char(out, (char)c);
    }
}

/* "part:part:…"; if that is too long, its hash after a "#", which no part keeps unescaped. */
static struct str make_id(const struct str *parts, size_t count, struct arena *arena)
{
    struct buf id = BUF_IN(arena);
    unsigned char hash[32];
    struct str hex;

    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_add_char(&id, ':');
        add_escaped(&id, parts[i]);
    }
    if (id.len <= ID_MAX)
        return buf_str(&id);
    crypto_generichash(hash, sizeof(hash), (const unsigned char *)id.ptr, id.len, NULL, 0);
    hex = hex_encode(arena, (struct str){(const char *)hash, sizeof(hash)});
    return str_printf(arena, "#%.*s", STR_ARG(hex));
}

static struct str name_of(struct store_backend *fs, const char *collection, const struct str *parts,
    size_t count, struct arena *arena)
{
    struct str id = make_id(parts, count, arena);

    return str_printf(
        arena, "%.*s/documents/%s/%.*s", STR_ARG(fs->database), collection, STR_ARG(id));
}

struct str fs_row_name(struct store_backend *fs, const struct store_schema *schema, const void *row,
    struct arena *arena)
{
    struct str parts[3] = {*row_str(row, &schema->columns[0]), *row_str(row, &schema->columns[1])};

    if (schema->by_seq)
        parts[2] = str_printf(arena, "%lld", (long long)*row_int(row, &schema->columns[2]));
    return name_of(fs, schema->table, parts, schema->by_seq ? 3 : 2, arena);
}

struct str fs_id_name(struct store_backend *fs, enum store_entity entity, struct str workspace_id,
    struct str id, struct arena *arena)
{
    const struct str parts[] = {workspace_id, id};

    return name_of(fs, store_schemas[entity].table, parts, 2, arena);
}

struct str fs_marker_name(struct store_backend *fs, const struct store_schema *schema, int index,
    struct str workspace_id, struct str value, struct arena *arena)
{
    bool global = schema->indexes[index].kind == INDEX_GLOBAL;
    const struct str parts[] = {str_from(schema->table), str_printf(arena, "%d", index),
        global ? STR("") : workspace_id, value};

    return name_of(fs, "unique_values", parts, ARRAY_LEN(parts), arena);
}

struct str fs_part_name(
    struct store_backend *fs, struct str part_id, int64_t number, struct arena *arena)
{
    const struct str parts[] = {part_id, str_printf(arena, "%lld", (long long)number)};

    return name_of(fs, "parts", parts, ARRAY_LEN(parts), arena);
}

struct str fs_meta_name(struct store_backend *fs, const char *name, struct arena *arena)
{
    const struct str part = str_from(name);

    return name_of(fs, "theo_meta", &part, 1, arena);
}

bool fs_is_asked(const struct store_schema *schema, size_t column)
{
    if (column < 3)
        return true;
    for (size_t i = 0; i < schema->index_count; i++)
        if (schema->indexes[i].column == (int)column || schema->indexes[i].order == (int)column)
            return true;
    return false;
}

void fs_write_text(struct json_writer *w, const char *name, struct str value)
{
    json_name(w, name);
    json_object_begin(w);
    json_str_member(w, "stringValue", value);
    json_object_end(w);
}

void fs_write_int(struct json_writer *w, const char *name, int64_t value)
{
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%lld", (long long)value);

    json_name(w, name);
    json_object_begin(w);
    json_str_member(w, "integerValue", (struct str){digits, (size_t)len});
    json_object_end(w);
}

void fs_write_bytes(struct json_writer *w, const char *name, struct str bytes)
{
    size_t size = sodium_base64_encoded_len(bytes.len, sodium_base64_VARIANT_ORIGINAL);
    char *text = xmalloc(size + 2);

    text[0] = '"';
    sodium_bin2base64(text + 1, size, (const unsigned char *)bytes.ptr, bytes.len,
        sodium_base64_VARIANT_ORIGINAL);
    text[size] = '"';
    json_name(w, name);
    json_object_begin(w);
    json_raw_member(w, "bytesValue", (struct str){text, size + 1});
    json_object_end(w);
    free(text);
}

struct str fs_read_text(const struct json *fields, const char *name)
{
    return json_get_str(json_get(fields, name), "stringValue");
}

int64_t fs_read_int(const struct json *fields, const char *name)
{
    int64_t value;

    if (!str_to_i64(json_get_str(json_get(fields, name), "integerValue"), &value))
        return 0;
    return value;
}

int fs_read_bytes(
    const struct json *fields, const char *name, struct arena *arena, struct str *ret_bytes)
{
    struct str text = json_get_str(json_get(fields, name), "bytesValue");
    size_t room = text.len / 4 * 3 + 4, len;
    unsigned char *bytes = arena_alloc(arena, room);

    if (sodium_base642bin(
            bytes, room, text.ptr, text.len, NULL, &len, NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
        return err_set(
            ERR_CORRUPT, "The field %s is no base64: restore the store from a backup.", name);
    *ret_bytes = (struct str){(const char *)bytes, len};
    return 0;
}

static bool is_bytes(const struct store_column *column)
{
    return column->type == COLUMN_TEXT || column->type == COLUMN_SEALED;
}

static bool may_split(const struct store_schema *schema, size_t column)
{
    return is_bytes(&schema->columns[column]) && !fs_is_asked(schema, column);
}

size_t fs_row_bytes(const struct store_schema *schema, const void *row)
{
    size_t bytes = 1024;

    for (size_t i = 0; i < schema->column_count; i++)
        bytes += 64 + (is_bytes(&schema->columns[i]) ? row_str(row, &schema->columns[i])->len : 8);
    return bytes;
}

struct fs_split fs_split_row(
    const struct store_schema *schema, const void *row, struct arena *arena)
{
    struct buf columns = BUF_IN(arena), bytes = BUF_IN(arena);

    for (size_t i = 0; i < schema->column_count; i++) {
        const struct store_column *column = &schema->columns[i];
        if (!may_split(schema, i) || str_empty(*row_str(row, column)))
            continue;
        buf_printf(
            &columns, "%s%s:%zu", columns.len ? "," : "", column->name, row_str(row, column)->len);
        buf_add_str(&bytes, *row_str(row, column));
    }
    return (struct fs_split){.columns = buf_str(&columns),
        .bytes = buf_str(&bytes),
        .parts = (int64_t)((bytes.len + FS_PART - 1) / FS_PART)};
}

static void write_column(struct json_writer *w, const struct store_column *column, const void *row)
{
    if (column->type == COLUMN_TEXT)
        fs_write_text(w, column->name, *row_str(row, column));
    else if (column->type == COLUMN_SEALED)
        fs_write_bytes(w, column->name, *row_str(row, column));
    else
        fs_write_int(w, column->name, *row_int(row, column));
}

void fs_write_row(struct json_writer *w, struct str name, const struct store_schema *schema,
    const void *row, const struct fs_split *split, struct str write)
{
    json_object_begin(w);
    json_str_member(w, "name", name);
    json_name(w, "fields");
    json_object_begin(w);
    for (size_t i = 0; i < schema->column_count; i++)
        if (fs_is_asked(schema, i))
            write_column(w, &schema->columns[i], row);
    fs_write_text(w, "write", write);
    if (split->parts > 0) {
        fs_write_int(w, "parts", split->parts);
        fs_write_text(w, "part_id", split->part_id);
        fs_write_text(w, "split", split->columns);
    }
    json_name(w, "data");
    json_object_begin(w);
    json_name(w, "mapValue");
    json_object_begin(w);
    json_name(w, "fields");
    json_object_begin(w);
    for (size_t i = 0; i < schema->column_count; i++)
        if (!fs_is_asked(schema, i) && !(split->parts > 0 && may_split(schema, i)))
            write_column(w, &schema->columns[i], row);
    for (int i = 0; i < 5; i++) /* data's fields, its map, data, the row's fields, the document */
        json_object_end(w);
}

int fs_read_row(const struct store_schema *schema, const struct json *fields, struct arena *arena,
    void *ret_row)
{
    const struct json *data = json_path(fields, "data.mapValue.fields");
    void *row = arena_zalloc(arena, 1, schema->row_size);

    for (size_t i = 0; i < schema->column_count; i++) {
        const struct store_column *column = &schema->columns[i];
        const struct json *from = fs_is_asked(schema, i) ? fields : data;
        int r = 0;
        if (column->type == COLUMN_TEXT)
            *row_str(row, column) = str_dup(arena, fs_read_text(from, column->name));
        else if (column->type == COLUMN_SEALED)
            r = fs_read_bytes(from, column->name, arena, row_str(row, column));
        else
            *row_int(row, column) = fs_read_int(from, column->name);
        if (r < 0)
            return r;
    }
    memcpy(ret_row, row, schema->row_size);
    return 0;
}
