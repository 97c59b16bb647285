/* PostgreSQL's binary forms of values. A time of 0 is stored as 1970: it then sorts and compares
 * as it does everywhere else in Theo. */
#include "store/postgres.h"

#include <endian.h>

#define EPOCH_2000_MS 946684800000

#define OID_BYTEA 17
#define OID_INT8 20
#define OID_TEXT 25
#define OID_TIMESTAMPTZ 1184
#define OID_BYTEA_ARRAY 1001
#define OID_TEXT_ARRAY 1009
#define OID_INT8_ARRAY 1016
#define OID_TIMESTAMPTZ_ARRAY 1185

static void encode_i64(int64_t value, char out[8])
{
    uint64_t big = htobe64((uint64_t)value);

    memcpy(out, &big, sizeof(big));
}

/* Times past the year 294276 are infinity, which is read as the last time that a question with an
 * exclusive upper bound can find. */
int64_t pg_time_from_ms(int64_t ms)
{
    int64_t us;

    if (__builtin_sub_overflow(ms, EPOCH_2000_MS, &us) || __builtin_mul_overflow(us, 1000, &us))
        return ms < 0 ? INT64_MIN : INT64_MAX;
    return us;
}

static int64_t time_to_ms(int64_t us)
{
    int64_t ms = us / 1000;

    if (us == INT64_MAX || us == INT64_MIN)
        return us == INT64_MAX ? INT64_MAX - 1 : us;
    if (us % 1000 < 0)
        ms--;
    return ms + EPOCH_2000_MS;
}

void pg_statement_init(struct pg_statement *st, struct arena *arena, struct str workspace_id)
{
    *st = (struct pg_statement){.arena = arena, .sql = BUF_IN(arena), .workspace_id = workspace_id};
}

static void *grow(struct pg_statement *st, void *old, size_t size, int capacity)
{
    return arena_grow(st->arena, old, (size_t)st->capacity * size, (size_t)capacity * size);
}

static void add(struct pg_statement *st, Oid type, const char *value, size_t len)
{
    if (st->count == st->capacity) {
        int capacity = st->capacity ? st->capacity * 2 : 16;
        st->types = grow(st, st->types, sizeof(*st->types), capacity);
        st->values = grow(st, st->values, sizeof(*st->values), capacity);
        st->lengths = grow(st, st->lengths, sizeof(*st->lengths), capacity);
        st->formats = grow(st, st->formats, sizeof(*st->formats), capacity);
        st->capacity = capacity;
    }
    st->types[st->count] = type;
    st->values[st->count] = value ? value : "";
    st->lengths[st->count] = (int)len;
    st->formats[st->count++] = 1;
    buf_add_char(&st->sql, '$');
    buf_add_i64(&st->sql, st->count);
}

static void add_i64(struct pg_statement *st, Oid type, int64_t value)
{
    char *bytes = arena_alloc(st->arena, 8);

    encode_i64(value, bytes);
    add(st, type, bytes, 8);
}

void pg_add_str(struct pg_statement *st, struct str value)
{
    add(st, OID_TEXT, value.ptr, value.len);
}

void pg_add_int(struct pg_statement *st, int64_t value)
{
    add_i64(st, OID_INT8, value);
}

void pg_add_time(struct pg_statement *st, int64_t ms)
{
    add_i64(st, OID_TIMESTAMPTZ, pg_time_from_ms(ms));
}

void pg_add_column(struct pg_statement *st, const struct store_column *column, const void *row)
{
    switch (column->type) {
    case COLUMN_TEXT:
        pg_add_str(st, *row_str(row, column));
        return;
    case COLUMN_SEALED:
        add(st, OID_BYTEA, row_str(row, column)->ptr, row_str(row, column)->len);
        return;
    case COLUMN_INT:
        pg_add_int(st, *row_int(row, column));
        return;
    case COLUMN_TIME:
        pg_add_time(st, *row_int(row, column));
        return;
    }
}

static void array_i32(struct buf *out, uint32_t value)
{
    uint32_t big = htobe32(value);

    buf_add(out, &big, sizeof(big));
}

static void array_value(struct buf *out, const struct store_column *column, const void *row)
{
    char bytes[8];
    struct str value = {bytes, sizeof(bytes)};

    if (column->type == COLUMN_TEXT || column->type == COLUMN_SEALED)
        value = *row_str(row, column);
    else if (column->type == COLUMN_TIME)
        encode_i64(pg_time_from_ms(*row_int(row, column)), bytes);
    else
        encode_i64(*row_int(row, column), bytes);
    array_i32(out, (uint32_t)value.len);
    buf_add(out, value.ptr, value.len);
}

/* One dimension, no nulls, counted from 1. */
static struct buf begin_array(struct pg_statement *st, Oid type, size_t count)
{
    struct buf out = BUF_IN(st->arena);

    array_i32(&out, 1);
    array_i32(&out, 0);
    array_i32(&out, type);
    array_i32(&out, (uint32_t)count);
    array_i32(&out, 1);
    return out;
}

void pg_add_array(struct pg_statement *st, const struct store_column *column,
    const struct store_op *const *ops, size_t count)
{
    static const Oid types[][2] = {
        [COLUMN_TEXT] = {OID_TEXT, OID_TEXT_ARRAY},
        [COLUMN_SEALED] = {OID_BYTEA, OID_BYTEA_ARRAY},
        [COLUMN_INT] = {OID_INT8, OID_INT8_ARRAY},
        [COLUMN_TIME] = {OID_TIMESTAMPTZ, OID_TIMESTAMPTZ_ARRAY},
    };
    struct buf out = begin_array(st, types[column->type][0], count);

    for (size_t i = 0; i < count; i++)
        array_value(&out, column, ops[i]->row);
    add(st, types[column->type][1], out.ptr, out.len);
}

void pg_add_versions(
    struct pg_statement *st, const struct store_op *const *ops, size_t count, bool expected)
{
    struct buf out = begin_array(st, OID_INT8, count);
    char bytes[8];

    for (size_t i = 0; i < count; i++) {
        const struct store_column *column = &store_schemas[ops[i]->entity].columns[2];
        encode_i64(expected ? -1 - *row_int(ops[i]->row, column) : 1, bytes);
        array_i32(&out, sizeof(bytes));
        buf_add(&out, bytes, sizeof(bytes));
    }
    add(st, OID_INT8_ARRAY, out.ptr, out.len);
}

static int read_value(
    const struct store_column *column, const char *value, int len, struct arena *arena, void *row)
{
    uint64_t big;

    if (column->type == COLUMN_TEXT || column->type == COLUMN_SEALED) {
        *row_str(row, column) = str_dup(arena, (struct str){value, (size_t)len});
        return 0;
    }
    if (len != 8)
        return err_set(ERR_CORRUPT,
            "The column %s of PostgreSQL has another type than Theo made it: restore the schema.",
            column->name);
    memcpy(&big, value, sizeof(big));
    *row_int(row, column) = (int64_t)be64toh(big);
    if (column->type == COLUMN_TIME)
        *row_int(row, column) = time_to_ms(*row_int(row, column));
    return 0;
}

int pg_read_row(const struct pg_libpq *pq, const PGresult *result, int number,
    const struct store_schema *schema, struct arena *arena, void *ret_row)
{
    int r = 0;

    if (pq->nfields(result) < (int)schema->column_count)
        return err_set(ERR_PROTOCOL,
            "PostgreSQL answered with too few columns of %s: check what stands between Theo and "
            "the server.",
            schema->table);
    for (int i = 0; r == 0 && i < (int)schema->column_count; i++)
        r = read_value(&schema->columns[i], pq->getvalue(result, number, i),
            pq->getlength(result, number, i), arena, ret_row);
    return r;
}

int pg_read_rows(const struct pg_libpq *pq, const PGresult *result,
    const struct store_schema *schema, struct arena *arena, struct store_page *ret_page)
{
    int count = pq->ntuples(result), r = 0;
    char *rows = arena_zalloc(arena, (size_t)count, schema->row_size);

    for (int i = 0; r == 0 && i < count; i++)
        r = pg_read_row(pq, result, i, schema, arena, rows + (size_t)i * schema->row_size);
    if (r == 0)
        *ret_page = (struct store_page){.rows = rows, .count = (size_t)count};
    return r;
}
