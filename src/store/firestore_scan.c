/* Reading whole collections: for a backup, and to find parts that no row refers to.
 *
 * A backup reads all collections as they were at one moment, the one of its first page; Firestore
 * keeps the versions of the last hour, or of seven days with point-in-time recovery. Parts of large
 * rows are read as they are now: a large row that is replaced meanwhile is shown in its new form.
 */
#include "base/log.h"
#include "store/firestore.h"

#define PAGE 300
#define PAGE_OF_PARTS 100
#define SWEEP_EVERY_MS (6 * HOUR_MS)
#define ORPHAN_AFTER_MS HOUR_MS /* longer than any commit may take */

/* One page of a collection in the order of the names. */
struct page {
    const char *collection;
    struct str after;     /* name of the last document of the page before; "" */
    struct str read_time; /* "": now */
    bool without_bytes;   /* of parts */
    size_t limit;
};

static void write_field(struct json_writer *w, const char *path)
{
    json_object_begin(w);
    json_cstr_member(w, "fieldPath", path);
    json_object_end(w);
}

static void write_select(struct json_writer *w)
{
    json_name(w, "select");
    json_object_begin(w);
    json_name(w, "fields");
    json_array_begin(w);
    write_field(w, "row");
    write_field(w, "part_id");
    json_array_end(w);
    json_object_end(w);
}

static void write_place(struct json_writer *w, const struct page *page)
{
    json_name(w, "orderBy");
    json_array_begin(w);
    json_object_begin(w);
    json_name(w, "field");
    write_field(w, "__name__");
    json_cstr_member(w, "direction", "ASCENDING");
    json_object_end(w);
    json_array_end(w);
    if (str_empty(page->after))
        return;
    json_name(w, "startAt");
    json_object_begin(w);
    json_name(w, "values");
    json_array_begin(w);
    json_object_begin(w);
    json_str_member(w, "referenceValue", page->after);
    json_object_end(w);
    json_array_end(w);
    json_bool_member(w, "before", false);
    json_object_end(w);
}

static struct str page_body(const struct page *page, struct arena *arena)
{
    struct buf body = BUF_IN(arena);
    struct json_writer w;

    json_init(&w, &body);
    json_object_begin(&w);
    json_name(&w, "structuredQuery");
    json_object_begin(&w);
    if (page->without_bytes)
        write_select(&w);
    json_name(&w, "from");
    json_array_begin(&w);
    json_object_begin(&w);
    json_cstr_member(&w, "collectionId", page->collection);
    json_object_end(&w);
    json_array_end(&w);
    write_place(&w, page);
    json_i64_member(&w, "limit", (int64_t)page->limit);
    json_object_end(&w);
    if (!str_empty(page->read_time))
        json_str_member(&w, "readTime", page->read_time);
    json_object_end(&w);
    return buf_str(&body);
}

/* Documents of one page, and the time at which they were read. */
static int read_page(struct store_backend *fs, const struct page *page, struct arena *arena,
    const struct json **ret_docs, size_t *ret_count, struct str *ret_time)
{
    const struct json *root;
    size_t count = 0;
    int r = fs_call_read(fs, arena, "runQuery", page_body(page, arena), &root);

    if (r < 0)
        return r;
    for (const struct json *one = json_first(root); one; one = json_next(one)) {
        const struct json *doc = json_get(one, "document");
        if (doc && count < page->limit)
            ret_docs[count++] = doc;
        *ret_time = json_get_str(one, "readTime");
    }
    *ret_count = count;
    return 0;
}

/* What is done with each page; docs live until it returns. */
struct reader {
    struct store_backend *fs;
    int (*docs)(struct reader *reader, const struct json **docs, size_t count, struct arena *arena);
    const struct store_visitor *visitor;
    const struct store_schema *schema;
    struct buf read_time, after;
    int64_t swept;
};

static int read_collection(struct reader *reader, struct page page)
{
    const struct json *docs[PAGE];
    struct arena arena;
    size_t count;
    int r;

    buf_clear(&reader->after);
    arena_init(&arena);
    do {
        struct str time = STR("");

        arena_reset(&arena);
        page.after = buf_str(&reader->after);
        page.read_time = buf_str(&reader->read_time);
        r = read_page(reader->fs, &page, &arena, docs, &count, &time);
        if (r == 0 && reader->visitor && reader->read_time.len == 0)
            buf_add_str(&reader->read_time, time);
        if (r == 0 && count > 0) {
            buf_clear(&reader->after);
            buf_add_str(&reader->after, json_get_str(docs[count - 1], "name"));
            r = reader->docs(reader, docs, count, &arena);
        }
    } while (r == 0 && count == page.limit);
    arena_deinit(&arena);
    return r;
}

static int show_rows(
    struct reader *reader, const struct json **docs, size_t count, struct arena *arena)
{
    const struct store_schema *schema = reader->schema;
    char *rows = arena_zalloc(arena, count, schema->row_size);
    size_t shown = 0;

    for (size_t i = 0; i < count; i++) {
        int r = fs_load_row(reader->fs, schema, docs[i], arena, rows + shown * schema->row_size);
        if (r < 0)
            return r;
        shown += r == 0;
    }
    return shown > 0 ? reader->visitor->rows(reader->visitor->ctx, schema->entity, rows, shown) : 0;
}

static void reader_deinit(struct reader *reader)
{
    buf_deinit(&reader->read_time);
    buf_deinit(&reader->after);
}

int fs_scan(struct store_backend *fs, const struct store_visitor *visitor)
{
    struct reader reader = {
        .fs = fs, .docs = show_rows, .visitor = visitor, .read_time = BUF_HEAP, .after = BUF_HEAP};
    int r = 0;

    for (size_t i = 0; r == 0 && i < STORE_ENTITY_COUNT; i++) {
        reader.schema = &store_schemas[i];
        r = read_collection(
            &reader, (struct page){.collection = reader.schema->table, .limit = PAGE});
    }
    reader_deinit(&reader);
    return r;
}

static int drop_part(struct store_backend *fs, struct str name, struct arena *arena)
{
    struct buf body = BUF_IN(arena);
    struct fs_reply reply;
    struct json_writer w;
    int r;

    json_init(&w, &body);
    json_object_begin(&w);
    json_name(&w, "writes");
    json_array_begin(&w);
    json_object_begin(&w);
    json_str_member(&w, "delete", name);
    json_object_end(&w);
    json_array_end(&w);
    json_object_end(&w);
    r = fs_call(fs, arena, "commit", buf_str(&body), &reply);
    return r == FS_REFUSED ? 0 : r; /* somebody else is at it */
}

/* Delete the parts of a page that are old and that no row refers to. */
static int sweep_page(
    struct reader *reader, const struct json **docs, size_t count, struct arena *arena)
{
    struct str *names = arena_array(arena, struct str, count);
    const struct json **rows = arena_array(arena, const struct json *, count);
    int64_t now = env_wall_ms(reader->fs->env);
    int r;

    for (size_t i = 0; i < count; i++) /* twice the same name is asked for once */
        names[i] = fs_read_text(json_get(docs[i], "fields"), "row");
    r = fs_get_docs(reader->fs, names, count, false, arena, rows);
    for (size_t i = 0; r == 0 && i < count; i++) {
        struct str part_id = fs_read_text(json_get(docs[i], "fields"), "part_id");
        int64_t at;

        if (rows[i] && str_eq(fs_read_text(json_get(rows[i], "fields"), "part_id"), part_id))
            continue;
        if (!rfc3339_parse(json_get_str(docs[i], "updateTime"), &at, NULL) ||
            at > now - ORPHAN_AFTER_MS)
            continue;
        r = drop_part(reader->fs, json_get_str(docs[i], "name"), arena);
        reader->swept += r == 0;
    }
    return r;
}

int fs_sweep(struct store_backend *fs)
{
    struct reader reader = {.fs = fs, .docs = sweep_page, .read_time = BUF_HEAP, .after = BUF_HEAP};
    int r = read_collection(&reader,
        (struct page){.collection = "parts", .without_bytes = true, .limit = PAGE_OF_PARTS});

    reader_deinit(&reader);
    if (reader.swept > 0)
        log_info("firestore.parts_swept", LOG_I64("parts", reader.swept));
    return r;
}

/* One of all processes does it, every six hours. */
int fs_sweep_when_due(struct store_backend *fs)
{
    int64_t now = env_wall_ms(fs->env), last = 0;
    struct arena arena;
    struct str value;
    int r;

    arena_init(&arena);
    r = fs_meta_get(fs, "swept_at", &arena, &value);
    if (r == 0 && (!rfc3339_parse(value, &last, NULL) || last < now - SWEEP_EVERY_MS)) {
        r = fs_meta_set(fs, "swept_at", rfc3339(&arena, now));
        if (r == 0)
            r = fs_sweep(fs);
    }
    arena_deinit(&arena);
    return r;
}
