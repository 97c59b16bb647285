#include "store/archive.h"
#include "store/scan.h"
#include "suite.h"

#include <sys/stat.h>
#include <unistd.h>

static const char *path_in(struct test *t, const char *name)
{
    return str_printf(t->arena, "%s/%s", test_dir(t), name).ptr;
}

/* Rows of every kind that hangs together, in two workspaces. */
static int fill(struct suite *s)
{
    int r = 0;

    for (int i = 0; r == 0 && i < 2; i++) {
        const char *ws = i ? "w2" : "w1";
        struct chat_session_row session = a_session(ws, "s1");
        struct run_row run = a_run(ws, "r1", "s1", 7);
        struct message_row message =
            a_message(ws, "s1", 1, "Deal: 12 € a unit \x01\xf0\x9f\x8e\x89");
        struct message_row empty = a_message(ws, "s1", 2, "");
        struct agent_action_row action = {.workspace_id = S(ws),
            .run_id = S("r1"),
            .seq = 1,
            .events = S("[{\"type\":\"run.started\"}]"),
            .created_at = -5};
        struct api_key_row key = a_key(ws, i ? "bbbbbbbb" : "aaaaaaaa");
        struct outbox_row outbox = {.workspace_id = S(ws),
            .id = S("o1"),
            .state = S("pending"),
            .session_id = S("s1"),
            .body = S("hello"),
            .due_at = INT64_MAX - 1};
        struct store_batch batch;

        store_batch_init(&batch, s->arena);
        store_insert(&batch, STORE_CHAT_SESSIONS, &session);
        store_insert(&batch, STORE_RUNS, &run);
        store_insert(&batch, STORE_MESSAGES, &message);
        store_insert(&batch, STORE_MESSAGES, &empty);
        store_insert(&batch, STORE_AGENT_ACTIONS, &action);
        store_insert(&batch, STORE_API_KEYS, &key);
        store_insert(&batch, STORE_OUTBOX, &outbox);
        r = store_commit(s->store, &batch);
    }
    return r;
}

#define FILLED 16 /* two workspaces with seven rows each, and themselves */

static int count_rows(void *ctx, enum store_entity entity, const void *rows, size_t count)
{
    (void)entity, (void)rows;
    *(size_t *)ctx += count;
    return 0;
}

static size_t rows_in(struct test *t, struct suite *s)
{
    size_t count = 0;
    const struct store_visitor visitor = {count_rows, &count};

    EXPECT_OK(store_scan(s->store, &visitor));
    return count;
}

static void expect_filled(struct test *t, struct suite *s)
{
    struct store_query query = a_query(STORE_MESSAGES, "w2", STORE_CHILDREN, "s1");
    struct store_page page;
    struct outbox_row outbox;
    struct api_key_row key;

    REQUIRE_OK(store_list(s->store, &query, t->arena, &page));
    REQUIRE(page.count == 2);
    EXPECT_STR(((struct message_row *)page.rows)[0].body, "Deal: 12 € a unit \x01\xf0\x9f\x8e\x89");
    EXPECT_STR(((struct message_row *)page.rows)[1].body, "");
    EXPECT_OK(get_row(s, STORE_OUTBOX, "w1", "o1", &outbox));
    EXPECT_EQ(outbox.due_at, INT64_MAX - 1);
    EXPECT_OK(store_find(s->store, STORE_API_KEYS, S(""), 0, S("bbbbbbbb"), t->arena, &key));
    EXPECT_STR(key.workspace_id, "w2");
    EXPECT_EQ(rows_in(t, s), FILLED);
}

TEST(a_backup_fills_an_empty_store)
{
    const char *path = path_in(t, "copy.theo");
    struct archive_stats stats;
    struct store *first;
    struct suite s;

    REQUIRE_OK(suite_open(t, &s));
    REQUIRE_OK(fill(&s));
    REQUIRE_OK(archive_backup(s.store, path, NULL, &stats));
    EXPECT_EQ(stats.rows, FILLED);
    EXPECT_EQ(archive_backup(s.store, path, NULL, &stats), ERR_EXISTS);
    first = s.store; /* into another kind of store, under the same master key */
    REQUIRE_OK(
        store_open_with(&store_memory, &s.config, "memory", env_system(), s.sealer, &s.store));
    REQUIRE_OK(archive_restore(s.store, path, false, NULL, &stats));
    EXPECT_EQ(stats.rows, FILLED);
    expect_filled(t, &s);
    store_close(s.store);
    s.store = first;
    EXPECT_EQ(archive_restore(s.store, path, false, NULL, &stats), ERR_EXISTS);
    suite_close(&s);
}

TEST(restore_with_replace_leaves_nothing_else)
{
    const char *path = path_in(t, "copy.theo");
    struct chat_session_row later = a_session("w3", "later"), got;
    struct archive_stats stats;
    struct suite s;

    REQUIRE_OK(suite_open(t, &s));
    REQUIRE_OK(fill(&s));
    REQUIRE_OK(archive_backup(s.store, path, NULL, &stats));
    REQUIRE_OK(insert_row(&s, STORE_CHAT_SESSIONS, &later));
    REQUIRE_OK(archive_restore(s.store, path, true, NULL, &stats));
    EXPECT_EQ(get_row(&s, STORE_CHAT_SESSIONS, "w3", "later", &got), STORE_MISSING);
    expect_filled(t, &s);
    suite_close(&s);
}

/* Every cut and every changed byte is refused, and nothing is written. */
TEST(a_damaged_backup_is_refused_before_anything_is_written)
{
    const char *path = path_in(t, "copy.theo");
    struct archive_stats stats;
    struct suite s, other;
    struct stat st;
    char *bytes;
    FILE *file;

    REQUIRE_OK(suite_open(t, &s));
    REQUIRE_OK(fill(&s));
    REQUIRE_OK(archive_backup(s.store, path, NULL, &stats));
    REQUIRE(stat(path, &st) == 0);
    EXPECT_EQ(stats.bytes, st.st_size);
    EXPECT_EQ(st.st_mode & 077, 0);
    bytes = arena_alloc(t->arena, (size_t)st.st_size);
    file = fopen(path, "r");
    REQUIRE(file && fread(bytes, 1, (size_t)st.st_size, file) == (size_t)st.st_size);
    fclose(file);
    other = s;
    REQUIRE_OK(
        store_open_with(&store_memory, &s.config, "memory", env_system(), s.sealer, &other.store));
    for (int64_t i = 0; i < st.st_size; i += 13) {
        char right = bytes[i];
        int r;

        file = fopen(path, "w");
        REQUIRE(file && fwrite(bytes, 1, (size_t)i, file) == (size_t)i && fclose(file) == 0);
        r = archive_restore(other.store, path, false, NULL, &stats);
        EXPECT(r == ERR_CORRUPT || (i < 14 && r == ERR_INVALID));
        bytes[i] = (char)(bytes[i] ^ 1);
        file = fopen(path, "w");
        REQUIRE(file && fwrite(bytes, 1, (size_t)st.st_size, file) == (size_t)st.st_size);
        fclose(file);
        bytes[i] = right;
        r = archive_restore(other.store, path, false, NULL, &stats);
        EXPECT(r == ERR_CORRUPT || (i < 14 && r == ERR_INVALID));
    }
    EXPECT_EQ(rows_in(t, &other), 0);
    store_close(other.store);
    suite_close(&s);
}

TEST(a_backup_of_another_master_key_is_refused)
{
    const char *path = path_in(t, "copy.theo");
    struct archive_stats stats;
    struct suite s, other;

    REQUIRE_OK(suite_open(t, &s));
    REQUIRE_OK(fill(&s));
    REQUIRE_OK(archive_backup(s.store, path, NULL, &stats));
    other = s;
    REQUIRE_OK(sealer_new_ephemeral(env_system(), &other.sealer));
    REQUIRE_OK(store_open_with(
        &store_memory, &s.config, "memory", env_system(), other.sealer, &other.store));
    EXPECT_EQ(archive_restore(other.store, path, false, NULL, &stats), ERR_CORRUPT);
    EXPECT(str_find(str_from(err_message()), STR("master key"), 0) >= 0);
    EXPECT_EQ(rows_in(t, &other), 0);
    suite_close(&other);
    suite_close(&s);
}
