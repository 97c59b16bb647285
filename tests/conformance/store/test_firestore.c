/* What only the Firestore back end has: its declared indexes, rows in parts, and what it makes of a
 * service that fails. The faults are those of tests/peers/firestore.js. */
#include "base/json.h"
#include "http/client.h"
#include "store/firestore.h"
#include "suite.h"

#include <stdlib.h>

static void write_field(struct json_writer *w, const char *path, bool descending)
{
    json_object_begin(w);
    json_cstr_member(w, "fieldPath", path);
    json_cstr_member(w, "order", descending ? "DESCENDING" : "ASCENDING");
    json_object_end(w);
}

static void write_index(
    struct json_writer *w, const struct store_schema *schema, int equal, int order, bool descending)
{
    const struct store_column *columns = schema->columns;

    json_object_begin(w);
    json_cstr_member(w, "collectionGroup", schema->table);
    json_cstr_member(w, "queryScope", "COLLECTION");
    json_name(w, "fields");
    json_array_begin(w);
    write_field(w, columns[0].name, false);
    write_field(w, columns[equal].name, false);
    write_field(w, columns[order].name, descending);
    if (!schema->by_seq)
        write_field(w, "id", descending);
    json_array_end(w);
    json_object_end(w);
}

/* No index of its own for a field: nobody asks for it alone, and one over times would be a hot
 * spot. Workspaces are listed by id. */
static void write_override(
    struct json_writer *w, const struct store_schema *schema, const char *path)
{
    if (schema->entity == STORE_WORKSPACES && strcmp(path, "id") == 0)
        return;
    json_object_begin(w);
    json_cstr_member(w, "collectionGroup", schema->table);
    json_cstr_member(w, "fieldPath", path);
    json_name(w, "indexes");
    json_array_begin(w);
    json_array_end(w);
    json_object_end(w);
}

static struct str expected_indexes(struct arena *arena)
{
    struct buf out = BUF_IN(arena);
    struct json_writer w;

    json_init(&w, &out);
    json_object_begin(&w);
    json_name(&w, "indexes");
    json_array_begin(&w);
    for (size_t i = 0; i < STORE_ENTITY_COUNT; i++) {
        const struct store_schema *schema = &store_schemas[i];
        for (int down = 0; schema->by_seq && down < 2; down++)
            write_index(&w, schema, 1, 2, down);
        for (size_t j = 0; j < schema->index_count; j++)
            for (int down = 0; schema->indexes[j].kind == INDEX_LIST && down < 2; down++)
                write_index(&w, schema, schema->indexes[j].column, schema->indexes[j].order, down);
    }
    json_array_end(&w);
    json_name(&w, "fieldOverrides");
    json_array_begin(&w);
    for (size_t i = 0; i < STORE_ENTITY_COUNT; i++) {
        for (size_t j = 0; j < store_schemas[i].column_count; j++)
            if (fs_is_asked(&store_schemas[i], j))
                write_override(&w, &store_schemas[i], store_schemas[i].columns[j].name);
        write_override(&w, &store_schemas[i], "data");
    }
    json_array_end(&w);
    json_object_end(&w);
    return buf_str(&out);
}

static void write_lines(FILE *file, struct str json)
{
    const struct str start = STR("{\"collectionGroup\"");
    size_t from = 0;
    ptrdiff_t at;

    while ((at = str_find(json, start, from)) >= 0) {
        fprintf(file, "%.*s\n", (int)((size_t)at - from), json.ptr + from);
        from = (size_t)at;
        at = str_find(json, start, from + 1);
        at = at < 0 ? (ptrdiff_t)json.len : at;
        fprintf(file, "%.*s", (int)((size_t)at - from), json.ptr + from);
        from = (size_t)at;
    }
    fputc('\n', file);
}

static struct str read_indexes(struct test *t)
{
    struct str path =
        str_printf(t->arena, "%s/deploy/firestore/firestore.indexes.json", getenv("THEO_SOURCE"));
    FILE *file = fopen(path.ptr, "re");
    const struct json *root;
    char *text = arena_alloc(t->arena, MIB);
    size_t len;

    if (!EXPECT(file != NULL))
        return STR("");
    len = fread(text, 1, MIB, file);
    fclose(file);
    if (!EXPECT_OK(json_parse(t->arena, (struct str){text, len}, &root)))
        return STR("");
    return json_text(t->arena, root);
}

/* Every index that is asked for is declared. The file may hold more: programs of two versions work
 * on one database while one replaces the other. THEO_WRITE_INDEXES=FILE writes the file anew. */
TEST(indexes_of_all_entities_are_declared)
{
    static const char *const members[] = {"indexes", "fieldOverrides"};
    const char *write_to = getenv("THEO_WRITE_INDEXES");
    FILE *file = write_to ? fopen(write_to, "we") : NULL;
    struct str declared = read_indexes(t);
    const struct json *expected;

    REQUIRE_OK(json_parse(t->arena, expected_indexes(t->arena), &expected));
    if (file) {
        write_lines(file, json_text(t->arena, expected));
        fclose(file);
    }
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        const struct json *one = json_first(json_get(expected, members[i]));
        EXPECT(one != NULL);
        for (; one; one = json_next(one)) {
            struct str text = json_text(t->arena, one);
            if (str_find(declared, text, 0) < 0)
                EXPECT_STR(text, "declared in deploy/firestore/firestore.indexes.json");
        }
    }
}

TEST(wrong_urls_are_refused_by_name)
{
    static const char *const urls[] = {"firestore:", "firestore://", "firestore:///d",
        "firestore://UPPER", "firestore://p/", "firestore://p/a/b", "firestore://p/(other)"};
    struct suite s;

    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        EXPECT_EQ(suite_open_url(t, urls[i], &s), ERR_INVALID);
        EXPECT_CSTR(err_get()->field, "store");
    }
}

#define NEED_SERVICE()                                                                             \
    do {                                                                                           \
        if (!getenv(FS_EMULATOR))                                                                  \
            SKIP("no Firestore: run through with_firestore.py");                                   \
    } while (0)

static int post(struct test *t, struct str url, const char *body, struct http_reply *ret_reply)
{
    const struct http_header headers[] = {{STR("Content-Type"), STR("application/json")},
        {STR("Authorization"), STR("Bearer owner")}};
    const struct http_call call = {.method = HTTP_POST,
        .url = url,
        .headers = headers,
        .header_count = 2,
        .body = str_from(body)};

    return http_send(t->arena, &call, ret_reply);
}

static size_t count_parts(struct test *t, const struct suite *s)
{
    struct str project = str_from(s->config.store + strlen("firestore://"));
    struct str url =
        str_printf(t->arena, "http://%s/v1/projects/%.*s/databases/(default)/documents:runQuery",
            getenv(FS_EMULATOR), STR_ARG(project));
    struct http_reply reply;
    const struct json *root;
    size_t count = 0;

    if (!EXPECT_OK(post(t, url,
            "{\"structuredQuery\":{\"select\":{\"fields\":[]},"
            "\"from\":[{\"collectionId\":\"parts\"}]}}",
            &reply)) ||
        !EXPECT_EQ(reply.status, 200) || !EXPECT_OK(json_parse(t->arena, reply.body, &root)))
        return 0;
    for (const struct json *one = json_first(root); one; one = json_next(one))
        count += json_get(one, "document") != NULL;
    return count;
}

static struct str a_large_value(struct arena *arena, size_t len, char first)
{
    char *bytes = arena_alloc(arena, len);

    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)(first + (char)(i % 23));
    return (struct str){bytes, len};
}

/* 1 MB needs parts in the same commit; 12 MB need commits of their own before it. */
TEST(large_rows_lie_in_parts_that_go_with_them)
{
    struct suite s;
    struct run_row row = a_run("w1", "r1", "s1", 1), got;
    size_t sizes[] = {MIB, 12 * MIB, 3 * MIB, 10};

    NEED_SERVICE();
    REQUIRE_OK(suite_open_url(t, "firestore://theo-%", &s));
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        row.request = a_large_value(t->arena, sizes[i], (char)('a' + i));
        row.result = STR("{\"reply\":\"kept\"}");
        EXPECT_OK(put_row(&s, STORE_RUNS, &row));
        REQUIRE_OK(get_row(&s, STORE_RUNS, "w1", "r1", &got));
        EXPECT(str_eq(got.request, row.request));
        EXPECT_STR(got.result, "{\"reply\":\"kept\"}");
        EXPECT_EQ(got.version, i + 1);
        EXPECT((count_parts(t, &s) > 0) == (sizes[i] > 10));
    }
    row.request = a_large_value(t->arena, 2 * MIB, 'x');
    EXPECT_OK(put_row(&s, STORE_RUNS, &row));
    EXPECT(count_parts(t, &s) > 0);
    EXPECT_OK(delete_row(&s, STORE_RUNS, &row));
    EXPECT_EQ(count_parts(t, &s), 0);
    suite_close(&s);
}

/* A part whose row was never written. */
static int write_orphan(struct test *t, struct store_backend *fs)
{
    struct str documents = str_printf(t->arena, "%.*s/documents", STR_ARG(fs->database));
    struct str body = str_printf(t->arena,
        "{\"writes\":[{\"update\":{\"name\":\"%.*s/parts/lost:0\",\"fields\":{"
        "\"row\":{\"stringValue\":\"%.*s/runs/w1:gone\"},\"part_id\":{\"stringValue\":\"lost\"},"
        "\"bytes\":{\"bytesValue\":\"AAAA\"}}}}]}",
        STR_ARG(documents), STR_ARG(documents));
    struct fs_reply reply;

    return fs_call(fs, t->arena, "commit", body, &reply);
}

static int64_t two_hours_on(void *ctx)
{
    (void)ctx;
    return env_wall_ms(env_system()) + 2 * HOUR_MS;
}

/* As a process leaves them that dies between a row's parts and the row. */
TEST(parts_of_a_row_that_never_came_are_swept)
{
    struct suite s;
    struct run_row row = a_run("w1", "r1", "s1", 1), got;
    struct env later = *env_system();
    struct store_backend *fs;
    size_t before;

    NEED_SERVICE();
    REQUIRE_OK(suite_open_url(t, "firestore://theo-%", &s));
    fs = s.store->backend;
    row.request = a_large_value(t->arena, 2 * MIB, 'k');
    EXPECT_OK(put_row(&s, STORE_RUNS, &row));
    before = count_parts(t, &s);
    REQUIRE_OK(write_orphan(t, fs));
    EXPECT_EQ(count_parts(t, &s), before + 1);
    EXPECT_OK(fs_sweep(fs)); /* it may still be on its way */
    EXPECT_EQ(count_parts(t, &s), before + 1);
    later.wall_ms = two_hours_on;
    fs->env = &later;
    EXPECT_OK(fs_sweep(fs));
    fs->env = env_system();
    EXPECT_EQ(count_parts(t, &s), before);
    EXPECT_OK(get_row(&s, STORE_RUNS, "w1", "r1", &got));
    EXPECT(str_eq(got.request, row.request));
    suite_close(&s);
}

TEST(any_key_makes_a_name)
{
    static const char *const ids[] = {
        ".", "..", "__x__", "a/b", "a%2Fb", "a:b", "a", "é", "#", "日本"};
    struct suite s;
    struct run_row row = a_run("w1", "", "s1", 1), got;
    char longest[513];

    NEED_SERVICE();
    REQUIRE_OK(suite_open_url(t, "firestore://theo-%", &s));
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        row.id = str_from(ids[i]);
        EXPECT_OK(insert_row(&s, STORE_RUNS, &row));
    }
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        REQUIRE_OK(get_row(&s, STORE_RUNS, "w1", ids[i], &got));
        EXPECT_STR(got.id, ids[i]);
    }
    memset(longest, '/', 512);
    longest[512] = '\0';
    row.id = str_from(longest);
    EXPECT_OK(insert_row(&s, STORE_RUNS, &row));
    EXPECT_EQ(insert_row(&s, STORE_RUNS, &row), STORE_EXISTS);
    EXPECT_OK(get_row(&s, STORE_RUNS, "w1", longest, &got));
    longest[511] = '\0';
    EXPECT_EQ(get_row(&s, STORE_RUNS, "w1", longest, &got), STORE_MISSING);
    suite_close(&s);
}

TEST(a_large_delete_all_takes_everything)
{
    struct suite s;
    struct message_row *rows = arena_array(t->arena, struct message_row, 1300);
    struct store_query query = a_query(STORE_MESSAGES, "w1", STORE_CHILDREN, "s1");
    struct store_batch batch;
    struct str ids;

    NEED_SERVICE();
    REQUIRE_OK(suite_open_url(t, "firestore://theo-%", &s));
    store_batch_init(&batch, t->arena);
    for (int i = 0; i < 1300; i++) {
        rows[i] = a_message("w1", i % 100 == 7 ? "other" : "s1", i, "x");
        store_insert(&batch, STORE_MESSAGES, &rows[i]);
    }
    REQUIRE_OK(store_commit(s.store, &batch));
    EXPECT_OK(delete_all(&s, STORE_MESSAGES, "w1", STORE_CHILDREN, "s1"));
    EXPECT_OK(list_rows(&s, query, 100, &ids));
    EXPECT_STR(ids, "|");
    query.value = STR("other");
    EXPECT_OK(list_rows(&s, query, 100, &ids));
    EXPECT_STR(ids, "7 107 207 307 407 507 607 707 807 907 1007 1107 1207|");
    suite_close(&s);
}

#define NEED_FAULTS()                                                                              \
    do {                                                                                           \
        if (!getenv("THEO_FIRESTORE_STUB"))                                                        \
            SKIP("only the stub can be told to fail");                                             \
    } while (0)

static void fail_next(struct test *t, const char *method, const char *how, int count)
{
    struct str url = str_printf(t->arena, "http://%s/_fail", getenv("THEO_FIRESTORE_STUB"));
    struct str body =
        str_printf(t->arena, "{\"method\":\"%s\",\"how\":\"%s\",\"count\":%d}", method, how, count);
    struct http_reply reply;

    EXPECT_OK(post(t, url, body.ptr, &reply));
    EXPECT_EQ(reply.status, 204);
}

/* The answer is lost, the write was done: it is found again, and nothing is done twice. */
TEST(a_lost_answer_is_no_second_write)
{
    struct suite s;
    struct run_row row = a_run("w1", "r1", "s1", 1), got;

    NEED_FAULTS();
    REQUIRE_OK(suite_open_url(t, "firestore://theo-%", &s));
    EXPECT_OK(store_workspace(s.store, S("w1")));
    fail_next(t, "commit", "drop_after", 1);
    EXPECT_OK(insert_row(&s, STORE_RUNS, &row));
    fail_next(t, "commit", "drop_after", 1);
    EXPECT_OK(update_row(&s, STORE_RUNS, &row));
    REQUIRE_OK(get_row(&s, STORE_RUNS, "w1", "r1", &got));
    EXPECT_EQ(got.version, 2);
    fail_next(t, "commit", "drop_after", 2);
    EXPECT_OK(put_row(&s, STORE_RUNS, &row));
    REQUIRE_OK(get_row(&s, STORE_RUNS, "w1", "r1", &got));
    EXPECT_EQ(got.version, 3);
    fail_next(t, "commit", "drop_after", 1);
    EXPECT_OK(delete_row(&s, STORE_RUNS, &row));
    EXPECT_EQ(get_row(&s, STORE_RUNS, "w1", "r1", &got), STORE_MISSING);
    suite_close(&s);
}

TEST(passing_failures_are_repeated)
{
    static const char *const how[] = {"drop", "aborted", "429", "503"};
    struct suite s;
    struct run_row row = a_run("w1", "", "s1", 1), got;
    struct store_query query = a_query(STORE_RUNS, "w1", 0, "s1");
    struct str ids;

    NEED_FAULTS();
    REQUIRE_OK(suite_open_url(t, "firestore://theo-%", &s));
    for (size_t i = 0; i < ARRAY_LEN(how); i++) {
        row.id = str_from(how[i]);
        fail_next(t, "commit", how[i], 2);
        EXPECT_OK(insert_row(&s, STORE_RUNS, &row));
        EXPECT_EQ(insert_row(&s, STORE_RUNS, &row), STORE_EXISTS);
        fail_next(t, "batchGet", how[i], 2);
        EXPECT_OK(get_row(&s, STORE_RUNS, "w1", how[i], &got));
        fail_next(t, "runQuery", how[i], 2);
        EXPECT_OK(list_rows(&s, query, 1, &ids));
    }
    EXPECT_STR(ids, "429|503|aborted|drop|");
    suite_close(&s);
}

TEST(a_service_that_stays_away_is_named)
{
    struct suite s;
    struct run_row row = a_run("w1", "r1", "s1", 1);

    NEED_FAULTS();
    REQUIRE_OK(suite_open_url(t, "firestore://theo-%", &s));
    EXPECT_OK(store_workspace(s.store, S("w1")));
    fail_next(t, "commit", "429", FS_ATTEMPTS);
    EXPECT_EQ(insert_row(&s, STORE_RUNS, &row), ERR_UNAVAILABLE);
    fail_next(t, "commit", "503", FS_ATTEMPTS);
    EXPECT_EQ(insert_row(&s, STORE_RUNS, &row), ERR_TIMEOUT); /* it may have been done */
    EXPECT_OK(insert_row(&s, STORE_RUNS, &row));
    suite_close(&s);
}
