#include "store/archive.h"

#include "store/archive_format.h"
#include "store/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* A record of rows is closed beyond so many bytes. */
#define RECORD_BYTES ((size_t)512 * KIB)

struct writer {
    struct store *store;
    const struct archive_progress *progress;
    const char *path;
    int fd;
    uint64_t number; /* of the next record */
    struct buf record;
    int entity; /* whose table record was written last; -1 none */
    struct archive_stats stats;
};

static int write_failed(const struct writer *writer)
{
    return err_set(errno == ENOSPC || errno == EDQUOT ? ERR_FULL : ERR_IO,
        "The backup file %s cannot be written: %s.", writer->path, strerror(errno));
}

static int write_all(struct writer *writer, const void *bytes, size_t len)
{
    const char *from = bytes;

    writer->stats.bytes += (int64_t)len;
    while (len > 0) {
        ssize_t written = write(writer->fd, from, len);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return write_failed(writer);
        from += written;
        len -= (size_t)written;
    }
    return 0;
}

static void add_u32(struct buf *out, uint32_t value)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        buf_add_char(out, (char)(value >> shift & 255));
}

static void add_u64(struct buf *out, uint64_t value)
{
    add_u32(out, (uint32_t)(value >> 32));
    add_u32(out, (uint32_t)value);
}

static void add_bytes(struct buf *out, struct str bytes)
{
    add_u32(out, (uint32_t)bytes.len);
    buf_add_str(out, bytes);
}

/* The record begins with room for its length. */
static void begin_record(struct writer *writer, char kind)
{
    buf_clear(&writer->record);
    add_u32(&writer->record, 0);
    buf_add_char(&writer->record, kind);
}

static int end_record(struct writer *writer)
{
    struct str payload = str_slice(buf_str(&writer->record), 4, writer->record.len);
    unsigned char mac[SEAL_MAC_LEN];

    for (int i = 0; i < 4; i++)
        writer->record.ptr[i] = (char)(payload.len >> (24 - 8 * i) & 255);
    sealer_mac(writer->store->sealer, ARCHIVE_CONTEXT, writer->number++, payload, mac);
    buf_add(&writer->record, mac, sizeof(mac));
    return write_all(writer, writer->record.ptr, writer->record.len);
}

static int write_header(struct writer *writer)
{
    char key_id[17], at[RFC3339_LEN + 1];
    struct json_writer w;
    struct arena arena;
    struct str mac_key;
    int r = write_all(writer, ARCHIVE_MAGIC, strlen(ARCHIVE_MAGIC));

    if (r < 0)
        return r;
    arena_init(&arena);
    r = sealer_mac_begin(writer->store->sealer, &arena, &mac_key);
    if (r < 0) {
        arena_deinit(&arena);
        return r;
    }
    sealer_key_id(writer->store->sealer, key_id);
    rfc3339_format(env_wall_ms(writer->store->env), at);
    begin_record(writer, 'H');
    json_init(&w, &writer->record);
    json_object_begin(&w);
    json_cstr_member(&w, "master_key_id", key_id);
    json_cstr_member(&w, "store", store_name(writer->store));
    json_cstr_member(&w, "created_at", at);
    if (!str_empty(mac_key))
        json_str_member(&w, "mac_key", hex_encode(&arena, mac_key));
    json_object_end(&w);
    arena_deinit(&arena);
    return end_record(writer);
}

static int write_table(struct writer *writer, const struct store_schema *schema)
{
    begin_record(writer, 'T');
    add_bytes(&writer->record, str_from(schema->table));
    for (size_t i = 0; i < schema->column_count; i++) {
        const struct store_column *column = &schema->columns[i];
        bool text = column->type == COLUMN_TEXT, sealed = column->type == COLUMN_SEALED;

        buf_add_char(&writer->record, text ? 't' : sealed ? 's' : 'i');
        add_bytes(&writer->record, str_from(column->name));
    }
    writer->entity = (int)schema->entity;
    return end_record(writer);
}

static void add_row(struct buf *out, const struct store_schema *schema, const void *row)
{
    for (size_t i = 0; i < schema->column_count; i++) {
        const struct store_column *column = &schema->columns[i];

        if (column->type == COLUMN_TEXT || column->type == COLUMN_SEALED)
            add_bytes(out, *row_str(row, column));
        else
            add_u64(out, (uint64_t)*row_int(row, column));
    }
}

/* A backup holds sealed rows, also of a store that keeps them plain. */
static int add_sealed_row(struct writer *writer, const struct store_schema *schema, const void *row)
{
    struct store *store = writer->store;
    struct arena arena;
    void *copy;
    int r = 0;

    if (!store->plain || schema->secret_count == 0) {
        add_row(&writer->record, schema, row);
        return 0;
    }
    arena_init(&arena);
    copy = arena_alloc(&arena, schema->row_size);
    memcpy(copy, row, schema->row_size);
    r = front_need_key(store, *row_str(row, &schema->columns[0]), false);
    if (r == 0)
        r = row_seal(store->sealer, schema, &arena, copy);
    if (r == 0)
        add_row(&writer->record, schema, copy);
    arena_deinit(&arena);
    return r;
}

static int write_rows(void *ctx, enum store_entity entity, const void *rows, size_t count)
{
    struct writer *writer = ctx;
    const struct store_schema *schema = &store_schemas[entity];
    int r = writer->entity == (int)entity ? 0 : write_table(writer, schema);

    for (size_t i = 0; r == 0 && i < count;) {
        begin_record(writer, 'R');
        while (r == 0 && i < count && writer->record.len < RECORD_BYTES)
            r = add_sealed_row(writer, schema, (const char *)rows + i++ * schema->row_size);
        if (r == 0)
            r = end_record(writer);
    }
    writer->stats.rows += (int64_t)count;
    if (r == 0 && writer->progress && writer->progress->report)
        writer->progress->report(writer->progress->ctx, &writer->stats);
    return r;
}

static int write_archive(struct writer *writer)
{
    const struct store_visitor visitor = {write_rows, writer};
    int64_t deadline = front_begin();
    int r = write_header(writer);

    if (r == 0)
        r = store_scan(writer->store, &visitor);
    begin_record(writer, 'E');
    add_u64(&writer->record, (uint64_t)writer->stats.rows);
    if (r == 0)
        r = end_record(writer);
    if (r == 0 && fsync(writer->fd) < 0)
        r = write_failed(writer);
    return front_end(deadline, r);
}

static int sync_folder(const struct writer *writer)
{
    struct str path = str_from(writer->path);
    ptrdiff_t slash = str_rfind_char(path, '/');
    char *folder = slash < 0 ? xstrdup(".") : str_heap(str_slice(path, 0, (size_t)MAX(slash, 1)));
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = fd >= 0 && fsync(fd) == 0 ? 0 : write_failed(writer);

    if (fd >= 0)
        close(fd);
    free(folder);
    return r;
}

/* Linked to its name when it is complete: there is never half a backup, and none is overwritten. */
int archive_backup(struct store *store, const char *path, const struct archive_progress *progress,
    struct archive_stats *ret_stats)
{
    struct writer writer = {.store = store, .progress = progress, .path = path, .entity = -1};
    struct buf temporary = BUF_HEAP;
    int r;

    buf_printf(&temporary, "%s.%016llx", path, (unsigned long long)env_random_u64(store->env));
    writer.fd = open(temporary.ptr, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    r = writer.fd < 0 ? write_failed(&writer) : write_archive(&writer);
    if (r == 0 && link(temporary.ptr, path) < 0)
        r = errno == EEXIST
                ? err_set(ERR_EXISTS, "There is a file %s already: name another, or move it away.",
                      path)
                : write_failed(&writer);
    if (writer.fd >= 0) {
        close(writer.fd);
        unlink(temporary.ptr);
    }
    if (r == 0)
        r = sync_folder(&writer);
    buf_deinit(&temporary);
    buf_deinit(&writer.record);
    if (r == 0)
        *ret_stats = writer.stats;
    return r;
}
