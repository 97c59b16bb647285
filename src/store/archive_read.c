/* Reading a backup: once wholly to check it, then again to fill the store. */
#include "base/json.h"
#include "store/archive.h"
#include "store/archive_format.h"
#include "store/scan.h"

#include <errno.h>

/* A commit has at most so many rows or bytes. */
#define COMMIT_ROWS 100
#define COMMIT_BYTES ((size_t)1 * MIB)
#define COLUMNS_MAX 64

struct reader {
    struct store *store;
    const struct archive_progress *progress;
    const char *path;
    FILE *file;
    uint64_t number;
    struct buf record; /* the payload */
    size_t at;         /* read up to here */
    bool fill;         /* the second time */
    /* The table that is being read, with the place of each of its columns in ours. */
    const struct store_schema *schema;
    const struct store_column *columns[COLUMNS_MAX];
    size_t column_count;
    struct arena arena; /* of the batch */
    struct store_batch batch;
    struct archive_stats stats;
};

static int damaged(const struct reader *reader, const char *what)
{
    return err_set(ERR_CORRUPT,
        "The backup file %s %s: nothing was restored; use another copy of it.", reader->path, what);
}

static int read_all(struct reader *reader, void *out, size_t len)
{
    if (fread(out, 1, len, reader->file) == len) {
        reader->stats.bytes += (int64_t)len;
        return 0;
    }
    if (ferror(reader->file))
        return err_set(
            ERR_IO, "The backup file %s cannot be read: %s.", reader->path, strerror(errno));
    return damaged(reader, "is cut short");
}

static uint32_t u32_of(const unsigned char *in)
{
    return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}

/* The master key is looked at before the check sum, which no other key could make. */
static int check_key_id(const struct reader *reader)
{
    struct str payload = buf_str(&reader->record);
    const struct json *header;
    struct arena arena;
    char held[17];
    struct str made, mac_key;
    int r = 0;

    arena_init(&arena);
    sealer_key_id(reader->store->sealer, held);
    if (payload.ptr[0] != 'H' ||
        json_parse(&arena, str_slice(payload, 1, payload.len), &header) < 0)
        r = damaged(reader, "has no header");
    else if (made = utf8_truncate(json_get_str(header, "master_key_id"), 20), !str_is(made, held))
        r = err_set(ERR_CORRUPT,
            "The backup was made under master key %.*s, but this installation holds %s: put the "
            "key that belongs to the backup in place first.",
            STR_ARG(made), held);
    else if (!hex_decode(&arena, json_get_str(header, "mac_key"), &mac_key))
        r = damaged(reader, "was altered");
    else
        r = sealer_mac_resume(reader->store->sealer, mac_key);
    arena_deinit(&arena);
    return r;
}

static int read_record(struct reader *reader)
{
    unsigned char head[4], mac[SEAL_MAC_LEN], right[SEAL_MAC_LEN], differs = 0;
    int r = read_all(reader, head, sizeof(head));
    uint32_t len;

    if (r < 0)
        return r;
    len = u32_of(head);
    if (len == 0 || len > ARCHIVE_RECORD_MAX)
        return damaged(reader, "was altered");
    buf_clear(&reader->record);
    r = read_all(reader, buf_reserve(&reader->record, len), len);
    if (r < 0)
        return r;
    reader->record.len = len;
    reader->at = 1;
    r = read_all(reader, mac, sizeof(mac));
    if (r == 0 && reader->number == 0)
        r = check_key_id(reader);
    if (r < 0)
        return r;
    sealer_mac(
        reader->store->sealer, ARCHIVE_CONTEXT, reader->number++, buf_str(&reader->record), right);
    for (size_t i = 0; i < sizeof(mac); i++)
        differs |= (unsigned char)(mac[i] ^ right[i]);
    return differs ? damaged(reader, "was altered") : 0;
}

static int take_bytes(struct reader *reader, size_t len, struct str *ret_bytes)
{
    if (len > reader->record.len - reader->at)
        return damaged(reader, "has a record that makes no sense");
    *ret_bytes = (struct str){reader->record.ptr + reader->at, len};
    reader->at += len;
    return 0;
}

static int take_str(struct reader *reader, struct str *ret_value)
{
    struct str len = STR("");
    int r = take_bytes(reader, 4, &len);

    return r < 0 ? r : take_bytes(reader, u32_of((const unsigned char *)len.ptr), ret_value);
}

static int take_int(struct reader *reader, int64_t *ret_value)
{
    struct str bytes = STR("");
    int r = take_bytes(reader, 8, &bytes);

    if (r == 0)
        *ret_value = (int64_t)((uint64_t)u32_of((const unsigned char *)bytes.ptr) << 32 |
                               u32_of((const unsigned char *)bytes.ptr + 4));
    return r;
}

static int newer(const struct reader *reader, const char *what, struct str name)
{
    return err_set(ERR_INVALID,
        "The backup file %s has a %s \"%.*s\" that this theo does not know: restore it with a "
        "newer "
        "theo.",
        reader->path, what, (int)MIN(name.len, (size_t)64), name.ptr);
}

static bool is_kind(const struct store_column *column, char kind)
{
    return kind == (column->type == COLUMN_TEXT ? 't' : column->type == COLUMN_SEALED ? 's' : 'i');
}

static int take_column(struct reader *reader)
{
    const struct store_schema *schema = reader->schema;
    struct str kind = STR(""), name = STR("");
    int r = take_bytes(reader, 1, &kind);

    if (r == 0)
        r = take_str(reader, &name);
    if (r < 0)
        return r;
    for (size_t i = 0; i < schema->column_count; i++)
        if (str_is(name, schema->columns[i].name) && is_kind(&schema->columns[i], kind.ptr[0]) &&
            reader->column_count < COLUMNS_MAX) {
            reader->columns[reader->column_count++] = &schema->columns[i];
            return 0;
        }
    return newer(reader, "column", name);
}

static int read_table(struct reader *reader)
{
    struct str name = STR("");
    int r = take_str(reader, &name);

    reader->schema = NULL;
    reader->column_count = 0;
    for (size_t i = 0; r == 0 && i < STORE_ENTITY_COUNT; i++)
        if (str_is(name, store_schemas[i].table))
            reader->schema = &store_schemas[i];
    if (r == 0 && !reader->schema)
        return newer(reader, "table", name);
    while (r == 0 && reader->at < reader->record.len)
        r = take_column(reader);
    return r;
}

/* By put, so that it may be repeated after an unknown outcome. */
static int commit_rows(struct reader *reader)
{
    int r = 0;

    for (int tries = 0; reader->batch.count > 0; tries++) {
        r = reader->store->ops->commit(reader->store->backend, &reader->batch);
        if (r != ERR_TIMEOUT || tries == 3)
            break;
    }
    arena_reset(&reader->arena);
    store_batch_init(&reader->batch, &reader->arena);
    return r > 0 ? err_set(ERR_CORRUPT, "Two rows of the backup have the same unique value.") : r;
}

/* For a store that keeps rows plain. Workspaces, with their data keys, came before. */
static int open_row(struct reader *reader, void *row)
{
    const struct store_schema *schema = reader->schema;
    int r = front_need_key(reader->store, *row_str(row, &schema->columns[0]), false);

    return r < 0 ? r : row_unseal(reader->store->sealer, schema, &reader->arena, row);
}

static int take_row(struct reader *reader)
{
    void *row = arena_zalloc(&reader->arena, 1, reader->schema->row_size);
    int r = 0;

    for (size_t i = 0; i < reader->schema->column_count; i++)
        if (reader->schema->columns[i].type == COLUMN_TEXT ||
            reader->schema->columns[i].type == COLUMN_SEALED)
            *row_str(row, &reader->schema->columns[i]) = STR("");
    for (size_t i = 0; r == 0 && i < reader->column_count; i++) {
        const struct store_column *column = reader->columns[i];

        if (column->type == COLUMN_TEXT || column->type == COLUMN_SEALED)
            r = take_str(reader, row_str(row, column));
        else
            r = take_int(reader, row_int(row, column));
    }
    reader->stats.rows++;
    if (r == 0 && reader->fill && reader->store->plain && reader->schema->secret_count > 0)
        r = open_row(reader, row);
    store_put(&reader->batch, reader->schema->entity, row);
    return r;
}

static int read_rows(struct reader *reader)
{
    int r = reader->schema && reader->column_count ? 0 : damaged(reader, "has rows of no table");
    size_t begin = reader->at;

    while (r == 0 && reader->at < reader->record.len) {
        r = take_row(reader);
        if (r < 0 || (reader->batch.count < COMMIT_ROWS && reader->at - begin < COMMIT_BYTES &&
                         reader->at < reader->record.len))
            continue;
        if (!reader->fill)
            reader->batch.count = 0;
        r = commit_rows(reader);
        begin = reader->at;
    }
    if (r == 0 && reader->fill && reader->progress && reader->progress->report)
        reader->progress->report(reader->progress->ctx, &reader->stats);
    return r;
}

static int read_end(struct reader *reader)
{
    int64_t rows = 0;
    int r = take_int(reader, &rows);

    if (r == 0 && (rows != reader->stats.rows || reader->at != reader->record.len))
        r = damaged(reader, "was altered");
    if (r == 0 && fgetc(reader->file) != EOF)
        r = damaged(reader, "goes on behind its end");
    return r;
}

static int read_records(struct reader *reader)
{
    char kind = '\0';
    int r = 0;

    while (r == 0 && kind != 'E') {
        r = read_record(reader);
        if (r < 0)
            break;
        kind = reader->record.ptr[0];
        if (kind == 'T')
            r = read_table(reader);
        else if (kind == 'R')
            r = read_rows(reader);
        else if (kind == 'E')
            r = read_end(reader);
        else if (kind != 'H')
            r = newer(reader, "record", (struct str){reader->record.ptr, 1});
    }
    return r;
}

static int read_archive(struct reader *reader, bool fill)
{
    char magic[sizeof(ARCHIVE_MAGIC) - 1];

    rewind(reader->file);
    reader->fill = fill;
    reader->number = 0;
    reader->schema = NULL;
    reader->stats = (struct archive_stats){0};
    if (fread(magic, 1, sizeof(magic), reader->file) != sizeof(magic) ||
        memcmp(magic, ARCHIVE_MAGIC, sizeof(magic)) != 0)
        return err_set(ERR_INVALID, "The file %s is no backup of Theo.", reader->path);
    reader->stats.bytes = sizeof(magic);
    return read_records(reader);
}

static int restore(struct reader *reader, bool replace)
{
    bool has_rows = false;
    int r = read_archive(reader, false);

    if (r == 0)
        r = store_has_rows(reader->store, &has_rows);
    if (r == 0 && has_rows && !replace)
        r = err_set(ERR_EXISTS,
            "The store holds data already: restore into an empty one, or replace all of it with "
            "--force.");
    if (r == 0 && has_rows)
        r = store_clear(reader->store);
    return r == 0 ? read_archive(reader, true) : r;
}

int archive_restore(struct store *store, const char *path, bool replace,
    const struct archive_progress *progress, struct archive_stats *ret_stats)
{
    struct reader reader = {.store = store, .progress = progress, .path = path};
    int64_t deadline;
    int r;

    reader.file = fopen(path, "rbe");
    if (!reader.file)
        return err_set(errno == ENOENT ? ERR_NOT_FOUND : ERR_IO,
            "The backup file %s cannot be opened: %s.", path, strerror(errno));
    arena_init(&reader.arena);
    store_batch_init(&reader.batch, &reader.arena);
    deadline = front_begin();
    r = front_end(deadline, restore(&reader, replace));
    arena_deinit(&reader.arena);
    buf_deinit(&reader.record);
    fclose(reader.file);
    if (r == 0)
        *ret_stats = reader.stats;
    return r;
}
