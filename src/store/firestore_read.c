/* Reading: documents by name, questions, and the rows made of them. */
#include "store/firestore.h"
#include "store/sorted.h"

#define GET_MAX 300  /* names of one batchGet */
#define LOAD_TRIES 6 /* of a row that is being replaced */

int fs_call_read(struct store_backend *fs, struct arena *arena, const char *method, struct str body,
    const struct json **ret_root)
{
    struct fs_reply reply;

    for (int i = 0; i < fs->attempts; i++) {
        int r = fs_call(fs, arena, method, body, &reply);
        if (r == 0)
            *ret_root = reply.root;
        if (r != FS_REFUSED)
            return r;
        r = fs_back_off(fs, i); /* ABORTED */
        if (r < 0)
            return r;
    }
    return err_set(ERR_UNAVAILABLE, "Firestore goes on aborting %s for contention.", method);
}

/* Everything but the map "data", of whatever entity; each field once. */
static struct sorted *all_but_data(struct sorted *names)
{
    static const char *const others[] = {"write", "parts", "part_id"};

    sorted_init(names);
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        sorted_insert(names, str_from(others[i]), NULL);
    for (size_t i = 0; i < STORE_ENTITY_COUNT; i++)
        for (size_t j = 0; j < store_schemas[i].column_count; j++)
            if (fs_is_asked(&store_schemas[i], j))
                sorted_insert(names, str_from(store_schemas[i].columns[j].name), NULL);
    return names;
}

static void write_mask(struct json_writer *w)
{
    struct sorted names;

    all_but_data(&names);
    json_name(w, "mask");
    json_object_begin(w);
    json_name(w, "fieldPaths");
    json_array_begin(w);
    for (struct sorted_node *node = sorted_from(&names, STR("")); node; node = node->next[0])
        json_put_str(w, node->key);
    json_array_end(w);
    json_object_end(w);
    sorted_deinit(&names, NULL);
}

static int get_chunk(struct store_backend *fs, const struct str *names, size_t count,
    bool with_data, struct arena *arena, struct sorted *found)
{
    struct buf body = BUF_IN(arena);
    struct json_writer w;
    const struct json *root;
    int r;

    json_init(&w, &body);
    json_object_begin(&w);
    json_name(&w, "documents");
    json_array_begin(&w);
    for (size_t i = 0; i < count; i++)
        json_put_str(&w, names[i]);
    json_array_end(&w);
    if (!with_data)
        write_mask(&w);
    json_object_end(&w);
    r = fs_call_read(fs, arena, "batchGet", buf_str(&body), &root);
    if (r < 0)
        return r;
    for (const struct json *one = json_first(root); one; one = json_next(one)) {
        const struct json *doc = json_get(one, "found");
        if (doc)
            sorted_insert(found, json_get_str(doc, "name"), (void *)(uintptr_t)doc);
    }
    return 0;
}

int fs_get_docs(struct store_backend *fs, const struct str *names, size_t count, bool with_data,
    struct arena *arena, const struct json **ret_docs)
{
    struct sorted found;
    int r = 0;

    sorted_init(&found);
    for (size_t i = 0; r == 0 && i < count; i += GET_MAX)
        r = get_chunk(fs, names + i, MIN(count - i, (size_t)GET_MAX), with_data, arena, &found);
    for (size_t i = 0; r == 0 && i < count; i++)
        ret_docs[i] = sorted_get(&found, names[i]);
    sorted_deinit(&found, NULL);
    return r;
}

/* Conditions of a question, ANDed. */
static void write_filter(struct json_writer *w, const char *field, const char *op,
    const struct store_column *column, struct str text, int64_t number)
{
    json_object_begin(w);
    json_name(w, "fieldFilter");
    json_object_begin(w);
    json_name(w, "field");
    json_object_begin(w);
    json_cstr_member(w, "fieldPath", field);
    json_object_end(w);
    json_cstr_member(w, "op", op);
    if (column->type == COLUMN_TEXT)
        fs_write_text(w, "value", text);
    else
        fs_write_int(w, "value", number);
    json_object_end(w);
    json_object_end(w);
}

/* The columns that a question is about: what is equal, and what it is ordered by. */
struct subject {
    const struct store_column *equal, *order;
    bool by_id; /* rows of equal order are ordered by id */
};

static struct subject subject_of(const struct store_query *query)
{
    const struct store_schema *schema = &store_schemas[query->entity];
    const struct store_column *columns = schema->columns;

    if (query->index == STORE_ALL)
        return (struct subject){NULL, NULL, true};
    if (query->index == STORE_CHILDREN)
        return (struct subject){&columns[1], &columns[2], false};
    return (struct subject){&columns[schema->indexes[query->index].column],
        &columns[schema->indexes[query->index].order], true};
}

static void write_where(
    struct json_writer *w, const struct store_query *query, const struct subject *subject)
{
    const struct store_column *workspace = &store_schemas[query->entity].columns[0];

    json_name(w, "where");
    json_object_begin(w);
    json_name(w, "compositeFilter");
    json_object_begin(w);
    json_cstr_member(w, "op", "AND");
    json_name(w, "filters");
    json_array_begin(w);
    write_filter(w, workspace->name, "EQUAL", workspace, query->workspace_id, 0);
    write_filter(w, subject->equal->name, "EQUAL", subject->equal, query->value, 0);
    write_filter(
        w, subject->order->name, "GREATER_THAN_OR_EQUAL", subject->order, STR(""), query->from);
    if (query->to != 0)
        write_filter(w, subject->order->name, "LESS_THAN", subject->order, STR(""), query->to);
    json_array_end(w);
    json_object_end(w);
    json_object_end(w);
}

static void write_order(struct json_writer *w, const char *field, bool descending)
{
    json_object_begin(w);
    json_name(w, "field");
    json_object_begin(w);
    json_cstr_member(w, "fieldPath", field);
    json_object_end(w);
    json_cstr_member(w, "direction", descending ? "DESCENDING" : "ASCENDING");
    json_object_end(w);
}

static void write_start(struct json_writer *w, const struct fs_question *question,
    const struct subject *subject, struct arena *arena)
{
    struct str number = str_printf(arena, "%lld", (long long)question->after_order);

    json_name(w, "startAt");
    json_object_begin(w);
    json_name(w, "values");
    json_array_begin(w);
    if (subject->order) {
        json_object_begin(w);
        json_str_member(w, "integerValue", number);
        json_object_end(w);
    }
    if (subject->by_id) {
        json_object_begin(w);
        json_str_member(w, "stringValue", question->after_id);
        json_object_end(w);
    }
    json_array_end(w);
    json_bool_member(w, "before", false);
    json_object_end(w);
}

static void write_select(struct json_writer *w)
{
    struct sorted names;

    all_but_data(&names);
    json_name(w, "select");
    json_object_begin(w);
    json_name(w, "fields");
    json_array_begin(w);
    for (struct sorted_node *node = sorted_from(&names, STR("")); node; node = node->next[0]) {
        json_object_begin(w);
        json_str_member(w, "fieldPath", node->key);
        json_object_end(w);
    }
    json_array_end(w);
    json_object_end(w);
    sorted_deinit(&names, NULL);
}

static struct str question_body(const struct fs_question *question, struct arena *arena)
{
    const struct store_query *query = question->query;
    struct subject subject = subject_of(query);
    struct buf body = BUF_IN(arena);
    struct json_writer w;

    json_init(&w, &body);
    json_object_begin(&w);
    json_name(&w, "structuredQuery");
    json_object_begin(&w);
    if (question->without_data)
        write_select(&w);
    json_name(&w, "from");
    json_array_begin(&w);
    json_object_begin(&w);
    json_cstr_member(&w, "collectionId", store_schemas[query->entity].table);
    json_object_end(&w);
    json_array_end(&w);
    if (subject.equal)
        write_where(&w, query, &subject);
    json_name(&w, "orderBy");
    json_array_begin(&w);
    if (subject.order)
        write_order(&w, subject.order->name, query->descending);
    if (subject.by_id)
        write_order(&w, "id", query->descending);
    json_array_end(&w);
    if (!str_empty(question->after_id))
        write_start(&w, question, &subject, arena);
    json_i64_member(&w, "limit", (int64_t)question->limit);
    json_object_end(&w);
    json_object_end(&w);
    return buf_str(&body);
}

int fs_ask(struct store_backend *fs, const struct fs_question *question, struct arena *arena,
    const struct json ***ret_docs, size_t *ret_count)
{
    struct buf docs = BUF_IN(arena);
    const struct json *root;
    size_t count = 0;
    int r = fs_call_read(fs, arena, "runQuery", question_body(question, arena), &root);

    if (r < 0)
        return r;
    for (const struct json *one = json_first(root); one; one = json_next(one)) {
        const struct json *doc = json_get(one, "document");
        if (doc) {
            buf_add(&docs, &doc, sizeof(doc));
            count++;
        }
    }
    *ret_docs = (const struct json **)(void *)docs.ptr;
    *ret_count = count;
    return 0;
}

static int load_parts(struct store_backend *fs, const struct store_schema *schema,
    const struct json *fields, struct arena *arena, void *row)
{
    struct str part_id = fs_read_text(fields, "part_id");
    size_t count = (size_t)fs_read_int(fields, "parts");
    struct buf bytes = BUF_IN(arena);

    for (size_t i = 0; i < count; i++) { /* one by one: an answer has a limit too */
        struct str name = fs_part_name(fs, part_id, (int64_t)i, arena), part;
        const struct json *doc;
        int r = fs_get_docs(fs, &name, 1, true, arena, &doc);
        if (r == 0 && !doc)
            return STORE_MISSING;
        if (r == 0)
            r = fs_read_bytes(json_get(doc, "fields"), "bytes", arena, &part);
        if (r < 0)
            return r;
        buf_add_str(&bytes, part);
    }
    return row_join(schema, fs_read_text(fields, "split"), buf_str(&bytes), arena, row);
}

int fs_load_row(struct store_backend *fs, const struct store_schema *schema, const struct json *doc,
    struct arena *arena, void *ret_row)
{
    struct str name = json_get_str(doc, "name");

    for (int i = 0; i < LOAD_TRIES; i++) {
        const struct json *fields = json_get(doc, "fields");
        int r = fs_read_row(schema, fields, arena, ret_row);
        if (r == 0 && fs_read_int(fields, "parts") > 0)
            r = load_parts(fs, schema, fields, arena, ret_row);
        if (r != STORE_MISSING)
            return r;
        r = fs_back_off(fs, i);
        if (r == 0)
            r = fs_get_docs(fs, &name, 1, true, arena, &doc);
        if (r < 0)
            return r;
        if (!doc)
            return STORE_MISSING;
    }
    return err_set(
        ERR_CORRUPT, "A row of %s lacks a part: restore it from a backup.", schema->table);
}

static int get_row(struct store_backend *fs, const struct store_schema *schema, struct str name,
    struct arena *arena, void *ret_row)
{
    const struct json *doc;
    int r = fs_get_docs(fs, &name, 1, true, arena, &doc);

    if (r < 0)
        return r;
    return doc ? fs_load_row(fs, schema, doc, arena, ret_row) : STORE_MISSING;
}

int fs_get(struct store_backend *fs, enum store_entity entity, struct str workspace_id,
    struct str id, struct arena *arena, void *ret_row)
{
    return get_row(fs, &store_schemas[entity], fs_id_name(fs, entity, workspace_id, id, arena),
        arena, ret_row);
}

int fs_find(struct store_backend *fs, enum store_entity entity, struct str workspace_id, int index,
    struct str value, struct arena *arena, void *ret_row)
{
    const struct store_schema *schema = &store_schemas[entity];
    const struct store_column *column = &schema->columns[schema->indexes[index].column];
    struct str name = fs_marker_name(fs, schema, index, workspace_id, value, arena);
    struct str owner_workspace, owner;
    const struct json *doc;
    int r = fs_get_docs(fs, &name, 1, true, arena, &doc);

    if (r < 0)
        return r;
    if (!doc)
        return STORE_MISSING;
    owner_workspace = fs_read_text(json_get(doc, "fields"), "workspace_id");
    owner = fs_read_text(json_get(doc, "fields"), "id");
    if (!str_empty(workspace_id) && !str_eq(workspace_id, owner_workspace))
        return STORE_MISSING; /* a global value of another workspace */
    r = get_row(fs, schema, fs_id_name(fs, entity, owner_workspace, owner, arena), arena, ret_row);
    if (r == 0 && !str_eq(*row_str(ret_row, column), value))
        return STORE_MISSING; /* it got another value between the two reads */
    return r;
}

int fs_list(struct store_backend *fs, const struct store_query *query, int64_t after_order,
    struct str after_id, struct arena *arena, struct store_page *ret_page)
{
    const struct store_schema *schema = &store_schemas[query->entity];
    const struct fs_question question = {
        .query = query, .after_order = after_order, .after_id = after_id, .limit = query->limit};
    struct store_page page = {0};
    const struct json **docs;
    size_t count;
    int r = fs_ask(fs, &question, arena, &docs, &count);

    if (r < 0)
        return r;
    page.rows = arena_zalloc(arena, MAX(count, (size_t)1), schema->row_size);
    for (size_t i = 0; i < count; i++) {
        r = fs_load_row(
            fs, schema, docs[i], arena, (char *)page.rows + page.count * schema->row_size);
        if (r < 0)
            return r;
        page.count += r == 0; /* one that went meanwhile is left out */
    }
    *ret_page = page;
    return 0;
}
